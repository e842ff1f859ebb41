"""The image tables of a data run: semantic, pixel, union and mixed training sets, joint validation set, and the tests.

Each function computes its table (and its images under `images/`) once in a run; the order of the calls does not
matter. What could not be used stands, with its reason, in `left_out_<set>.parquet`.
"""

from collections.abc import Callable

import pandas as pd

from aligngemini.core.params import Refused

from . import image_files, joint_set, mixed_set, pixel_set, semantic_set, sources, table, world_tests
from .params import WORLD, DataParams
from .table import MIXED

LEFT_OUT = ["set", "path", "reason"]


def build(run, cfg: DataParams) -> dict[str, pd.DataFrame]:
    """All seven tables by name; Refused for missing folders, too few images, or splits that share content."""
    tables = {"test": test(run, cfg), "semantic": semantic(run, cfg), "pixel": pixel(run, cfg)}
    tables |= {name: mixed(run, cfg, own) for own, name in MIXED.items()}
    tables |= {"union": union(run, cfg), "joint": joint(run, cfg)}
    shared = table.content_overlap(tables)
    if len(shared):
        raise Refused(f"{len(shared)} images stand in two splits, e.g. {shared.iloc[0].to_dict()}; report this.")
    return tables


def semantic(run, cfg: DataParams) -> pd.DataFrame:
    """Plausible and implausible images, degraded alike (train, validation); the world's are twins."""
    return _table(run, "semantic", _with_left_out, run, cfg, "semantic", semantic_set.make)


def pixel(run, cfg: DataParams) -> pd.DataFrame:
    """Photographs and reconstructions, in pairs alike in format, quality, size; train and validation rows."""
    return _table(run, "pixel", _with_left_out, run, cfg, "pixel", pixel_set.make)


def mixed(run, cfg: DataParams, own: str = "semantic") -> pd.DataFrame:
    """The mixed set of models made for the supervision `own` (of MIXED), see mixed_set."""
    return _table(run, MIXED[own], _mixed, run, cfg, own)


def _mixed(run, cfg: DataParams, own: str) -> pd.DataFrame:
    return mixed_set.make(semantic(run, cfg), pixel(run, cfg), own)


def union(run, cfg: DataParams) -> pd.DataFrame:
    """All pairs of both pure sets, and so as many images of each task as its pure set has."""
    return _table(run, "union", _union, run, cfg)


def _union(run, cfg: DataParams) -> pd.DataFrame:
    return pd.concat([semantic(run, cfg), pixel(run, cfg)], ignore_index=True)


def test(run, cfg: DataParams) -> pd.DataFrame:
    """The test rows of every benchmark and subset: the world's, see `world_tests`, and the folders'.

    Unreadable test images keep their row, with a reason.
    """
    return _table(run, "test", _with_left_out, run, cfg, "test", _test)


def joint(run, cfg: DataParams) -> pd.DataFrame:
    """The joint validation set, of images of no other set; empty if none are wanted or left. See joint_set."""
    return _table(run, "joint", _with_left_out, run, cfg, "joint", joint_set.make)


def left_out(run, cfg: DataParams) -> pd.DataFrame:
    """Every file that could not be used: set, path, reason. Makes the tables that are not there yet."""
    files = [run.path(f"left_out_{name}.parquet") for name in ("semantic", "pixel", "joint", "test")]
    if not all(file.exists() for file in files):
        build(run, cfg)
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def _table(run, name: str, make: Callable, *given) -> pd.DataFrame:
    return run.compute(f"{name}.parquet", _checked, name, make, *given)


def _checked(name: str, make: Callable, *given) -> pd.DataFrame:
    return table.check(table.frame(make(*given)), f"{name}.parquet")


def _with_left_out(run, cfg: DataParams, name: str, make: Callable) -> pd.DataFrame:
    """The rows that `make` gives; the files that it could not use are saved beside them."""
    rows, lost = make(run, cfg)
    lost = lost.loc[lost["reason"] != "", ["path", "reason"]].assign(set=name)
    if name in mixed_set.TASKS:
        _check_splits(rows, lost, cfg, name)
    run.save(f"left_out_{name}.parquet", lost[LEFT_OUT].astype("str"))
    return rows


def _check_splits(rows: pd.DataFrame, lost: pd.DataFrame, cfg: DataParams, name: str) -> None:
    """Refuse a training set of which a split that was wanted has no real and no fake."""
    have = mixed_set.by_split(rows)
    for split, wanted in sources.counts(cfg).items():
        if wanted and not have.get(split):
            why = f"; {len(lost)} files are left out, the last one: {lost['reason'].iloc[-1]}" if len(lost) else ""
            raise Refused(f"The {name} set has no pair for {split}{why}. Give more images or raise {split}_images.")


def _test(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    world, hidden = world_tests.make(run, cfg) if WORLD in cfg.test else (table.frame([]), table.frame([]))
    listed = sources.listed(run, cfg, "test")
    rows = listed[(listed["label"] >= 0) & (listed["image_id"] != "")]
    rows = rows[~rows["reason"].str.startswith(("same content", "the same content"))]
    rows = rows.drop_duplicates(["subset", "image_id"])  # damaged files may be copies of each other, too
    chosen = table.sample_each(rows, cfg.test_images, "test")
    facts = {"split": "test", "source": chosen["benchmark"], "axis": chosen["label"].map({0: "none", 1: "unknown"})}
    facts["pair_id"] = chosen["pair_id"].where(chosen["pair_id"] != "", chosen["image_id"].map(image_files.origin))
    lost = listed[~listed.index.isin(rows.index)]
    return pd.concat([world, chosen.assign(**facts)], ignore_index=True), pd.concat([lost, hidden])
