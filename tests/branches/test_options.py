"""Options behind a kind of branch are typed and closed, and name the branch."""

import pytest

from aligngemini.branches import branch_runs, options, registry
from aligngemini.core.params import Refused


def test_the_first_option_may_stand_without_its_name():
    assert options.read("probe", "semantic").train == options.read("probe", "train=semantic").train == "semantic"
    assert options.read("probe", "base='a b/c'").base == "a b/c"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rigid nosie=1", "no option 'nosie': did you mean 'noise'"),
        ("rigid noise=7", "noise must be above 0 and at most 1"),
        ("rigid noise=0.1 noise=0.2", "noise twice"),
        ("rigid base='x", "cannot be read"),
        ("rigid name=or", "is taken or not plain: file_or would do"),
        ("frequency x=1", "stands alone"),
    ],
)
def test_what_an_option_cannot_be_is_said(text, words):
    with pytest.raises(Refused, match=words):
        branch_runs.read([text], runs=False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("aligngemini.peers.params:RigidOption", "the branch rigid has no .*RigidOption .*correct its line"),
        ("aligngemini.peers.param:RigidOptions", "the branch rigid has no .*param:.*correct its line"),
        ("aligngemini.peers.params:PeersParams", "PeersParams must be a class of options of rigid: derive it from"),
    ],
)
def test_a_line_of_the_registry_that_names_no_class_of_options_is_refused_with_what_to_do(code, words, monkeypatch):
    monkeypatch.setitem(registry.KINDS, "rigid", registry.KINDS["rigid"]._replace(options=code))
    with pytest.raises(Refused, match=words):
        branch_runs.read(["rigid"], runs=False)


def test_one_kind_may_stand_twice_under_two_names():
    found = branch_runs.read(["probe", "probe semantic name=meaning"], runs=False)
    assert [each.name for each in found] == ["probe", "meaning"]
    with pytest.raises(Refused, match="two branches would be called probe"):
        branch_runs.read(["probe", "probe semantic"], runs=False)
