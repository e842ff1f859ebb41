"""What a benchmark leaves out: counted, listed with its reason, and scored by whoever can."""

import os

import numpy as np
import pandas as pd
from PIL import Image

from aligngemini import cli
from aligngemini.images.loaders import skips
from tests.bench.test_bench import _value


def test_unreadable_pictures_are_counted_and_listed(paint, detector, benchmark, bench, tmp_path, capsys):
    cut, text = benchmark / "easy/0_real/cut.jpg", benchmark / "easy/1_fake/text.png"
    paint(cut, 0.1, 0.1)
    cut.write_bytes(cut.read_bytes()[:-20])
    text.write_text("no picture")
    assert bench(benchmark, "--protocol", "native") == 3
    lost = pd.read_csv(tmp_path / "out" / "left_out.csv", keep_default_na=False).set_index("path")
    assert lost.protocol[str(cut)] == "native" and lost.reason[str(cut)].startswith("cut short or damaged")
    assert lost.protocol[str(text)] == "" and "known format" in lost.reason[str(text)] and len(lost) == 2
    said = capsys.readouterr().out
    assert str(cut) in said and str(text) in said
    assert _value(tmp_path / "out", "n", model="vlm", subset="easy") == 4
    assert _value(tmp_path / "out", "missing", model="vlm", subset="easy") == 1


def test_texts_beside_the_pictures_are_counted_and_are_no_loss(detector, benchmark, bench, tmp_path, capsys):
    (benchmark / "README.txt").write_text("two subsets")
    (benchmark / "hard/0_real/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    assert bench(benchmark, "--protocol", "native") == 0
    lost = pd.read_csv(tmp_path / "out" / "left_out.csv", keep_default_na=False)
    assert set(lost.reason) == {skips.TEXT, skips.HIDDEN} and "README.txt" in capsys.readouterr().out


def test_archives_and_unfinished_downloads_of_a_labelled_folder_are_told(detector, benchmark, bench, tmp_path, capsys):
    (benchmark / "hard/1_fake/more.zip").write_bytes(b"PK\3\4")
    (benchmark / "hard/1_fake/next.png.part").write_bytes(b"\x89PNG")
    assert bench(benchmark, "--protocol", "native") == 3
    lost = pd.read_csv(tmp_path / "out" / "left_out.csv", keep_default_na=False)
    assert sorted(lost.reason) == [skips.PARTIAL, skips.NOT_UNPACKED] and "more.zip" in capsys.readouterr().out


def test_names_that_are_no_utf_8_are_scored_and_written_down(paint, detector, benchmark, tmp_path):
    paint(benchmark / "hard/1_fake/next.png", 0.9, 0.1)
    os.rename(benchmark / "hard/1_fake/next.png", os.fsencode(benchmark) + b"/hard/1_fake/caf\xe9.png")
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.rename(benchmark, strange)
    assert cli.main(["bench", "--benchmark", strange, "--protocol", "native"]) == 0
    folder = tmp_path / "outputs" / "bench" / "caf\\xe9"
    assert _value(folder, "n", model="vlm", subset="hard") == 5
    scores = pd.read_parquet(folder / "scores.parquet")
    assert scores.path.str.endswith("caf\\xe9.png").sum() == 1 and (folder / "bench.json").is_file()


def test_published_skips_near_constant_pictures_and_counts_them(detector, benchmark, bench, tmp_path):
    Image.new("RGB", (24, 24), (200, 10, 10)).save(benchmark / "easy/1_fake/flat.png")
    assert bench(benchmark, "--protocol", "native,published") == 3
    lost = pd.read_csv(tmp_path / "out" / "left_out.csv")
    assert lost[["protocol", "reason"]].to_numpy().tolist() == [["published", "near-constant"]]
    found = [
        _value(tmp_path / "out", "n", model="vlm", subset="easy", protocol=name) for name in ("native", "published")
    ]
    assert found == [5, 4]


def test_a_picture_that_one_branch_or_one_perturbation_fails_on_has_one_reason(
    detector, benchmark, bench, tmp_path, monkeypatch
):
    from aligngemini.images import perturb

    odd = benchmark / "easy/1_fake/odd.png"
    Image.fromarray(np.random.default_rng(5).integers(200, 255, (20, 30, 3), np.uint8)).save(odd)

    def picky(rgb):
        return "the VLM cannot look at it: too wide (30 px)" if rgb.shape[:2] == (20, 30) else ""

    def spoiled(rgb, severity, rng):
        return rgb if rgb.shape[0] == 24 else np.zeros(1)[severity]

    detector.branches[0].refuses = picky
    down = perturb.PERTURBATIONS["down"]._replace(change=spoiled)
    monkeypatch.setitem(perturb.PERTURBATIONS, "down", down)
    assert bench(benchmark, "--protocol", "native", "--perturb", "down") == 3
    out = tmp_path / "out"
    assert _value(out, "n", model="vlm", subset="easy") == 4 and _value(out, "missing", model="vlm", subset="easy") == 1
    assert _value(out, "n", model="expert", subset="easy") == 5
    told = pd.read_csv(out / "left_out.csv").set_index("protocol").reason
    assert told["native"] == "vlm: the VLM cannot look at it: too wide (30 px)"
    assert told["native, down 0.5"].startswith("down 0.5 cannot be done to it (IndexError: ") and len(told) == 4
    curve = pd.read_csv(out / "robustness.csv", keep_default_na=False)
    assert curve[curve.perturbation == "down"].n.tolist() == [8] * 9


def test_pictures_that_one_branch_alone_can_judge_are_judged_by_it(detector, benchmark, bench, tmp_path, capsys):
    detector.branches[0].refuses = lambda rgb: "too long"
    assert bench(benchmark, "--protocol", "native", "--against", "strict", "--perturb", "down") == 3
    assert "under native no picture can be judged by vlm, fusion: vlm: too long\n" in capsys.readouterr().out
    assert set(pd.read_csv(tmp_path / "out" / "results.csv").model) == {"expert"}
