"""Exercises: every solution passes its check on made-up runs, and an answer that is empty, wrong or of another kind
does not."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from aligngemini.analysis import tables
from aligngemini.audit import cues, data_run
from aligngemini.core import paths, reading, saved_runs, stages, values
from aligngemini.core.params import Refused
from aligngemini.fusion import rules
from aligngemini.images import degrade
from aligngemini.teach import exercises

PARAMS = {"scale": "mini", "seed": 0, "beta": 0.1, "rule": "or"}
PARAMS |= {f"degrade_{name}": [0.5, 0.6] for name in degrade.DRAWN}


def image_table() -> pd.DataFrame:
    """Forty pairs in which every second fake has a wrong shadow."""
    rows = []
    for pair in range(40):
        quality = 70 + pair
        told = {"pair_id": f"p{pair}", "split": "train", "format": "JPEG", "jpeg_quality": float(quality)}
        told |= {"reason": "", "subset": "x", "benchmark": "x", "source": "world", "generator": ""}
        for label in (0, 1):
            name, family = f"{pair:02}{label}", "shadow" if label and pair % 2 else ""
            axis = "semantic" if label else "none"
            rows.append(
                told | {"image_id": name, "path": f"{name}.jpg", "label": label, "family": family, "axis": axis}
            )
    return pd.DataFrame(rows).assign(width=8, height=8)


def measured(**names) -> pd.DataFrame:
    """A table like rules.parquet of two branches and all rules, the means last."""
    real = {"vlm": 0.98, "expert": 0.95} | {name: 0.9 - place / 50 for place, name in enumerate(rules.RULES)}
    rows = [
        {
            "rule": rule,
            "subset": subset,
            "real_accuracy": at,
            "fake_accuracy": at / 2,
            "auroc": at,
            "value": at,
            "n": 40,
        }
        for rule, at in real.items()
        for subset in ("semantic", "mean")
    ]
    return pd.DataFrame(rows).assign(benchmark="world", **names)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with the tables of all notebooks, and the exercise runs that are asked for; call it with a notebook."""
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(exercises.table, "load", pd.read_parquet)
    for name in ("semantic", "pixel"):
        image_table().to_parquet(tmp_path / f"{name}.parquet")
    measured().to_parquet(tmp_path / "rules.parquet")
    measured().to_parquet(tmp_path / "peers.parquet")
    measured(title="VLM").to_parquet(tmp_path / "alignment.parquet")
    both = [measured(thresholds=name) for name in ("published", "validation")]
    pd.concat([both[0], both[1].assign(value=both[1].value - 0.1)]).to_parquet(tmp_path / "thresholds.parquet")
    differences = {"other_supervision": ["mixed", "mixed", "pure"], "p_holm": [0.01, 0.4, 0.001]}
    pd.DataFrame(differences).to_parquet(tmp_path / "differences.parquet")
    pd.DataFrame({"detector": ["A", "B"], "gain": [-0.2, -0.1]}).to_parquet(tmp_path / "additions.parquet")
    weights = {"a.lora_A": torch.zeros(2, 8), "a.lora_B": torch.zeros(8, 2), "head": torch.zeros(1, 8)}
    (tmp_path / "adapter").mkdir()
    from safetensors.torch import save_file

    save_file(weights, tmp_path / "adapter" / "adapter_model.safetensors")
    results = {"final_margin": 1.2, "test_semantic": 0.81}
    told = {"scale": "mini", "seed": 0, "params": PARAMS, "results": results, "path": tmp_path.joinpath}
    return lambda notebook: SimpleNamespace(notebook=notebook, **told)


EXERCISE_RUNS = [  # notebook, parameters, and results of the runs that exercises ask for
    (stages.VLM, {"supervision": "pixel", "objective": "dpo"}, {"test_pixel": 0.51}),
    (stages.VLM, {"supervision": "semantic", "objective": "sft"}, {"test_semantic": 0.91}),
    (stages.VLM, {"supervision": "union", "objective": "dpo"}, {"test_semantic": 0.92}),
    (stages.EXPERT, {"supervision": "semantic", "mode": "fixed"}, {"test_semantic": 0.52}),
    (stages.EXPERT, {"supervision": "pixel", "mode": "faithful"}, {"test_pixel": 0.93}),
    (stages.FUSION, {"branch_runs": ["vlm 1", "frequency"]}, {"mean_majority": 0.83}),
    (stages.PEERS, {"peers": ["rigid noise=0.05"]}, {"auroc_rigid": 0.54}),
    (stages.PEERS, {"peers": ["probe train=semantic name=meaning"]}, {"mean_meaning": 0.55}),
]


@pytest.fixture
def exercise_runs(run, tmp_path):
    for place, (notebook, params, results) in enumerate(EXERCISE_RUNS):
        folder = tmp_path / "exercises" / notebook / f"{place:012x}"
        folder.mkdir(parents=True)
        told = {"notebook": notebook, "name": folder.name, "status": "complete", "started": "", "attempts": 1}
        record = {"run": told | {"finished": f"2026-01-0{place + 1}", "seconds": 1}, "results": results, "models": {}}
        record |= {"question": {"params": {"scale": "mini", "seed": 0} | params, "inputs": {}}, "files": {}}
        record |= {"environment": {"packages": {}, "git": {}}}
        (folder / "manifest.json").write_text(json.dumps(record))


def namespace(run) -> dict:
    """What the notebooks hold when their exercises begin."""
    images, weights = pd.read_parquet(run.path("semantic.parquet")), {"weight": ["lora_A", "lora_B", "head"]}
    first = pd.read_parquet(run.path("rules.parquet"))
    names = {"train": images, "pixel": images, "cue_audit": cues, "results": run.results, "torch": torch, "pd": pd}
    names |= {"cfg": SimpleNamespace(**PARAMS), "weights": pd.DataFrame(weights | {"values": [16, 16, 8]})}
    names |= {"measures": pd.DataFrame({"subset": ["semantic"], "real_accuracy": [0.9], "fake_accuracy": [0.72]})}
    names |= {"first": first, "names": ["vlm", "expert"], "main": first, "rules": rules, "tables": tables}
    names |= {"by_threshold": pd.read_parquet(run.path("thresholds.parquet"))}
    at = first[first.rule == "or_budget"].real_accuracy.iloc[0]
    names |= {"sides": pd.DataFrame({"rule": ["or_budget"], "test real_accuracy": [at]})}
    names |= {"differences": pd.read_parquet(run.path("differences.parquet")), "exercises": exercises, "run": run}
    return names | {"added": pd.read_parquet(run.path("additions.parquet"))}


def solved(name: str, run) -> object:
    """The answer of the solution of an exercise."""
    (source,) = (paths.notebooks() / "solutions").glob(f"{name[:2]}_*.yaml")
    names = namespace(run)
    exec(reading.mapping(source, "solutions")[name], names)
    return names["answer"]


@pytest.fixture
def quick(monkeypatch):
    """The probe of 01-1 needs images; here it sees little behind a scale below 0.55."""
    measure = lambda rows, ranges, seed: pd.DataFrame({"auroc": [1.0, 0.4 + ranges["scale"][1] / 3]})  # noqa: E731
    monkeypatch.setattr(data_run, "strength", measure)


def notebook_of(name: str) -> str:
    return stages.find(name[:2]).name


@pytest.mark.parametrize("name", exercises.EXERCISES)
def test_a_solution_passes_its_check(name, run, exercise_runs, quick, capsys):
    made = run(notebook_of(name))
    exercises.check(name, solved(name, made), made)
    assert capsys.readouterr().out.splitlines()[-1] == f"{name}: right"


@pytest.mark.parametrize("name", exercises.EXERCISES)
def test_an_empty_answer_is_no_answer_and_a_wrong_one_is_told_where_to_look(name, run, exercise_runs, quick, capsys):
    made = run(notebook_of(name))
    exercises.check(name, ..., made)
    assert capsys.readouterr().out == f"{name}: not answered yet\n"
    right = solved(name, made)
    wrong = {list: [0.8, 0.9], str: "nobody"}.get(type(right)) or right + 0.02 * (1 + abs(right))
    exercises.check(name, wrong, made)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(name)]
    assert said == f"{name}: not right yet. Look at {exercises.EXERCISES[name][1]}."


@pytest.mark.parametrize("name", ["01-1", "01-2", "02-3"])
def test_an_answer_of_another_kind_is_said_and_not_raised(name, run, exercise_runs, capsys):
    exercises.check(name, "many", run(notebook_of(name)))
    assert f"{name}: the answer is a " in capsys.readouterr().out


def test_an_exercise_run_that_is_not_there_is_asked_for(run, capsys):
    made = run(stages.VLM)
    exercises.check("02-3", 0.5, made)
    assert "02-3: no run in outputs/exercises has supervision pixel: make it" in capsys.readouterr().out
    assert solved("02-3", made) is ...


def test_exercise_runs_are_what_no_other_command_stands_on(exercise_runs):
    assert not [run for notebook in stages.STAGES for run in saved_runs.complete(notebook)]
    with pytest.raises(Refused, match="no complete run of 02_vlm_dpo"):
        saved_runs.load(stages.VLM, "latest")


def test_every_exercise_of_the_notebooks_has_a_check_and_a_solution_and_no_notebook_holds_an_answer():
    asked = {}
    for notebook in stages.STAGES:
        cells = json.loads(paths.notebook(notebook).read_text(encoding="utf-8"))["cells"]
        found = [cell for cell in cells if "exercise" in cell["metadata"].get("tags", [])]
        sources = ["".join(cell["source"]) for cell in found]
        names = [name for name in exercises.EXERCISES for source in sources if f'exercises.check("{name}", ' in source]
        assert len(names) == len(sources) - 1 and all("\nanswer = ..." in f"\n{source}" for source in sources[1:])
        solutions = paths.notebooks() / "solutions" / f"{notebook}.yaml"
        assert list(reading.mapping(solutions, "solutions")) == names
        asked |= dict.fromkeys(names)
    assert list(asked) == list(exercises.EXERCISES)


def test_values_of_a_run_stay_what_they_were(run, exercise_runs, quick):
    made = run(stages.FUSION)
    before = {path: path.stat().st_mtime_ns for path in made.path().rglob("*")}
    for name in exercises.EXERCISES:
        exercises.check(name, 0.5, run(notebook_of(name)))
    assert {path: path.stat().st_mtime_ns for path in made.path().rglob("*")} == before
    assert values.read(made.path("differences.parquet")).shape == (3, 2)
