"""A small data run, as peers are made from one."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from aligngemini.images import autoencoder, table
from aligngemini.world import camera, world

PAIRS = 44


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Photographs of the small world and their reconstructions, as the pixel set of a data run."""
    folder, rows = tmp_path_factory.mktemp("data"), []
    vae = autoencoder.load("data/mini/vae/kl")
    for i in range(PAIRS):
        photo, _ = camera.photograph(world.draw(0, "peers", i, False).rgb, np.random.default_rng(i))
        for label, rgb in enumerate((photo, vae.roundtrip(photo[None])[0])):
            path = folder / f"{i:02}_{label}.png"
            Image.fromarray(rgb).save(path)
            about = {"label": label, "axis": ("none", "pixel")[label], "split": "train", "pair_id": f"p{i}"}
            rows.append({"image_id": path.stem, "path": str(path)} | about)
    table.frame(rows).assign(subset="pixel").to_parquet(folder / "pixel.parquet", index=False)
    return SimpleNamespace(path=folder.joinpath, seed=0)
