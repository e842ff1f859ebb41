"""Hostile recipes and parameters: plain values or a refusal, in little time; nothing in them is ever run."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aligngemini.core import params, reading, recipes, stages
from aligngemini.core.params import Refused
from tests.hostile import examples

PIECES = [
    "seed: 1", "scale: mini", "a: &a [x, x]", "b: *a", "<<: {seed: 2}", "? [1]\n: 2",
    "seed: !!python/object/apply:os.system ['true']",
    "seed: !!binary aGk=", "seed: !!set {a, b}", "seed: !!omap [a: 1]", "seed: 2020-99-99", "seed: !!int ''",
    "seed: .nan",
    "seed: 1e999", "seed: " + "9" * 5000, "seed: " + "[" * 400, "%YAML 9.9\n---", "---\na: 1\n---\nb: 2",
    "seed: !x y", "\t- a",
    "grid: {02_vlm_dpo: {seed: [1, 2]}}", "question: why", "grid: [1]", "tables: [x]", "tables: [[1]]", "design: 3",
    "minutes: {a: b}",
    "fetch: 1", "study: x", "seed: !!timestamp x", "seed: !!merge 1", "seed: !!float x", "seed: !!bool x",
    "seed: !!pairs [1]",
    "k: |\n  text", "k: >\n", "k: 'open", 'k: "\\ud800"', "k: \"\\x00\"", "- list",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=5).map("\n".join)
FILES = st.one_of(
    TEXTS.map(str.encode),
    TEXTS.flatmap(lambda text: examples.damaged([text.encode()])),
    examples.VALUES.map(lambda value: _dumped({"seed": value, "question": value, "grid": {"02_vlm_dpo": value}})),
    st.binary(max_size=40),
)
KINDS = [stage.params for stage in stages.STAGES.values()]


def _dumped(value: object) -> bytes:
    """A value as YAML, with aliases where parts of it are the same."""
    return yaml.safe_dump(value).encode("utf-8", "replace")


def _plain(value: object) -> bool:
    """Whether a value consists of what JSON holds, and of what YAML adds to it: sets, bytes."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(each) for key, each in value.items())
    if isinstance(value, list | tuple | set):
        return all(map(_plain, value))
    return value is None or type(value) in (str, int, float, bool, bytes)


def _may_refuse(function, *given):
    """What `function` gives, or None where it refuses in a sentence of sensible length."""
    try:
        return function(*given)
    except Refused as error:
        assert 0 < len(str(error)) < 5000
        return None


@examples.tried(100)
@given(data=FILES)
def test_any_file_of_a_recipe_is_a_mapping_of_plain_values_or_refused(tmp_path, data):
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    with examples.bounded():
        found = _may_refuse(reading.mapping, path, "x.yaml")
    assert found is None or _plain(found)


@examples.tried(100)
@given(data=FILES, kind=st.sampled_from(list(stages.STAGES.values())))
def test_any_recipe_study_and_plan_is_checked_or_refused(tmp_path, data, kind):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIGNGEMINI_NOTEBOOKS", str(tmp_path))
        for name in ("tiny/plan", f"tiny/{kind.name}", "studies/one"):
            path = tmp_path / "recipes" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        with examples.bounded():
            given = _may_refuse(recipes.recipe, "tiny", kind)
            _may_refuse(lambda: params.build(kind.params, given or {}, "it"))
            assert isinstance(params.problems(kind.params, given or {}, "it"), list)
            _may_refuse(recipes.settings, "tiny")
            _may_refuse(recipes.study, "one")


@examples.tried(100)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_any_value_of_any_parameter_is_taken_or_refused(data, kind):
    name = data.draw(st.sampled_from(params.names(kind)))
    value = data.draw(st.one_of(examples.VALUES, st.sampled_from(PIECES), st.binary(max_size=4), st.text(max_size=20)))
    with examples.bounded():
        _may_refuse(params.build, kind, {name: value}, "it")
        _may_refuse(params.read, kind, {params.ADVANCED: {name: value}})
        _may_refuse(params.read, kind, {params.ADVANCED: value})
        if isinstance(value, str):
            _may_refuse(params.parse, kind, name, value)
