"""Reasons are held against what the world knows to be true."""

import pandas as pd
import pytest

from aligngemini.vlm import reason_check
from aligngemini.world import captions, world


def sentences():
    """(family, sentence) of all sentences of many scenes, plausible and violated."""
    described = (world.scene(0, "explained", i, violated)[0] for i in range(60) for violated in (False, True))
    for scene in described:
        for name in captions.QUESTIONS:
            if said := captions.remark(scene, name):
                yield name, said


def test_every_sentence_of_the_world_is_recognised():
    found = {(name, reason_check.family(said)) for name, said in sentences()}
    assert len(found) == len(captions.QUESTIONS) and all(name == about for name, about in found)


@pytest.mark.parametrize(
    ("said", "truth", "outcome"),
    [
        ("The dog has two legs.", "The dog has two legs.", reason_check.TRUE),
        ("The dog has four legs.", "The dog has two legs.", reason_check.FALSE),
        ("There is no shadow.", "The dog has two legs.", reason_check.OTHER),
        ("Hello", "The dog has two legs.", reason_check.NONE),
        ("", "The dog has two legs.", reason_check.NONE),
    ],
)
def test_a_reason_is_true_false_or_about_something_else(said, truth, outcome):
    assert reason_check.outcome(said, truth) == outcome


def test_shares_of_true_reasons_are_counted_by_class():
    truth = "The dog has two legs."
    images = pd.DataFrame({"label": [0, 1, 1], "remark": [truth] * 3}, index=[4, 7, 9])
    found = reason_check.table(images, [truth, "The dog has two legs", "There is no shadow."])
    assert found.loc["plausible", reason_check.TRUE] == 1 and found.loc["violated", reason_check.OTHER] == 0.5
    assert found["n"].tolist() == [1, 2]
    assert reason_check.table(images[:0], []).empty
