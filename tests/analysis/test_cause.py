"""Dilution or interference: said only where the numbers support it."""

import pandas as pd
import pytest

from aligngemini.analysis.cause import CAUTION, cause


def found(**bounds) -> pd.DataFrame:
    """Differences of a VLM on subset semantic: supervision -> (difference, low, high); and a decoy elsewhere."""
    told = {"model": "vlm", "pure": "VLM, semantic", "pure_supervision": "semantic", "benchmark": "world"}
    rows = [
        told
        | {"other": f"VLM, {name}", "other_supervision": name, "subset": subset, "axis": subset}
        | dict(zip(("difference", "low", "high"), values, strict=True))
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
    assert line == "VLM: it cannot be told without a run on union supervision."


def test_fakes_of_unknown_kind_tell_nothing():
    unknown = found(mixed=(-0.1, -0.2, -0.05), union=(0.0, -0.01, 0.01)).assign(axis="unknown")
    assert "no test subset" in cause(unknown)


def test_without_a_pair_only_the_caution_stands():
    assert cause(pd.DataFrame(columns=["model"])) == CAUTION
