"""The test of the small world: one cell for each way of being fake, as the camera gives it and laundered.

The three cells of the joint test share their real pictures: a violated scene with camera pixels, a plausible
scene with generator pixels, and both. Laundered, all four pictures of a scene go through the chain that the
semantic set went through, with values drawn for that scene. Further cells hold the plausible scenes as other
autoencoders render them, and twins of what is held out of training.
"""

from pathlib import Path

import pandas as pd

from aligngemini.core import paths

from . import degrade, drawn, pictures, reconstruct, table

JOINT = ("semantic", "pixel", "both")
CLEAN, LAUNDERED = "world", "world, laundered"
OTHERS, WITHHELD = "world, other generators", "world, withheld"
BENCHMARKS = (CLEAN, LAUNDERED, OTHERS, WITHHELD)


def names(cfg) -> set[str]:
    """The subsets of `world`, all that there can be under these parameters."""
    clean = [*JOINT, *(f"pixel, {_short(name)}" for name in generators(cfg))]
    return {*clean, *(f"{name}, laundered" for name in JOINT), *drawn.withheld(cfg)}


def generators(cfg) -> list[str]:
    """The autoencoders that only test: those named, and for a folder of several all in it but the training one."""
    found = [each for name in cfg.generators for each in _inside(name)]
    return [name for name in found if paths.resolve(name) != paths.resolve(cfg.vae)]


def _inside(name: str) -> list[str]:
    folder = paths.resolve(name)
    if (folder / "config.json").is_file() or (folder / "vae" / "config.json").is_file():
        return [name]
    return [f"{name}/{path.parent.name}" for path in sorted(folder.glob("*/config.json"))] or [name]


def _short(generator: str) -> str:
    return Path(generator).name


def world(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All rows of the world's test, with benchmark and subset, and the twins left out, with reasons."""
    shot, hidden = _shot(run, cfg)
    joint = _joint(shot, reconstruct.worn(run, cfg, shot, "test", cfg.vae, cfg.vae_revision)[0])
    parts = [_named(rows, CLEAN, subset) for subset, rows in joint.items()]
    kept, alike = _laundered(run, cfg, joint)
    parts += [*kept, *_others(run, cfg, shot[shot["label"] == 0])]
    twins, same = _withheld(run, cfg)
    return pd.concat([*parts, *twins], ignore_index=True), pd.concat([hidden, *alike, *same])


def _shot(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    limits = drawn.seen(cfg)
    return drawn.apart(drawn.photographs(run, cfg, "test", "test", cfg.test_images, limits, (False, True)))


def _named(rows: pd.DataFrame, benchmark: str, subset: str) -> pd.DataFrame:
    return rows.assign(benchmark=benchmark, subset=subset)


def _joint(shot: pd.DataFrame, made: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The three cells, from photographs of twins and from the pairs that the autoencoder made of them."""
    again = made[made["label"] == 1].reset_index(drop=True)
    of_violated = again["path"].str.contains("_implausible_")
    told = shot.set_index(["pair_id", "label"])["remark"]
    both = again[of_violated].assign(axis="both")
    both["remark"] = [told[(pair, 1)] for pair in both["pair_id"]]
    reals = shot[shot["label"] == 0]
    return {
        "semantic": shot,
        "pixel": _beside(reals, again[~of_violated]),
        "both": pd.concat([reals, both], ignore_index=True),
    }


def _beside(reals: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Reals and their reconstructions; what can be said of these reals is their texture."""
    return pd.concat([reals.assign(remark=reconstruct.REMARK_REAL), again], ignore_index=True)


def _laundered(run, cfg, joint: dict[str, pd.DataFrame]) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """The joint cells laundered: every picture once, whatever the number of cells it stands in."""
    once = pd.concat(joint.values()).drop_duplicates("image_id")
    fixed = {"folder": str(run.path("images", "laundered")), "seed": cfg.seed, "ranges": degrade.ranges(cfg)}
    items = once[["image_id", "path", "pair_id"]].to_dict("records")
    made = pictures.spread(pictures.laundered, items, cfg.workers, "laundered pictures", **fixed)
    facts = {old["image_id"]: new for old, new in zip(items, made, strict=True)}
    cells = [_named(_replaced(rows, facts), LAUNDERED, f"{subset}, laundered") for subset, rows in joint.items()]
    kept, alike = zip(*map(drawn.apart, cells), strict=True)
    return list(kept), list(alike)


def _replaced(rows: pd.DataFrame, facts: dict[str, dict]) -> pd.DataFrame:
    """The same rows with path, content and drawn values of the laundered pictures."""
    new = pd.DataFrame([facts[image_id] for image_id in rows["image_id"]], index=rows.index)
    return table.frame(rows.drop(columns=[name for name in new if name in rows]).join(new))


def _others(run, cfg, reals: pd.DataFrame) -> list[pd.DataFrame]:
    """The pixel cell once more for each autoencoder that only tests."""
    cells = []
    for generator in generators(cfg):
        short = _short(generator)
        made, _ = reconstruct.worn(run, cfg, reals, f"test_{short}", generator)
        cells.append(_named(_beside(reals, made[made["label"] == 1]), OTHERS, f"pixel, {short}"))
    return cells


def _withheld(run, cfg) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Twins of what training never showed, laundered like the pictures it did show."""
    cells, alike = [], []
    for subset, limits in drawn.withheld(cfg).items():
        rows = drawn.photographs(run, cfg, "test", subset, cfg.test_images, limits, (False, True), degrade.ranges(cfg))
        kept, same = drawn.apart(rows)
        cells.append(_named(kept, WITHHELD, subset))
        alike.append(same)
    return cells, alike
