"""Reconstruction on a GPU: in float16 to within a grey level of float32 on the CPU."""

import numpy as np
import pytest
import torch

from aligngemini.images import autoencoder
from aligngemini.world import world
from tests import gpu

pytestmark = gpu.needed


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    return np.stack([world.draw(0, "gpu", index, False).rgb for index in range(4)])


@pytest.mark.parametrize(("dtype", "mean"), [("float32", 0.05), ("float16", 0.5)])
def test_a_reconstruction_is_that_of_the_cpu_but_for_rounding(photographs, dtype, mean):
    here = autoencoder.load("data/mini/vae/kl", device="cpu", dtype="float32").roundtrip(photographs)
    model = autoencoder.load("data/mini/vae/kl", device="cuda", dtype=dtype)
    there = model.roundtrip(photographs)
    assert model.dtype == getattr(torch, dtype) and there.dtype == np.uint8 and there.shape == photographs.shape
    assert np.abs(there.astype(int) - here).mean() < mean


def test_auto_is_float16_on_a_gpu():
    assert autoencoder.load("data/mini/vae/kl", device="cuda", dtype="auto").dtype == torch.float16
