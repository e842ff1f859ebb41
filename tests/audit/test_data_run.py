"""The audit must see a cue that is there and stay silent where there is none."""

import math

import numpy as np
import pandas as pd
import pytest

from aligngemini.audit import cues, data_run, pixel_network, pixel_statistics
from aligngemini.images import decode, jpeg
from tests.audit.conftest import write_pairs


@pytest.fixture
def pairs(tmp_path, picture):
    """Thirty pairs; `alter` makes the second member's pixels, `write` its file."""

    def make(alter=lambda rgb: rgb, write=lambda rgb: jpeg.encode(rgb, 90)) -> pd.DataFrame:
        both = ((picture(64, 64, 2 * number), picture(64, 64, 2 * number + 1)) for number in range(30))
        return write_pairs(tmp_path, ((jpeg.encode(real, 90), write(alter(fake))) for real, fake in both))

    return make


def smoothed(rgb: np.ndarray) -> np.ndarray:
    return ((rgb.astype(np.uint16) + np.roll(rgb, 1, 1)) // 2).astype(np.uint8)


def test_probe_sees_smoothing_and_nothing_else(pairs):
    assert cues.pixel_probe(pairs(smoothed)).auroc > 0.9
    assert abs(cues.pixel_probe(pairs()).auroc - 0.5) < 0.25


def test_probe_declines_where_it_has_too_little(pairs):
    assert math.isnan(cues.pixel_probe(pairs().head(8)).auroc)


def test_container_cues_are_found(pairs):
    def cues_of(rows):
        return {cue: area.auroc for cue, area in cues.single_feature_auroc(rows, cues.TABLE_CUES).items()}

    assert cues_of(pairs()) == dict.fromkeys(("format", "JPEG quality", "size", "aspect"), 0.5)
    assert cues_of(pairs(write=lambda rgb: jpeg.encode(rgb, 60)))["JPEG quality"] == 1.0
    assert cues_of(pairs(write=jpeg.png))["format"] == 1.0
    found = cues_of(pairs(lambda rgb: rgb[:56]))
    assert found["size"] == found["aspect"] == 1.0


def test_pair_identity_finds_what_differs(pairs):
    good = data_run.pair_identity(pairs(smoothed))
    assert good["pixel: pairs of equal quality"] == good["pixel: pairs complete"] == 1.0
    assert 5 < good["pixel: psnr median"] < 15, "they show different things"
    bad = data_run.pair_identity(pairs(write=lambda rgb: jpeg.encode(rgb, 60)))
    assert bad["pixel: pairs of equal quality"] == 0.0 < bad["pixel: pairs of equal format"] == 1.0
    assert data_run.pair_identity(pairs().iloc[1:])["pixel: pairs complete"] == pytest.approx(29 / 30)


def test_scalars_fit_a_manifest(pairs):
    lost = pd.DataFrame({"set": ["pixel"], "path": ["x"], "reason": ["empty"]})
    figures, found = data_run.measure({"pixel": pairs(smoothed)}, lost)
    assert all(isinstance(value, int | float) for value in figures.values())
    assert figures["pixel: unusable, empty"] == 1 and figures["pixel: images"] == 60
    assert list(found.columns) == ["set", "cue", "auroc", "low", "high"]
    assert (found["low"] <= found["auroc"]).all() and (found["auroc"] <= found["high"]).all()


def test_one_class_alone_has_no_auroc(pairs):
    areas = cues.single_feature_auroc(pairs().query("label == 1"), cues.TABLE_CUES)
    assert set(areas) == set(cues.TABLE_CUES) and all(math.isnan(area.auroc) for area in areas.values())


def test_reals_of_many_sizes_beside_fakes_of_one_are_a_confound(pairs):
    rows = pairs()
    rows["width"] = np.where(rows["label"] == 1, 64, np.random.default_rng(0).integers(20, 109, len(rows)))
    _, found = data_run.measure({"test": rows.assign(subset="gallery")})
    assert found.set_index(["set", "cue"]).loc[("test/gallery", "size"), "auroc"] > 0.9


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (112, 112), (300, 200)])
def test_statistics_are_finite_for_every_size(picture, size):
    figures = pixel_statistics.describe(picture(*size))
    assert figures.shape == (101,) and np.isfinite(figures).all()
    assert np.isfinite(pixel_statistics.describe(np.zeros((size[1], size[0], 3), np.uint8))).all()


def test_the_audit_is_kept_in_the_run(pairs, new_run, monkeypatch):
    run, rows = new_run(), pairs(smoothed)
    lost = pd.DataFrame({"set": ["pixel"], "path": ["x"], "reason": ["empty"]})
    tables = {"pixel": rows, "semantic": rows.head(8)}
    figures, found = data_run.once_per_run(run, tables, lost)
    monkeypatch.setattr(data_run, "measure", None)
    again, found_again = data_run.once_per_run(run, tables, lost)
    assert again == figures and figures["semantic: pixel probe auroc"] is None
    pd.testing.assert_frame_equal(found, found_again)


def test_the_network_is_a_second_pixel_probe_where_it_is_asked_for(pairs, monkeypatch):
    monkeypatch.setattr(pixel_network, "probe", lambda rows: (0.7, 0.6, 0.8))
    monkeypatch.setattr(cues, "pixel_probe", lambda rows: (0.5, 0.4, 0.6))
    rows = pairs()
    figures, found = data_run.measure({"pixel": rows}, network=True)
    assert figures["pixel: pixel network auroc"] == 0.7 and figures["pixel: pixel probe auroc"] == 0.5
    assert found.set_index("cue").loc["pixel network", ["low", "high"]].tolist() == [0.6, 0.8]
    assert "pixel: pixel network auroc" not in data_run.measure({"pixel": rows})[0]


def test_a_picture_that_the_probe_fails_on_is_told_and_leaves_the_others(pairs, capsys, monkeypatch):
    rows, describe = pairs(), pixel_statistics.describe
    expected = cues.pixel_probe(rows.drop(rows.index[4]))
    odd = decode.read(rows.path.iloc[4]).rgb

    def fails(rgb):
        if np.array_equal(rgb, odd):
            raise ZeroDivisionError("no spread")
        return describe(rgb)

    monkeypatch.setattr(pixel_statistics, "describe", fails)
    assert cues.pixel_probe(rows) == expected
    assert f"{rows.path.iloc[4]}, it fails (ZeroDivisionError: no spread)" in capsys.readouterr().err
