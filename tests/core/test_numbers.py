"""Numbers as people write them: read as meant, or refused with advice that is accepted."""

import dataclasses
import re

import pytest
import yaml

from aligngemini.core import numbers, params, recipes, stages
from aligngemini.core.params import Params, Refused, param

WHOLE = ["010", "-010", "0010", "08", "0x10", "0X1F", "0o17", "0b11", "1_000", "1,000", "+5", "-0", "1", "0", "1:30"]
PARTS = ["1e2", "1.0e2", "1.0e+2", "1E2", "5e-7", "1e-7", "0,5", "5.", ".5", "1.0", "1e400", "12345678901234567890"]
OTHER = ["inf", ".inf", "-inf", "nan", ".nan", "true", "yes", "on", "off", "no", "2020-99-99", " 5 ", ""]
LISTS = ["[010]", "[1e2]", "[1_000,2]"]


@dataclasses.dataclass(frozen=True)
class Numbers(Params):
    """A parameter of every kind that holds numbers."""

    count: int = param(1, "an int")
    rate: float = param(1.0, "a float")
    switch: bool = param(False, "a bool")
    counts: list[int] = param([1], "ints")
    rates: list[float] = param([1.0], "floats")


def given(name, text):
    return getattr(params.build(Numbers, {name: params.parse(Numbers, name, text)}), name)


@pytest.mark.parametrize("name", params.names(Numbers))
@pytest.mark.parametrize("text", [*WHOLE, *PARTS, *OTHER, *LISTS])
def test_what_a_refusal_advises_is_accepted(name, text):
    try:
        given(name, text)
    except Refused as refusal:
        advised = re.search(r": write ([^a].*)$", str(refusal))
        for way in advised[1].split(" or ") if advised else ():
            way = f"[{way}]" if name.endswith("s") and "[" not in way else way
            assert given(name, way) is not None
            assert params.build(Numbers, {name: yaml.safe_load(way)}), "papermill reads recipes by itself"


@pytest.mark.parametrize(
    ("name", "text", "ways"),
    [
        ("rate", "1e2", "write 100.0"),
        ("rate", "1.0e2", "write 100.0"),
        ("rate", "1e-7", "write 1.0e-7"),
        ("count", "1e2", "write 100"),
        ("count", "16.0", "write 16"),
        ("count", "010", "write 10 or 8"),
        ("rate", "010", "write 10.0 or 8.0"),
        ("count", "0x10", "write 16"),
        ("count", "1_000", "write 1000"),
        ("count", "0.5", "write a whole number"),
        ("rate", "0,5", "write 0.5"),
        ("switch", "1", "write True"),
        ("rates", "5", "write [5.0]"),
        ("rates", "[1, 010]", "write 10.0 or 8.0"),
    ],
)
def test_a_number_of_another_spelling_is_refused_with_the_usual_one(name, text, ways):
    with pytest.raises(Refused) as refusal:
        given(name, text)
    assert str(refusal.value).endswith(f": {ways}")


@pytest.mark.parametrize("text", ["inf", ".inf", "nan", ".nan", "1e400", "1.0e+400", "-inf"])
@pytest.mark.parametrize("name", ["rate", "count"])
def test_what_is_not_finite_is_refused_in_one_sentence(name, text):
    with pytest.raises(Refused, match="finite number"):
        given(name, text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("count", "+5", 5), ("count", " 5 ", 5), ("rate", "5.", 5.0), ("rate", ".5", 0.5), ("rate", "1.0e+2", 100.0)],
)
def test_usual_spellings_are_read(name, text, value):
    assert given(name, text) == value


@pytest.mark.parametrize("text", ["010", "0x10", "0b11", "1_000", "1:30", "2020-99-99"])
def test_what_yaml_reads_as_another_number_stays_a_text(text):
    assert yaml.load(text, numbers.Loader) == text


def test_a_recipe_is_read_as_the_command_line_is(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "folder", lambda: tmp_path)
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / f"{stages.EXPERT}.yaml").write_text("lora_rank: 010\n")
    stage = stages.STAGES[stages.EXPERT]
    with pytest.raises(Refused, match="lora_rank must be an int, got '010'.*: write 10 or 8"):
        params.build(stage.params, recipes.recipe("mini", stage))


def test_papermills_own_readings_have_advice_that_papermill_takes():
    for name, value, ways in (("count", 100.0, "write 100"), ("switch", "true", "write True")):
        with pytest.raises(Refused, match=f": {ways}$"):
            params.build(Numbers, {name: value})
    with pytest.raises(Refused, match="papermill takes lists with -y"):
        params.build(Numbers, {"rates": "[1, 2]"})
