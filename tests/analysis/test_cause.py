"""Dilution or interference: said only where the numbers support it."""

import pandas as pd
import pytest

from aligngemini.analysis.cause import CAUTION, cause, trained


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
    text = cause(found(mixed=mixed, union=union))
    assert text.startswith(CAUTION) and word in text.splitlines()[1]
    assert f"mixed {mixed[0]:+.2f} [{mixed[1]:+.2f}, {mixed[2]:+.2f}]" in text


def test_without_a_union_run_it_cannot_be_told():
    line = cause(found(mixed=(-0.1, -0.2, -0.05))).splitlines()[1]
    assert line == "VLM: the cause cannot be told without a run on union supervision."


def test_without_a_loss_no_union_run_is_asked_for():
    line = cause(found(mixed=(-0.01, -0.05, 0.03))).splitlines()[1]
    assert line == "VLM: nothing to explain, no loss is shown under mixed supervision."


def test_fakes_of_unknown_kind_tell_nothing():
    unknown = found(mixed=(-0.1, -0.2, -0.05), union=(0.0, -0.01, 0.01)).assign(axis="unknown")
    assert "no test subset" in cause(unknown)


def test_a_loss_that_luck_explains_among_many_is_not_explained_further():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04)).assign(p_holm=0.2)
    assert "nothing to explain" in cause(rows)


def counts(mixed: int) -> pd.DataFrame:
    rows = [
        ("vlm", "semantic", 10_000, 0, 1250),
        ("vlm", "mixed", 5000, 5000, mixed),
        ("vlm", "union", 10_000, 23_600, 4200),
    ]
    return pd.DataFrame(rows, columns=["model", "supervision", "semantic", "pixel", "updates"])


def test_the_sentence_is_written_from_the_counts():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    _, told, judged = cause(rows, counts(1250)).splitlines()
    assert "semantic: 10,000 pictures of meaning, 1,250 updates" in told
    assert "mixed: 5,000 pictures of meaning and 5,000 of pixels, 1,250 updates" in told and "dilution" in judged


def test_runs_of_unequal_updates_tell_no_cause():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    assert cause(rows, counts(2100)).splitlines()[-1].endswith("its pure and mixed runs had 1250 and 2100 updates.")


def test_what_a_run_did_not_record_is_not_told(models):
    assert trained(models).updates.isna().all()
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    assert cause(rows, trained(models)) == cause(rows)


def test_fusion_has_no_cause():
    rows = found(mixed=(-0.10, -0.15, -0.05), union=(0.00, -0.04, 0.04))
    assert cause(pd.concat([rows, rows.assign(model="fusion")])) == cause(rows)


def test_without_a_pair_only_the_caution_stands():
    assert cause(pd.DataFrame(columns=["model"])) == CAUTION
