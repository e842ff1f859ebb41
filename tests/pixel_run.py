"""A small data run with a pixel set: photographs of the small world and their reconstructions by its autoencoder."""

from types import SimpleNamespace

import numpy as np
from PIL import Image

from aligngemini.images import autoencoder, table
from aligngemini.world import camera, world


def make(folder, name, count, splits=("train",)):
    """Pairs of images of the world's split `name`, in turn in one of `splits`, as peers are made from a run."""
    vae, rows = autoencoder.load("data/mini/vae/kl"), []
    for i in range(count):
        photo, _ = camera.photograph(world.draw(0, name, i, False).rgb, np.random.default_rng(i))
        for label, rgb in enumerate((photo, vae.roundtrip(photo[None])[0])):
            path = folder / f"{i:02}_{label}.png"
            Image.fromarray(rgb).save(path)
            about = {"label": label, "axis": ("none", "pixel")[label], "split": splits[i % len(splits)]}
            rows.append({"image_id": path.stem, "path": str(path), "pair_id": f"p{i}"} | about)
    table.frame(rows).assign(subset="pixel").to_parquet(folder / "pixel.parquet", index=False)
    return SimpleNamespace(path=folder.joinpath, seed=0)
