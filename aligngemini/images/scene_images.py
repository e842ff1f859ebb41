"""Images of the small world for the sets: what each set may show, photographed plain and violated."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from aligngemini.core import seeds
from aligngemini.world import camera, world
from aligngemini.world.kinds import KINDS
from aligngemini.world.scenes import FAMILIES
from aligngemini.world.world import ANYTHING, Limits

from . import decode, image_files, jpeg
from .params import DataParams
from .table import frame


def seen(cfg: DataParams) -> Limits:
    """What training, validation and the ordinary test subsets may show: all but what is held out."""
    kinds, families = (tuple(name for name in names if name not in cfg.held_out) for names in (KINDS, FAMILIES))
    return Limits(kinds, kinds, families)


def held_out(cfg: DataParams) -> dict[str, Limits]:
    """The test subsets of what is held out: violations in the usual things, and things with the usual violations.

    A subset is there only if something of its sort is held out.
    """
    usual = seen(cfg)
    kinds, families = (tuple(name for name in names if name in cfg.held_out) for names in (KINDS, FAMILIES))
    subsets = {
        "unseen violations": Limits(usual.subjects, usual.beside, families),
        "unseen things": Limits(kinds, usual.beside, usual.families),
    }
    return {name: limits for name, limits in subsets.items() if limits.subjects and limits.families}


def photograph(
    seed: int, split: str, index: int, violated: bool, size: int, limits: Limits = ANYTHING
) -> tuple[world.Picture, bytes]:
    """One scene within `limits`, and its photograph as the bytes of a JPEG. Twins share camera and grain."""
    picture = world.draw(seed, split, index, violated, size, limits)
    rgb, quality = camera.photograph(picture.rgb, seeds.generator("camera", seed, split, index))
    return picture, jpeg.encode(rgb, quality)


def scene_file(
    item: tuple[int, bool], folder: str, cfg: DataParams, split: str, which: str, limits=ANYTHING, degraded=False
) -> dict:
    """Write the photograph of the scene (index, violated) of "<split>/<which>": its row of the image table.

    It is a JPEG as the camera gives it, or `degraded` and PNG.
    """
    index, violated = item
    pair = f"{split}/{which}/{index}"
    picture, data = photograph(cfg.seed, f"{split}/{which}", index, violated, cfg.image_size, limits)
    path = Path(folder) / f"{split}_{index:06d}_{'implausible' if violated else 'plausible'}"
    if degraded:
        saved = image_files.save_degraded(path.with_suffix(".png"), decode.read(data).rgb, cfg, pair)
    else:
        saved = image_files.save(path.with_suffix(".jpg"), data)
    origin = {"source": "world", "generator": "world" if violated else "", "benchmark": "world"}
    label = {"label": int(violated), "axis": "semantic" if violated else "none", "split": split, "subset": which}
    facts = {"pair_id": pair, "family": picture.family, "kind": picture.kind, "remark": picture.remark}
    return saved | origin | label | facts


def images(
    run, cfg: DataParams, split: str, which: str, count: int, limits: Limits, sides: Collection[bool], degraded=False
) -> pd.DataFrame:
    """Image table of `count` scenes of "<split>/<which>" on the given `sides` (violated or not), see `scene_file`.

    The scenes depend on seed, split and `which` alone: no two of these share one.
    """
    items = [(index, violated) for index in range(count) for violated in sides]
    fixed = {"folder": str(run.path("images", which)), "cfg": cfg, "limits": limits, "degraded": degraded}
    fixed |= {"split": split, "which": which}
    return frame(image_files.in_parallel(scene_file, items, cfg.workers, f"{which} pictures, {split}", **fixed))


def different(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs whose members differ, and the others, which hide what was violated, with that reason."""
    alike = rows["pair_id"].isin(rows.loc[rows.duplicated("image_id", keep=False), "pair_id"])
    return rows[~alike], rows[alike].assign(reason="twins look alike: the violation is hidden")
