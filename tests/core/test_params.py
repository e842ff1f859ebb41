"""Parameters: typed and closed, refused in one sentence with the nearest valid name."""

import re

import numpy as np
import pytest

from aligngemini.core import params
from aligngemini.core.params import Params, Refused, advanced, param
from tests import cells


class Little(Params):
    """Parameters of every kind."""

    scale: str = param("mini", "a name", filled=True)
    learning_rate: float = param(1.0e-3, "step size", above=0, most=1)
    batch_size: int = param(16, "pairs", least=1, multiple=2)
    careful: bool = param(False, "a switch")
    rule: str = param("or", "a rule", choices=["or", "and", "mean"])
    noise: list[float] = param([2.0, 10.0], "low and high", least=0, pair=True)
    tests: list[str] = param(["world"], "names", filled=True)
    workers: int = advanced(2, "processes", least=1)


def test_defaults_are_valid_and_lists_are_not_shared():
    first, second = Little(), Little()
    assert first == second and first.noise is not second.noise


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rate": "true"}, "must be a float"),
        ({"learning_rate": True}, "must be a float"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"learning_rate": 0}, "above 0"),
        ({"learning_rate": 2.0}, "at most 1"),
        ({"batch_size": 16.0}, "must be an int"),
        ({"batch_size": True}, "must be an int"),
        ({"batch_size": np.int64(16)}, "must be an int"),
        ({"batch_size": 0}, "at least 1"),
        ({"batch_size": 3}, "multiple of 2"),
        ({"careful": "maybe"}, "must be a bool"),
        ({"careful": 1}, "must be a bool"),
        ({"rule": "meen"}, "did you mean 'mean'"),
        ({"scale": ""}, "must not be empty"),
        ({"scale": None}, "must be a str"),
        ({"noise": [10.0, 2.0]}, "the lower first"),
        ({"noise": [1.0]}, "two numbers"),
        ({"noise": [-1.0, 2.0]}, "at least 0"),
        ({"noise": [1.0, "two"]}, "noise[1] must be a float"),
        ({"noise": (1.0, 2.0)}, "must be a list[float]"),
        ({"tests": "world"}, 'a list in brackets, such as ["world"]'),
        ({"tests": []}, "must not be empty"),
        ({"tests": [""]}, "must not be empty"),
        ({"learning_rat": 1.0}, "did you mean 'learning_rate'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values, words):
    with pytest.raises(Refused) as refusal:
        params.build(Little, values)
    assert words in str(refusal.value)
    assert next(iter(values)) in str(refusal.value)


def test_whole_numbers_pass_for_floats_and_become_floats():
    cfg = params.build(Little, {"learning_rate": 1, "noise": [2, 10]})
    assert repr(cfg.learning_rate) == "1.0" and repr(cfg.noise) == "[2.0, 10.0]"


def test_a_changed_copy_is_checked_again():
    assert Little().replace(batch_size=4).batch_size == 4
    with pytest.raises(Refused, match="at least 1"):
        Little().replace(batch_size=0)


def test_help_with_an_equals_sign_is_an_error_of_ours():
    with pytest.raises(ValueError, match="'='"):
        param(1, "a = b")


def test_read_takes_a_notebooks_variables():
    cell = "# Parameters\nlearning_rate = 0.5\n"
    cfg = params.read(Little, {"In": ["", cell], "learning_rate": 0.5, "rule": "and", "unrelated": 1})
    assert (cfg.learning_rate, cfg.rule, cfg.batch_size) == (0.5, "and", 16)


def test_read_refuses_a_misspelt_name_in_the_injected_cell():
    cell = "# Parameters\nlearning_rat = 0.5\n"
    with pytest.raises(Refused, match="did you mean 'learning_rate'"):
        params.read(Little, {"In": [cell], "learning_rat": 0.5})


def test_read_in_lab_has_no_injected_cell_and_refuses_nothing_but_bad_values():
    assert params.read(Little, {"learning_rat": 0.5}) == Little()
    with pytest.raises(Refused, match="learning_rate must be a float, got 'fast'"):
        params.read(Little, {"learning_rate": "fast"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("scale", "123456789012", "123456789012"),
        ("scale", "true", "true"),
        ("learning_rate", "5.0e-7", 5.0e-7),
        ("learning_rate", "5e-7", 5.0e-7),
        ("careful", "true", True),
        ("noise", "[1, 2]", [1, 2]),
        ("tests", "[000000000001, world]", ["000000000001", "world"]),
    ],
)
def test_the_command_lines_text_is_yaml_except_where_text_is_meant(name, text, value):
    assert params.parse(Little, name, text) == value


def test_text_that_is_no_yaml_is_refused():
    with pytest.raises(Refused, match="noise"):
        params.parse(Little, "noise", "[1, 2")


def test_the_parameters_cell_holds_the_main_fields_and_gives_the_defaults_back():
    source = cells.parameters(Little)
    namespace: dict = {}
    exec(source, namespace)
    assert params.read(Little, namespace) == Little()
    assert "learning_rate: float = 0.001  # step size" in source.splitlines()
    assert "workers" not in namespace and namespace["advanced"] == {}


def test_an_advanced_parameter_is_the_same_by_name_in_the_mapping_and_as_papermills_text():
    by_name = {"In": ["# Parameters\nworkers = 4\n"], "workers": 4, "advanced": {}}
    in_the_mapping = {"In": ["# Parameters\nadvanced = {'workers': 4}\n"], "advanced": {"workers": 4}}
    as_text = {"advanced": "{workers: 4}"}
    configs = [params.read(Little, names) for names in (by_name, in_the_mapping, as_text)]
    assert configs == [Little(workers=4)] * 3


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"worker": 4}, "this notebook has no parameter 'worker': did you mean 'workers'"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"scale": "smoke"}, "scale is given by name and in advanced: leave it out of advanced"),
        ("{workers: 4", "advanced must be a mapping"),
        ("workers", "advanced must be a mapping"),
        (None, "advanced must be a mapping"),
    ],
)
def test_a_wrong_entry_of_the_mapping_is_refused(mapping, sentence):
    with pytest.raises(Refused, match=re.escape(sentence)):
        params.read(Little, {"scale": "mini", "advanced": mapping})
