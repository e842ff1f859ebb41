"""A complete run is used only while its files are those it was completed with; each file is read once to know it."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from aligngemini.core import fingerprint, manifest, paths, runs, stages, verified
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.fusion.params import FusionParams
from aligngemini.fusion.rules import Fusion
from tests import small

DATA = stages.DATA


def flip(path: Path, back: bool = False) -> None:
    """Change one byte; `back`: with the time of change the file had before, as a failing disk does."""
    facts, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if back:
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def aged(monkeypatch) -> None:
    """Let every file count as old enough to be remembered."""
    monkeypatch.setattr(verified, "SETTLED", -1)


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The names of the files whose content is read."""
    names, read = [], fingerprint.of_file
    monkeypatch.setattr(fingerprint, "of_file", lambda path: names.append(os.path.basename(path)) or read(path))
    return names


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_file_changed_without_a_change_of_size_is_refused_by_name_with_the_way_out(little, monkeypatch, known, back):
    run = small.made(DATA, small.data(little), images=1)
    if known:
        aged(monkeypatch)
        runs.load(DATA, "latest")
        time.sleep(0.02)  # a file system's clock ticks a hundred times a second
    flip(run.path("numbers.json"), back)
    for use in (lambda: runs.load(DATA, run.name), lambda: runs.start(DATA, small.data(little))):
        with pytest.raises(Refused, match=f"run {run.name} .* damaged, numbers.json has changed.*--force"):
            use()


def test_a_report_is_a_file_of_its_run_like_any_other(little):
    run = runs.start(DATA, small.data(little))
    run.save("report.html", "<p>So it is.</p>")
    run.finish({"images": 1})
    assert "report.html" in manifest.read(run.folder)["files"]
    flip(run.path("report.html"))
    with pytest.raises(Refused, match="damaged, report.html has changed"):
        runs.load(DATA, run.name)


def test_a_run_that_stands_on_a_changed_one_is_not_started(little):
    data = small.made(DATA, small.data(little), images=1)
    flip(data.path("numbers.json"))
    with pytest.raises(Refused, match=f"run {data.name} .* damaged, numbers.json"):
        runs.start(stages.VLM, small.vlm(little))


def test_the_runs_behind_a_run_are_checked_when_they_are_opened(little):
    data = small.made(DATA, small.data(little), images=1)
    vlm = small.made(stages.VLM, small.vlm(little), images=1)
    flip(data.path("numbers.json"))
    with pytest.raises(Refused, match=f"run {data.name} .* damaged, numbers.json"):
        runs.load(stages.VLM, vlm.name).inputs["data"]


EDITS = {
    "run.name": "0123456789ab", "run.finished": "2030", "question.params.scale": "mini", "question.inputs": {},
    "results.images": 2, "models": {"vae": {}}, "files": {}, "digest": None,
}  # fmt: skip


def edit(run: runs.Run, place: str, value) -> None:
    """Give one part of a run's manifest another value."""
    record = json.loads(run.path("manifest.json").read_text())
    *above, last = place.split(".")
    block = record
    for name in above:
        block = block[name]
    assert block[last] != value
    block[last] = value
    run.path("manifest.json").write_text(json.dumps(record))


@pytest.mark.parametrize("place", EDITS)
def test_a_manifest_edited_after_completion_is_refused_with_the_way_out_and_still_listed(little, place):
    small.made(DATA, small.data(little), images=1)
    run = small.made(stages.VLM, small.vlm(little), images=1)
    edit(run, place, EDITS[place])
    for use in (lambda: runs.load(stages.VLM, run.name), lambda: runs.start(stages.VLM, small.vlm(little))):
        with pytest.raises(Refused, match="damaged, its manifest is not the one that it was completed with.*--force"):
            use()
    assert len(runs.all()) == 2 and little.run("runs")[0] == 0


@pytest.mark.parametrize("number", [float("nan"), "\ud800"])
def test_a_manifest_with_what_no_run_writes_is_refused(little, number):
    run = small.made(DATA, small.data(little), images=1)
    edit(run, "results.images", number)
    with pytest.raises(Refused, match="its manifest is not the one"):
        runs.load(DATA, run.name)


def test_an_edited_parameter_is_not_repeated_in_the_way_out(little):
    run = small.made(DATA, small.data(little), images=1)
    edit(run, "question.params.seed", 77)
    with pytest.raises(Refused, match=f"run {run.name} .*delete .*{run.name}, then .*--force") as refused:
        runs.load(DATA, run.name)
    assert "77" not in str(refused.value).replace(run.name, "").replace(str(little.root), "")


def test_a_manifest_written_with_other_spaces_and_order_is_the_same(little):
    run = small.made(DATA, small.data(little), images=1, share=0.1, name="é")
    record = json.loads(run.path("manifest.json").read_text())
    run.path("manifest.json").write_text(json.dumps(dict(reversed(record.items()))))
    assert runs.load(DATA, "latest").results == run.results


@pytest.mark.parametrize("branch", ["vlm", "expert", "fusion"])
def test_a_detector_is_not_built_from_a_changed_run(little, branch):
    small.made(DATA, small.data(little))
    made = {"vlm": small.made(stages.VLM, small.vlm(little)), "expert": small.made(stages.EXPERT, small.expert(little))}
    branches = [
        {"name": name, "kind": name, "facts": {}, "run": f"{each.notebook}/{each.name}"} for name, each in made.items()
    ]
    made["fusion"] = runs.start(stages.FUSION, FusionParams(scale="tiny"))
    made["fusion"].save("numbers.json", {})
    made["fusion"].save("detector.json", {"branches": branches, "fusion": Fusion("or", [0.5, 0.5]).as_dict()})
    made["fusion"].finish({})
    flip(made[branch].path("numbers.json"))
    with pytest.raises(Refused, match=f"run {made[branch].name} .* damaged, numbers.json has changed"):
        Detector.from_run("latest")


def test_the_command_refuses_a_changed_file_instead_of_reusing_it(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    flip(next(little.outputs.glob("01*/[!.]*/first.json")))
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 2 and "first.json has changed" in said and "--force" in said
    assert little.run("run", "--scale", "tiny", "--only", "01", "--force")[0] == 0
    assert "reused" in little.run("run", "--scale", "tiny", "--only", "01")[1]


def many(little) -> runs.Run:
    run = runs.start(DATA, small.data(little))
    for number in range(manifest.FOLD + 1):
        run.save(f"images/{number}.txt", "12")
    run.finish({})
    return run


def test_one_changed_file_among_many_is_noticed(little, monkeypatch):
    run = many(little)
    aged(monkeypatch)
    runs.load(DATA, "latest")
    time.sleep(0.02)
    flip(run.path("images", "7.txt"), back=True)
    with pytest.raises(Refused, match="images/ has changed"):
        runs.load(DATA, "latest")
    run.path("images", "7.txt").write_text("123")
    with pytest.raises(Refused, match="images/ has 103 bytes instead of 102"):
        runs.load(DATA, "latest")


def test_each_file_is_read_once_and_again_only_where_its_times_changed(little, monkeypatch, reads):
    run = many(little)
    aged(monkeypatch)
    reads.clear()
    runs.load(DATA, "latest")
    assert len(reads) == manifest.FOLD + 1
    runs.load(DATA, "latest")
    assert len(reads) == manifest.FOLD + 1
    run.path("images", "7.txt").touch()
    runs.load(DATA, "latest")
    assert len(reads) == 2 * (manifest.FOLD + 1)


def test_a_file_that_changed_just_now_is_read_each_time(little, reads):
    """Its next change might not move its times."""
    small.made(DATA, small.data(little), images=1)
    runs.load(DATA, "latest")
    reads.clear()
    runs.load(DATA, "latest")
    assert reads == ["numbers.json"]


def test_copied_outputs_are_read_once_and_then_known(little, monkeypatch, reads):
    small.made(DATA, small.data(little), images=1)
    shutil.copytree(little.outputs, little.root / "copied", copy_function=shutil.copyfile)
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(little.root / "copied"))
    aged(monkeypatch)
    reads.clear()
    for _ in range(2):
        assert runs.load(DATA, "latest").results == {"images": 1}
    assert reads == ["numbers.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"numbers.json": 3}', "\x00"])
def test_a_damaged_memory_is_no_error_and_trusts_nothing(little, monkeypatch, reads, text):
    run = small.made(DATA, small.data(little), images=1)
    aged(monkeypatch)
    place = verified._place(run.folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    reads.clear()
    for _ in range(2):
        runs.load(DATA, "latest")
    assert reads == ["numbers.json"]


def test_where_nothing_can_be_remembered_files_are_read_again(little, monkeypatch, reads):
    small.made(DATA, small.data(little), images=1)
    aged(monkeypatch)
    (little.root / "file").write_text("")
    monkeypatch.setattr(paths, "built", lambda: little.root / "file")
    reads.clear()
    for _ in range(2):
        runs.load(DATA, "latest")
    assert reads == ["numbers.json", "numbers.json"]


def test_a_file_that_cannot_be_read_is_refused_by_name(little, monkeypatch):
    small.made(DATA, small.data(little), images=1)

    def broken(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(fingerprint, "of_file", broken)
    with pytest.raises(Refused, match=r"numbers.json cannot be read \(Input/output error\)"):
        runs.load(DATA, "latest")
