"""What a VLM looks at: no more pixels than it needs, and the same score."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import logit

from aligngemini.images.header import Unreadable
from aligngemini.vlm import image_size, verdict
from aligngemini.world import world


@pytest.fixture(scope="module")
def large():
    """A picture of 1.9 megapixels."""
    return Image.fromarray(world.draw(0, "t", 3, True).rgb).resize((1600, 1200), Image.Resampling.BICUBIC)


def test_a_large_picture_is_reduced_to_what_the_processor_would_show_the_model(vlm, large, monkeypatch):
    seen = image_size.look(vlm, np.asarray(large))
    assert seen.size == (112, 84) and image_size.look(vlm, seen) is seen
    mine, score = verdict.prompts(vlm, [large]), verdict.p_fake(vlm, [large])
    monkeypatch.setattr(image_size, "FAR", float("inf"))
    theirs = verdict.prompts(vlm, [large])
    assert torch.equal(mine["image_grid_thw"], theirs["image_grid_thw"])
    level = 1 / 255 / min(vlm.processor.image_processor.image_std)
    assert (mine["pixel_values"] - theirs["pixel_values"]).abs().max() <= 1.01 * level
    assert abs(logit(score) - logit(verdict.p_fake(vlm, [large]))) < 0.1


def test_an_ordinary_picture_stays_as_it_is(vlm, large):
    small = large.resize((256, 256))
    assert image_size.look(vlm, small) is small
    twice = large.resize((300, 200))  # above SMALL, and less than four times what is seen
    vlm.processor.image_processor.size = {"shortest_edge": 784, "longest_edge": 200 * 200}
    try:
        assert image_size.look(vlm, twice) is twice
    finally:
        vlm.processor.image_processor.size = {"shortest_edge": 784, "longest_edge": 12544}


def test_a_thin_strip_is_reduced_and_looked_at(vlm):
    strip = Image.new("RGB", (20_000, 110), (200, 30, 30))
    seen = image_size.look(vlm, strip)
    assert seen.width * seen.height < 300_000 and 0 <= verdict.p_fake(vlm, [strip])[0] <= 1


def test_a_strip_beyond_the_limit_is_told_in_words(vlm):
    with pytest.raises(Unreadable, match=r"the VLM cannot look at it: aspect ratio above 200 \(2100 x 10 px\)"):
        image_size.look(vlm, np.zeros((10, 2100, 3), np.uint8))


def test_a_picture_that_cannot_be_explained_leaves_the_others_their_words(vlm, large):
    said = verdict.explain(vlm, [large, Image.new("RGB", (300, 1))], [1, 1], length=2)
    whole = verdict.spoken(vlm, [large], verdict.VERDICTS[1], length=2)
    assert said[0] == whole[0].removeprefix(verdict.VERDICTS[1]).lstrip(". ") and said[1] == ""
