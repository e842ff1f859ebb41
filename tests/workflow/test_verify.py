"""A run is hashed anew with all that it stands on, made again and compared, and old runs go without those that stay."""

import json
import re

import pandas as pd
import pytest

from aligngemini.core import run_spec, runs, stages, verified
from aligngemini.core.params import Refused
from aligngemini.workflow import prune, reproduce, verify
from tests import small

DATA, VLM = stages.DATA, stages.VLM


@pytest.fixture
def both(little):
    """A data run, and a run of notebook 02 that stands on it."""
    return small.made(DATA, small.data(little), images=1), small.made(VLM, small.vlm(little), images=1)


def test_a_run_that_is_as_it_was_is_exit_code_0_and_named_with_what_it_stands_on(little, both):
    code, said = little.run("verify", both[1].name)
    assert code == 0 and said == f"nothing has changed: {DATA}/{both[0].name}, {VLM}/{both[1].name}\n"


def flipped(little, data, vlm):
    data.path("numbers.json").write_text(data.path("numbers.json").read_text().replace("1", "2"))


def missing(little, data, vlm):
    data.folder.rename(little.root / "elsewhere")


def edited(little, data, vlm):
    text = vlm.path("manifest.json").read_text()
    vlm.path("manifest.json").write_text(text.replace('"images": 1', '"images": 7'))


def other_model(little, data, vlm):
    (little.root / "model" / "weights").write_text("1")


def all_other_code(little, data, vlm):
    little.write(DATA, "draw('third.json')")
    other_code(little, data, vlm)


def other_code(little, data, vlm):
    little.write(VLM, "draw('third.json')")


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (flipped, ["01_.* numbers.json has changed .* make it again with `aligngemini run .*--force"]),
        (missing, ["02_.* 01_data_construction has no complete run .*aligngemini runs"]),
        (edited, ["02_.* its manifest is not the one .* delete"]),
        (other_model, [".*model has changed: put back", "  01_.*, 02_.*"]),
        (all_other_code, ["the code .* has changed: (`git checkout|use the version)", "  01_.*, 02_.*"]),
        (other_code, ["02_.* the code .* has changed: (`git checkout|use the version)"]),
    ],
)
def test_what_has_changed_is_said_once_with_the_next_step_the_runs_and_exit_code_3(little, both, change, lines):
    change(little, *both)
    code, said = little.run("verify", both[1].name)
    assert code == 3 and len(said.splitlines()) == len(lines), said
    assert all(re.match(line, text) for line, text in zip(lines, said.splitlines(), strict=True)), said


def test_other_number_formats_are_named_in_words(both, monkeypatch):
    monkeypatch.setattr(run_spec, "_numbers", lambda cfg: {"precision": "bfloat16"})
    (line,) = verify.origins(both[1])
    assert line.startswith("number formats: precision bfloat16 here, precision float32 in the run: use a machine")


def test_files_that_were_known_to_be_whole_are_read_again(both, monkeypatch):
    monkeypatch.setattr(verified, "SETTLED", -1)
    assert not verified.damage(both[0].folder, both[0].manifest["files"])
    monkeypatch.setattr(verified, "_facts", lambda path: [(str(path), path.stat().st_size, 0, 0)])
    assert not verified.damage(both[0].folder, both[0].manifest["files"])
    file = both[0].path("numbers.json")
    file.write_text(file.read_text().replace("1", "2"))
    assert list(verify.outputs(both[0]))


def test_a_run_is_made_again_beside_those_that_it_stands_on_and_is_the_same(little, inline):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    assert little.run("run", "--scale", "tiny", "--only", "02", "-p", "supervision", "mixed")[0] == 0
    (run,) = little.manifests(VLM)
    steps = len(little.log())
    code, said = little.run("reproduce", run["run"]["name"])
    assert code == 0, said
    assert len(little.log()) == steps + 2 and "reused, it has not changed" in said and "the same" in said
    (again,) = (little.outputs / "reproduced").glob(f"*/{VLM}/[!.]*/manifest.json")
    assert json.loads(again.read_text())["files"] == run["files"]
    code, said = little.run("reproduce", run["run"]["name"])
    assert code == 2 and "holds something already: delete it" in said


def test_all_makes_what_it_stands_on_again_too(little, inline, tmp_path):
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    assert little.run("run", "--scale", "tiny", "--only", "02", "-p", "supervision", "mixed")[0] == 0
    steps, name = len(little.log()), little.manifests(VLM)[0]["run"]["name"]
    code, said = little.run("reproduce", name, "--all", "--into", str(tmp_path / "new"))
    assert code == 0 and len(little.log()) == steps + 4, said


def test_another_result_is_named_with_exit_code_3(little, inline):
    little.write(DATA, "run.finish({'time': time.monotonic_ns()})")
    assert little.run("run", "--scale", "tiny", "--only", "01")[0] == 0
    code, said = little.run("reproduce", "latest")
    assert code == 3 and "result time: " in said


def test_what_cannot_be_made_again_is_refused_before_anything_runs(little, both):
    other_code(little, *both)
    code, said = little.run("reproduce", both[1].name)
    assert code == 2 and "cannot be made again" in said and "the code that decided its results has changed" in said
    assert not (little.outputs / "reproduced").exists()


def test_on_another_machine_the_last_digits_may_differ_and_more_may_not(both, monkeypatch):
    one, other = both[0], runs.load(DATA, both[0].name)
    other.manifest["results"] = {"images": 1, "auc": 0.5}
    one.manifest["results"] = {"images": 1, "auc": 0.5 + 1e-6}
    assert reproduce.compared(one, other) == ["result auc: 0.500001 → 0.5"]
    other.manifest["environment"] = other.manifest["environment"] | {"accelerator": "another"}
    assert reproduce.compared(one, other) == []
    other.manifest["results"] = {"images": 1, "auc": 0.505}
    assert reproduce.compared(one, other) == []
    other.manifest["results"] = {"images": 1, "auc": 0.52}
    assert reproduce.compared(one, other) == ["result auc: 0.500001 → 0.52"]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda table: table.assign(score=table.score + 9e-4), False),
        (lambda table: table.assign(path="elsewhere/" + table.path), False),
        (lambda table: table.assign(score=table.score.where(table.index > 1, 0.9)), False),  # 2 of 400
        (lambda table: table.assign(score=table.score.where(table.index > 2, 0.9)), True),
        (lambda table: table.assign(image_id=table.image_id + "x"), True),
        (lambda table: table.head(300), True),
        (lambda table: table.assign(more=1.0), True),
    ],
)
def test_another_machine_may_score_few_images_otherwise(tmp_path, change, differs):
    table = pd.DataFrame({"image_id": [f"{n}" for n in range(400)], "path": "a.png", "score": 0.1})
    for name, each in (("one", table), ("other", change(table))):
        each.to_parquet(tmp_path / f"{name}.parquet")
    assert reproduce._differ(tmp_path / "one.parquet", tmp_path / "other.parquet", exact=False) == differs
    assert reproduce._differ(tmp_path / "one.parquet", tmp_path / "other.parquet", exact=True)


def test_killed_runs_go_and_old_ones_if_asked_but_never_what_another_stands_on(little, both):
    newer = small.made(DATA, small.data(little, seed=5), images=1)
    newest = small.made(DATA, small.data(little, seed=6), images=1)
    runs.start(DATA, small.data(little, seed=7)).close()
    killed = run_spec.make(DATA, small.data(little, seed=7)).name
    names = lambda *given: [record["run"]["name"] for record in prune.chosen(runs.all(), *given)]  # noqa: E731
    assert names(None, []) == [killed]
    assert set(names(1, [])) == {killed, newer.name}
    assert set(names(1, [newer.name[:6]])) == {killed}
    assert set(names(0, [])) == {killed, newer.name, newest.name, *(each.name for each in both)}
    assert names(0, [])[0] == both[1].name
    with pytest.raises(Refused, match="no run 'ffff' to keep"):
        names(0, ["ffff"])


def test_nothing_is_deleted_without_yes_and_a_run_that_is_made_stays(little, both):
    held = runs.start(DATA, small.data(little, seed=7))
    code, said = little.run("runs", "--prune", "--newest", "0")
    assert code == 0 and "these 2 runs take 0.0 MB: add --yes" in said and both[0].folder.exists()
    code, said = little.run("runs", "--prune", "--newest", "0", "--yes")
    assert code == 0 and said.endswith("deleted 2 runs of 0.0 MB\n")
    assert held.folder.exists() and not both[0].folder.exists() and not both[1].folder.exists()
    assert little.run("runs", "--yes")[0] == 2


def test_the_list_of_runs_has_their_size_what_they_stand_on_and_the_report(little, both):
    run = runs.start(DATA, small.data(little, seed=7))
    run.save("report.html", "<p>" + "x" * 2_000_000)
    run.finish({})
    lines = {line.split()[1]: line for line in little.run("runs", "--long")[1].splitlines()}
    assert f"01/{both[0].name[:6]}" in lines[both[1].name] and "report.html" not in lines[both[1].name]
    assert " 2.0 MB " in lines[run.name] and f"{run.name}/report.html" in lines[run.name]


def test_a_line_of_the_list_fits_the_terminal_whatever_came_out(little, both, monkeypatch):
    small.made(DATA, small.data(little, seed=7), share=1, **{"long_name" * 20: 2})
    monkeypatch.setenv("COLUMNS", "130")
    short, long = (little.run("runs", *words)[1].splitlines() for words in ([], ["--long"]))
    assert len(short) == len(long) == 4 and max(map(len, short)) <= 130 < max(map(len, long))
    assert [line.split()[1] for line in short] == [line.split()[1] for line in long]
    assert "share 1" in short[-1] and short[-1].split()[-1] == "…"
