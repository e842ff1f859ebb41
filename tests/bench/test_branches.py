"""The bench before detectors of one, two and three branches: it knows none by name, and treats none like another."""

import json

import numpy as np
import pandas as pd
import pytest

from aligngemini.analysis import style
from aligngemini.branches.frequency import Frequency
from aligngemini.branches.options import Options
from aligngemini.branches.scores_file import ScoresFile

HARD = ["hard_0_real_0", "hard_0_real_1", "hard_1_fake_0", "hard_1_fake_1"]
EASY = ["easy_0_real_0", "easy_0_real_1", "easy_1_fake_0", "easy_1_fake_1"]
SCORES = dict(zip([*HARD, *EASY], [0.1, 0.2, 0.3, 0.9] + [0.1, 0.2, 0.8, 0.9], strict=True))
CHANGED = "it has scores of files, and these pixels were changed"


def _results(out, **where):
    rows = pd.read_csv(out / "results.csv")
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows.set_index("model").value.to_dict()


def _record(out):
    return json.loads((out / "bench.json").read_text())


@pytest.mark.parametrize(
    ("names", "hard"),
    [
        (["one"], {"one": 0.5, "fusion": 0.5}),
        (["one", "two"], {"one": 0.5, "two": 0.75, "fusion": 0.75}),
        (["one", "two", "mine"], {"one": 0.5, "two": 0.75, "mine": 0.75, "fusion": 0.75}),
    ],
)
def test_every_branch_is_judged_alone_and_in_the_fusion(names, hard, judge, tint, listed, benchmark, bench, tmp_path):
    branches = {"one": tint("one", 0), "two": tint("two", 1), "mine": listed("mine", SCORES)}
    judge(*(branches[name] for name in names))
    assert bench(benchmark, "--protocol", "native") == 0
    out = tmp_path / "out"
    assert _results(out, subset="hard") == hard
    assert set(_results(out, subset="mean")) == {*names, "fusion"}
    told = pd.read_parquet(out / "scores.parquet").set_index("path")
    assert [name for name in told if name.endswith("_score")] == [*(f"{name}_score" for name in names), "fused_score"]
    assert told.fired.filter(like="easy_1_fake_0").item() == "+".join(names)
    assert _record(out)["judged_by"] == {"native": {"rule": "or", "thresholds": dict.fromkeys(names, 0.5)}}
    assert [each["name"] for each in _record(out)["detector"]["branches"]] == names


def test_a_branch_that_needs_the_file_has_no_score_of_changed_pixels(
    judge, tint, listed, benchmark, bench, tmp_path, capsys
):
    judge(tint("vlm", 0), tint("expert", 1), listed("mine", SCORES))
    assert bench(benchmark, "--protocol", "native,aligned:16") == 3
    out, said = tmp_path / "out", capsys.readouterr().out
    assert set(_results(out, protocol="native", subset="mean")) == {"vlm", "expert", "mine", "fusion"}
    assert set(_results(out, protocol="aligned:16", subset="mean")) == {"vlm", "expert"}
    lost = pd.read_csv(out / "left_out.csv")
    assert set(lost.protocol) == {"aligned:16"} and set(lost.reason) == {f"mine: {CHANGED}"} and len(lost) == 8
    assert f"under aligned:16 no picture can be judged by mine, fusion: mine: {CHANGED}\n" in said


def test_a_protocol_that_judges_nothing_is_told_and_the_others_go_on(judge, listed, benchmark, bench, tmp_path, capsys):
    judge(listed("mine", SCORES))
    assert bench(benchmark, "--protocol", "aligned:16,native", "--perturb", "jpeg") == 3
    said = capsys.readouterr().out
    assert f"\nunder aligned:16 no picture can be judged: {CHANGED}\n" in said
    assert "\nno perturbed picture can be judged" in said and not (tmp_path / "out" / "robustness.csv").exists()
    assert _results(tmp_path / "out", subset="hard") == {"mine": 0.75, "fusion": 0.75}
    assert bench(benchmark, "--protocol", "aligned:16") == 2
    assert f"No picture of two can be judged: {CHANGED}." in capsys.readouterr().err


def test_a_file_counts_as_unchanged_for_the_class_that_the_protocol_leaves_alone(judge, listed, paint, tmp_path):
    from aligngemini import cli

    root = tmp_path / "aigi" / "CommunityAI"
    for place, name, red in (("0_real", "real", 0.1), ("1_fake", "fake", 0.9)):
        paint(root / place / f"{name}.png", red, 0.1)
    judge(listed("mine", {"real": 0.2, "fake": 0.9}))
    words = ["--benchmark", "AIGIBench", "--root", str(tmp_path / "aigi"), "--protocol", "published"]
    assert cli.main(["bench", *words, "--out", str(tmp_path / "out")]) == 3
    told = pd.read_parquet(tmp_path / "out" / "scores.parquet").set_index("label")
    assert told.mine_score[0] == 0.2 and np.isnan(told.mine_score[1]), "the published fakes are saved as JPEG"
    assert told.reason.to_dict() == {0: "", 1: CHANGED}


def test_a_file_of_scores_is_asked_for_no_pixels(judge, tint, benchmark, bench, decoded, tmp_path, capsys):
    csv = tmp_path / "theirs.csv"
    csv.write_text("path,score\n" + "".join(f"{file},{SCORES[file.stem]}\n" for file in benchmark.rglob("*.png")))
    facts = ScoresFile.fit(str(csv), None, tmp_path)
    judge(tint("vlm", 0), ScoresFile.load(facts, tmp_path, "theirs"))
    for _ in range(2):
        assert bench(benchmark, "--protocol", "native,aligned:16") == 3
        assert set(decoded.values()) == {1}, "what it has no score for is no reason to decode a picture again"
        assert _results(tmp_path / "out", protocol="native", subset="hard")["theirs"] == 0.75
    assert "under aligned:16 no picture can be judged by theirs, fusion: theirs: its pixels" in capsys.readouterr().out


def test_an_image_that_the_file_does_not_name_keeps_its_row(judge, tint, listed, benchmark, bench, tmp_path):
    judge(tint("vlm", 0), listed("mine", {name: score for name, score in SCORES.items() if name != HARD[0]}))
    assert bench(benchmark, "--protocol", "native") == 3
    told = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    (row,) = told[told.reason != ""].itertuples()
    assert row.reason == "mine: it has no score of this file" and row.vlm_score > 0 and pd.isna(row.verdict)
    assert len(told) == 8


def test_a_protocol_s_crop_is_for_branches_that_look_at_one(detector, benchmark, bench, looked):
    vlm, expert = detector.branches
    assert bench(benchmark, "--protocol", "native,published") == 0
    assert vlm.sides == {0} and expert.sides == {16, 336}
    assert looked == {"vlm": 8, "expert": 16}
    expert.crop = 336
    assert bench(benchmark, "--protocol", "native,published") == 0
    assert looked == {"vlm": 8, "expert": 16}, "its own side is the protocol's, and known"


def test_what_a_branch_has_scored_is_known_in_any_detector(judge, tint, benchmark, bench, looked):
    vlm, expert, third = tint("vlm", 0), tint("expert", 1), tint("third", 2)
    for branches in ([vlm], [expert, vlm], [third, vlm, expert]):
        judge(*branches, thresholds=(0.3,) * len(branches))
        assert bench(benchmark, "--protocol", "native") == 0
    assert looked == {"vlm": 8, "expert": 8, "third": 8}


def test_two_files_of_scores_stay_apart(judge, listed, benchmark, bench, tmp_path):
    other = {name: 1 - score for name, score in SCORES.items()}
    judge(listed("mine", SCORES), listed("yours", other))
    for _ in range(2):  # new, and as remembered
        assert bench(benchmark, "--protocol", "native") == 0
        told = pd.read_parquet(tmp_path / "out" / "scores.parquet")
        assert np.allclose(told.mine_score, 1 - told.yours_score) and told.mine_score.nunique() > 3
    judge(listed("mine", other))
    assert bench(benchmark, "--protocol", "native") == 0
    again = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert again.mine_score.tolist() == told.yours_score.tolist(), "the same name, another file"


def test_two_fitted_branches_stay_apart(judge, paint, bench, tmp_path):
    root = tmp_path / "large"
    for place, side in (("0_real", 40), ("1_fake", 48)):
        paint(root / place / f"{place}.png", 0.5, 0.5, side=side)
    for sign in (1, -1):
        judge(Frequency(Options(), "mine", [0.1] * 15, -1.0), Frequency(Options(), "yours", [0.1 * sign] * 15, -2.0))
        assert bench(root, "--protocol", "native") == 0
        told = pd.read_parquet(tmp_path / "out" / "scores.parquet")
        assert (told.mine_score > 0.5).all() and (told.yours_score > 0.5).tolist() == [sign == 1] * 2


def test_a_fitted_rule_judges_except_where_a_protocol_names_another(judge, tint, benchmark, bench, tmp_path):
    names = {"a": 0, "b": 1, "c": 2}
    rng, label = np.random.default_rng(0), np.repeat([0, 1], 40)
    low = np.clip(0.1 + 0.1 * label[:, None] + rng.normal(0, 0.02, (80, 3)), 0, 1)
    fitted_on = {"scores": low.tolist(), "label": label.tolist(), "false_positives": 0.05, "learner": "logistic"}
    judge(*(tint(*each) for each in names.items()), rule="learned", thresholds=(0.2, 0.3, 0.4), fitted_on=fitted_on)
    assert bench(benchmark, "--protocol", "native,aligned:16,published") == 0
    own, theirs = dict(zip(names, (0.2, 0.3, 0.4), strict=True)), dict.fromkeys(names, 0.5)
    assert _record(tmp_path / "out")["judged_by"] == {
        "native": {"rule": "learned", "thresholds": own},
        "aligned:16": {"rule": "learned", "thresholds": own},
        "published": {"rule": "or", "thresholds": theirs},
    }
    told = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    dark = told[told.path.str.contains("easy_0_real")].set_index("protocol")
    assert (dark.verdict["native"] == 1).all() and (dark.verdict["published"] == 0).all()
    assert _record(tmp_path / "out")["detector"]["fusion"]["fitted_on"] == fitted_on


def test_runs_of_other_branches_are_compared_where_they_have_the_same(judge, tint, benchmark, bench, tmp_path):
    judge(tint("vlm", 0), tint("third", 2), run="strict")
    judge(tint("vlm", 0), tint("expert", 1))
    assert bench(benchmark, "--protocol", "native", "--against", "strict") == 0
    assert set(pd.read_csv(tmp_path / "out" / "against.csv").model) == {"vlm", "fusion"}


def test_every_branch_has_a_colour_of_its_own_in_the_curves(judge, tint, benchmark, bench, tmp_path):
    judge(tint("vlm", 0), tint("mine", 1), tint("yours", 2))
    assert bench(benchmark, "--protocol", "native", "--perturb", "down") == 0
    page = (tmp_path / "out" / "robustness.html").read_text()
    colours = style.colours(["vlm", "mine", "yours", "fusion"])
    assert len(set(colours[name] for name in ("vlm", "mine", "yours", "fusion"))) == 4
    assert all(f'"color":"{colours[name]}"' in page for name in ("vlm", "mine", "yours", "fusion"))
    assert set(pd.read_csv(tmp_path / "out" / "robustness.csv").model) == {"vlm", "mine", "yours", "fusion"}
