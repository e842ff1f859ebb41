"""The chain: published order, same size, same bytes for the same draw, and no trace of the original grain."""

import numpy as np
import pytest

from aligngemini.images import degrade
from aligngemini.images.params import DataParams

RANGES = degrade.ranges(DataParams())


def values(**changes) -> degrade.Values:
    drawn = degrade.draw(RANGES, degrade.generator(0, "a"))
    return degrade.Values(**({name: getattr(drawn, name) for name in drawn.__dataclass_fields__} | changes))


def test_order_is_the_published_one(picture, monkeypatch):
    called = []
    for name in ("rescale", "noise", "blur", "compress", "resize"):
        step = getattr(degrade, name)
        monkeypatch.setattr(degrade, name, lambda *args, name=name, step=step: called.append(name) or step(*args))
    degrade.degrade(picture(), values())
    assert called == ["rescale", "resize", "noise", "blur", "compress", "resize"]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (112, 112), (49, 31)])
def test_size_and_type_are_kept(picture, size):
    out = degrade.degrade(picture(*size), values())
    assert out.shape == (size[1], size[0], 3) and out.dtype == np.uint8


def test_pure_function_of_picture_and_values(picture):
    rgb = picture()
    before = rgb.copy()
    one, other = degrade.degrade(rgb, values()), degrade.degrade(rgb, values())
    assert (one == other).all() and (rgb == before).all()
    assert not (one == degrade.degrade(rgb, values(grain=1))).all()


def test_draw_depends_on_seed_and_key_alone():
    first = degrade.draw(RANGES, degrade.generator(0, "a"))
    degrade.draw(RANGES, degrade.generator(0, "b"))
    assert first == degrade.draw(RANGES, degrade.generator(0, "a"))
    assert first != degrade.draw(RANGES, degrade.generator(0, "b")) != degrade.draw(RANGES, degrade.generator(1, "b"))


def test_draws_fill_their_ranges():
    drawn = [degrade.draw(RANGES, degrade.generator(0, str(i))) for i in range(300)]
    for name, (least, most) in RANGES.items():
        column = [getattr(v, name) for v in drawn]
        assert least <= min(column) < least + 0.1 * (most - least) < most - 0.1 * (most - least) < max(column) <= most
    assert {v.up for v in drawn} == {v.down for v in drawn} == set(degrade.FILTERS)
    assert drawn[0].columns().keys() == {"degrade_scale", "degrade_noise", "degrade_blur", "degrade_jpeg"}


def test_noise_has_the_sigma_asked():
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert abs(degrade.noise(grey, 8.0, 0).std() - 8) < 0.2 and abs(degrade.noise(grey, 8.0, 0).mean() - 128) < 0.2
    assert (degrade.noise(grey, 0.0, 0) == grey).all()


def test_fine_grain_does_not_survive(picture):
    rng = np.random.default_rng(0)
    rgb = picture(112, 112)
    grain = rng.integers(0, 2, rgb.shape) * 24 - 12
    with_grain, same = (
        degrade.degrade((rgb + grain).clip(0, 255).astype(np.uint8), values()),
        degrade.degrade(rgb, values()),
    )
    left = with_grain.astype(int) - same
    assert abs(np.corrcoef(left.ravel(), grain.ravel())[0, 1]) < 0.2


def test_noise_in_bands_of_rows_is_one_field(picture, monkeypatch):
    rgb = picture(50, 30)
    field = np.random.default_rng(7).standard_normal(rgb.shape, dtype=np.float32)
    monkeypatch.setattr(degrade, "ROWS", 11)
    assert np.array_equal(degrade.noise(rgb, 6.0, 7), (rgb + np.float32(6) * field + 0.5).clip(0, 255).astype(np.uint8))


def test_a_share_of_the_chain_goes_from_nothing_to_the_middle_of_the_ranges():
    ranges = {"scale": [0.4, 0.6], "noise": [2, 6], "blur": [1, 1], "jpeg": [40, 60]}
    half, whole = (degrade.middle(ranges, share) for share in (0.5, 1))
    assert (half.scale, half.noise, half.blur, half.jpeg) == (0.75, 2, 0.5, 75)
    assert (whole.scale, whole.noise, whole.blur, whole.jpeg) == (0.5, 4, 1, 50)
    rgb = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    assert degrade.weakly(rgb, ranges, 0) is rgb and (degrade.weakly(rgb, ranges, 0.5) != rgb).any()
