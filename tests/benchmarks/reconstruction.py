"""Reconstructions in batches beside the files, against one picture at a time with its files.

`python tests/benchmarks/reconstruction.py [PHOTOGRAPHS] [small|full] [png|original]` prints pictures per second of both
ways in one run, their ratio, and how far their reconstructions lie apart. full: the autoencoder of SD2.1, with random
weights. The obvious way computes in float32, as diffusers loads a model, ours in what autoencoder.load chooses; a line
more has the obvious way with our precision.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from aligngemini.images import autoencoder, decode, jpeg, reconstruct
from aligngemini.images.params import DataParams

SIZES = [(640, 480), (480, 640), (640, 427), (640, 426), (640, 428), (500, 375), (612, 612), (640, 425)]  # as in COCO
WIDTHS = {"small": (8, 8, 8, 8), "full": (128, 256, 512, 512)}
WORKERS = 8


def lay(folder: Path, count: int) -> pd.DataFrame:
    """Rows of JPEGs of photographs' sizes: coarse shapes with grain."""
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
        path = folder / f"{number}.jpg"
        grainy = (smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(grainy).save(path, quality=92)
        rows.append({"path": str(path)} | decode.identify(path))
    return pd.DataFrame(rows)


def model(folder: Path, size: str) -> Path:
    """A random autoencoder of SD2.1's architecture, or a narrow one of it."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    widths = {"block_out_channels": WIDTHS[size], "layers_per_block": 2 if size == "full" else 1, "latent_channels": 4}
    rest = {"norm_num_groups": min(32, WIDTHS[size][0]), "force_upcast": False}  # as that of SD2.1, which float16 suits
    AutoencoderKL(**widths, **blocks, **rest).save_pretrained(folder / "vae")
    return folder


def obvious(through, rows: pd.DataFrame, folder: Path, form: str) -> None:
    """Open, reconstruct and save one picture after the other, as Pillow does unless told otherwise."""
    folder.mkdir()
    for row in rows.itertuples():
        data = Path(row.path).read_bytes()
        rgb = decode.read(data).rgb
        made = through(rgb[None])[0]
        if form == "png":
            Image.fromarray(rgb).save(folder / f"{row.image_id}_original", "PNG")
            Image.fromarray(made).save(folder / row.image_id, "PNG")
        else:
            (folder / row.image_id).write_bytes(jpeg.like(data, made))


def rate(work, count: int) -> float:
    """Pictures per second of `work`."""
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def apart(ours: Path, folder: Path, rows: pd.DataFrame) -> float:
    """Mean distance in grey levels between our reconstructions and those in `folder`."""
    gaps = []
    for row in rows.itertuples():
        name = Path(row.path).stem if not list(ours.glob(f"{row.image_id[:16]}*")) else row.image_id[:16]
        made = decode.read(next(ours.glob(f"{name}_reconstruction*"))).rgb
        gaps.append(np.abs(made.astype(int) - decode.read(folder / row.image_id).rgb).mean())
    return float(np.mean(gaps))


def main(count: int, size: str, form: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "photographs").mkdir()
        config = DataParams(workers=WORKERS)
        rows, place = lay(root / "photographs", count), str(model(root, size))
        ours, exact = autoencoder.load(place), autoencoder.load(place, dtype="float32")
        for shape in {(row.height, row.width) for row in rows.itertuples()}:
            exact.roundtrip(np.zeros((1, *shape, 3), np.uint8))  # convolutions choose their algorithm once
        reconstruct.pairs(rows, ours, root / "warm", config, form=form)
        quick = rate(lambda: reconstruct.pairs(rows, ours, root / "ours", config, form=form), count)
        few = rows.head(max(len(SIZES), count // 4))
        plain = rate(lambda: obvious(exact.roundtrip, few, root / "exact", form), len(few))
        alike = rate(lambda: obvious(ours.roundtrip, few, root / "alike", form), len(few))
        print(f"{count} photographs, {size} autoencoder in {ours.dtype} on {ours.device}, stored as {form}")
        print(f"ours {quick:.2f}/s, one at a time {plain:.2f}/s, ratio {quick / plain:.1f}")
        print(f"one at a time with our precision {alike:.2f}/s, ratio {quick / alike:.1f}")
        gaps = [apart(root / "ours", root / way, few) for way in ("exact", "alike")]
        print(f"apart by {gaps[0]:.3f} grey levels, with our precision by {gaps[1]:.3f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 32, *(given[1:] + ["small", "original"][len(given[1:]) :]))
