"""Training the expert on six views of each pair: ours against the straightforward loop, at equal model, draws and crop.

`python tests/benchmarks/expert.py [PAIRS] [small|full] [WORKERS]` prints pairs per second of the straightforward loop,
of ours, and of ours with compiled blocks in one run, and their ratios. full: DINOv2 ViT-L/14 with random weights and
the published settings; small: two narrow blocks of it. The straightforward loop changes and resizes whole pictures and
crops them last, computes in float32, and lets every weight ask for a gradient, while its optimiser holds LoRA alone. It
is spared the release's cosine transforms, which change nothing (see aligngemini/expert/sample.py).
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from torch.utils.data import DataLoader

from aligngemini.core import params, paths
from aligngemini.core.seeds import generator
from aligngemini.expert import architectures, backbone, batches, changes, objective, train, views
from aligngemini.expert.params import ExpertParams
from aligngemini.expert.sample import Sample, sample
from aligngemini.images import decode

MODELS = {
    "small": ("vit_small_patch14_dinov2", {"embed_dim": 64, "depth": 2, "num_heads": 2}),
    "full": ("vit_large_patch14_dinov2", {}),
}


def lay(folder: Path, count: int) -> pd.DataFrame:
    """Rows of pairs of 640 x 480 PNGs: coarse shapes with grain, and without."""
    with ThreadPoolExecutor() as pool:
        return pd.DataFrame([row for pair in pool.map(partial(_pair, folder), range(count)) for row in pair])


def _pair(folder: Path, number: int) -> list[dict]:
    rng, rows = np.random.default_rng(number), []
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC))
    grainy = (smooth.astype(int) + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)
    for label, rgb in enumerate((grainy, smooth)):
        path = folder / f"{number}_{label}.png"
        Image.fromarray(rgb).save(path, compress_level=1)
        row = {"image_id": path.stem, "path": str(path), "label": label, "pair_id": str(number)}
        rows.append(row | {"jpeg_quality": 90.0})
    return rows


def fresh(size: str, cfg) -> backbone.Expert:
    """A random expert of the published form, with LoRA."""
    torch.manual_seed(0)
    name, changes = MODELS[size]
    model = architectures.build(name, **changes)
    return backbone.with_lora(
        backbone.placed(model, *backbone.CLIP, {"base": name, "revision": "", "architecture": name}), cfg
    )


class WholePictures(batches.Batches):
    """The same batches, cropped last."""

    def _views(self, row, epoch: int) -> np.ndarray:
        drawn = sample(self.config, generator("view", self.config.seed, epoch, row.pair_id))
        real, fake = (decode.read(path).rgb for path in (row.real, row.fake))
        fake = changes.mix(real, fake, row.quality, drawn)
        return np.stack([self._view(rgb, drawn, how) for rgb in (real, fake) for how in (None, *drawn.resized)])

    def _view(self, rgb: np.ndarray, drawn: Sample, how) -> np.ndarray:
        if how:
            height, width = (int(length * how[0]) for length in rgb.shape[:2])
            rgb = np.asarray(Image.fromarray(rgb).resize((width, height), how[1]))
        done = changes.apply(rgb[None], drawn, self.config.chain, generator("grain", self.config.seed))[0]
        return views.window(done, self.config.crop, drawn.top, drawn.left)


def straightforward(expert: backbone.Expert, rows: pd.DataFrame, cfg) -> None:
    """One epoch, as it is written first."""
    optim = objective.optimiser(expert, cfg)
    expert.model.requires_grad_(True).train()
    made = WholePictures(batches.match_real_fake(rows, cfg.seed), cfg, 0)
    with torch.autocast("cuda", enabled=False):
        for number, pictures in enumerate(DataLoader(made, batch_size=None, num_workers=cfg.workers), start=1):
            (plain_loss(expert, pictures, cfg) / cfg.gradient_accumulation).backward()
            if number % cfg.gradient_accumulation == 0:
                optim.step()
                expert.model.zero_grad()


def plain_loss(expert: backbone.Expert, pictures: torch.Tensor, cfg) -> torch.Tensor:
    """The training loss in float32."""
    label = torch.arange(2, device=expert.device).repeat_interleave(len(pictures) // 2).float()
    features, logits = expert.judged(pictures)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, label)
    return (1 - cfg.contrastive_weight) * entropy + cfg.contrastive_weight * objective.contrast(features, label)


def rate(work, count: int) -> float:
    """Pairs per second of `work`."""
    begun = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return count / (time.perf_counter() - begun)


def main(count: int, size: str, workers: int) -> None:
    recipe = paths.ROOT / "notebooks" / "recipes" / "paper" / "03_expert_lora.yaml"
    cfg = params.build(ExpertParams, yaml.safe_load(recipe.read_text())).replace(workers=workers)
    with tempfile.TemporaryDirectory() as name:
        rows, out = lay(Path(name), count), Path(name)
        few, part = rows.head(16), rows.head(2 * max(8, count // 4))
        for what, Made in (("ours", batches.Batches), ("whole pictures", WholePictures)):
            made = Made(batches.match_real_fake(part, 0), cfg, 0)
            begun = time.process_time()
            images = sum(len(made[i]) for i in range(len(made)))
            each = (time.process_time() - begun) / images * len(views.names(cfg))
            print(f"views alone, {what}: {1000 * each:.1f} ms of processor time per pair")
        straightforward(fresh(size, cfg), few, cfg)
        plain = fresh(size, cfg)
        slow = rate(partial(straightforward, plain, part, cfg), len(part) // 2)
        print(f"training a {size} model on {plain.device} with {workers} workers beside it:")
        print(f"straightforward: {slow:.2f} pairs/s")
        for what, each in (("ours", cfg), ("ours, compiled", cfg.replace(compiled=True))):
            place, batch = out / what, 2 * cfg.batch_pairs
            # warmed by an update of the size that follows, for which the code is compiled
            train.train(fresh(size, each), rows.head(batch * cfg.gradient_accumulation), each, place / "w", place / "v")
            quick = rate(partial(train.train, fresh(size, each), rows, each, place / "c", place / "a"), count)
            print(f"{what}: {quick:.2f} pairs/s, ratio {quick / slow:.1f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 64, given[1] if given[1:] else "small", int(given[2]) if given[2:] else 0)
