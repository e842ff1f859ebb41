"""Runs: named by their question, never half there, resumed after a kill, made by one process at a time."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from aligngemini.core import json_file, manifest, paths, run_spec, runs, saved_runs, stages
from aligngemini.core import run as run_module
from aligngemini.core.params import Refused
from tests import small

DATA, VLM, EXPERT, FUSION = stages.DATA, stages.VLM, stages.EXPERT, stages.FUSION


def test_a_run_is_partial_until_it_is_finished(little):
    run = runs.start(DATA, small.data(little))
    assert run.folder.name == f".{run.name}.partial" and not run.complete
    assert manifest.read(run.folder)["run"]["status"] == "running"
    assert run.save("images/one.txt", "1") == run.path("images", "one.txt").read_text() == "1"
    table = run.finish({"images": np.int64(1), "share": float("nan")}, {"vae": {"name": "x"}})
    assert table["value"].to_dict() == {"images": 1, "share": None}
    home = little.outputs / DATA / run.name
    assert run.folder == home and run.complete and not home.with_name(f".{run.name}.partial").exists()
    record = json.loads((home / "manifest.json").read_text())
    assert record["run"]["status"] == "complete" and record["run"]["attempts"] == 1
    assert record["files"]["images/one.txt"]["bytes"] == 1
    assert record["models"] == {"vae": {"name": "x"}} and record["results"] == {"images": 1, "share": None}
    assert record["question"]["params"]["scale"] == "tiny"
    assert record["environment"]["packages"]["numpy"] == np.__version__


def test_the_same_question_opens_the_complete_run_and_changes_nothing(little):
    first = small.made(DATA, small.data(little), images=1)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in first.folder.rglob("*")}
    again = runs.start(DATA, small.data(little))
    assert again.complete and again.name == first.name
    assert again.save("numbers.json", {"images": 1}) == {"images": 1}
    assert again.finish({"images": 2})["value"].tolist() == [1]
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in first.folder.rglob("*")} == before
    with pytest.raises(Refused, match="--force"):
        again.compute("other.json", pytest.fail, "made")


def test_a_computation_that_fails_leaves_nothing_and_is_made_again(little):
    run, fails = runs.start(DATA, small.data(little)), [True]

    def half(path):
        (path / "one").write_text("1")
        if fails.pop():
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        run.compute("images", half)
    assert not run.path("images").exists() and [p.name for p in run.folder.iterdir()] == ["manifest.json"]
    fails.append(False)
    assert run.compute("images", half).joinpath("one").exists()


def test_a_full_gpu_is_one_sentence_and_the_run_can_go_on(little):
    import torch

    def full():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    run = runs.start(DATA, small.data(little))
    with pytest.raises(Refused, match="scores.parquet does not fit .* lower the batch size"):
        run.compute("scores.parquet", full)
    assert not run.path("scores.parquet").exists()
    assert len(run.compute("scores.parquet", pd.DataFrame, {"score": [0.5]})) == 1


def test_a_memory_that_is_too_small_names_the_setting_and_half_its_value(little):
    small.made(DATA, small.data(little))
    run = runs.start(VLM, small.vlm(little, batch_size=12))

    def alone():
        error = MemoryError()
        error.add_note(manifest.ALONE)
        raise error

    with pytest.raises(Refused, match="adapter.json does not fit the memory of this machine.* -p batch_size 6 instead"):
        run.compute("adapter.json", np.zeros, 2**50)
    with pytest.raises(Refused, match="even one image at a time is too much: choose a smaller model"):
        run.compute("scores.json", alone)


@pytest.mark.parametrize("change", ["changed", "is gone"])
def test_a_model_or_folder_that_changes_while_a_run_is_made_is_named_and_the_run_not_completed(little, change):
    run = runs.start(DATA, small.data(little))
    weights = little.root / "model" / "weights"
    weights.write_text("1") if change == "changed" else shutil.rmtree(weights.parent)
    with pytest.raises(Refused, match=f"model .*{change} since this run began.* run again.*delete .*{run.name}"):
        run.finish({})
    assert not run.complete


def test_a_run_that_changes_while_another_is_made_of_it_is_named(little):
    data = small.made(DATA, small.data(little), images=1)
    run = runs.start(VLM, small.vlm(little))
    data.path("numbers.json").write_text("{}")
    with pytest.raises(Refused, match=f"run {data.name} .*is damaged, numbers.json"):
        run.finish({})


def test_a_clock_that_was_set_back_is_said_where_it_decides_what_is_the_latest(little, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "now", lambda: "2999-01-01T00:00:00.000+00:00")
        early = small.made(DATA, small.data(little), images=1)
    small.made(DATA, small.data(little, seed=1), images=1)
    assert runs.load(DATA, "latest").name == early.name
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"the clock was set back: run {early.name}") and "name the run" in line


def test_what_a_kill_left_half_made_is_swept_and_what_is_whole_stays(little, capsys):
    run = runs.start(DATA, small.data(little))
    run.compute("whole.txt", str, 1)
    (run.path(".part-images")).mkdir()
    (run.path(".part-images") / "one").write_text("1")
    (run.checkpoints / "step-1").write_text("1")
    run.close()
    again = runs.start(DATA, small.data(little))
    assert again.manifest["run"]["attempts"] == 2
    assert again.manifest["run"]["started"] == run.manifest["run"]["started"]
    again.compute("whole.txt", str, 1)
    assert capsys.readouterr().out.splitlines()[-1] == "whole.txt: reused"
    assert not again.path(".part-images").exists() and (again.checkpoints / "step-1").exists()
    again.finish({})
    assert not again.path("checkpoints").exists() and list(again.manifest["files"]) == ["whole.txt"]


def test_force_answers_anew_and_keeps_the_old_answer_until_then(little, monkeypatch):
    run = small.made(DATA, small.data(little), images=1)
    monkeypatch.setenv(runs.FORCE, run.name)
    again = runs.start(DATA, small.data(little))
    assert not again.complete and not again.path("numbers.json").exists()
    assert runs.load(DATA, run.name).results == {"images": 1}
    again.finish({"images": 2})
    assert runs.load(DATA, run.name).results == {"images": 2}
    assert sorted(p.name for p in (little.outputs / DATA).iterdir()) == [f".{run.name}.lock", run.name]


def test_all_tells_running_killed_failed_and_complete_apart(little):
    done = small.made(DATA, small.data(little), images=1)
    held = runs.start(DATA, small.data(little, seed=1))
    left = runs.start(DATA, small.data(little, seed=2))
    left.close()
    asked = run_spec.make(DATA, small.data(little, seed=3))
    executed = little.root / "executed.ipynb"
    executed.write_text("{}")
    kept = runs.mark_failed(asked, "ValueError: no", executed)
    assert kept == asked.partial / "notebook.ipynb" and kept.exists() and not executed.exists()
    states = {record["run"]["name"]: record["run"]["status"] for record in runs.all()}
    named = {done.name: "complete", held.name: "running", left.name: "killed", asked.name: "failed"}
    assert states == named
    assert manifest.read(asked.partial)["run"]["error"] == "ValueError: no"


def test_the_table_says_where_and_with_what(little):
    run = small.made(DATA, small.data(little), images=1)
    told = run.table.set_index("what")["value"]
    assert told["status"] == "complete" and told["scale"] == "tiny" and "numpy" in told["packages"]
    assert "<table" in run._repr_html_() and run.name in run._repr_html_()
    assert isinstance(run.table, pd.DataFrame)


def test_the_summary_says_versions_machine_and_time_in_one_line(little):
    run = small.made(DATA, small.data(little), images=1)
    environment = run.manifest["environment"] | {"accelerator": "NVIDIA H100"}
    run.manifest |= {"environment": environment, "run": run.manifest["run"] | {"seconds": 61.0}}
    versions = f"Python {environment['python']}, torch {environment['packages']['torch']}"
    assert run.summary().startswith(versions) and run.summary().endswith(" · NVIDIA H100 · made in 1:01")


def test_no_environment_variable_reaches_a_manifest(little, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    run = small.made(DATA, small.data(little), images=1)
    assert "hf_secret" not in run.path("manifest.json").read_text()


def test_git_is_not_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert manifest.environment()["git"] == {"commit": None, "dirty": None}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manifest.environment()["git"] == {"commit": None, "dirty": None}


@pytest.mark.parametrize("value", [object(), {1, 2}])
def test_results_that_are_not_figures_are_an_error(value):
    with pytest.raises(TypeError, match="cannot hold"):
        json_file.plain({"x": value})


def test_a_notebook_refuses_outputs_that_cannot_be_written_to_before_any_work(little, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "file" / "outputs"))
    with pytest.raises(Refused, match="outputs.*cannot be written to.*--outputs or ALIGNGEMINI_OUTPUTS"):
        runs.start(DATA, small.data(little))


def test_a_complete_run_is_read_and_a_killed_one_listed_where_nothing_can_be_written(little, monkeypatch):
    name = small.made(DATA, small.data(little), images=1).name
    runs.start(DATA, small.data(little, seed=1)).close()

    def locked(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(paths, "writable", locked)
    monkeypatch.setattr(FileLock, "acquire", locked)
    assert runs.start(DATA, small.data(little)).name == name
    assert [record["run"]["status"] for record in runs.all()] == ["complete", "killed"]


def test_a_run_is_called_the_same_wherever_the_checkout_lies(little, monkeypatch, tmp_path):
    """Notebook 01 writes where its images lie; what stands on it is named by which images they are."""
    names = []
    for place in (tmp_path / "here", tmp_path / "over" / "there"):
        monkeypatch.setattr(paths, "ROOT", place)
        monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(place / "outputs"))
        data = runs.start(DATA, small.data(little))
        data.save("pixel.parquet", pd.DataFrame({"image_id": ["a"], "path": [str(place / "photo.jpg")]}))
        data.finish({})
        names.append([data.name, *(run_spec.make(*asked).name for asked in ((VLM, small.vlm(little)),))])
    assert names[0] == names[1]


def test_the_largest_scale_counts_and_smoke_does_not(monkeypatch):
    for scales, largest in (
        (["smoke"], None),
        (["mini", "photo", "mini", "smoke"], "photo"),
        (["own", "mini"], "mini"),
    ):
        made = [SimpleNamespace(scale=scale) for scale in scales]
        monkeypatch.setattr(saved_runs, "complete", lambda notebook, made=made: made)
        assert saved_runs.largest_scale(FUSION) == largest
