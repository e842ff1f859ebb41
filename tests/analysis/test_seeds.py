"""The table of a sweep: seeds are aggregated as seeds, and differences are taken within each seed."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aligngemini.analysis import seeds
from aligngemini.core import values
from aligngemini.images import table as images
from aligngemini.scores import table as score_table
from tests.analysis.conftest import write_fusion, write_manifest

RIGHT = {  # seed -> how many of ten fakes each model finds; no real is accused
    ("02_vlm_dpo", "semantic"): {0: 8, 1: 6, 2: 10},
    ("02_vlm_dpo", "mixed"): {0: 6, 1: 6, 2: 6},
    ("03_expert_lora", "pixel"): {0: 2, 1: 8, 2: 0},
}
FUSED = {0: 9, 1: 9, 2: 10}


def spread(*values: float) -> pd.Series:
    """The spread of one row over seeds."""
    long = pd.DataFrame({"rule": "or", "metric": "m", "seed": range(len(values)), "value": values})
    return seeds.spread(long, ["rule", "metric"]).iloc[0]


def test_the_interval_is_student_s():
    row = spread(0.6, 0.7, 0.8)
    assert row["mean"] == pytest.approx(0.7) and row.n == 3
    assert row.high - 0.7 == pytest.approx(4.302653 * 0.1 / 3**0.5) == 0.7 - row.low


def test_one_seed_has_no_interval_and_a_missing_one_is_not_counted():
    assert spread(0.6)["mean"] == 0.6 and spread(0.6)[["low", "high"]].isna().all()
    assert spread(0.6, float("nan"), 0.8).n == 2
    assert np.isnan(spread(float("nan"))["mean"]) and spread(float("nan")).n == 0


def _images(folder, more: tuple[str, ...] = ()) -> pd.DataFrame:
    """Ten reals and ten fakes in subset semantic of the world, and in one more subset for each of `more`."""
    rows = [
        {"image_id": f"{subset}{label}{i}", "path": f"{i}.png", "label": label, "axis": ("none", "semantic")[label]}
        | {"subset": subset, "benchmark": "world" if subset == "semantic" else subset, "split": "test"}
        for subset in ("semantic", *more)
        for label in (0, 1)
        for i in range(10)
    ]
    values.write(folder / "test.parquet", images.frame(rows))
    return images.load(folder / "test.parquet")


def _run(root, notebook, seed, data, supervision, results) -> SimpleNamespace:
    folder = root / notebook / f"{seed}{data}{supervision}"
    folder.mkdir(parents=True)
    write_manifest(folder, notebook, {"supervision": supervision, "seed": seed}, results)
    answer = SimpleNamespace(notebook=notebook, name=folder.name, folder=folder)
    return SimpleNamespace(seed=seed, data=data, point="", answer=answer)


def _found(test: pd.DataFrame, count: int) -> np.ndarray:
    """Scores that find the first `count` fakes and accuse nobody."""
    place = test.groupby(["subset", "label"]).cumcount()
    return np.where((test.label == 1) & (place < count), 0.9, 0.1)


def _made(root, data=("",), own: int | None = None) -> list:
    """Three seeds of runs on each data run; `own`: how many fakes a branch without a run finds, None: there is none."""
    made = []
    for seed in (0, 1, 2):
        for point in data:
            source = _run(root, "01_data_construction", seed, point, "", {})
            test = _images(source.answer.folder)
            made.append(source)
            for (notebook, supervision), right in RIGHT.items():
                run = _run(root, notebook, seed, point, supervision, {"threshold": 0.5})
                count = right[seed] - (point == "harder")
                scores = score_table.make(test.image_id, _found(test, count), "vlm", supervision)
                scores.to_parquet(run.answer.folder / "scores.parquet")
                made.append(run)
            run = _run(root, "04_fusion", seed, point, "or", {})
            score = _found(test, FUSED[seed])
            fused = test.assign(fused_score=score, verdict=pd.array(score > 0.5, dtype="Int8"), reason="")
            mine = [] if own is None else [{"name": "mine", "kind": "scores", "threshold": 0.5, "run": ""}]
            write_fusion(run.answer.folder, fused.assign(mine_score=_found(test, own or 0)), mine, {})
            made.append(run)
    return made


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    return seeds.gather(_made(tmp_path_factory.mktemp("outputs")))


def row(table, **wanted):
    told = {"against": "", "subset": "semantic", "metric": "balanced accuracy"} | wanted
    (found,) = table[(table[list(told)] == pd.Series(told)).all(axis=1)].to_dict("records")
    return found


def test_levels_stand_seed_by_seed_with_mean_and_interval(gathered):
    found = row(gathered, model="VLM", supervision="semantic")
    assert [found[f"seed {seed}"] for seed in (0, 1, 2)] == pytest.approx([0.9, 0.8, 1.0])
    assert (found["mean"], found["n"]) == (pytest.approx(0.9), 3)
    assert found["mean"] - found["low"] == pytest.approx(4.302653 * 0.1 / 3**0.5)
    assert row(gathered, model="VLM", supervision="mixed")["low"] == pytest.approx(0.8)
    assert row(gathered, model="VLM", supervision="semantic", subset="mean")["mean"] == pytest.approx(0.9)


def test_differences_are_taken_within_each_seed_against_the_first_of_the_kind(gathered):
    found = row(gathered, model="VLM", supervision="mixed", against="VLM, semantic")
    assert [found[f"seed {seed}"] for seed in (0, 1, 2)] == pytest.approx([-0.1, 0.0, -0.2])
    assert found["mean"] == pytest.approx(-0.1) and found["high"] == pytest.approx(-0.1 + 4.302653 * 0.1 / 3**0.5)
    assert gathered[(gathered.model == "expert") & (gathered.against != "")].empty


def test_at_several_points_a_model_is_held_against_the_first_at_its_own_point(tmp_path):
    made = []
    for seed in (0, 1):
        data = _run(tmp_path, "01_data_construction", seed, "", "", {})
        test = _images(data.answer.folder)
        made.append(data)
        for point, supervision, count in (("a", "s", 8), ("a", "m", 6), ("b", "s", 4), ("b", "m", 0)):
            run = _run(tmp_path, "02_vlm_dpo", seed, point, supervision, {"threshold": 0.5})
            scores = score_table.make(test.image_id, _found(test, count), "vlm", supervision)
            scores.to_parquet(run.answer.folder / "scores.parquet")
            run.data, run.point = "", point
            made.append(run)
    table = seeds.gather(made)
    gains = table[(table.against != "") & (table.metric == "balanced accuracy") & (table.subset == "semantic")]
    wanted = [("a", "m", "VLM, s, a", -0.1), ("b", "s", "VLM, s, a", -0.2), ("b", "m", "VLM, s, b", -0.2)]
    found = gains[["point", "supervision", "against", "mean"]].itertuples(index=False, name=None)
    assert [(*rest, round(mean, 3)) for *rest, mean in found] == wanted


def test_fusion_is_held_against_the_better_branch_of_each_seed(gathered):
    found = row(gathered, model="fusion", supervision="pure", against="better branch")
    # seed 0: .95 against the VLM's .9; seed 1: .95 against the expert's .9; seed 2: 1 against the VLM's 1
    assert [found[f"seed {seed}"] for seed in (0, 1, 2)] == pytest.approx([0.05, 0.05, 0.0])


def test_auroc_stands_beside(gathered):
    # seed 0 ranks 8 of 10 fakes above all reals and 2 level with them
    assert row(gathered, model="VLM", supervision="semantic", metric="AUROC")["seed 0"] == pytest.approx(0.9)


def test_a_branch_without_a_run_has_its_rows_and_may_be_the_better_one(tmp_path):
    table = seeds.gather(_made(tmp_path, own=9))
    assert row(table, model="mine", supervision="")["seed 1"] == pytest.approx(0.95)
    found = row(table, model="fusion", supervision="pure", against="better branch")
    assert [found[f"seed {seed}"] for seed in (0, 1, 2)] == pytest.approx([0.0, 0.0, 0.0])


def test_several_points_of_notebook_01_are_averaged_seed_by_seed(tmp_path):
    table = seeds.gather(_made(tmp_path, data=("easier", "harder")))
    told = {"model": "VLM", "supervision": "semantic"}
    assert row(table, data="harder", **told)["seed 0"] == pytest.approx(0.85)
    pooled = row(table, data="mean of 2", **told)
    assert [pooled[f"seed {seed}"] for seed in (0, 1, 2)] == pytest.approx([0.875, 0.775, 0.975])
    assert pooled["n"] == 3 and pooled["mean"] == pytest.approx(0.875)


def test_people_read_one_column_for_each_subset_and_signs_on_differences(gathered):
    rows = gathered[gathered.metric == "balanced accuracy"].drop(columns=["metric", "benchmark"])
    shown = seeds.shown(rows, "subset").set_index(["model", "supervision", "against"])
    assert list(shown.columns) == ["semantic", "mean"] and len(shown) == rows.drop(columns="subset").against.size / 2
    assert shown.loc[("VLM", "mixed", ""), "semantic"] == "0.80 [0.80, 0.80]"
    assert shown.loc[("VLM", "mixed", "VLM, semantic"), "semantic"] == "-0.10 [-0.35, +0.15]"


def test_the_interval_of_a_share_stays_between_nothing_and_all(gathered):
    levels, differences = gathered[gathered.against == ""], gathered[gathered.against != ""]
    assert levels.low.min() >= 0 and levels.high.max() == 1
    assert differences.low.min() < 0
