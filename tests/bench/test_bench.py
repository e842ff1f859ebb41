"""The command bench: its numbers by hand, nothing done twice, nothing lost in silence."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aligngemini import cli
from aligngemini.bench import scoring
from aligngemini.images import scene_images
from aligngemini.images.params import DataParams


def _value(out, name, **where):
    rows = pd.read_csv(out / "results.csv")
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, where
    return rows[name].iloc[0]


def test_a_miniature_has_the_numbers_worked_out_by_hand(detector, benchmark, bench, tmp_path, capsys):
    assert bench(benchmark, "--protocol", "native") == 0
    out, said = tmp_path / "out", capsys.readouterr().out
    for model, real, fake, auroc in (("vlm", 0.5, 0.5, 0.75), ("expert", 1, 0.5, 0.75), ("fusion", 0.5, 1, 1)):
        told = {"model": model, "subset": "hard"}
        assert _value(out, "real_accuracy", **told) == real and _value(out, "fake_accuracy", **told) == fake
        assert (
            _value(out, "value", **told) == (real + fake) / 2 and _value(out, "value", subset="easy", model=model) == 1
        )
        assert _value(out, "value", subset="mean", model=model) == (1 + (real + fake) / 2) / 2
        assert model == "fusion" or _value(out, "auroc", **told) == auroc
    assert _value(out, "low", model="vlm", subset="hard") < 0.5 < _value(out, "high", model="vlm", subset="hard")
    assert all(word in said for word in ("AUROC", "AP", "TPR at 1 %", "TPR at 5 %", "ECE", "0.88", "fusion"))
    record = json.loads((out / "bench.json").read_text())
    assert record["pictures"] == {name: {"real": 2, "fake": 2} for name in ("easy", "hard")}
    assert {"results.md", "results.tex", "measures.md", "scores.parquet"} <= set(record["files"])


def test_the_share_of_pictures_outside_is_shown_and_remembered(detector, benchmark, bench, tmp_path, capsys):
    red = detector.branches[0]
    red.domain, red.judge = True, lambda views: (red.p_fake(views), [view > 0.5 for view in views])
    detector.trained_on["vlm"] = "drawn scenes of scale mini"
    for _ in range(2):
        assert bench(benchmark, "--protocol", "native") == 0
        scores, said = pd.read_parquet(tmp_path / "out" / "scores.parquet"), capsys.readouterr().out
        assert (scores["outside"] == (scores["vlm_score"] > 0.5).map({True: "vlm", False: ""})).all()
        assert _value(tmp_path / "out", "outside", model="expert", subset="mean") == 0
        share = (scores["vlm_score"] > 0.5).mean()
        assert _value(tmp_path / "out", "outside", model="vlm", subset="mean") == share > 0
        assert "images are unlike all training images of the VLM (drawn scenes of scale mini)" in said


def test_a_second_command_neither_decodes_nor_scores(detector, benchmark, bench, decoded, tmp_path, looked):
    assert bench(benchmark) == 3, "pictures of 24 px are too small for aligned, and that is told"
    first, scores = dict(looked), pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert first == {"vlm": 8, "expert": 16} and set(decoded.values()) == {1}
    assert bench(benchmark) == 3
    assert looked == first and set(decoded.values()) == {1}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out" / "scores.parquet"), scores)


def test_scores_are_known_by_content_not_by_name_and_not_for_another_model(paint, detector, benchmark, bench, looked):
    assert bench(benchmark, "--protocol", "native") == 0
    for path in list(benchmark.rglob("*.png")):
        path.rename(path.with_stem(f"new_{path.stem}"))
    elsewhere = benchmark.rename(benchmark.with_name("elsewhere"))
    assert bench(elsewhere, "--protocol", "native") == 0 and looked["vlm"] == 8
    swapped = [elsewhere / "easy/0_real/new_easy_0_real_0.png", elsewhere / "easy/1_fake/new_easy_1_fake_0.png"]
    paint(swapped[0], 0.3, 0.3)
    assert bench(elsewhere, "--protocol", "native") == 0 and looked["vlm"] == 9, "the name was known"
    detector.branches[0].version = 1
    assert bench(elsewhere, "--protocol", "native") == 0 and looked["vlm"] == 17


def test_a_killed_command_goes_on_where_it_was(detector, benchmark, bench, tmp_path, looked):
    detector.branches[1].fails = KeyboardInterrupt()
    assert bench(benchmark, "--protocol", "native") == 130 and not (tmp_path / "out").exists()
    done = looked["vlm"]
    detector.branches[1].fails = None
    assert bench(benchmark, "--protocol", "native") == 0
    assert done > 0 and looked == {"vlm": 8, "expert": 8}


def test_every_picture_is_decoded_once_for_all_protocols_and_perturbations(detector, benchmark, bench, decoded):
    assert bench(benchmark, "--protocol", "native,aligned:16,published", "--perturb", "jpeg,down") == 0
    assert len(decoded) == 8 and set(decoded.values()) == {1}


def test_published_counts_two_subsets_of_aigibench_and_stands_beside_the_published(paint, detector, tmp_path, capsys):
    for subset in ("CommunityAI", "DALLE-3"):
        for label, place in enumerate(("0_real", "1_fake")):
            paint(tmp_path / "aigi" / subset / place / f"{subset}{place}.png", 0.1 + 0.8 * label, 0.1)
    words = ["--benchmark", "AIGIBench", "--root", str(tmp_path / "aigi"), "--protocol", "native,published"]
    assert cli.main(["bench", *words]) == 0
    out = tmp_path / "outputs" / "bench" / "aigibench"
    rows = pd.read_csv(out / "results.csv")
    assert set(rows[rows.protocol == "published"].subset) == {"CommunityAI", "mean"}
    assert set(rows[rows.protocol == "native"].subset) == {"CommunityAI", "DALLE-3", "mean"}
    beside = pd.read_csv(out / "published.csv")
    ours = beside[(beside.detector == "AlignGemini") & (beside.subset == "CommunityAI")]
    assert (ours.ours == 1).all() and (ours.theirs == 0.929).all() and len(ours) == 2
    assert ours.state.fillna("").tolist() == ["other protocol", ""], "files as they are were not published"
    assert ours.difference.isna().tolist() == [True, False]
    assert "not run" in set(beside.state) and "theirs" in capsys.readouterr().out


def test_three_forms_of_one_picture_say_no_more_than_one(paint, detector, tmp_path):
    root = tmp_path / "forms"
    for form in ("original", "transfer", "redigital"):
        for number in range(12):  # of the fakes, a quarter is missed in every form
            before = "" if form == "original" else f"{form}_"
            paint(root / form / "real" / f"{before}real_{number}.png", 0.1, 0.1)
            paint(root / form / "ai" / f"{before}ai_{number}.png", 0.1 + 0.8 * (number > 2), 0.1)
    width = {}
    for name, words in (("rr_dataset", ["RR-Dataset", "--root", str(root)]), ("forms", [str(root)])):
        assert cli.main(["bench", "--benchmark", *words, "--protocol", "native"]) == 0
        out = tmp_path / "outputs" / "bench" / name
        low, value, high = (_value(out, column, model="vlm", subset="mean") for column in ("low", "value", "high"))
        assert value == 0.875
        width[name] = high - low
    assert width["rr_dataset"] > 1.4 * width["forms"], "about the root of three"


def test_robustness_gives_reals_and_fakes_apart_and_a_figure_without_network(detector, benchmark, bench, tmp_path):
    assert bench(benchmark, "--protocol", "native", "--perturb", "noise,down") == 0
    table = pd.read_csv(tmp_path / "out" / "robustness.csv", keep_default_na=False, na_values={"severity": [""]})
    assert table.groupby("perturbation").size().to_dict() == {"none": 3, "noise": 12, "down": 9}
    start = table[(table.perturbation == "none") & (table.model == "vlm")].iloc[0]
    assert (start.real_accuracy, start.fake_accuracy, start.value) == (0.75, 0.75, 0.75)
    assert set(table[table.perturbation == "noise"].origin) == {"ours"}
    assert set(table[table.perturbation == "down"].origin) == {"published"}
    page = (tmp_path / "out" / "robustness.html").read_text()
    assert "Plotly.newPlot" in page and 'src="http' not in page and "expert, fake" in page


def test_two_runs_are_compared_on_the_same_pictures(detector, benchmark, bench, tmp_path, capsys, looked):
    assert bench(benchmark, "--protocol", "native", "--against", "strict") == 0
    table = pd.read_csv(tmp_path / "out" / "against.csv").set_index(["model", "subset"])
    for model in ("vlm", "fusion"):  # the strict one has one real more right
        row = table.loc[(model, "hard")]
        assert (row.difference, row.only_this, row.only_other, row.n) == (-0.25, 0, 1, 4)
    assert (table.loc["expert"].difference == 0).all() and (table.p_holm >= table.p).all()
    assert "the other run" in capsys.readouterr().out and looked["vlm"] == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--benchmark", "GenImage"], "--root"),
        (["--benchmark", "GenImagine", "--root", "."], "the workbook has no benchmark 'GenImagine': did you mean"),
        (["--benchmark", "{two}", "--reals", "."], "--reals belongs to a benchmark by name"),
        (["--benchmark", "{two}", "--protocol", "fast"], "--protocol"),
        (["--benchmark", "{two}", "--sample", "-1"], "--sample"),
        (["--benchmark", "{two}", "--protocol", "aligned:25"], "smaller than 25 px"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(words, said, detector, benchmark, tmp_path, capsys):
    assert cli.main(["bench", *(word.format(two=benchmark) for word in words)]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "outputs").exists()


def _elsewhere(branch):
    """The branch here, on another device, and with other numbers."""
    yield branch
    model = getattr(branch, branch.kind).model
    for other in (copy.deepcopy(model).to("meta"), copy.deepcopy(model).double()):
        moved = copy.copy(branch)
        setattr(moved, branch.kind, SimpleNamespace(model=other, max_pixels=12544))
        yield moved


def test_the_shipped_detector_scores_as_it_does_by_itself(tmp_path, monkeypatch):
    from aligngemini.detector import Detector

    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "built"))
    for name, violated in (("0_real", False), ("1_fake", True)):
        (tmp_path / "drawn" / name).mkdir(parents=True)
        for i in range(2):
            scene_images.scene_file((i, violated), str(tmp_path / "drawn" / name), DataParams(), "b", "c")
    words = ["--benchmark", str(tmp_path / "drawn"), "--run", "shipped", "--protocol", "native,published"]
    assert cli.main(["bench", *words, "--out", str(tmp_path / "out")]) == 0
    told = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    native = told[told.protocol == "native"]
    detector = Detector.load()
    alone = detector([tmp_path / "out" / path for path in native.path])
    assert np.allclose(native[["vlm_score", "expert_score"]], alone[["vlm_score", "expert_score"]], atol=1e-5)
    assert native.verdict.tolist() == alone.verdict.tolist()
    known = {json.dumps(scoring.facts(each, crop)) for each in detector.branches for crop in (0, 336)}
    assert len(known) == 3, "the VLM has no crop"
    known = {json.dumps(scoring.facts(moved)) for each in detector.branches for moved in _elsewhere(each)}
    assert len(known) == 6, "another device and another precision give other scores"
    assert not np.allclose(native.expert_score, told[told.protocol == "published"].expert_score)


def test_scores_that_cannot_be_kept_cost_time_and_no_result(
    detector, benchmark, bench, tmp_path, monkeypatch, capsys, looked
):
    assert bench(benchmark, "--protocol", "native") == 0
    before, once, told = (tmp_path / "out" / "scores.parquet").read_bytes(), looked.total(), capsys.readouterr()
    (tmp_path / "file").touch()
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "file" / "built"))
    assert bench(benchmark, "--protocol", "native") == 0
    again = capsys.readouterr()
    assert looked.total() == 2 * once and (tmp_path / "out" / "scores.parquet").read_bytes() == before
    assert again.out == told.out and again.err.count("scores cannot be written to") == 1
    assert "cannot be written to" not in told.err
