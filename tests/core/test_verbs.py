"""The two verbs of a run: what is computed is made again when it has changed; what is saved is what is shown."""

import json
import os
import random
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aligngemini.core import runs, stages, values
from aligngemini.core.params import Refused
from tests import small

DATA = stages.DATA


def numbers(n, scale=1.0):
    return pd.DataFrame({"n": range(n), "value": [scale * each for each in range(n)]})


def other(n, scale=1.0):
    return numbers(n, scale)


def fill(text, folder):
    (folder / "text.txt").write_text(text)


def count(*given, more):
    return len(given)


def again(run, little):
    """The run as the next process finds it."""
    run.close()
    return runs.start(DATA, small.data(little))


def test_a_table_is_made_once_and_reads_the_same_made_or_reused(run, capsys):
    made = run.compute("numbers.parquet", numbers, 3)
    reused = run.compute("numbers.parquet", numbers, 3)
    pd.testing.assert_frame_equal(made, reused)
    pd.testing.assert_frame_equal(made, pd.read_parquet(run.path("numbers.parquet")))
    assert capsys.readouterr().out.splitlines() == ["numbers.parquet: made", "numbers.parquet: reused"]


def test_each_kind_of_file_comes_back_as_it_is_read(run):
    assert run.compute("facts.json", lambda: {"a": (1, np.float64(2)), "b": float("nan")}) == {"a": [1, 2.0], "b": None}
    assert run.save("page.html", "<p>é</p>") == run.path("page.html").read_text("utf-8") == "<p>é</p>"
    assert run.compute("notes.md", str, 5) == "5"


def test_a_folder_is_filled_and_its_path_comes_back(run, capsys):
    assert run.compute("tables", fill, "a") == run.path("tables")
    assert run.compute("tables", fill, "a").joinpath("text.txt").read_text() == "a"
    assert run.compute("tables", fill, "b").joinpath("text.txt").read_text() == "b"
    assert [line.split(":")[1] for line in capsys.readouterr().out.splitlines()] == [" made", " reused", " made again"]
    with pytest.raises(RuntimeError, match="nothing wrote nothing"):
        run.compute("empty", nothing, 1)
    assert not run.path("empty").exists()


def nothing(value, folder):
    return value


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("t.csv", "a,b", "t.csv is not a file .* .parquet, .json"),
        ("t.parquet", {"a": 1}, "t.parquet must hold a DataFrame, got dict"),
        ("t.md", 5, "t.md must hold a str, got int"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_in_one_sentence(run, name, value, words):
    for verb in (lambda: run.save(name, value), lambda: run.compute(name, lambda: value)):
        with pytest.raises(Refused, match=words):
            verb()
    assert not run.path(name).exists()


def test_paths_to_pictures_are_kept_relative_and_come_back_absolute(run, tmp_path):
    places = [run.path("images", "a.png"), run.folder.parent.parent / "other" / "b.png", tmp_path / "raw" / "c.png", ""]
    table = run.save("pictures.parquet", pd.DataFrame({"path": list(map(str, places))}))
    assert table.path.tolist() == list(map(str, places))
    kept = pd.read_parquet(run.path("pictures.parquet")).path.tolist()
    assert kept == ["images/a.png", "../../other/b.png", str(tmp_path / "raw" / "c.png"), ""]


def test_two_dots_behind_a_link_lead_to_the_same_image_when_a_table_is_read_again(run, tmp_path):
    (tmp_path / "deep" / "folder").mkdir(parents=True)
    for place in (tmp_path, run.folder):
        (place / "link").symlink_to(tmp_path / "deep" / "folder")
    places = [tmp_path / "link" / ".." / "a.png", run.folder / "link" / ".." / "b.png"]
    run.save("pictures.parquet", pd.DataFrame({"path": list(map(str, places))}))
    again = values.read(run.path("pictures.parquet")).path
    assert [os.path.realpath(path) for path in again] == [str(tmp_path / "deep" / name) for name in ("a.png", "b.png")]


def test_a_table_is_made_again_when_what_it_is_given_or_its_function_changes(run, capsys):
    run.compute("numbers.parquet", numbers, 3)
    assert len(run.compute("numbers.parquet", numbers, 4)) == len(pd.read_parquet(run.path("numbers.parquet"))) == 4
    run.compute("numbers.parquet", numbers, 4, scale=2.0)
    run.compute("numbers.parquet", other, 4, scale=2.0)
    changed = "numbers.parquet: made again: its cell or what it is given has changed"
    assert capsys.readouterr().out.splitlines()[1:] == [changed] * 3


def test_what_fails_when_made_again_leaves_nothing_of_the_old(run):
    run.compute("numbers.parquet", numbers, 3)
    with pytest.raises(TypeError):
        run.compute("numbers.parquet", numbers, "no number")
    assert not run.path("numbers.parquet").exists()
    assert len(run.compute("numbers.parquet", numbers, 3)) == 3


def test_a_kill_between_a_file_and_whatever_comes_next_makes_nothing_again(run, little, capsys):
    run.compute("numbers.parquet", numbers, 3)
    run = again(run, little)
    run.compute("numbers.parquet", numbers, 3)
    run.path("numbers.parquet").unlink()  # a kill before the file was whole
    run = again(run, little)
    assert len(run.compute("numbers.parquet", numbers, 3)) == 3
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == ["made", "reused", "made"]


def test_checkpoints_of_what_has_changed_are_gone_and_of_what_was_killed_stay(run, little):
    def train(rate, folder):
        (folder / "seen.json").write_text(json.dumps(sorted(p.name for p in run.checkpoints.iterdir())))
        (run.checkpoints / f"rate-{rate}").touch()
        if rate < 0:
            raise InterruptedError

    def seen(rate):
        return json.loads((run.compute("adapter", train, rate) / "seen.json").read_text())

    with pytest.raises(InterruptedError):
        run.compute("adapter", train, -1)
    with pytest.raises(InterruptedError):
        run.compute("adapter", train, -1)
    assert [p.name for p in run.checkpoints.iterdir()] == ["rate--1"]
    assert seen(1) == [] and seen(1) == [] and seen(2) == []


def test_a_second_process_reuses_what_the_first_has_made(run, little, capsys):
    table = pd.DataFrame({"image_id": ["a", "b"], "path": [str(run.path("a.png")), ""], "x": [0.5, np.nan]})
    given = (
        table,
        {"b", "a"},
        Path("x"),
        (1, 2.5),
        np.arange(3),
        small.data(little),
        run.checkpoints,
        partial(other, 3),
    )
    run.compute("facts.json", count, *given, more=[None, True])
    key = run.made["facts.json"]
    run = again(run, little)
    run.compute("facts.json", count, *given, more=[None, True])
    assert run.made["facts.json"] == key
    assert capsys.readouterr().out.splitlines() == ["facts.json: made", "facts.json: reused"]


def test_the_newest_saved_value_counts_and_an_equal_one_is_reused(run, capsys):
    for value in (3, 3, 4):
        saved = run.save("numbers.parquet", numbers(value))
        assert len(saved) == len(pd.read_parquet(run.path("numbers.parquet"))) == value
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == ["made", "reused", "made"]


@pytest.mark.parametrize("damage", [b"", b"PAR1"])
def test_a_damaged_file_of_an_unfinished_run_is_made_again(run, damage):
    for _ in range(2):
        assert len(run.compute("one.parquet", numbers, 3)) == len(run.save("two.parquet", numbers(3))) == 3
        for name in ("one.parquet", "two.parquet"):
            run.path(name).write_bytes(damage)
    run.compute("one.parquet", numbers, 3)
    run.save("two.parquet", numbers(3))
    run.finish({})
    assert all(len(pd.read_parquet(run.path(name))) == 3 for name in ("one.parquet", "two.parquet"))


def test_an_equal_value_is_the_one_that_is_kept_to_the_last_digit(run):
    first = run.save("numbers.parquet", numbers(3))
    again = run.save("numbers.parquet", numbers(3, scale=1 + 1e-13))
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_what_is_saved_over_a_computed_value_does_not_pass_for_it(run):
    run.compute("numbers.parquet", numbers, 3)
    run.save("numbers.parquet", numbers(5))
    assert len(run.compute("numbers.parquet", numbers, 3)) == 3


def test_a_complete_run_reuses_what_is_equal_and_refuses_another_value(run, little, capsys):
    def cells(run, n=3):
        made = run.compute("numbers.parquet", numbers, n)
        run.save("facts.json", {"sum": float(made.value.sum()) * (1 + 1e-13)})
        run.compute("notes.txt", str, str(run.path("numbers.parquet")))
        return made

    cells(run)
    run.finish({})
    run = runs.start(DATA, small.data(little))
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in run.folder.iterdir()}
    pd.testing.assert_frame_equal(cells(run), numbers(3), check_dtype=False)
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == ["reused"] * 3
    assert set(run.manifest["made"]) == {"numbers.parquet", "notes.txt"}
    with pytest.raises(Refused, match=rf"run {run.name} is complete and holds another numbers.parquet: .*--force, or "):
        cells(run, 4)
    with pytest.raises(Refused, match="holds another facts.json"):
        run.save("facts.json", {"sum": 4.0})
    with pytest.raises(Refused, match="new.json is not part of the complete run"):
        run.save("new.json", {})
    assert {path: path.stat().st_mtime_ns for path in run.folder.iterdir()} == before


def test_values_are_compared_by_what_they_say():
    assert values.same({"a": [1, 2.0]}, {"a": [1, 2.0 + 1e-12]})
    assert not values.same({"a": 1}, {"a": 1, "b": 2}) and not values.same([1], [1, 2]) and not values.same(1, True)
    assert not values.same(numbers(2), numbers(3)) and not values.same(
        numbers(2), numbers(2).rename(columns={"n": "m"})
    )
    assert not values.same(numbers(2), numbers(2, scale=1.001)) and values.same(numbers(2), numbers(2, scale=1 + 1e-13))


def test_computations_within_computations_are_kept_and_only_the_outer_is_told(run, capsys):
    def outer(n):
        inner = run.compute("inner.parquet", numbers, n)
        run.save("note.json", {"n": n})
        return {"rows": len(inner)}

    assert run.compute("outer.json", outer, 3) == {"rows": 3}
    assert run.path("inner.parquet").exists() and run.path("note.json").exists()
    assert capsys.readouterr().out.splitlines() == ["outer.json: made"]


def draws(*_):
    import torch

    return [random.random(), float(np.random.rand()), float(torch.rand(1))]


def test_what_is_drawn_in_and_after_a_computation_is_the_same_made_or_reused(run, little):
    first = (run.compute("one.json", draws), run.compute("two.json", draws), draws())
    assert first[0] != first[1] != first[2]
    reused = (run.compute("one.json", draws), run.compute("two.json", draws), draws())
    run.path("two.json").unlink()
    run = again(run, little)
    assert first == reused == (run.compute("one.json", draws), run.compute("two.json", draws), draws())
    assert runs.start(DATA, small.data(little, seed=1)).compute("one.json", draws) != first[0]
