"""`make sync`: what is in git is what it would write, and it writes what the classes of parameters say."""

from types import SimpleNamespace

import pytest
import yaml

from aligngemini.core import fields, params, paths, recipes
from aligngemini.core.stages import STAGES
from aligngemini.fusion.params import FusionParams
from tests.workflow import sync


def test_cells_and_recipes_in_git_are_what_it_writes():
    for stage in STAGES.values():
        assert paths.notebook(stage.name).read_text(encoding="utf-8") == sync.notebook(stage)
        assert (recipes.folder() / "mini" / f"{stage.name}.yaml").read_text(encoding="utf-8") == sync.recipe(stage)


def test_a_changed_default_reaches_cell_and_recipe():
    class Other(FusionParams):
        false_positives: float = params.param(0.1, "a share")
        resamples: fields.Resamples = 500

    stage = SimpleNamespace(name="04_fusion", params=Other)
    assert "false_positives: float = 0.1  #" in sync.notebook(stage)
    assert yaml.safe_load(sync.recipe(stage))["resamples"] == 500


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/me/mine.git",
        "git@github.com:me/mine.git",
        "https://me:secret@github.com/me/mine",
        "https://GitHub.com/me/mine",
        "ssh://git@github.com:22/me/mine.git",
        "ssh://git@ssh.github.com:443/me/mine.git",
    ],
)
def test_a_repository_on_github_has_badges_and_its_own_address_to_clone(origin):
    page = sync.README.read_text(encoding="utf-8")
    made = sync.badges(page, origin)
    assert made.count("[![") == len(sync.BADGES)
    assert "https://codespaces.new/me/mine)" in made and "git clone https://github.com/me/mine aligngemini" in made
    assert "secret" not in made
    assert sync.badges(made, "https://github.com/you/yours") == made.replace("me/mine", "you/yours")
    assert len(made.splitlines()) <= 90


def test_the_name_of_an_owner_may_be_a_number():
    assert "https://codespaces.new/22/mine)" in sync.badges("# Title\n\nText", "git@github.com:22/mine.git")


@pytest.mark.parametrize("origin", ["", "/home/me/mine", "https://example.org/me/mine.git"])
def test_elsewhere_the_page_stays_as_it_is(origin):
    page = sync.README.read_text(encoding="utf-8")
    assert sync.badges(page, origin) == page
