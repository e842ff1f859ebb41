"""Commands that refusals advise: followed as they are, they make the very run that is spoken of."""

import re
import shlex

import pydantic
import pytest

from aligngemini.analysis import answers
from aligngemini.core import commands, params, runs, saved_runs, stages
from aligngemini.core.params import Refused
from aligngemini.workflow import execute, plan

DATA, VLM, EXPERT, FUSION, ANALYSIS, PEERS = stages.STAGES


def _advised(sentence):
    return shlex.split(re.search(r"`aligngemini (.*?)`", sentence)[1])


@pytest.fixture
def damage(little):
    """Take a step's file away from the run that a command made last; return its name and what the refusal advises."""

    def take(notebook, condition=lambda record: True):
        record = next(record for record in reversed(saved_runs.complete(notebook)) if condition(record))
        (record.folder / "first.json").unlink()
        with pytest.raises(Refused, match="is damaged") as refusal:
            runs.load(notebook, record.name)
        return record.name, _advised(str(refusal.value))

    return take


@pytest.mark.parametrize("notebook", [name for name, stage in stages.STAGES.items() if not stage.asked])
def test_the_advice_to_repair_makes_that_very_run_and_no_other(little, inline, damage, notebook, tmp_path, monkeypatch):
    given = {"degrade_noise": "[5.0e-7, 1.0]", "lora_rank": "2", "held_out": "[shadow, 'dog']", "resamples": "200"}
    monkeypatch.setattr(answers, "headline", lambda folder: "")  # a little analysis has nothing to report
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "other place"))
    words = ["--seed", "3", "--outputs", str(tmp_path / "other place"), "-p", "beta", "5.0e-7"]
    words += [word for name, value in given.items() for word in ("-p", name, value)]
    code, said = little.run("run", "--scale", "tiny", *words)
    assert code == 0, said
    before = {record["run"]["name"] for record in runs.all()}
    name, advice = damage(notebook, lambda r: r.params.get("supervision") in (None, "mixed"))
    steps = len(little.log())
    code, said = little.run(*advice)
    assert code == 0, said
    assert len(little.log()) == steps + 2 and runs.load(notebook, name).complete
    assert {record["run"]["name"] for record in runs.all()} == before


def test_a_run_that_names_its_inputs_is_repaired_though_no_other_fits(little, inline, damage):
    for seed in ("0", "1"):
        assert little.run("run", "--scale", "tiny", "--only", "01", "--seed", seed)[0] == 0
    first = next(record.name for record in saved_runs.complete(DATA) if record.params["seed"] == 0)
    words = ("--only", "02", "--seed", "5", "-p", "data_run", first, "-p", "supervision", "mixed")
    code, said = little.run("run", "--scale", "tiny", *words)
    assert code == 0, said
    name, advice = damage(VLM)
    code, said = little.run(*advice)
    assert code == 0, said
    assert runs.load(VLM, name).params["data_run"] == first


def test_the_advice_for_a_missing_run_makes_what_is_looked_for(little, inline):
    code, said = little.run("run", "--scale", "tiny", "--only", "02", "--seed", "7", "-p", "train_images", "6")
    assert code == 2 and "--seed 7" in said and "--outputs" in said
    assert little.run(*_advised(said))[0] == 0
    assert little.run("run", "--scale", "tiny", "--only", "02", "--seed", "7")[0] == 0


def test_what_comes_next_is_said_with_all_that_was_given(little, inline):
    given = ("--scale", "tiny", "--study", "mixed_against_pure", "-p", "train_images", "6", "--seed", "2")
    code, said = little.run("run", *given, "--only", "01")
    assert code == 0 and f"next: aligngemini run {shlex.join((*given, *commands.outputs()))}, or look" in said


def test_what_one_notebook_was_given_is_not_offered_to_all_that_have_the_parameter(little, inline):
    """`base` is the expert's backbone in 03 and the VLM in 02."""
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    code, said = little.run("run", "--scale", "tiny", "--only", "03", "-p", "base", "data/mini/expert")
    assert code == 0 and "next: " in said and "aligngemini run" not in said, said


@pytest.mark.parametrize("value", [True, 3, 5e-7, 1e30, "no", "", "a b", ["no", "1", "", "a, b"], [0.5, 5e-7], []])
def test_a_value_is_spelt_as_the_command_line_reads_it(value):
    kind = list[type(value[0]) if value else str] if isinstance(value, list) else type(value)
    form = pydantic.create_model("Form", __base__=params.Params, x=(kind, params.param(value, "x")))
    assert params.parse(form, "x", commands.spelt(value)) == value


def test_a_parameter_that_the_notebook_no_longer_has_is_left_out(little):
    assert "gone" not in commands.make(DATA, {"scale": "tiny", "seed": 0, "gone": 1})


def test_a_run_of_a_scale_that_is_gone_is_still_advised(little):
    assert "--scale huge" in commands.make(DATA, {"scale": "huge", "seed": 4})


def test_execute_refuses_what_it_stands_on_by_itself(little, inline):
    with pytest.raises(Refused, match="no complete run of 02_vlm_dpo"):
        execute.run([plan.make("tiny", only="04")])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [({}, "--scale mini"), ({"scale": "tiny", "seed": 1}, "--scale tiny --seed 1")],
)
def test_the_advice_to_make_a_run_works_where_there_is_none_of_any_notebook(little, wanted, words):
    with pytest.raises(Refused) as refusal:
        saved_runs.latest(ANALYSIS, wanted)
    assert _advised(str(refusal.value)) == ["run", *words.split(), *commands.outputs()]


def test_the_advice_to_make_a_run_names_its_notebook_alone_where_those_before_have_runs(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    with pytest.raises(Refused, match="--scale tiny --only 02"):
        saved_runs.latest(VLM, {"scale": "tiny"})
    with pytest.raises(Refused, match="--scale tiny --only 02"):
        saved_runs.latest(VLM, {})
    with pytest.raises(Refused, match="--scale tiny --only 02 -p supervision mixed"):
        saved_runs.latest(VLM, {"scale": "tiny", "supervision": "mixed"})
