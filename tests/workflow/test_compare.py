"""`aligngemini compare`: last night's run and tonight's, made up so that it is known what changed."""

import json

import numpy as np
import pandas as pd
import pytest

from aligngemini import cli
from aligngemini.core import manifest, stages, values
from aligngemini.images import table as images
from aligngemini.scores import table as score_table

N = 100  # reals, and fakes of each axis
NAMES = {name: str(place) * 12 for place, name in enumerate(stages.STAGES, start=1)}
BRANCHES = {"vlm": (stages.VLM, "semantic"), "expert": (stages.EXPERT, "pixel")}


def _images(prefix: str) -> pd.DataFrame:
    """Two subsets of the world with the same reals; `prefix` begins the name of every image."""
    rows = [
        {"image_id": f"{prefix} {axis} {i}", "path": f"{i}.png", "label": int(axis != "none"), "axis": axis}
        | {"subset": subset, "benchmark": "world", "split": "test"}
        for subset in ("semantic", "pixel")
        for axis in ("none", subset)
        for i in range(N)
    ]
    return images.frame(rows)


def _scores(test: pd.DataFrame, axis: str, found: int) -> np.ndarray:
    """Scores that find the first `found` fakes of an axis and accuse nobody."""
    return np.where((test.axis == axis) & (test.groupby(["subset", "label"]).cumcount() < found), 0.9, 0.1)


def _write(folder, notebook, name, inputs=(), params=None, results=None, finished="2026-01-01", **more) -> None:
    """Seal the run whose other files lie in `folder`."""
    times = {"started": finished, "finished": finished, "attempts": 1}
    record = {
        "run": {"notebook": notebook, "name": name, "status": "complete", **times},
        "question": {
            "params": {"scale": "mini", "seed": 0, **(params or {})},
            "inputs": {label: {"notebook": of, "run": run} for label, of, run in inputs},
            "code": more.get("code", "c0de"),
        },
        "environment": {"packages": {"torch": more.get("torch", "2.8.0")}, "git": {}},
        **{"models": {}, "results": results or {}, "files": manifest.files(folder)},
    }
    manifest.write(folder, manifest.seal(record))


def night(root, vlm=90, expert=90, prefix="a", epochs=1.0, **more):
    """A folder of outputs with a run of each notebook: the VLM and the expert find so many of 100 fakes of theirs."""
    test, found = _images(prefix), {"vlm": vlm, "expert": expert}
    names = NAMES | more.pop("names", {})
    folders = {notebook: root / notebook / name for notebook, name in names.items()}
    for folder in folders.values():
        folder.mkdir(parents=True)
    values.write(folders[stages.DATA] / "test.parquet", test)
    _write(folders[stages.DATA], stages.DATA, names[stages.DATA])
    columns, trained = {}, []
    for branch, (notebook, axis) in BRANCHES.items():
        columns[branch] = _scores(test, axis, found[branch])
        once = test.assign(score=columns[branch]).drop_duplicates("image_id")
        table = score_table.make(once.image_id, once.score, branch, axis)
        values.write(folders[notebook] / "scores.parquet", table)
        about = {"supervision": axis, "epochs": epochs}
        below = [("data", stages.DATA, names[stages.DATA])]
        _write(folders[notebook], notebook, names[notebook], below, about, {"threshold": 0.5}, **more)
        trained.append((branch, notebook, names[notebook]))
    score = np.maximum(*columns.values())
    fused = test.assign(fused_score=score, verdict=pd.array(score > 0.5, dtype="Int8"), reason="")
    values.write(folders[stages.FUSION] / "fused.parquet", fused)
    listed = [{"name": name, "kind": name, "threshold": 0.5, "run": f"{of}/{run}"} for name, of, run in trained]
    (folders[stages.FUSION] / "detector.json").write_text(json.dumps({"branches": listed}))
    drawing = {"resamples": 200, "confidence": 0.95}
    _write(folders[stages.FUSION], stages.FUSION, names[stages.FUSION], trained, drawing, {"rule": "or"}, **more)
    below = [("fusion", stages.FUSION, names[stages.FUSION]), *((f"{name} 1", of, run) for name, of, run in trained)]
    _write(folders[stages.ANALYSIS], stages.ANALYSIS, names[stages.ANALYSIS], below, drawing, **more)
    return root


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_same_result_is_exit_code_0(outputs, capsys):
    night(outputs / "last"), night(outputs / "tonight")
    assert cli.main(["compare", "last", "tonight"]) == 0
    said = capsys.readouterr().out
    assert "made of the same parameters, versions, data, models and code" in said
    assert "0 of 9 results fell" in said and "fell:" not in said and "rose:" not in said


def test_a_result_that_fell_is_exit_code_3_and_named_with_its_numbers(outputs, capsys):
    night(outputs / "last"), night(outputs / "tonight", expert=60)
    assert cli.main(["compare", "last", "tonight"]) == 3
    said = capsys.readouterr().out
    assert "fell: expert, pixel on pixel of world, 0.95 → 0.80, by -0.15 [" in said and "on the same images" in said
    assert "fell: fusion on mean of world" in said and "VLM" not in said


def test_less_than_chance_explains_does_not_alarm_and_neither_does_a_gain(outputs, capsys):
    night(outputs / "last"), night(outputs / "chance", expert=89), night(outputs / "better", expert=100, vlm=100)
    assert cli.main(["compare", "last", "chance"]) == 0
    assert cli.main(["compare", "last", "better"]) == 0
    assert "rose: VLM, semantic on semantic of world, 0.95 → 1.00" in capsys.readouterr().out


def test_other_images_are_named_and_compared_by_two_intervals(outputs, capsys):
    night(outputs / "last"), night(outputs / "other", prefix="b"), night(outputs / "worse", prefix="b", vlm=50)
    assert cli.main(["compare", "last", "other"]) == 0
    said = capsys.readouterr().out
    assert "data: test images 400 (" in said and "(01 data)" in said
    assert cli.main(["compare", "last", "worse"]) == 3
    assert "fell: VLM, semantic on semantic of world, 0.95 → 0.75, by -0.20 [" in (said := capsys.readouterr().out)
    assert "on other images" in said


def test_what_a_run_was_made_of_is_compared_run_by_run(outputs, capsys):
    names = {name: f"{place}abcdef" for place, name in enumerate(stages.STAGES)}
    night(outputs / "last"), night(outputs / "tonight", epochs=2.0, torch="2.9.0", code="beef", names=names)
    assert cli.main(["compare", "last", "tonight"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "parameters: epochs 1.0 → 2.0 (02 vlm 1, 03 expert 1)" in lines
    assert "versions: torch 2.8.0 → 2.9.0 (05, 04 fusion, 02 vlm 1, 03 expert 1)" in lines
    assert "code: fingerprint c0de → beef (05, 04 fusion, 02 vlm 1, 03 expert 1)" in lines
    assert len(lines) == 5, "names of runs are no change of theirs"


def test_a_result_that_is_gone_alarms_too(outputs, capsys):
    night(outputs / "last"), night(outputs / "tonight")
    place = outputs / "tonight" / stages.ANALYSIS / NAMES[stages.ANALYSIS]
    below = [("fusion", stages.FUSION, NAMES[stages.FUSION]), ("vlm", stages.VLM, NAMES[stages.VLM])]
    drawing = {"resamples": 200, "confidence": 0.95}
    _write(place, stages.ANALYSIS, NAMES[stages.ANALYSIS], below, drawing)
    assert cli.main(["compare", "last", "tonight"]) == 3
    assert "gone: expert, pixel on pixel of world\n" in capsys.readouterr().out


def test_machines_read_all_results_as_json(outputs, capsys):
    night(outputs / "last"), night(outputs / "tonight", expert=60)
    assert cli.main(["compare", "last", "tonight", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["changes"] == [] and len(told["results"]) == 9
    (fell,) = [each for each in told["results"] if each["model"] == "expert, pixel" and each["subset"] == "pixel"]
    assert fell["change"] == "fell" and fell["p_holm"] >= fell["p"] and fell["high"] < 0


@pytest.fixture
def both(outputs):
    """Two runs of 04 and of 05 in one folder of outputs."""
    night(outputs / "outputs")
    later = {stages.EXPERT: "e" * 12, stages.FUSION: "f" * 12, stages.ANALYSIS: "ab" * 6}
    night(outputs / "later", expert=60, names=later, finished="2026-01-02")
    for notebook, name in later.items():
        (outputs / "later" / notebook / name).rename(outputs / "outputs" / notebook / name)
    return outputs / "outputs"


@pytest.mark.parametrize(
    "words",
    [
        ["5555", "abab"],
        ["previous", "latest"],
        ["previous", "outputs"],
        ["4444", "ffff"],
        [f"outputs/{stages.FUSION}/{'4' * 12}", "ffff"],
        ["previous", "latest scale:mini"],
    ],
)
def test_runs_are_named_in_every_way(both, words, capsys):
    assert cli.main(["compare", *words]) == 3
    assert "fell: expert, pixel on pixel of world" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["5555", "ffff"], "are of two notebooks"),
        (["previous", "5555"], "is older: name the run to compare with"),
        (["nights/last", "latest"], "'nights/last' is neither a run nor a folder of outputs"),
        (["0000", "latest"], "no complete run '0000'"),
        (["555", "latest"], "'555' is too short for the name of a run: give at least 4 digits"),
        ([f"outputs/{stages.DATA}/{NAMES[stages.DATA]}", "latest"], "is no run of notebook 04 or 05"),
        (["latest", "previous"], "it comes first: aligngemini compare previous latest"),
    ],
)
def test_what_cannot_be_compared_is_refused(both, words, sentence, capsys):
    assert cli.main(["compare", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_run_that_cannot_be_read_is_not_passed_over_for_one_of_the_other_notebook(outputs, capsys):
    manifest = night(outputs / "outputs") / stages.ANALYSIS / NAMES[stages.ANALYSIS] / "manifest.json"
    manifest.write_text(manifest.read_text()[:99])
    for command in (["compare", "latest", "latest"], ["report"], ["report", "5555"]):
        assert cli.main(command) == 2
        assert "cannot be read" in capsys.readouterr().err
