"""Protocols: whom they touch, whom they leave alone, and what they leave to tell the classes apart by."""

import numpy as np
import pytest

from aligngemini.core.params import Refused
from aligngemini.images import decode, degrade, protocols
from aligngemini.images.loaders.benchmarks import LAYOUTS, key
from aligngemini.images.protocols import PROTOCOLS, treatment


def test_quality_96_touches_only_the_fakes_of_the_named_four():
    every = [key(name) for name in LAYOUTS] + ["", "mine"]
    touched = {(name, label) for name in every for label in (0, 1) if treatment(PROTOCOLS["published"], name, label)}
    assert touched == {(name, 1) for name in ("genimage", "aigcdetect", "forensynths", "aigibench")}


def test_quality_96_is_carried_out_on_the_pixels(picture):
    rgb = picture()
    steps = {label: treatment(PROTOCOLS["published"], "genimage", label) for label in (0, 1)}
    assert np.array_equal(protocols.treated(rgb, steps[0], "a"), rgb)
    assert np.array_equal(protocols.treated(rgb, steps[1], "a"), degrade.compress(rgb, 96))
    assert not np.array_equal(protocols.treated(rgb, steps[1], "a"), rgb)


@pytest.mark.parametrize(("name", "left"), [("jpeg", False), ("screenshot", False), ("blur", True)])
def test_quality_96_gives_way_to_another_jpeg(name, left):
    steps = treatment(PROTOCOLS["published"], "genimage", 1, name, 0.5)
    assert (("jpeg", 96) in steps) is left and steps[-1] == (name, 0.5)


def test_aligned_leaves_no_difference_of_format_size_or_quality(picture, saved):
    (aligned,) = protocols.named("aligned:24")
    real, fake = saved(picture(60, 40), "JPEG", quality=60), saved(picture(33, 90, 1), "PNG")
    made = []
    for label, data in enumerate((real, fake)):
        rgb, steps = decode.read(data).rgb, treatment(aligned, "genimage", label)
        made.append(protocols.treated(rgb, steps, f"{label}"))
        assert protocols.spelled(steps) == "centre 24, jpeg 90"
        assert np.array_equal(made[-1], degrade.compress(protocols.centre(rgb, 24), 90))
    assert made[0].shape == made[1].shape == (24, 24, 3)


def test_the_centre_is_the_middle(picture):
    rgb = picture(10, 9)
    assert np.array_equal(protocols.centre(rgb, 4), rgb[2:6, 3:7])
    with pytest.raises(decode.Unreadable, match="smaller than 10 px"):
        protocols.centre(rgb, 10)


def test_near_constant_is_what_was_published(picture):
    grey = np.full((20, 20, 3), 128, np.uint8)
    white, dots = grey * 0 + 255, grey * 0 + 255
    dots[:2, :2] = 235  # a variance of 4 in each channel: above 10 in all, below 100
    assert [protocols.constant(each) for each in (grey, white, dots, picture(9, 40), picture(12, 12))] == [
        True, True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["nativ", "native:3", "aligned:x", "aligned:0", ""])
def test_what_is_no_protocol_is_refused(text):
    with pytest.raises(Refused, match="--protocol|no protocol"):
        protocols.named(text)
