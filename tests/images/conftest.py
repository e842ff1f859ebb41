"""Shared by the tests of the images room: noisy pictures, runs without a notebook, a false autoencoder."""

import io
import os
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from aligngemini.core.run import Run
from aligngemini.images import sets, weights
from aligngemini.images.params import DataParams
from tests.folder_run import folder_run
from tests.images.miniatures import TREES


class Smoother:
    """Stands in for an autoencoder: averages neighbouring pixels."""

    name, factor, number = "smoother", 8, "float32"

    def __init__(self, most: int = 8):
        self.most, self.seen = most, 0

    def batch(self, height: int, width: int) -> int:
        return self.most

    def roundtrip(self, rgb: np.ndarray) -> np.ndarray:
        self.seen += len(rgb)
        return ((rgb.astype(np.uint16) + np.roll(rgb, 1, 2)) // 2).astype(np.uint8)


@pytest.fixture(scope="module")
def kl_folder(tmp_path_factory):
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    model = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2, **blocks
    )
    folder = tmp_path_factory.mktemp("kl")
    model.save_pretrained(folder / "vae")
    return folder


@pytest.fixture(scope="module")
def taef2_folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("taef2")
    for part, file in zip((weights.encoder(), weights.decoder()), weights.FILES, strict=True):
        torch.save(part.half().state_dict(), folder / file)
    return folder


@pytest.fixture
def picture():
    """Make a smooth picture with some grain: (width, height, seed) -> uint8 [height, width, 3]."""

    def make(width: int = 48, height: int = 32, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
        return (smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)

    return make


@pytest.fixture
def saved():
    """Encode with Pillow: (array or image, format, options) -> bytes."""

    def encode(pixels, form: str, **options) -> bytes:
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        file = io.BytesIO()
        image.save(file, form, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def rotated_exif():
    """EXIF bytes that ask for an orientation."""

    def make(orientation: int) -> bytes:
        exif = Image.Exif()
        exif[0x0112] = orientation
        return exif.tobytes()

    return make


@pytest.fixture
def smoother(monkeypatch):
    """Every autoencoder that is loaded is a Smoother."""
    from aligngemini.images import autoencoder

    model = Smoother()
    monkeypatch.setattr(autoencoder, "load", lambda *args, **options: model)
    return model


@pytest.fixture
def new_run(tmp_path):
    """Make a run by name."""
    return lambda name="run": folder_run(tmp_path / "runs" / name)


def few(**changes) -> DataParams:
    """Small data parameters with changes."""
    counts = {"train_images": 16, "validation_images": 8, "joint_images": 4, "test_images": 4}
    return DataParams(**({**counts, "workers": 1, "generators": []} | changes))


@pytest.fixture
def small():
    """Make small data parameters with changes."""
    return few


@pytest.fixture
def little():
    """A small picture of its own content for every number, as bytes."""

    def make(number: int, form: str = "PNG") -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form)
        return file.getvalue()

    return make


@pytest.fixture
def lay(tmp_path, little):
    """Lay out a tree of pictures: (name, paths) -> its folder; what begins with + lies beside it."""

    def make(name: str, *files: str):
        for number, file in enumerate(files or TREES[name], start=zlib.crc32(name.encode())):
            path = tmp_path / (file[1:] if file.startswith("+") else f"{name}/{file}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(little(number, "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG"))
        return tmp_path / name

    return make


@pytest.fixture
def packed(tmp_path, little):
    """Write a tar file of (name or TarInfo, bytes) members under a folder: -> the folder."""

    def make(name: str, *members, folder: str = "now"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as tar:
            for number, member in enumerate(members):
                info = tarfile.TarInfo(member) if isinstance(member, str) else member
                data = little(number) if info.isreg() else b""
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return tmp_path / folder

    return make


@pytest.fixture
def parquet(tmp_path, little):
    """A benchmark of one Parquet file with pictures and outlines, as X-AIGD has it: rows -> its folder."""

    def make(*rows: dict, name: str = "labeled_test-00000-of-00001.parquet"):
        plain = {"generator": "FLUX.1-dev", "uid": "000", "labels": [], "width": 8, "height": 8}
        rows = [plain | {"image": {"bytes": little(i), "path": f"{i}.png"}} | row for i, row in enumerate(rows)]
        (tmp_path / "xaigd" / "data").mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(tmp_path / "xaigd" / "data" / name)
        return tmp_path / "xaigd"

    return make


def on_the_world(folder: Path, cfg: DataParams) -> tuple[Run, DataParams, dict[str, pd.DataFrame]]:
    """A run on the small world with a Smoother, its parameters, and its tables by name."""
    from aligngemini.images import autoencoder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "load", lambda *args, **options: Smoother())
        run = folder_run(folder)
        return run, cfg, sets.build(run, cfg)


@pytest.fixture(scope="session")
def world_run(tmp_path_factory):
    """A run on the small world, its parameters, and its tables by name; to be read only."""
    return on_the_world(tmp_path_factory.mktemp("world") / "run", few())


@pytest.fixture
def lock(monkeypatch):
    """Let no folder be opened whose name ends so."""
    scandir = os.scandir

    def lock(end):
        def refuse(path):
            if str(path).endswith(end):
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return lock
