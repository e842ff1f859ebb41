"""Altered manifests and JSON beside runs: passed over, listed or refused in a sentence; nothing else is touched."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligngemini import cli
from aligngemini.core import adapters, manifest, reading, runs, saved_runs, stages
from aligngemini.core.params import Refused
from tests.hostile import examples

NAME = "0123456789ab"
RUN = {
    "run": {
        "notebook": stages.FUSION, "name": NAME, "status": "complete", "started": "2026-01-01T00:00:00+00:00",
        "attempts": 1, "finished": "2026-01-01T00:01:00+00:00", "seconds": 60.0,
        "process": {"pid": 1, "host": "a", "since": "2026-01-01T00:00:00+00:00"},
    },
    "question": {
        "params": {"scale": "tiny", "seed": 0, "rule": "or"}, "inputs": {"data": {"notebook": stages.DATA,
        "run": NAME}},
        "sources": {"data": "0" * 64}, "code": "0" * 64, "numbers": {},
    },
    "environment": {
        "packages": {"torch": "2.0"}, "python": "3.11.1", "git": {"commit": "0" * 40, "dirty": False},
        "machine": {"platform": "x", "processors": 2, "memory_gb": 4.0}, "accelerator": None,
    },
    "models": {"vlm": {"name": "data/mini/vlm", "revision": ""}},
    "results": {"auroc": 0.9},
    "files": {"note.txt": {"sha256": "0" * 64, "bytes": 3}, "many/": {"sha256": "0" * 64, "bytes": 3, "files": 60}},
    "made": {"note.txt": "key"},
}  # fmt: skip
COMMANDS = st.sampled_from(
    [
        ["runs"],
        ["runs", "--prune", "--newest", "0", "--yes"],
        ["verify", "latest"],
        ["verify", NAME],
        ["compare", NAME, NAME],
    ]
)


def _write(folder: Path, value: object) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(value), encoding="utf-8")
    (folder / "note.txt").write_text("abc")


@pytest.mark.filterwarnings("ignore")
@examples.tried(40)
@given(
    record=examples.changed(RUN), seal=st.booleans(), state=st.sampled_from([NAME, f".{NAME}.partial"]), words=COMMANDS
)
def test_commands_on_an_altered_manifest_end_with_an_exit_code_and_touch_no_other_folder(record, seal, state, words):
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIGNGEMINI_BUILT", f"{place}/built")
        patch.setenv("ALIGNGEMINI_OUTPUTS", f"{place}/outputs")
        _write(Path(place, "outputs", stages.FUSION, state), _sealed(record) if seal else record)
        Path(place, "x").write_text("kept")
        with examples.bounded():
            assert cli.main(words) in (0, 2, 3)
        assert {path.name for path in Path(place).iterdir()} <= {"built", "outputs", "x"}
        assert {path.name for path in Path(place, "outputs").iterdir()} == {stages.FUSION}


def _sealed(record: object) -> object:
    """The record with its own digest, as somebody who alters it on purpose would write it."""
    try:
        return manifest.seal(record)
    except (TypeError, ValueError):
        return record


@pytest.mark.filterwarnings("ignore")
@examples.tried(40)
@given(record=examples.changed(RUN))
def test_a_run_of_an_altered_manifest_is_described_or_refused(record):
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIGNGEMINI_BUILT", f"{place}/built")
        patch.setenv("ALIGNGEMINI_OUTPUTS", f"{place}/outputs")
        _write(Path(place, "outputs", stages.FUSION, NAME), _sealed(record))
        with examples.bounded():
            for ask in (
                lambda: saved_runs.load(stages.FUSION, "latest"),
                lambda: [repr(run) + run.summary() + run._repr_html_() for run in saved_runs.complete(stages.FUSION)],
                lambda: [run.below for run in saved_runs.complete(stages.FUSION)],
            ):
                _may_refuse(ask)


@examples.tried(40)
@given(
    data=st.one_of(
        examples.VALUES.map(lambda value: json.dumps(value).encode()), examples.damaged([b'{"a": [1, "b"]}'])
    )
)
def test_any_json_is_read_or_is_a_value_error_and_never_a_mapping_that_it_is_not(tmp_path, data):
    (tmp_path / "facts.json").write_bytes(data)
    with examples.bounded():
        assert isinstance(reading.known(tmp_path / "facts.json"), dict)
        _may_refuse(lambda: adapters.facts(tmp_path))


def _may_refuse(function) -> None:
    """Call `function`, which may refuse."""
    try:
        function()
    except Refused as error:
        assert str(error)


def test_a_run_is_listed_and_deleted_where_it_lies_whatever_its_manifest_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path / "outputs"))
    lying = {"notebook": "../x", "name": "../../../x", "status": "failed"}
    _write(tmp_path / "outputs" / stages.FUSION / f".{NAME}.partial", RUN | {"run": RUN["run"] | lying})
    (tmp_path / "x").mkdir()
    (found,) = runs.all()
    assert (found["run"]["notebook"], found["run"]["name"]) == (stages.FUSION, NAME)
    assert cli.main(["runs", "--prune", "--yes"]) == 0 and not runs.all()
    assert [path.name for path in tmp_path.iterdir()] in (["x", "outputs"], ["outputs", "x"])


def test_a_manifest_without_version_of_python_or_commit_is_described():
    run = saved_runs.SavedRun(Path(NAME), RUN | {"environment": {"packages": {}, "git": {}}})
    assert "Python unknown" in run.summary() and "unknown" in set(run.table["value"])


@pytest.mark.parametrize(
    "part,name,value",
    [("environment", "machine", 3), ("question", "sources", {"a": 3}), ("run", "process", {"pid": "x"})],
)
def test_a_manifest_with_a_part_of_another_form_is_none(tmp_path, part, name, value):
    _write(tmp_path / "run", RUN | {part: RUN[part] | {name: value}})
    assert manifest.read(tmp_path / "run") is None
