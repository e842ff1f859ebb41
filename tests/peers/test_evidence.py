"""Evidence lies on the artifacts where a detector looks at them, and is told apart where it looks elsewhere."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.branches import registry
from aligngemini.core.params import Refused
from aligngemini.expert.views import window
from aligngemini.images import autoencoder
from aligngemini.images.loaders import benchmark_rows
from aligngemini.images.loaders.archives import MASKS
from aligngemini.peers import evidence
from aligngemini.world import camera, world

SIDE, SIZE = 14, 112


class Grain:
    """A branch that calls texture in a part of the view fake."""

    name, crop = "grain", SIZE

    def __init__(self, part=np.s_[:, :]):
        self.part = part

    def prepare(self, rgb):
        return window(rgb, SIZE)

    def p_fake(self, views):
        return np.array([1 / (1 + np.exp(-view[self.part].std((0, 1)).sum() / 40)) for view in views])


@pytest.fixture
def images(tmp_path):
    """Plain pictures with a grainy rectangle each, and the masks of these beside them, as X-AIGD is unpacked."""

    def make(count=6, shape=(SIZE, SIZE)):
        rng, paths = np.random.default_rng(0), []
        for number in range(count):
            top, left = rng.integers(0, 60, 2)
            where = np.s_[top : top + 40, left : left + 40]
            rgb, mask = np.full((*shape, 3), 120, np.uint8), np.zeros(shape, np.uint8)
            rgb[where], mask[where] = rng.integers(0, 256, rgb[where].shape), 255
            path = tmp_path / "FLUX" / f"{number}.png"
            outline = tmp_path / MASKS / "FLUX" / str(number) / "texture.png"
            for file, pixels in ((path, rgb), (outline, mask)):
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
            paths.append(str(path))
        return pd.DataFrame({"path": paths})

    return make


def test_a_detector_of_texture_points_at_the_grainy_artifact(images):
    table = evidence.on_artifacts(Grain(), images(), SIDE)
    assert (table.auroc > 0.9).all() and (table.hit == 1).all() and table.chance.between(0.05, 0.5).all()
    found = evidence.summary(table).set_index("measure")
    assert found.loc["hit less chance", "low"] > 0.4 and (found.n == 6).all()
    assert (found.low <= found.value).all() and (found.value <= found.high).all()


def test_a_detector_that_looks_elsewhere_has_no_evidence_on_the_artifact(images):
    table = evidence.on_artifacts(Grain(np.s_[100:, 100:]), images(3), SIDE)
    assert (table.auroc <= 0.55).all()


def test_evidence_is_the_drop_of_the_log_odds_and_covering_keeps_the_mean_colour():
    view = np.zeros((30, 44, 3), np.uint8)
    view[0:14, 14:28] = 200
    brightness = SimpleNamespace(p_fake=lambda views: np.array([view.mean() / 255 for view in views]))
    assert evidence.evidence(brightness, view, 14) == pytest.approx(np.zeros((2, 3)))
    view[0:14, 0:14:2] = 100
    found = evidence.evidence(Grain(), view, 14)
    assert found.shape == (2, 3) and found.argmax() == 0 and found[1] == pytest.approx(0)


def test_pictures_without_an_outline_or_of_another_size_have_a_reason(images):
    table, small = images(2), images(1, (60, 100))
    table.loc[1, "path"] = table.path[0].replace("0.png", "9.png")
    Image.new("RGB", (SIZE, SIZE)).save(table.path[1])
    rows = evidence.on_artifacts(Grain(), table, SIDE)
    assert rows.reason[1] == "no artifact is outlined in it" and rows.iloc[1, 1:4].isna().all()
    Image.new("RGB", (50, 50)).save(small.path[0])
    assert "its mask has" in evidence.on_artifacts(Grain(), small, SIDE).reason[0]


def test_a_branch_of_no_pixels_and_a_square_that_does_not_fit_are_refused(images):
    branch = Grain()
    with pytest.raises(Refused, match="do not fit a crop of 112 px"):
        evidence.on_artifacts(branch, images(1), 200)
    branch.prepare = lambda rgb: "a sentence"
    with pytest.raises(Refused, match="grain does not look at pixels"):
        evidence.on_artifacts(branch, images(1), SIDE)


def test_x_aigd_as_it_is_loaded_has_its_masks(tmp_path, images, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "built"))
    corners = [[20, 20], [60, 20], [60, 60], [20, 60]]
    row = {"generator": "FLUX.1-dev", "uid": "000", "labels": [{"label": "hand", "points": corners}]}
    row |= {"width": SIZE, "height": SIZE, "image": {"bytes": Path(images(1).path[0]).read_bytes(), "path": "0.png"}}
    (tmp_path / "x").mkdir()
    pd.DataFrame([row]).to_parquet(tmp_path / "x" / "labeled_test-00000-of-00001.parquet")
    rows = benchmark_rows.rows(f"X-AIGD:{tmp_path / 'x'}")
    table = evidence.on_artifacts(Grain(), rows[rows.label == 1], SIDE)
    assert len(table) == 1 and table.reason[0] == "" and table.chance[0] == 16 / 64


def test_squares_of_padding_do_not_count(images):
    left_half = np.tile(np.arange(100) < 50, (60, 1))
    padded = evidence.on_artifacts(Grain(), images(1, (60, 100)), SIDE, lambda path: left_half)
    assert padded.chance[0] == 0.5, "three of the six columns of squares that lie in the picture"


def test_the_shipped_expert_finds_the_part_that_went_through_an_autoencoder(tmp_path):
    shutil.copytree("data/mini/detector/expert", tmp_path / "expert")
    (tmp_path / "expert" / "degradation.json").unlink()  # where it abstains, all squares weigh the same
    vae, expert = autoencoder.load("data/mini/vae/kl"), registry.saved("expert", tmp_path / "expert")
    paths, masks, rng = [], {}, np.random.default_rng(0)
    for number in range(12):
        photo, _ = camera.photograph(world.draw(0, "evidence", number, False).rgb, rng)
        mask, half = np.zeros(photo.shape[:2], bool), photo.shape[1] // 2
        mask[:, half * (number % 2) :][:, :half] = True
        path = str(tmp_path / f"{number}.png")
        Image.fromarray(np.where(mask[..., None], vae.roundtrip(photo[None])[0], photo)).save(path)
        masks[path] = mask
        paths.append(path)
    found = evidence.on_artifacts(expert, pd.DataFrame({"path": paths}), 28, masks.__getitem__)
    assert evidence.summary(found).set_index("measure").loc["auroc", "low"] > 0.5
