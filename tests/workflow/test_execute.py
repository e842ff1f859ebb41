"""Running plans: real notebooks, real papermill, real kills."""

import errno
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from aligngemini.core import runs, stages
from aligngemini.core.params import Refused
from aligngemini.workflow import execute, plan, scratch
from tests.workflow.test_stops import _kernels, _wait_for

DATA, VLM, EXPERT, FUSION, ANALYSIS, PEERS = stages.STAGES
NUMBERS = ("first.json", "second.json")


def _numbers(little, notebook=DATA):
    return [record["results"]["numbers"] for record in little.manifests(notebook)]


def test_a_plan_runs_from_data_to_analysis_and_is_reused_in_seconds(little, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", little.environment["PYTHONPATH"])
    (answers,) = execute.run([plan.make("tiny")])
    assert [answer.notebook for answer in answers] == [DATA, VLM, VLM, EXPERT, EXPERT, FUSION, ANALYSIS]
    for answer in answers:
        book = json.loads((answer.folder / "notebook.ipynb").read_text())
        assert any("# Parameters" in "".join(cell["source"]) for cell in book["cells"])
        assert {p.name for p in answer.folder.iterdir()} == {*NUMBERS, "manifest.json", "notebook.ipynb"}
        assert sorted(p.name for p in answer.folder.parent.glob(".*.*")) == sorted(
            f".{other.name}.lock" for other in answers if other.notebook == answer.notebook
        )
    analysis = runs.load(ANALYSIS, "latest")
    kinds = ["vlm", "vlm", "expert", "expert"]
    assert analysis.params["branch_runs"] == [
        f"{kind} {run.name}" for kind, run in zip(kinds, answers[1:5], strict=True)
    ]
    assert analysis.inputs["fusion"].inputs["vlm"].name == answers[1].name
    steps = little.log()
    began = time.process_time()
    (again,) = execute.run([plan.make("tiny")])
    assert time.process_time() - began < 15 and little.log() == steps
    assert [a.name for a in again] == [a.name for a in answers]
    assert "[7/7] 05_analysis: reused" in capsys.readouterr().out


def test_an_executed_notebook_that_no_longer_fits_on_the_disk_is_made_again(little, inline, monkeypatch):
    def cut(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(execute.shutil, "move", cut)
        code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 1 and "no space left" in said
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 0 and "01_data_construction: reused" not in said
    (book,) = little.outputs.glob(f"{DATA}/*/notebook.ipynb")
    assert json.loads(book.read_text())["cells"]


def test_a_run_that_is_stood_on_says_what_it_was_made_with_if_not_with_the_recipe(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    words = ["-p", "supervision", "semantic", "-p", "epochs", "7"]
    assert little.run("run", "--scale", "tiny", "--only", "02", *words)[0] == 0
    _, said = little.run("run", "--scale", "tiny", "--from", "04")
    assert "standing on" in said and "which was made with epochs 7.0 where this command says 1.0" in said, said
    _, said = little.run("run", "--scale", "tiny", "--only", "03", "-p", "epochs", "7")
    assert "where this command says" not in said, "what is said of 03 is not said of 02"


def test_a_folder_of_runs_may_have_any_name(little, tmp_path):
    place = tmp_path / "$HOME ${x} {y} %s 'é\"\n"
    code, said = little.run("run", "--scale", "tiny", "--only", "01", "--outputs", str(place))
    assert code == 0, said
    assert len(list(place.glob(f"{DATA}/*/notebook.ipynb"))) == 1


def test_from_stands_on_what_is_there_and_only_runs_one(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "04")[0] == 2
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 0 and "[1/1] 01_data_construction: complete" in said
    code, said = little.run("run", "--scale", "tiny", "--only", "02", "-p", "beta", "0.2")
    assert code == 0 and "01_data_construction: standing on" in said and len(little.log()) == 6
    assert {record["question"]["params"]["beta"] for record in little.manifests(VLM)} == {0.2}
    code, said = little.run("run", "--scale", "tiny", "--from", "03", "--seed", "1")
    assert code == 2 and "no complete run of 01_data_construction with scale tiny, seed 1" in said


def test_the_fusion_alone_needs_the_pure_branches_and_the_analysis_all(little, inline):
    def run(*words):
        return little.run("run", "--scale", "tiny", "--only", *words)

    assert run("01")[0] == run("02", "-p", "supervision", "semantic")[0] == 0
    code, said = run("04")
    assert code == 2 and "no complete run of 03_expert_lora with scale tiny, seed 0, supervision pixel: make" in said
    assert run("03", "-p", "supervision", "pixel")[0] == 0
    code, said = run("04")
    assert code == 0 and said.count("standing on") == 2
    code, said = run("05")
    assert code == 2 and "no complete run of 02_vlm_dpo with scale tiny, seed 0, supervision mixed: make" in said


def test_a_parameter_of_what_is_run_is_not_asked_of_what_is_only_stood_on(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    assert little.run("run", "--scale", "tiny", "--only", "02")[0] == 0
    _, said = little.run("run", "--scale", "tiny", "--from", "03", "-p", "epochs", "2")
    assert "05_analysis: complete" in said
    assert {record["question"]["params"]["epochs"] for record in little.manifests(VLM)} == {1.0}
    assert {record["question"]["params"]["epochs"] for record in little.manifests(EXPERT)} == {2.0}


def test_a_stage_that_is_not_run_may_be_the_latest_of_changed_code(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    little.write(DATA, "1 + 1")
    code, said = little.run("run", "--scale", "tiny", "--only", "02")
    assert code == 0 and "standing on" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-p", "learning_rat", "1"), "did you mean 'learning_rate'"),
        (("-p", "learning_rate", "fast"), "learning_rate must be a float"),
        (("-p", "epochs", "-1"), "above 0"),
        (("-p", "photos", "data/raw/nowhere"), "no folder data/raw/nowhere"),
        (("-p", "base", "data/nowhere"), "data/nowhere"),
        (("-p", "branch_runs", "[vlm latest, scores data/no.csv]"), "branch_runs: there is no file data/no.csv"),
        (("-p", "branch_runs", "[vlm latest, scores data/README.md]"), "data/README.md cannot be read as scores"),
        (("--scale", "huge"), "choose tiny"),
        (("--from", "7"), "no stage '7'"),
    ],
)
def test_what_cannot_be_is_refused_in_the_first_seconds_with_exit_code_2(little, words, told):
    began = time.process_time()
    code, said = little.run("run", "--scale", "tiny", *words)
    assert code == 2 and told in said
    assert time.process_time() - began < 15 and not little.outputs.exists()


def test_another_seed_is_another_run(little, inline):
    for seed in ("0", "1"):
        assert little.run("run", "--scale", "tiny", "--only", "01", "--seed", seed)[0] == 0
    first, second = _numbers(little)
    assert first != second


def test_force_answers_anew_with_the_same_numbers(little):
    words = ("run", "--scale", "tiny", "--only", "01")
    assert little.run(*words)[0] == 0
    before = little.manifests(DATA)[0]
    code, said = little.run(*words, "--force")
    assert code == 0 and "complete in" in said
    (after,) = little.manifests(DATA)
    assert len(little.log()) == 4 and after["results"]["pid"] != before["results"]["pid"]
    assert after["results"]["numbers"] == before["results"]["numbers"] and after["files"] == before["files"]


def test_a_run_killed_in_the_middle_gives_the_same_numbers_when_run_again(little, monkeypatch):
    words = ("run", "--scale", "tiny", "--only", "01")
    temporary = little.root / "temporary"
    temporary.mkdir()
    process = little.start(*words, LITTLE_SLEEP="60", TMPDIR=str(temporary))
    _wait_for(lambda: len(little.log()) == 1)
    (child,) = _kernels(process)
    process.kill()
    process.communicate()
    _wait_for(lambda: not child.is_running())
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(scratch, "YOUNG", -1)
    assert [record["run"]["status"] for record in runs.all()] == ["killed"]
    code, said = little.run(*words)
    assert code == 0, said
    assert little.log() == [f"{DATA} first.json", f"{DATA} first.json", f"{DATA} second.json"][-len(little.log()) :]
    assert not list(temporary.iterdir()), "temporary files of the killed command are left"
    resumed = _numbers(little)
    assert little.manifests(DATA)[0]["run"]["attempts"] == 2
    assert not [p for p in (little.outputs / DATA).glob(".*") if p.suffix != ".lock"]
    code, _ = little.run(*words, "--force")
    assert code == 0 and _numbers(little) == resumed


def test_a_temporary_folder_with_a_path_too_long_for_sockets_stops_no_notebook(little, tmp_path):
    long = tmp_path / ("temporary" * 12)
    long.mkdir()
    process = little.start("run", "--scale", "tiny", "--only", "01", TMPDIR=str(long))
    assert process.wait(timeout=120) == 0 and len(_numbers(little)) == 1


def test_side_by_side_the_numbers_and_files_are_those_of_one_after_another(little):
    words = ("run", "--scale", "tiny", "--only", "02")
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    answers = []
    for jobs in "21":
        code, said = little.run(*words, "--force", "--jobs", jobs, LITTLE_SLEEP="2")
        made = little.manifests(VLM)
        assert code == 0 and len(made) == 2, said
        answers.append([(each["run"]["name"], each["files"], each["results"]["numbers"]) for each in made])
        started, finished = ([each["run"][word] for each in made] for word in ("started", "finished"))
        assert (max(started) < min(finished)) == (jobs == "2")
    assert answers[0] == answers[1]


def test_progress_in_a_notebook_is_one_line_that_is_updated(little):
    assert little.run("run", "--scale", "tiny", "--only", "01", LITTLE_SLEEP="3")[0] == 0
    (path,) = (little.outputs / DATA).glob("[!.]*/notebook.ipynb")
    outputs = [o for cell in json.loads(path.read_text())["cells"] for o in cell.get("outputs", [])]
    shown = ["".join(o["data"]["text/plain"]) for o in outputs if o["output_type"] == "display_data"]
    assert len(shown) == 1 and shown[0].startswith("sleeping: 30 in 0:")


def test_two_processes_with_one_question_make_one_run(little):
    words = ("run", "--scale", "tiny", "--only", "01")
    both = [little.start(*words, LITTLE_SLEEP="3") for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(little.manifests(DATA)) == 1
    inside = {p.name for p in (little.outputs / DATA).iterdir()}
    name = little.manifests(DATA)[0]["run"]["name"]
    assert inside == {name, f".{name}.lock"} and little.manifests(DATA)[0]["run"]["attempts"] == 1


def test_an_error_keeps_the_notebook_and_tells_stage_reason_place_and_what_to_do(little):
    little.write(DATA, "draw('first.json')", "raise ValueError('first\\nthe pictures are all black')")
    code, said = little.run("run", "--scale", "tiny")
    assert code == 1 and "[1/7] 01_data_construction failed: ValueError: the pictures are all black." in said
    (record,) = runs.all()
    assert record["run"]["status"] == "failed" and "all black" in record["run"]["error"]
    book = Path(record["run"]["folder"]) / "notebook.ipynb"
    assert "run the same command again" in said and str(book) in said and "all black" in book.read_text()
    assert not little.manifests(DATA) and "all black" in little.run("runs")[1]


def test_a_refusal_inside_a_notebook_is_exit_code_2(little):
    refuse = "from aligngemini.core.params import Refused\nraise Refused('give me photographs')"
    little.write(DATA, refuse)
    code, said = little.run("run", "--scale", "tiny")
    assert code == 2 and "Refused: give me photographs" in said


def test_a_notebook_that_never_finishes_its_run_has_failed(little, inline):
    little.write(DATA, "1 + 1")
    code, said = little.run("run", "--scale", "tiny")
    assert code == 1 and "does not call run.finish" in said


def test_a_notebook_that_fails_after_its_run_is_complete_is_not_hidden(little):
    draw = "draw('first.json')\ndraw('second.json')"
    finish = "run.finish({'numbers': 1})"
    little.write(DATA, draw, finish, "assert 'LITTLE_MENDED' in os.environ, 'no figure'")
    code, said = little.run("run", "--scale", "tiny", "--only", "01")
    assert code == 1 and "no figure" in said and "failed.ipynb" in said
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 1
    code, said = little.run("run", "--scale", "tiny", "--only", "01", LITTLE_MENDED="1")
    assert code == 0 and len(little.log()) == 6
    (home,) = (little.outputs / DATA).glob("[!.]*")
    assert (home / "notebook.ipynb").exists() and not (home / "failed.ipynb").exists()


def test_the_kernel_is_this_python_whatever_is_installed(little):
    """A kernel spec called python3 elsewhere, and another `python` on the path, must not be picked."""
    fake = little.root / "fake"
    for folder in (fake / "kernels" / "python3", little.root / "bin"):
        folder.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}
    (fake / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    (little.root / "bin" / "python").symlink_to("/bin/false")
    little.write(DATA, "import sys\nrun.finish({'python': sys.executable})")
    path = os.pathsep.join([str(little.root / "bin"), os.environ["PATH"]])
    code, said = little.run("run", "--scale", "tiny", "--only", "01", JUPYTER_PATH=str(fake), PATH=path)
    assert code == 0, said
    assert little.manifests(DATA)[0]["results"]["python"] == sys.executable


def test_a_missing_notebook_is_refused(little):
    (little.root / "notebooks" / f"{ANALYSIS}.ipynb").unlink()
    with pytest.raises(Refused, match="05_analysis.ipynb"):
        execute.run([plan.make("tiny")])
