"""Numbers as people write them: read as meant, or refused; nothing is read as another number."""

import pytest
import yaml

from aligngemini.core import params, recipes, stages
from aligngemini.core.params import Params, Refused, param
from aligngemini.core.yaml_loader import Loader


class Numbers(Params):
    """A parameter of every kind that holds numbers."""

    count: int = param(1, "an int")
    rate: float = param(1.0, "a float")
    switch: bool = param(False, "a bool")
    rates: list[float] = param([1.0], "floats")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "+5", 5),
        ("count", " 5 ", 5),
        ("rate", "5.", 5.0),
        ("rate", ".5", 0.5),
        ("rate", "1e2", 100.0),
        ("rate", "1.0e+2", 100.0),
        ("rate", "5e-7", 5e-7),
        ("switch", "true", True),
        ("rates", "[1, 1e-3]", [1.0, 1e-3]),
    ],
)
def test_usual_spellings_are_read_from_the_command_line_and_from_papermill(name, text, value):
    """Papermill passes on as text what it does not take for a number."""
    assert getattr(params.build(Numbers, {name: params.parse(Numbers, name, text)}), name) == value
    assert getattr(params.build(Numbers, {name: text}), name) == value


@pytest.mark.parametrize(
    "text", ["010", "0x10", "0b11", "1_000", "1,000", "1:30", "0,5", "2020-99-99", "true", "one", ""]
)
@pytest.mark.parametrize("name", ["count", "rate"])
def test_other_spellings_are_refused(name, text):
    with pytest.raises(Refused, match=f"{name} must be an? {name == 'count' and 'int' or 'float'}, got"):
        params.build(Numbers, {name: text})


@pytest.mark.parametrize("text", [".inf", ".nan", "1e400", "1.0e+400", "9" * 400])
def test_what_is_not_finite_is_refused_in_one_sentence(text):
    with pytest.raises(Refused, match="rate must be a finite number|rate must be a float"):
        params.build(Numbers, {"rate": text})


def test_papermill_s_own_yaml_leaves_numbers_of_a_list_as_texts():
    assert params.build(Numbers, {"rates": ["5e-7", 1.0]}).rates == [5e-7, 1.0]


@pytest.mark.parametrize("text", ["010", "0x10", "0b11", "1_000", "1:30", "2020-99-99"])
def test_what_yaml_reads_as_another_number_stays_a_text(text):
    assert yaml.load(text, Loader) == text


def test_a_recipe_is_read_as_the_command_line_is(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "folder", lambda: tmp_path)
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / f"{stages.EXPERT}.yaml").write_text("lora_rank: 010\n")
    stage = stages.STAGES[stages.EXPERT]
    with pytest.raises(Refused, match="lora_rank must be an int, got '010'"):
        params.build(stage.params, recipes.recipe("mini", stage))
