"""The story says what the numbers show, and no more."""

import pandas as pd

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
    }
    return row | more


def change(subset, difference, low, high):
    return {
        "pure": "VLM, semantic",
        "other": "VLM, mixed",
        "benchmark": "world",
        "subset": subset,
        "difference": difference,
        "low": low,
        "high": high,
    }


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


def test_a_difference_needs_an_interval_without_zero():
    base = pd.DataFrame([level("A", "x", 0.8, 0.7, 0.9)])
    text = story(
        base,
        pd.DataFrame([change("x", -0.1, -0.2, -0.01), change("y", -0.1, -0.2, 0.0), change("z", 0.1, 0.05, 0.2)]),
    )
    line = text.splitlines()[1]
    assert "lower on x (-0.10 [-0.20, -0.01]), interval excludes zero" in line
    assert "no difference shown on y" in line and "higher on z" in line and line.count("lower") == 1


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
    assert "branch, V," in text and "the intervals overlap" in text and "0.20 of the reals fake" in text
    rows[2] |= {"value": 0.9, "low": 0.85, "high": 0.95}
    assert "the intervals do not overlap" in story(pd.DataFrame(rows))


def test_many_subsets_are_summed_up():
    rows = [level("A", f"s{i}", 0.5 + i / 20, 0.45 + i / 20, 0.55 + i / 20) for i in range(8)]
    assert story(pd.DataFrame(rows)) == "A: from 0.50 on s0 to 0.85 on s7; near chance on 2 of 8 subsets."


def test_missing_scores_are_told():
    assert "without a score, judged nowhere: 3" in story(pd.DataFrame([level("A", "mean", 0.5, 0.4, 0.6, missing=3)]))


def test_a_mini_base_on_photographs_is_called_what_it_is():
    images = pd.DataFrame({"source": ["world", "folder"], "subset": ["semantic", "gpt4o"]})
    text = limits(images, {"vlm": "data/mini/vlm", "expert": "owner/dinov2"})
    assert "gpt4o" in text and "semantic" not in text
    assert "mini VLM" in text and "mini expert" not in text


def test_nothing_is_excused_in_the_drawn_world_or_with_full_bases():
    drawn, read = (pd.DataFrame({"source": [where], "subset": ["x"]}) for where in ("world", "folder"))
    assert limits(drawn, {"vlm": "data/mini/vlm"}) == limits(read, {"vlm": "Qwen/Qwen2.5-VL-7B-Instruct"}) == ""
