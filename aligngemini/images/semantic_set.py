"""The semantic set: plausible and implausible images, degraded alike, so that no pixel cue is left."""

import pandas as pd

from . import image_files, scene_images, sources
from .params import WORLD, DataParams

SIDES = {"plausible": 0, "implausible": 1}  # labels of the folders


def make(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of training and validation, and files with the reason why they were left out; the world's are twins."""
    return _from_world(run, cfg) if cfg.plausible == WORLD else _from_folders(run, cfg)


def _from_world(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    limits = scene_images.seen(cfg)
    parts = [
        scene_images.images(run, cfg, split, "semantic", count, limits, (False, True), degraded=True)
        for split, count in sources.counts(cfg).items()
    ]
    rows, alike = zip(*map(scene_images.different, parts), strict=True)
    return pd.concat(rows, ignore_index=True), pd.concat(alike)


def _from_folders(run, cfg: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    splits, listed = divided(run, cfg)
    fixed = {"folder": str(run.path("images", "semantic")), "cfg": cfg, "degraded": True}
    rows = []
    for split in sources.counts(cfg):
        items, label = splits[split].to_dict("records"), f"semantic pictures, {split}"
        rows += image_files.in_parallel(image_files.square_of_file, items, cfg.workers, label, split=split, **fixed)
    squares = pd.DataFrame(rows)
    return balanced(squares[squares["reason"] == ""]), pd.concat([listed, squares])


def divided(run, cfg: DataParams) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The files of each split, as many of either class, and all that are listed, the small ones with that reason."""
    listed = sources.listed(run, cfg, *SIDES).assign(source=lambda rows: rows["benchmark"])
    small = (listed["reason"] == "") & (listed[["width", "height"]].min(axis=1) < cfg.image_size)
    listed = listed.assign(reason=listed["reason"].mask(small, f"smaller than {cfg.image_size} px"))
    classes = []
    for role, label in SIDES.items():
        lost = int((small & (listed["role"] == role)).sum())
        name = role + (f" ({lost} are smaller than image_size, {cfg.image_size} px)" if lost else "")
        rows = listed[(listed["reason"] == "") & (listed["label"] == label)]
        classes.append(sources.divide(rows, *sources.counts(cfg).values(), name, cfg.joint_images))
    least = {split: min(len(each[split]) for each in classes) for split in classes[0]}
    return {split: pd.concat([each[split].head(least[split]) for each in classes]) for split in least}, listed


def balanced(rows: pd.DataFrame) -> pd.DataFrame:
    """As many of each class in a split, should some have failed."""
    sizes = rows.groupby(["split", "label"]).size().unstack(fill_value=0)
    least = sizes.reindex(columns=list(SIDES.values()), fill_value=0).min(axis=1)
    return pd.concat([same.head(least[split]) for (split, _), same in rows.groupby(["split", "label"])])
