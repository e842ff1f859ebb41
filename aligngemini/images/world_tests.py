"""The test of the small world: one subset for each way of being fake, as the camera gives it and degraded.

The three subsets of the joint test share their real images: a violated scene with camera pixels, a plausible
scene with generator pixels, and both. Degraded, all four images of a scene go through the chain that the semantic set
went through, with values sampled for that scene. Further subsets hold the plausible scenes as other autoencoders
render them, and twins of what is held out of training.
"""

from pathlib import Path

import pandas as pd

from aligngemini.core import paths

from . import image_files, reconstruct, scene_images, table
from .params import DataParams, autoencoders_in

JOINT = ("semantic", "pixel", "both")
CLEAN, DEGRADED = "world", "world, degraded"
OTHERS, HELD_OUT = "world, other generators", "world, held out"
BENCHMARKS = (CLEAN, DEGRADED, OTHERS, HELD_OUT)


def names(cfg: DataParams) -> set[str]:
    """The subsets of `make`, all that there can be under these parameters."""
    others = [_subset(name) for name in generators(cfg)]
    return {*JOINT, *others, *(f"{name}, degraded" for name in JOINT), *scene_images.held_out(cfg)}


def generators(cfg: DataParams) -> list[str]:
    """The autoencoders that only test: those named, and for a folder of several all in it but those of training."""
    training = {paths.resolve(name) for name in (cfg.vae, *cfg.more_vaes)}
    every = [each for name in cfg.generators for each in autoencoders_in(name)]
    return [name for name in every if paths.resolve(name) not in training]


def _subset(generator: str) -> str:
    return f"pixel, {Path(generator).name}"


def make(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows of the world's test, with benchmark and subset, and the twins left out, with reasons."""
    limits = scene_images.seen(cfg)
    shot = scene_images.images(run, cfg, "test", "test", cfg.test_images, limits, (False, True))
    scenes, hidden = scene_images.different(shot)
    joint = _joint(scenes, reconstruct.run_pairs(run, cfg, scenes, "test", cfg.vae, cfg.vae_revision)[0])
    degraded = {f"{subset}, degraded": rows for subset, rows in _degraded(run, cfg, joint).items()}
    tests = {CLEAN: joint, DEGRADED: degraded, OTHERS: _others(run, cfg, scenes), HELD_OUT: _held_out(run, cfg)}
    parts, lost = [], [hidden]
    for benchmark, subsets in tests.items():
        for subset, rows in subsets.items():
            rows, alike = (rows, []) if benchmark in (CLEAN, OTHERS) else scene_images.different(rows)
            parts.append(rows.assign(benchmark=benchmark, subset=subset))
            lost += [alike] if len(alike) else []
    return pd.concat(parts, ignore_index=True), pd.concat(lost)


def _joint(scenes: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    again = pairs[pairs["label"] == 1].reset_index(drop=True)
    of_violated = again["path"].str.contains("_implausible_")
    reals, fakes = (scenes[scenes["label"] == label] for label in (0, 1))
    both = again[of_violated].assign(axis="both")
    both["remark"] = both["pair_id"].map(fakes.set_index("pair_id")["remark"])
    return {
        "semantic": scenes,
        "pixel": _beside(reals, again[~of_violated]),
        "both": pd.concat([reals, both], ignore_index=True),
    }


def _beside(reals: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Reals and their reconstructions; what can be said of these reals is their texture."""
    return pd.concat([reals.assign(remark=reconstruct.REMARK_REAL), again], ignore_index=True)


def _degraded(run, cfg: DataParams, joint: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The joint subsets degraded: every image once, whatever the number of subsets it stands in."""
    once = pd.concat(joint.values()).drop_duplicates("image_id")
    fixed = {"folder": str(run.path("images", "degraded")), "cfg": cfg}
    items = once[["path", "pair_id"]].to_dict("records")
    copies = image_files.in_parallel(image_files.degraded_copy, items, cfg.workers, "degraded images", **fixed)
    facts = pd.DataFrame(copies, index=once["image_id"])
    return {
        subset: table.frame(rows.assign(**facts.loc[rows["image_id"]].set_axis(rows.index)))
        for subset, rows in joint.items()
    }


def _others(run, cfg: DataParams, scenes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    reals, subsets = scenes[scenes["label"] == 0], {}
    for name in generators(cfg):
        pairs, _ = reconstruct.run_pairs(run, cfg, reals, f"test_{Path(name).name}", name)
        subsets[_subset(name)] = _beside(reals, pairs[pairs["label"] == 1])
    return subsets


def _held_out(run, cfg: DataParams) -> dict[str, pd.DataFrame]:
    images = scene_images.images
    return {
        subset: images(run, cfg, "test", subset, cfg.test_images, limits, (False, True), degraded=True)
        for subset, limits in scene_images.held_out(cfg).items()
    }
