"""The story says what the numbers show, and no more."""

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binom

from aligngemini.analysis import pairs
from aligngemini.analysis.models import Model
from aligngemini.analysis.story import limits, story


def level(title, subset, value, low, high, **more):
    row = {
        "title": title,
        "model": "vlm",
        "supervision": "semantic",
        "benchmark": "world",
        "subset": subset,
        "metric": "balanced accuracy",
        "value": value,
        "low": low,
        "high": high,
        "real_accuracy": 0.9,
        "missing": 0,
        "p_chance": 1.0 if low <= 0.5 <= high else 0.001,
    }
    return row | more


def change(subset, difference, low, high, **more):
    row = {
        "model": "vlm",
        "pure": "VLM, semantic",
        "other": "VLM, mixed",
        "benchmark": "world",
        "subset": subset,
        "difference": difference,
        "low": low,
        "high": high,
        "p": 1.0 if low <= 0 <= high else 0.001,
    }
    return row | more


def test_near_chance_only_when_the_interval_covers_one_half():
    text = story(
        pd.DataFrame(
            [
                level("A", "x", 0.52, 0.49, 0.55),
                level("A", "y", 0.53, 0.51, 0.55),
                level("A", "z", 0.4, 0.35, 0.45),
            ]
        )
    )
    assert "near chance on x" in text and "near chance on y" not in text
    assert "0.40 [0.35, 0.45] on z, below chance" in text


def test_a_difference_is_one_where_zero_is_left_out_after_correction():
    base = pd.DataFrame([level("A", "x", 0.8, 0.7, 0.9)])
    text = story(
        base,
        pd.DataFrame([change("x", -0.1, -0.2, -0.01), change("y", -0.1, -0.2, 0.0), change("z", 0.1, 0.05, 0.2)]),
    )
    line = text.splitlines()[1]
    assert "lower on x (-0.10 [-0.20, -0.01]), also when all claims are counted" in line
    assert "no difference shown on y" in line and "higher on z" in line and line.count("lower") == 1


def test_a_p_that_luck_explains_among_many_is_no_claim_in_levels_nor_in_differences():
    levels = [level("A", f"s{i}", 0.5, 0.4, 0.6) for i in range(5)] + [level("A", "x", 0.4, 0.35, 0.45, p_chance=0.03)]
    many = [change(f"s{i}", 0.0, -0.1, 0.1) for i in range(17)] + [change("x", -0.1, -0.2, -0.01, p=0.03)]
    text = story(pd.DataFrame(levels), pd.DataFrame(many))
    assert "below chance" not in text and "lower" not in text and "x (-0.10 [-0.20, -0.01])" in text
    few = story(pd.DataFrame(levels[-1:]), pd.DataFrame(many[-1:]).assign(p=0.001))
    assert "below chance" in few and "lower on x" in few


def study(rng, subsets: int = 18, each: int = 30) -> str:
    """The story of two supervisions of one detector, and a fusion, that judge pairs alike well."""
    rows = []
    for subset in range(subsets):
        kin = np.repeat(rng.normal(0, 0.5, each), 2)
        for title, supervision in (("V", "semantic"), ("V, mixed", "mixed"), ("F", "pure")):
            label = np.tile([0, 1], each)
            score = expit(label + kin + rng.normal(0, 1, 2 * each) - 0.5)
            told = {"title": title, "supervision": supervision, "subset": f"s{subset}", "label": label, "score": score}
            rows.append(
                pd.DataFrame(told | {"verdict": score > 0.5, "image_id": [f"{subset}/{i}" for i in range(2 * each)]})
            )
    frame = pd.concat(rows, ignore_index=True).assign(benchmark="b", axis="semantic", run="")
    frame["model"] = frame.title.map({"F": "fusion"}).fillna("vlm")
    frame["pair_id"] = [name.split("/")[0] + "/" + str(int(name.split("/")[1]) // 2) for name in frame.image_id]
    frame = frame.astype({"verdict": int})
    levels = [level(title, "mean", 0.6, 0.5, 0.7, model="fusion" if title == "F" else "vlm") for title in ("V", "F")]
    return story(pd.DataFrame(levels).assign(benchmark="b"), pairs.differences(frame, 200))


def test_without_any_effect_hardly_a_story_claims_one():
    rng = np.random.default_rng(11)
    told = [study(rng) for _ in range(25)]
    claims = sum(any(word in text for word in ("lower", "higher", "below chance")) for text in told)
    assert claims <= binom.ppf(0.99, 25, 0.05)
    assert all("no difference shown" in text for text in told)


def test_each_line_names_its_benchmark_and_those_after_the_first_tell_only_what_differs():
    rows = [level("A", "x", 0.8, 0.7, 0.9), level("A", "y", 0.5, 0.4, 0.6, benchmark="web")]
    paired = [change("x", -0.1, -0.2, 0.1), change("y", -0.1, -0.2, -0.01), change("z", 0.1, -0.05, 0.2)]
    paired = pd.DataFrame(paired).assign(benchmark=["world", "web", "web"])
    first, second, third = story(pd.DataFrame(rows), paired).splitlines()
    assert first == "[world] A: 0.80 [0.70, 0.90] on x." and second.startswith("[world] ")
    assert "no difference shown on x" in second
    assert third.startswith("[web] ") and "lower on y" in third and " z " not in third


def test_one_class_is_named():
    text = story(pd.DataFrame([level("A", "x", 0.5, 0.4, 0.6, metric="recall")]))
    assert text == "A: recall 0.50 [0.40, 0.60] on x."


def test_fusion_is_compared_with_the_better_branch_and_its_false_alarms():
    rows = [
        level("V", "mean", 0.7, 0.6, 0.8),
        level("E", "mean", 0.6, 0.5, 0.7, model="expert"),
        level("F", "mean", 0.75, 0.7, 0.79, model="fusion", supervision="pure", real_accuracy=0.8),
    ]
    text = story(pd.DataFrame(rows))
    assert "branch, V," in text and "overlap" not in text and "0.20 of the reals fake" in text
    paired = {"model": "fusion", "pure": "V", "other": "F", "subset": "mean"}
    for bounds, word in (((0.05, 0.01, 0.09), "higher"), ((-0.05, -0.09, -0.01), "lower")):
        text = story(pd.DataFrame(rows), pd.DataFrame([change("mean", *bounds) | paired]))
        assert f"on the same pictures {word} ({bounds[0]:+.2f} [" in text
    unsure = pd.DataFrame([change("mean", 0.05, -0.01, 0.11) | paired])
    assert "on the same pictures no difference shown (+0.05" in story(pd.DataFrame(rows), unsure)


def test_many_subsets_are_summed_up():
    rows = [level("A", f"s{i}", 0.5 + i / 20, 0.45 + i / 20, 0.55 + i / 20) for i in range(8)]
    assert story(pd.DataFrame(rows)) == "A: from 0.50 on s0 to 0.85 on s7; near chance on 2 of 8 subsets."


def test_missing_scores_are_told():
    assert "without a score, judged nowhere: 3" in story(pd.DataFrame([level("A", "mean", 0.5, 0.4, 0.6, missing=3)]))


def based(**bases) -> list[Model]:
    """Models by name on these bases."""
    return [Model(name, "", "", 0.5, pd.DataFrame(), base=base) for name, base in bases.items()]


def test_a_mini_base_on_photographs_is_called_what_it_is():
    images = pd.DataFrame({"source": ["world", "folder"], "subset": ["semantic", "gpt4o"]})
    text = limits(images, based(vlm="data/mini/vlm", expert="owner/dinov2", mine=""))
    assert "gpt4o" in text and "semantic" not in text
    assert "mini VLM" in text and "mini expert" not in text
    assert "mini expert learned the traces" in limits(images, based(expert="data/mini/expert"))


def test_nothing_is_excused_in_the_drawn_world_or_with_full_bases():
    drawn, read = (pd.DataFrame({"source": [where], "subset": ["x"]}) for where in ("world", "folder"))
    assert limits(drawn, based(vlm="data/mini/vlm")) == limits(read, based(vlm="Qwen/Qwen2.5-VL-7B-Instruct")) == ""
