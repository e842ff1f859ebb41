"""Reading what people write: damaged, hostile and endless files are refused in one sentence, and never waited for."""

import os

import pytest

from aligngemini.core import reading, recipes
from aligngemini.core.params import Refused, shown
from aligngemini.workflow import plan

DAMAGED = {
    "bytes that are no UTF-8": (b"beta: 0.1 # \xff", "is not UTF-8 text .byte 12.: save it as UTF-8"),
    "UTF-16": ("beta: 0.1".encode("utf-16"), "is not UTF-8 text"),
    "a key that is null": (b"null: 1", "line 1: the key 'null' is no text"),
    "a key that is a number": (b"beta: 0.1\n1: 2", "line 2: the key '1' is no text"),
    "a key that is a list": (b"? [a]\n: 1", "is no text"),
    "a key that stands twice": (b"beta: 0.1\nseed: 1\nbeta: 0.2", "line 3: the key 'beta' stands in line 1 already"),
    "a list": (b"- beta", "must hold lines `name: value`, got list"),
    "an alias": (b"beta: &a [1]\nseed: *a", "line 2: write out what the alias"),
    "a merged block": (b"beta: &a {x: 1}\nseed: {<<: 2}", "line 2: the key '<<' is no text"),
    "1,200 levels": (b"beta: " + b"[" * 1200 + b"]" * 1200, "nested too deeply"),
    "a tab": (b"beta:\n\tx: 1", "is not YAML: line 2"),
    "null characters": (bytes(100), "is not YAML"),
    "a date that is none": (b"beta: !!timestamp 2020-99-99", "is not YAML: month must be"),
    "a number without digits": (b"beta: !!int ''", "is not YAML"),
    "a Python object": (b"beta: !!python/object/apply:os.getcwd []", "is not YAML"),
    "a huge file": (b"# " + b"x" * 2**21, "cannot be read: it has more than 1,048,576 bytes"),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("name", ["tiny/02_vlm_dpo", "tiny/plan", "studies/mixed_against_pure"])
def test_a_damaged_recipe_is_refused_with_its_name_in_a_short_sentence(little, name, damage):
    content, told = DAMAGED[damage]
    (recipes.folder() / f"{name}.yaml").write_bytes(content)
    with pytest.raises(Refused, match=told) as refusal:
        plan.make("tiny")
    assert f"{name}.yaml" in str(refusal.value) and len(str(refusal.value)) < 600


def _folder(path):
    path.mkdir()


def _endless(path):
    path.symlink_to("/dev/zero")


def _nowhere(path):
    path.symlink_to(path.with_name("nowhere"))


def _kernel(path):
    path.symlink_to("/proc/self/pagemap")


@pytest.mark.parametrize("put", [_folder, os.mkfifo, _endless, _nowhere, _kernel])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(little, put):
    path = recipes.folder() / "tiny" / "02_vlm_dpo.yaml"
    path.unlink()
    put(path)
    with pytest.raises(Refused, match="02_vlm_dpo.yaml (cannot be read|is not UTF-8|is not YAML)"):
        plan.make("tiny")


def test_a_mark_of_byte_order_is_no_part_of_the_first_key(little):
    (recipes.folder() / "tiny" / "02_vlm_dpo.yaml").write_bytes(b"\xef\xbb\xbfbeta: 0.3")
    assert plan.make("tiny").items[1].cfg({}).beta == 0.3


def test_an_empty_recipe_gives_nothing(tmp_path):
    (tmp_path / "file.yaml").write_text("# nothing\n")
    assert reading.mapping(tmp_path / "file.yaml", "it") == {}


def test_json_of_many_levels_is_a_value_error(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        reading.json(tmp_path / "deep.json")


LONG = {
    "a text": "x" * 10**6,
    "a list": ["y" * 10**4] * 10**4,
    "a tree": {str(i): [[[[i]]]] for i in range(10**4)},
}


@pytest.mark.parametrize("what", LONG)
def test_what_a_refusal_quotes_is_short(what):
    assert len(shown(LONG[what])) < 4000


def test_the_end_of_a_long_refusal_which_says_what_to_do_is_kept():
    text = str(Refused("x" * 10**6 + ": mend it"))
    assert text.endswith(": mend it") and len(text) < 4100
