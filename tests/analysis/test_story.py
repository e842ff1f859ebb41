"""What the tables leave open is said in words: missing scores, mini bases, and dilution or interference."""

import pandas as pd
import pytest

from aligngemini.analysis.models import Model
from aligngemini.analysis.story import CAUTION, cause, limits, story, trained

NOTHING = trained([])


def found(**bounds) -> pd.DataFrame:
    """Differences of a VLM on subset semantic: supervision -> (difference, low, high); and a decoy elsewhere."""
    told = {"model": "vlm", "pure": "VLM, semantic", "pure_supervision": "semantic", "benchmark": "world"}
    rows = [
        told
        | {"other": f"VLM, {name}", "other_supervision": name, "subset": subset, "axis": subset}
        | dict(zip(("difference", "low", "high"), values, strict=True))
        | {"p_holm": 1.0 if values[1] <= 0 <= values[2] else 0.01}
        for name, measured in bounds.items()
        for subset, values in (("semantic", measured), ("pixel", (0.3, 0.2, 0.4)))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("mixed", "union", "word"),
    [
        ((-0.10, -0.15, -0.05), (0.00, -0.04, 0.04), "dilution"),
        ((-0.10, -0.15, -0.05), (0.05, 0.01, 0.09), "dilution"),
        ((-0.10, -0.15, -0.05), (-0.08, -0.12, -0.04), "interference"),
        ((-0.10, -0.15, -0.05), (-0.05, -0.11, 0.01), "cannot be told"),
        ((-0.02, -0.06, 0.02), (0.01, -0.03, 0.05), "nothing to explain"),
    ],
)
def test_the_word_follows_from_both_intervals(mixed, union, word):
    text = cause(found(mixed=mixed, union=union), NOTHING)[1]
    assert text.startswith("VLM: ") and word in text
    assert f"mixed {mixed[0]:+.2f} [{mixed[1]:+.2f}, {mixed[2]:+.2f}]" in text


def test_without_a_union_run_it_cannot_be_told():
    line = cause(found(mixed=(-0.1, -0.2, -0.05)), NOTHING)[1]
    assert line == "VLM: the cause cannot be told without a run on union supervision."


def test_without_a_loss_no_union_run_is_asked_for():
    line = cause(found(mixed=(-0.01, -0.05, 0.03)), NOTHING)[1]
    assert line == "VLM: nothing to explain, no loss is shown under mixed supervision."


def test_fakes_of_unknown_kind_tell_nothing():
    unknown = found(mixed=(-0.1, -0.2, -0.05), union=(0.0, -0.01, 0.01)).assign(axis="unknown")
    assert "no test subset" in cause(unknown, NOTHING)[1]


def test_a_loss_that_luck_explains_among_many_is_not_explained_further():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04)).assign(p_holm=0.2)
    assert "nothing to explain" in cause(rows, NOTHING)[1]


def counts(mixed: int) -> pd.DataFrame:
    rows = [
        ("vlm", "semantic", 10_000, 0, 1250),
        ("vlm", "mixed", 5000, 5000, mixed),
        ("vlm", "union", 10_000, 23_600, 4200),
    ]
    return pd.DataFrame(rows, columns=["model", "supervision", "semantic", "pixel", "updates"])


def test_runs_of_unequal_updates_tell_no_cause():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    assert cause(rows, counts(2100))[-1].endswith("its pure and mixed runs had 1250 and 2100 updates.")


def test_what_a_run_did_not_record_is_not_known(models):
    assert trained(models).updates.isna().all()
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    assert cause(rows, trained(models)) == cause(rows, NOTHING) == cause(rows, counts(1250))


def test_fusion_has_no_cause_and_without_a_pair_only_the_caution_stands():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    assert cause(rows.assign(model="fusion"), NOTHING) == [CAUTION]


def based(**bases) -> list[Model]:
    """Models by name on these bases."""
    return [Model(name, "", "", 0.5, pd.DataFrame(), base=base) for name, base in bases.items()]


def test_a_mini_base_on_photographs_is_called_what_it_is():
    images = pd.DataFrame({"source": ["world", "folder"], "subset": ["semantic", "gpt4o"]})
    text = "\n".join(limits(images, based(vlm="data/mini/vlm", expert="owner/dinov2", mine="")))
    assert "gpt4o" in text and "semantic" not in text
    assert "mini VLM" in text and "mini expert" not in text
    assert "mini expert learned the traces" in limits(images, based(expert="data/mini/expert"))[1]


def test_nothing_is_excused_in_the_drawn_world_or_with_full_bases():
    drawn, read = (pd.DataFrame({"source": [where], "subset": ["x"]}) for where in ("world", "folder"))
    assert limits(drawn, based(vlm="data/mini/vlm")) == limits(read, based(vlm="Qwen/Qwen2.5-VL-7B-Instruct")) == []


def test_missing_scores_are_named_before_the_rest():
    alignment = pd.DataFrame({"benchmark": "world", "title": ["A", "B"], "subset": "mean", "missing": [3, 0]})
    images = pd.DataFrame({"source": ["world"], "subset": ["x"]})
    first, *rest = story(images, [], alignment, found(mixed=(-0.1, -0.2, -0.05))).splitlines()
    assert first == "[world] A: rows without a score: 3." and rest[0] == CAUTION and len(rest) == 2
