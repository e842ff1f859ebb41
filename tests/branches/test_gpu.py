"""Two GPUs share scoring, labelling and reconstruction: both work, and the numbers are those of one to the last bit."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from aligngemini.branches import registry, scoring
from aligngemini.core import devices, paths
from aligngemini.images import autoencoder, decode, reconstruct
from aligngemini.images.params import DataParams
from aligngemini.mini import bases
from aligngemini.vlm import labels, load
from aligngemini.world import world
from tests import gpu

pytestmark = gpu.two_needed


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("images")
    files = [folder / f"{index}.png" for index in range(24)]
    for index, path in enumerate(files):
        Image.fromarray(world.draw(0, "gpus", index, False).rgb).save(path)
    names = {"label": 0, "pair_id": "", "kind": "thing", "split": "train"}
    return pd.DataFrame([names | {"path": str(path)} | decode.identify(path) for path in files]).assign(reason="")


@pytest.fixture
def used(monkeypatch) -> Counter:
    """How often each GPU was the current one of a thread."""
    counted, own = Counter(), torch.accelerator.device_index
    monkeypatch.setattr(torch.accelerator, "device_index", lambda index: counted.update([index]) or own(index))
    return counted


def once_and_on_both(make, used, monkeypatch):
    """What `make` gives on one GPU and on both."""
    both = make()
    assert used[0] and used[1] and len(devices.alike()) >= 2
    monkeypatch.setattr(devices, "alike", lambda: [torch.device("cuda", 0)])
    return make(), both


@pytest.mark.parametrize("kind", ["expert", "vlm"])
def test_scores_are_those_of_one_gpu(kind, rows, used, monkeypatch):
    branch = registry.saved(kind, paths.resolve(f"data/mini/detector/{kind}"))
    alone, both = once_and_on_both(lambda: scoring.table(rows, branch, "", 4), used, monkeypatch)
    pd.testing.assert_frame_equal(alone, both, check_exact=True)
    assert both.score.notna().all()


def test_labels_are_those_of_one_gpu(rows, used, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(labels, "TOKENS", 8)
    vlm = load.load(str(bases.FOLDERS["vlm"]), max_pixels=12544)
    label = lambda: labels.label(vlm, rows, 0, 4, tmp_path_factory.mktemp("parts"))  # noqa: E731
    pd.testing.assert_frame_equal(*once_and_on_both(label, used, monkeypatch))


def test_reconstructions_are_those_of_one_gpu(rows, used, monkeypatch, tmp_path_factory):
    model = autoencoder.load("data/mini/vae/kl")
    monkeypatch.setattr(model, "batch", lambda height, width: 4)
    make = lambda: reconstruct.pairs(rows, model, tmp_path_factory.mktemp("pairs"), DataParams())[0]  # noqa: E731
    alone, both = (frame.query("label == 1") for frame in once_and_on_both(make, used, monkeypatch))
    assert np.array_equal(alone.image_id, both.image_id) and len(both) == len(rows)
