"""The whole workbook at its smallest size: 01 -> 05 through papermill, once, and what every run leaves behind."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from papermill.cli import papermill

from aligngemini import cli
from aligngemini.core import paths, runs, stages, values
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.images import table, world_tests
from aligngemini.scores import table as scores
from aligngemini.teach import command as teach
from aligngemini.teach import exercises
from aligngemini.workflow import kernel
from tests import cells
from tests.little_workbook import closed

__all__ = ["closed"]

NAMES = list(stages.STAGES)


def command(outputs, *words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"ALIGNGEMINI_OUTPUTS": str(outputs), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "aligngemini.cli", *words], env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Outputs of one `aligngemini run --scale smoke`."""
    folder = tmp_path_factory.mktemp("outputs")
    done = command(folder, "run", "--scale", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def here(outputs, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(outputs))
    return outputs


def manifests(outputs) -> list[dict]:
    return [json.loads(p.read_text()) for p in sorted(outputs.glob("0*/*/manifest.json"))]


def test_seven_runs_are_complete_pure_and_mixed_for_both_branches(outputs):
    found = manifests(outputs)
    assert [m["run"]["notebook"] for m in found] == [
        NAMES[0],
        *[NAMES[1]] * 2,
        *[NAMES[2]] * 2,
        NAMES[3],
        NAMES[4],
    ]
    assert all(m["run"]["status"] == "complete" for m in found)
    told = {(m["run"]["notebook"], m["question"]["params"].get("supervision")) for m in found}
    assert {(NAMES[1], "semantic"), (NAMES[1], "mixed"), (NAMES[2], "pixel"), (NAMES[2], "mixed")} <= told


def test_every_run_says_where_its_numbers_come_from(outputs):
    for manifest in manifests(outputs):
        assert manifest["environment"]["packages"]["torch"] and manifest["results"] and manifest["files"]
        assert "TOKEN" not in json.dumps(manifest) and str(manifest["run"]["seconds"])


def test_images_are_disjoint_by_content_and_every_one_is_scored(here):
    data = runs.load(NAMES[0], "latest", "smoke")
    names = ("semantic", "pixel", "mixed_semantic", "union", "test")
    tables = {n: table.load(data.path(f"{n}.parquet")) for n in names}
    assert table.content_overlap(tables).empty
    assert len(tables["mixed_semantic"]) == len(tables["pixel"])
    assert set(tables["union"].image_id) == set(tables["semantic"].image_id) | set(tables["pixel"].image_id)
    assert set(tables["test"].benchmark) == set(world_tests.BENCHMARKS)
    for name in NAMES[1:3]:
        run = runs.load(name, "latest", "smoke")
        frame = scores.load(run.path("scores.parquet"))
        assert set(frame.image_id) == set(tables["test"].image_id) and frame.score.notna().all()


def test_executed_notebooks_have_no_error_and_lie_in_their_runs(outputs):
    complete = list(outputs.glob("0*/*/manifest.json"))
    assert len(complete) == 7
    for path in complete:
        book = nbformat.read(path.parent / "notebook.ipynb", as_version=4)
        outs = [o for cell in book.cells if cell.cell_type == "code" for o in cell.outputs]
        assert outs and not [o for o in outs if o.output_type == "error"]


def test_the_report_is_whole_and_needs_no_network(outputs):
    (report,) = outputs.glob("05_analysis/*/report.html")
    text = report.read_text(encoding="utf-8")
    assert all(title in text for title in ("01 - Data", "02 - Pref", "03 - The pixel", "04 - Fusion", "05 - Analysis"))
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"<(script|img|link|iframe|source)[^>]+(src|href)=.?http", markup)
    assert "<script src" not in text and "Plotly.react(" in text
    chapters = markup[markup.index("<main>") :]
    assert ".partial" not in chapters and "<td>running</td>" not in chapters and "holds no executed" not in chapters
    assert "report.html" in json.loads((report.parent / "manifest.json").read_text())["files"]


def test_the_report_of_any_run_of_04_or_05_can_be_made_anew(here, tmp_path, capsys):
    for notebook in (NAMES[3], NAMES[4]):
        (folder,) = [path.parent for path in here.glob(f"{notebook}/*/manifest.json")]
        assert cli.main(["report", folder.name, "--to", str(tmp_path)]) == 0
        assert "Does alignment hold here?" in capsys.readouterr().out
        page = (tmp_path / f"{notebook[:2]}_{folder.name}.html").read_text(encoding="utf-8")
        assert "What this run found" in page and "01 - Data" in page
    again, first = page.partition("<body>")[2], (folder / "report.html").read_text().partition("<body>")[2]
    assert re.findall("<dd>.*?</dd>", again) == re.findall("<dd>.*?</dd>", first), "the same tables, the same answers"


def test_the_terminal_ends_with_table_report_and_next_step(outputs):
    printed = (outputs / "printed.txt").read_text()
    assert all(word in printed for word in ("VLM", "expert", "usion", "semantic", "pixel", "both", "report.html"))
    assert printed.index("\nworld\n") < printed.index("\nworld, degraded\n") < printed.index("\nworld, held out\n")


def test_the_first_notebook_shows_the_finished_run(here, tmp_path):
    executed = tmp_path / "executed.ipynb"
    kernel.execute(paths.notebook("00_start"), executed, {}, {"ALIGNGEMINI_OUTPUTS": str(here)})
    text = executed.read_text(encoding="utf-8")
    assert f"05_analysis/{runs.load(NAMES[4], 'latest').name}" in text and "fusion (or)" in text
    assert text.count("data:image/") > 8 and "found by" in text


def test_a_second_call_reuses_every_run_in_seconds(outputs):
    before = {p: p.stat().st_mtime_ns for p in outputs.glob("0*/*/manifest.json")}
    done = command(outputs, "run", "--scale", "smoke")
    assert done.returncode == 0 and done.stdout.count("reused") >= 7
    assert {p: p.stat().st_mtime_ns for p in outputs.glob("0*/*/manifest.json")} == before


def test_runs_lists_what_is_there(here, capsys):
    assert cli.main(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 7
    assert {record["run"]["status"] for record in listed} == {"complete"}
    assert {record["question"]["params"]["scale"] for record in listed} == {"smoke"}
    assert cli.main(["runs"]) == 0
    shown = capsys.readouterr().out
    assert all(record["run"]["name"] in shown for record in listed)


def test_detect_accounts_for_every_file(here, tmp_path, capsys):
    test = table.load(runs.load(NAMES[0], "latest", "smoke").path("test.parquet"))
    good = test.path.iloc[0]
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 broken")
    cli.main(["detect", good, str(tmp_path), "--csv", str(tmp_path / "out.csv")])
    frame = pd.read_csv(tmp_path / "out.csv")
    assert len(frame) == 2 and frame.vlm_score.notna().sum() == 1
    assert frame.reason.fillna("").ne("").sum() == 1, capsys.readouterr()


def test_the_detector_agrees_with_the_notebooks(here):
    fused = runs.load(NAMES[3], "latest", "smoke")
    rows = values.read(fused.path("fused.parquet")).drop_duplicates("image_id").head(6)
    found = Detector.from_run("latest", "smoke")(list(rows.path))
    assert found.verdict.tolist() == rows.verdict.tolist()
    assert found.expert_score.to_numpy() == pytest.approx(rows.expert_score.to_numpy(), abs=1e-4)
    assert found.vlm_score.to_numpy() == pytest.approx(rows.vlm_score.to_numpy(), abs=1e-4)


@pytest.fixture(scope="module")
def plain(outputs, tmp_path_factory):
    """Notebook 05 by papermill alone, the working directory elsewhere, as a scheduler would call it; another seed asks
    another question, of a run of 04 that no runner made. The folder of the run of 05.
    """
    folder, name = tmp_path_factory.mktemp("elsewhere"), NAMES[4]
    cells.smoke(NAMES[3], outputs, seed=7)
    recipe = paths.ROOT / f"notebooks/recipes/smoke/{name}.yaml"
    given = [str(paths.ROOT / f"notebooks/{name}.ipynb"), f"{name}.ipynb", "-f", str(recipe), "-p", "seed", "7"]
    environment = os.environ | {"ALIGNGEMINI_OUTPUTS": str(outputs)}
    words = [sys.executable, "-m", "papermill", *given]
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return max(outputs.glob("05_analysis/*/"), key=lambda each: each.stat().st_mtime)


def test_plain_papermill_works_on_one_notebook_alone(outputs, plain):
    assert len(list(outputs.glob("05_analysis/*/manifest.json"))) == 2


def test_the_report_is_written_however_notebook_05_is_run(plain):
    text = (plain / "report.html").read_text(encoding="utf-8")
    assert all(
        title in text for title in ("01 - Data", "02 - Pref", "03 - The pixel", "05 - Analysis", "Plotly.react(")
    )
    assert text.count("of 04_fusion holds no executed notebook") == 1 and "--only 04 --seed 7" in text


def test_papermill_shows_each_parameter_with_type_and_help():
    shown = CliRunner().invoke(papermill, ["--help-notebook", str(paths.notebook(NAMES[2]))]).output
    assert "supervision: str" in shown and "learning_rate: float" in shown and "training set" in shown


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("supervison", "pixel", "supervision"),
        ("learning_rate", "fast", "learning_rate must be a float"),
        ("crop", 40, "14"),
    ],
)
def test_bad_parameters_are_refused_at_once_by_the_notebook_itself(here, name, value, hint):
    with pytest.raises(Refused, match=hint):
        cells.play(cells.given(paths.notebook(NAMES[2]), {name: value}))


@pytest.mark.parametrize("notebook", NAMES)
def test_a_complete_run_that_is_opened_again_reuses_all_and_its_solutions_are_right(here, notebook, tmp_path, capsys):
    if notebook == stages.PEERS:  # a workbook is complete without it
        cells.smoke(notebook, here)
        capsys.readouterr()
    run = runs.load(notebook, "latest", "smoke")
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    solved = tmp_path / "solved.ipynb"
    solved.write_text(teach.solution(paths.notebook(notebook)), encoding="utf-8")
    cells.play(cells.given(solved, run.params))
    lines = capsys.readouterr().out.splitlines()
    verbs = [line.rpartition(": ")[2] for line in lines if re.fullmatch(r"\S+: (made|reused).*", line)]
    assert len(verbs) > 3 and set(verbs) == {"reused"}
    said = dict(line.split(": ", 1) for line in lines if re.match(r"\d\d-\d: ", line))
    assert list(said) == [name for name in exercises.EXERCISES if name[:2] == notebook[:2]]
    said.pop("01-1", "")  # a probe on a handful of images
    assert "right" in said.values() and set(said.values()) <= {"right", "not answered yet"}
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before
