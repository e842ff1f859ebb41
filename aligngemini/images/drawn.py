"""Pictures of the small world for the sets: what each set may show, photographed plain and violated."""

import pandas as pd

from aligngemini.world.kinds import KINDS
from aligngemini.world.scenes import FAMILIES
from aligngemini.world.world import Limits

from . import pictures, table

ALIKE = "twins look alike: the violation is hidden"


def seen(cfg) -> Limits:
    """What training, validation and the ordinary test cells may show: all but what is held out."""
    kinds = _kept(KINDS, cfg)
    return Limits(kinds, kinds, _kept(FAMILIES, cfg))


def withheld(cfg) -> dict[str, Limits]:
    """The two cells of what is held out: a withheld family in seen things, a withheld thing in seen families.

    A cell is there only if something of its sort is held out.
    """
    usual = seen(cfg)
    families = tuple(name for name in FAMILIES if name in cfg.held_out)
    kinds = tuple(name for name in KINDS if name in cfg.held_out)
    cells = {
        "unseen violations": Limits(usual.subjects, usual.beside, families),
        "unseen things": Limits(kinds, usual.beside, usual.families),
    }
    return {name: limits for name, limits in cells.items() if limits.subjects and limits.families}


def _kept(names, cfg) -> tuple[str, ...]:
    return tuple(name for name in names if name not in cfg.held_out)


def photographs(run, cfg, split: str, which: str, count: int, limits: Limits, sides=(False,), ranges=None):
    """Image table of `count` scenes of "<split>/<which>" on the given `sides` (violated or not).

    JPEG as the camera gives, or degraded and PNG if `ranges` are given. The scenes depend on seed, split and
    `which` alone: no two of these share one.
    """
    items = [(index, violated) for index in range(count) for violated in sides]
    folder = str(run.path("images", which))
    fixed = {"seed": cfg.seed, "split": split, "which": which, "size": cfg.image_size}
    rows = pictures.spread(
        pictures.from_world,
        items,
        cfg.workers,
        f"{which} pictures, {split}",
        folder=folder,
        ranges=ranges,
        limits=limits,
        **fixed,
    )
    return table.frame(rows)


def apart(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs whose members differ, and the others, which hide what was violated, with that reason."""
    alike = rows[rows.duplicated("image_id", keep=False)]["pair_id"]
    hidden = rows["pair_id"].isin(alike)
    return rows[~hidden], rows[hidden].assign(reason=ALIKE)
