"""Autoencoders: both kinds load from a folder, keep sizes, stay within memory; others are refused."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from aligngemini.core.params import Refused
from aligngemini.images import autoencoder
from tests.card import CARD, Card


class Shuffled(torch.nn.Module):
    """A model without weights whose latents are the pixels of 8 x 8 squares; `width` is what it says of its layers."""

    def __init__(self, width: int = 8, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.config, self.dtype = {"block_out_channels": (width, width)}, dtype

    def encode(self, x):
        return (pixel_unshuffle(x, 8),)

    def decode(self, z):
        return SimpleNamespace(sample=pixel_shuffle(z, 8))


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (13, 31), (40, 24)])
@pytest.mark.parametrize("kind", ["kl_folder", "taef2_folder"])
def test_any_size_comes_back_at_its_own_size(request, picture, kind, size):
    model = autoencoder.load(str(request.getfixturevalue(kind)))
    out = model.roundtrip(np.stack([picture(*size), picture(*size, 1)]))
    assert out.shape == (2, size[1], size[0], 3) and out.dtype == np.uint8


def test_mean_is_the_default_and_samples_depend_on_seed_and_picture(kl_folder, picture):
    two = np.stack([picture(16, 16), picture(16, 16, 1)])
    mean = autoencoder.load(str(kl_folder)).roundtrip(two)
    drawn = [autoencoder.load(str(kl_folder), sample=True, seed=seed) for seed in (0, 0, 1)]
    outs = [model.roundtrip(two) for model in drawn]
    assert (outs[0] == outs[1]).all() and (outs[0] != outs[2]).any() and (outs[0] != mean).any()
    assert (drawn[0].roundtrip(two[::-1])[::-1] == outs[0]).all()  # whatever the place in the batch


def test_float16_is_many_times_closer_to_float32_than_bfloat16(kl_folder, taef2_folder, picture):
    for folder in (kl_folder, taef2_folder, "data/mini/vae/kl"):
        exact, close, rough = (
            autoencoder.load(str(folder), dtype=name)._batch_through(picture()[None])
            for name in ("float32", "float16", "bfloat16")
        )
        gaps = [(made - exact).abs().mean().item() for made in (close, rough)]
        assert 0 < 5 * gaps[0] < gaps[1] < 4 / 255


def test_pictures_are_brought_to_their_range_in_float32_before_they_are_rounded(kl_folder, picture, monkeypatch):
    from diffusers import AutoencoderKL

    seen, encode = [], AutoencoderKL.encode
    monkeypatch.setattr(AutoencoderKL, "encode", lambda self, x: seen.append(x) or encode(self, x))
    rgb = picture()[None]
    autoencoder.load(str(kl_folder), dtype="float16").roundtrip(rgb)
    wanted = (torch.from_numpy(rgb).permute(0, 3, 1, 2) / 255 * 2 - 1).half()
    assert torch.equal(seen[-1], wanted)


@pytest.fixture
def told_to_upcast(kl_folder, tmp_path):
    """The folder of an autoencoder whose file has a value of force_upcast, None for none."""

    def make(value: bool | None) -> str:
        folder = shutil.copytree(kl_folder, tmp_path / str(value))
        config = json.loads((folder / "vae" / "config.json").read_text())
        config.pop("force_upcast")
        said = {} if value is None else {"force_upcast": value}
        (folder / "vae" / "config.json").write_text(json.dumps(config | said))
        return str(folder)

    return make


def test_auto_is_float16_on_a_card_unless_the_file_asks_for_float32(told_to_upcast):
    folders = {value: told_to_upcast(value) for value in (None, False, True)}
    assert {autoencoder.load(folder).dtype for folder in folders.values()} == {torch.float32}
    with Card():
        found = {value: autoencoder.load(folder, device="cuda").dtype for value, folder in folders.items()}
        forced = autoencoder.load(folders[True], device="cuda", dtype="float16").dtype
    assert found == {None: torch.float16, False: torch.float16, True: torch.float32} and forced == torch.float16


@pytest.fixture
def overflowing(tmp_path):
    """The folder of an autoencoder whose decoder multiplies by a million."""
    from aligngemini.images.patches import PatchAutoencoder

    torch.manual_seed(0)
    model = PatchAutoencoder(latent_channels=4, width=16, depth=1)
    with torch.no_grad():
        model.leave.weight.mul_(1e6)
        model.leave.weight.clamp_(-60000, 60000)
    model.save_pretrained(tmp_path / "big")
    return str(tmp_path / "big")


def test_an_autoencoder_that_overflows_in_float16_computes_all_pictures_in_float32(overflowing, picture):
    with Card():
        model = autoencoder.load(overflowing, device="cuda")
        made = model.roundtrip(picture()[None])
    assert model.dtype == torch.float32 and (made == autoencoder.load(overflowing).roundtrip(picture()[None])).all()


def test_float16_that_is_asked_for_is_refused_where_it_overflows(overflowing):
    with pytest.raises(Refused, match="cannot compute in float16: give vae_dtype float32"):
        autoencoder.load(overflowing, dtype="float16")


def test_a_picture_that_overflows_ends_the_run_rather_than_be_made_in_another_format(picture):
    model = autoencoder.Autoencoder("a/b", Shuffled(dtype=torch.float16), "cpu")
    model.model.decode = lambda z: SimpleNamespace(sample=pixel_shuffle(z / 0, 8))
    with pytest.raises(Refused, match="a/b overflows in float16: give vae_dtype float32"):
        model.roundtrip(picture()[None])


def test_float32_is_not_rounded_to_ten_bits_by_a_card(kl_folder, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    autoencoder.load(str(kl_folder), dtype="float16")
    assert torch.backends.cudnn.allow_tf32
    autoencoder.load(str(kl_folder), dtype="float32")
    assert not torch.backends.cudnn.allow_tf32


def test_bytes_are_rounded_or_as_in_the_dda_code_truncated():
    shares = torch.tensor([10.4, 10.6, 255.0]) / 255
    model = autoencoder.Autoencoder("nothing", Shuffled(), "cpu")
    assert model._in_bytes(shares).tolist() == [10, 11, 255]
    model.truncate = True
    assert model._in_bytes(shares).tolist() == [10, 10, 255]


def test_a_truncated_reconstruction_is_darker_by_half_a_grey_level(kl_folder, picture):
    ours, dda = (autoencoder.load(str(kl_folder), truncate=way).roundtrip(picture()[None]) for way in (False, True))
    lost = ours.astype(int) - dda
    assert set(np.unique(lost)) == {0, 1} and 0.3 < lost.mean() < 0.7


def test_batches_and_single_pictures_agree(kl_folder, picture):
    model = autoencoder.load(str(kl_folder))
    rgb = np.stack([picture(16, 24, i) for i in range(3)])
    alone = np.concatenate([model.roundtrip(one[None]) for one in rgb])
    assert np.abs(model.roundtrip(rgb).astype(int) - alone).max() <= 1


@pytest.mark.parametrize("name", ["kl", "vq", "transposed"])
def test_pictures_are_the_same_whatever_the_number_of_threads(picture, name):
    """Each takes pictures of its own; this one keeps its number of them."""
    rgb, before = np.stack([picture(48, 40, seed) for seed in range(7)]), torch.get_num_threads()
    try:
        made = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            made.append(autoencoder.load(f"data/mini/vae/{name}").roundtrip(rgb))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
    assert all((each == made[0]).all() for each in made)


class Blurless(autoencoder.Autoencoder):
    """Sends pictures through unchanged, so that only padding and tiling can alter them."""

    def __init__(self, tile: int):
        super().__init__("nothing", Shuffled(1), "cpu")
        self.tile, self.largest = tile, 0

    def _batch_through(self, rgb):
        self.largest = max(self.largest, *rgb.shape[1:3])
        return super()._batch_through(rgb)


@pytest.mark.parametrize("size", [(256, 256), (257, 100), (700, 520), (333, 1000)])
def test_tiles_cover_the_picture_without_seams(picture, size):
    model = Blurless(tile=256)
    rgb = picture(*size)[None]
    assert (model.roundtrip(rgb) == rgb).all() and model.largest <= 256


def test_memory_budget_bounds_batch_and_tile(kl_folder):
    model = autoencoder.load(str(kl_folder))
    assert model.batch(32, 32) > model.batch(480, 640) == model.batch(2000, 2000) == 1  # on a CPU
    wide = autoencoder.Autoencoder("wide", Shuffled(256), "cpu")
    assert wide.tile**2 * 256 * 4 * autoencoder.LIVE <= 2**30


def test_a_drawn_latent_and_its_reconstruction_stay_on_the_card_until_they_are_bytes(kl_folder, picture):
    rgb = picture(24, 16)[None]
    here = autoencoder.load(str(kl_folder), sample=True).roundtrip(rgb)
    with Card():
        model = autoencoder.load(str(kl_folder), sample=True, device="cuda", dtype="float32")
        assert model._batch_through(rgb).device == CARD
        there = model.roundtrip(rgb)
    assert (here == there).all()
