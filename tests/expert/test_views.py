"""Views: what is cut out of a whole picture that was changed, found without changing the whole picture."""

import io
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
from PIL import Image, ImageFilter

from aligngemini.core.seeds import generator
from aligngemini.expert import changes, views
from aligngemini.expert import params as form
from aligngemini.expert.sample import FILTERS, Sample, sample
from aligngemini.images import degrade
from tests.expert.conftest import CFG

SIX = CFG.replace(resized_views=True, margin=16)


@pytest.fixture
def two() -> list[np.ndarray]:
    """A photograph of 200 x 170 px and its fake: shapes with grain, and the same without."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((200, 170), Image.Resampling.BICUBIC))
    return [(smooth.astype(int) + rng.integers(-9, 10, smooth.shape)).clip(0, 255).astype(np.uint8), smooth]


def test_a_pair_gets_identical_crops_and_changes(two):
    sampled = Sample(0.3, 0.8, jpeg=80, noise=4.0, blur=0.5, flip=True)
    first, second = views.paired_views(two[0], two[0], CFG, sampled, generator("grain", 1))
    assert np.array_equal(first, second) and first.shape == (112, 112, 3)


def test_all_views_of_a_pair_share_every_draw(two):
    """Black and white in, so that a mirrored or turned view or another field of noise would show."""
    cfg = SIX.replace(chain=list(changes.CHANGES), pepper_probability=1.0, noise_probability=1.0)
    drawn = sample(cfg, generator("views", 3))
    made = views.paired_views(two[0], two[0], cfg, drawn, generator("grain", 1))
    assert made.shape == (6, 112, 112, 3) and made.dtype == np.uint8 and len(views.names(cfg)) == 6
    assert np.array_equal(made[:3], made[3:]) and not np.array_equal(made[0], made[2])


def test_the_same_pair_gives_the_same_views_whatever_was_drawn_before(two):
    once, again = (sample(SIX, generator("view", 0, 1, "a")) for _ in range(2))
    assert once == again != sample(SIX, generator("view", 0, 2, "a"))


def test_a_crop_is_cut_and_never_resized():
    rgb = np.random.default_rng(0).integers(0, 256, (150, 170, 3), dtype=np.uint8)
    assert np.array_equal(views.window(rgb, 112), rgb[19:131, 29:141])
    small = views.window(rgb[:60, :50], 112)
    assert small.shape == (112, 112, 3) and np.array_equal(small[26:86, 31:81], rgb[:60, :50])
    assert small[:26].max() == 0


@pytest.mark.parametrize("resampling", FILTERS)
@pytest.mark.parametrize("factor", [0.3, 0.8, 1.73, 3.4])
def test_a_resized_view_is_the_crop_of_the_resized_picture(two, factor, resampling):
    placed = views.framed(two[0].shape[:2], (0.4, 0.7), 112, 16, factor, resampling)
    whole = Image.fromarray(two[0]).resize(placed.size[::-1], resampling)
    expected = views.window(np.asarray(whole), 112, 0.4, 0.7).astype(int)
    gap = np.abs(placed.cut(placed.region(two[0])) - expected)
    assert gap.max() <= 2 and gap.mean() < 0.01  # rounding


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.5, 0.37), (1.0, 1.0)])
def test_compression_before_the_crop_is_that_of_the_whole_picture(two, shares):
    """With a margin the blocks of the region are those of the picture, up to the borders of a crop inside it."""
    drawn = Sample(*shares, jpeg=60)
    expected = views.window(degrade.compress(two[0], 60), 112, *shares)
    near = views.paired_views(*two, CFG.replace(margin=16), drawn, generator("grain"))[0]
    far = views.paired_views(*two, CFG, drawn, generator("grain"))[0]
    inner = slice(None) if shares == (0.5, 0.37) else slice(16, -16)
    assert np.array_equal(near[inner, inner], expected[inner, inner])
    assert shares == (0.0, 0.0) or (far[inner, inner] != expected[inner, inner]).mean() > 0.2


@pytest.mark.parametrize(("flip", "upend"), [(True, False), (False, True), (True, True)])
def test_a_mirrored_region_gives_the_mirrored_crop(two, flip, upend):
    cfg = CFG.replace(margin=16, chain=["flip", "upend"], crop=182)
    plain, turned = (
        views.paired_views(*two, cfg, Sample(0.2, 0.9, **mirrored), generator("grain"))[0]
        for mirrored in ({}, {"flip": flip, "upend": upend})
    )
    assert np.array_equal(turned, plain[:: -1 if upend else 1, :: -1 if flip else 1])
    assert not plain[-6:].any() and plain[6:-6].any()  # 170 px of picture, 182 px of crop


def test_the_fake_is_mixed_before_it_is_cut_and_resized(two):
    real, fake = two
    drawn = Sample(0.6, 0.3, resized=((1.0, FILTERS[-1]), (2.5, FILTERS[2])), compressed=True, share=0.4)
    made = views.paired_views(real, fake, CFG.replace(resized_views=True, chain=[]), drawn, generator("grain"), 75.0)
    whole = changes.mix(real, fake, 75.0, drawn)
    bare = replace(drawn, compressed=False, share=0.0)
    assert np.array_equal(made, views.paired_views(real, whole, CFG.replace(chain=[]), bare, generator("grain")))


def test_one_weight_for_all_cosine_coefficients_is_a_mix_of_pixels(two):
    """The release's frequency mix; computed as it does, on the whole picture."""
    real, fake = (rgb.astype(np.float64) for rgb in two)
    coefficients = [scipy.fft.dctn(rgb, axes=(0, 1), norm="ortho") for rgb in (real, fake)]
    by_frequency = scipy.fft.idctn(0.3 * coefficients[0] + 0.7 * coefficients[1], axes=(0, 1), norm="ortho")
    ours = changes.mix(*two, float("nan"), Sample(share=0.3))
    assert np.abs(ours - by_frequency).max() <= 0.501


def test_a_mixed_fake_lies_between_both_and_an_unknown_quality_compresses_nothing(two):
    real, fake = two
    for quality in (float("nan"), 100.0):
        assert np.array_equal(changes.mix(real, fake, quality, Sample(compressed=True)), fake)
    assert not np.array_equal(changes.mix(real, fake, 80.0, Sample(compressed=True)), fake)
    assert np.array_equal(changes.mix(real, fake, 80.0, Sample(share=1.0)), real)


def test_pictures_of_different_sizes_are_never_mixed(two):
    drawn = Sample(compressed=True, share=0.9)
    made = views.paired_views(two[0][:160], two[1], CFG, drawn, generator("grain"), 50.0)
    assert np.array_equal(made[1], views.window(two[1], 112))


def test_the_parameters_allow_every_change_and_blur_there_is_and_no_other():
    assert set(form.CHANGES) == set(changes.CHANGES) and set(form.BLURS) == set(changes.BLURS)


@pytest.mark.parametrize("name", changes.CHANGES)
def test_each_change_happens_only_if_drawn_and_named(two, name):
    every = Sample(0, 0, 50, 20.0, 1.0, True, True, "motion 5", 1.0, 1.0, 0.1, 2.0, (1.3, 0.8, 1.2, 0.1), True)
    stack = np.stack(two)
    done = changes.apply(stack, every, [name], generator("grain"))
    assert done.shape == stack.shape and done.dtype == np.uint8 and not np.array_equal(done, stack)
    for drawn, chain in ((Sample(), [name]), (every, [])):
        assert np.array_equal(changes.apply(stack, drawn, chain, generator("grain")), stack)


@pytest.mark.parametrize("kind", changes.BLURS)
def test_a_blur_keeps_the_mean_and_takes_the_grain(two, kind):
    drawn = Sample(blur=0.8, kind=kind, angle=0.6)
    done = changes.apply(np.stack(two[:1]), drawn, ["blur"], generator("grain"))[0]
    grain = [np.abs(np.diff(rgb.astype(int), axis=1)).mean() for rgb in (two[0], done)]
    assert abs(done.mean() - two[0].mean()) < 1 and grain[1] < 0.85 * grain[0]


@pytest.mark.parametrize("shape", [(31, 20), (1, 9), (2, 2)])
def test_the_median_is_pillows(shape):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.array_equal(changes.median(rgb), np.asarray(Image.fromarray(rgb).filter(ImageFilter.MedianFilter(3))))


def test_the_order_of_the_chain_is_kept(two):
    drawn = Sample(jpeg=30, noise=30.0)
    orders = [
        changes.apply(np.stack(two), drawn, chain, generator("grain"))
        for chain in (["jpeg", "noise"], ["noise", "jpeg"])
    ]
    sizes = []
    for stack in orders:
        file = io.BytesIO()
        Image.fromarray(stack[1]).save(file, "PNG")
        sizes.append(len(file.getvalue()))
    assert sizes[0] > 1.2 * sizes[1]  # what is compressed last holds less
