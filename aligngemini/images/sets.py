"""The image tables of a data run: semantic, pixel, union and mixed training sets, joint validation set, and the tests.

Each function computes its table (and its pictures under `images/`) once in a run; the order of the calls does not
matter. What could not be used stands, with its reason, in `left_out_<set>.parquet`.
"""

from collections.abc import Callable

import pandas as pd

from aligngemini.core import seeds
from aligngemini.core.params import Refused

from . import couples, degrade, drawn, joint_set, pictures, reconstruct, sources, table, world_tests
from .sources import WORLD
from .table import MIXED

LEFT_OUT = ["set", "path", "reason"]
SIDES = {"plausible": 0, "implausible": 1}  # labels of the semantic set's folders


def build(run, cfg) -> dict[str, pd.DataFrame]:
    """All seven tables by name; Refused for missing folders, too few images, or splits that share content."""
    tables = {
        "test": test(run, cfg),
        "semantic": semantic(run, cfg),
        "pixel": pixel(run, cfg),
        **{name: mixed(run, cfg, own) for own, name in MIXED.items()},
        "union": union(run, cfg),
        "joint": joint(run, cfg),
    }
    shared = table.content_overlap(tables)
    if len(shared):
        raise Refused(f"{len(shared)} images stand in two splits, e.g. {shared.iloc[0].to_dict()}; report this.")
    return tables


def semantic(run, cfg) -> pd.DataFrame:
    """Plausible and implausible pictures, degraded alike (train, validation); the world's are twins."""
    make = _semantic_from_world if cfg.plausible == WORLD else _semantic_from_folders
    return _table("semantic", _with_left_out, run, cfg, "semantic", _with_pairs(make, "semantic"))


def pixel(run, cfg) -> pd.DataFrame:
    """Photographs and reconstructions, in pairs alike in format, quality, size; train and validation rows."""
    return _table("pixel", _with_left_out, run, cfg, "pixel", _with_pairs(_pixel, "pixel"))


def mixed(run, cfg, own: str = "semantic") -> pd.DataFrame:
    """The mixed set of models made for the supervision `own` (of MIXED): as many couples and updates as that set has.

    They are drawn by hash, half of either kind. Where a kind has fewer couples than that, all of it is taken, and the
    rest of the other: no picture is shown more often than in a pure set.
    """
    return _table(MIXED[own], _mixed, run, cfg, own)


def _mixed(run, cfg, own: str) -> pd.DataFrame:
    kinds = semantic(run, cfg), pixel(run, cfg)
    halves = [couples.sample(rows, wanted) for rows, wanted in zip(kinds, couples.halves(*kinds, own), strict=True)]
    return pd.concat(halves, ignore_index=True)


def union(run, cfg) -> pd.DataFrame:
    """All pairs of both pure sets, and so as many pictures of each task as its pure set has."""
    return _table("union", _union, run, cfg)


def _union(run, cfg) -> pd.DataFrame:
    return pd.concat([semantic(run, cfg), pixel(run, cfg)], ignore_index=True)


def test(run, cfg) -> pd.DataFrame:
    """The test rows of every benchmark and subset: the world's, see `cells`, and the folders'.

    Unreadable test images keep their row, with a reason.
    """
    return _table("test", _with_left_out, run, cfg, "test", _test)


def joint(run, cfg) -> pd.DataFrame:
    """The joint validation set, of images of no other set; empty if none are asked for or left. See joint_set."""
    return _table("joint", _with_left_out, run, cfg, "joint", _joint)


def left_out(run, cfg) -> pd.DataFrame:
    """Every file that could not be used: set, path, reason. Makes the tables that are not there yet."""
    files = [run.path(f"left_out_{name}.parquet") for name in ("semantic", "pixel", "joint", "test")]
    if not all(file.exists() for file in files):
        build(run, cfg)
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def _table(name: str, make: Callable, run, *given) -> pd.DataFrame:
    """The image table that `make` gives, computed once in the run."""
    return run.compute(f"{name}.parquet", _checked, name, make, run, *given)


def _checked(name: str, make: Callable, *given) -> pd.DataFrame:
    return table.check(table.frame(make(*given)), f"{name}.parquet")


def _with_left_out(run, cfg, name: str, make: Callable) -> pd.DataFrame:
    """The rows that `make` gives; the files that it could not use are saved beside them."""
    rows, lost = make(run, cfg)
    run.save(f"left_out_{name}.parquet", lost.assign(set=name)[LEFT_OUT].astype("str"))
    return rows


def _with_pairs(make: Callable, name: str) -> Callable:
    """`make`, but Refused where what could be made leaves a split that was asked for without a real and a fake."""

    def checked(run, cfg):
        rows, lost = make(run, cfg)
        have = couples.by_split(rows)
        for split, wanted in _counts(cfg).items():
            if wanted and not have.get(split):
                why = f"; {len(lost)} files are left out, the last one: {lost['reason'].iloc[-1]}" if len(lost) else ""
                raise Refused(f"The {name} set has no pair for {split}{why}. Give more images or raise {split}_images.")
        return rows, lost

    return checked


def _sources(run, cfg, *roles: str) -> pd.DataFrame:
    """The listed folders of these roles; they are walked and hashed once in a run."""
    rows = run.compute("sources.parquet", sources.collect, cfg)
    return rows[rows["role"].isin(roles)]


def _lost(*parts: pd.DataFrame) -> pd.DataFrame:
    """The rows of several frames that have a reason: path, reason."""
    return pd.concat([part[part["reason"] != ""].reindex(columns=["path", "reason"]) for part in parts])


def _counts(cfg, train: int = 0) -> dict[str, int]:
    """Pairs asked of each split; `train` 0 for as many as the training sets have."""
    return {"train": train or cfg.train_images // 2, "validation": cfg.validation_images // 2}


def _semantic_from_world(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    ranges, limits = degrade.ranges(cfg), drawn.seen(cfg)
    parts = [
        drawn.photographs(run, cfg, split, "semantic", n, limits, (False, True), ranges)
        for split, n in _counts(cfg).items()
    ]
    kept, alike = zip(*map(drawn.apart, parts), strict=True)
    return pd.concat(kept, ignore_index=True), _lost(*alike)


def _sides(run, cfg) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    """Files for the semantic set by split, all that are listed, and those that are too small."""
    listed = _sources(run, cfg, *SIDES).assign(source=lambda rows: rows["benchmark"])
    usable = listed[(listed["reason"] == "") & (listed[["width", "height"]].min(axis=1) >= cfg.image_size)]
    small = listed[(listed["reason"] == "") & ~listed.index.isin(usable.index)]
    return _balanced(usable, cfg, _called(small, cfg.image_size)), listed, small


def _semantic_from_folders(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    divided, listed, small = _sides(run, cfg)
    folder = str(run.path("images", "semantic"))
    fixed = {"folder": folder, "seed": cfg.seed, "size": cfg.image_size, "ranges": degrade.ranges(cfg)}
    rows = []
    for split in _counts(cfg):
        part = divided[split].to_dict("records")
        rows += pictures.spread(
            pictures.from_files, part, cfg.workers, f"semantic pictures, {split}", split=split, **fixed
        )
    made = pd.DataFrame(rows)
    too_small = small.assign(reason=f"smaller than {cfg.image_size} px")
    return table.frame(_evened(made[made["reason"] == ""])), _lost(listed, too_small, made)


def _evened(rows: pd.DataFrame) -> pd.DataFrame:
    """As many of each class in a split, should some have failed."""
    sizes = rows.groupby(["split", "label"]).size().unstack(fill_value=0)
    least = sizes.reindex(columns=list(SIDES.values()), fill_value=0).min(axis=1)
    return pd.concat([same.head(least[split]) for (split, _), same in rows.groupby(["split", "label"])])


def _called(small: pd.DataFrame, size: int) -> dict[str, str]:
    """What refusals call each role: beside its name stands how many are left out for want of `size` px."""
    lost = {role: int((small["role"] == role).sum()) for role in SIDES}
    return {role: role + (f" ({n} are smaller than image_size, {size} px)" if n else "") for role, n in lost.items()}


def _balanced(usable: pd.DataFrame, cfg, called: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Both classes divided by hash of content, as many images in the larger class as in the smaller."""
    classes = [
        sources.divide(usable[usable["label"] == label], *_counts(cfg).values(), called[role], cfg.joint_images)
        for role, label in SIDES.items()
    ]
    least = {split: min(len(each[split]) for each in classes) for split in classes[0]}
    return {split: pd.concat([each[split].head(least[split]) for each in classes]) for split in least}


def _photos(run, cfg) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Files for the pixel set by split, and all that are listed."""
    listed = _sources(run, cfg, "photos")
    usable = listed[listed["reason"] == ""].assign(source=listed["benchmark"], subset="pixel")
    counts = _counts(cfg, cfg.pixel_pairs).values()
    return sources.divide(usable, *counts, "photos", cfg.joint_images), listed


def _pixel(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts, listed = _counts(cfg, cfg.pixel_pairs), pd.DataFrame(columns=["path", "reason"])
    if cfg.photos == WORLD:
        limits = drawn.seen(cfg)
        parts = {s: drawn.photographs(run, cfg, s, "pixel", n, limits) for s, n in counts.items()}
    else:
        parts, listed = _photos(run, cfg)
    photographs = pd.concat([parts[split].assign(split=split) for split in counts], ignore_index=True)
    made, failed = reconstruct.worn(run, cfg, photographs, "pixel", cfg.vae, cfg.vae_revision, cfg.pair_format)
    if made.empty:
        raise Refused(f"None of the photographs under {cfg.photos} can be read: {failed['reason'].iloc[0]}.")
    return table.frame(made.assign(reason="")), _lost(listed, failed)


def _joint(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    files = []
    if cfg.joint_images and cfg.plausible != WORLD:
        files.append(_sides(run, cfg)[0]["joint"])
    if cfg.joint_images and cfg.photos != WORLD:
        files.append(_photos(run, cfg)[0]["joint"])
    rows, *lost = joint_set.make(run, cfg, pd.concat(files) if files else _sources(run, cfg))
    return rows, _lost(*lost)


def _test(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    world, hidden = world_tests.world(run, cfg) if WORLD in cfg.test else (table.frame([]), table.frame([]))
    listed = _sources(run, cfg, "test")
    known = listed[(listed["label"] >= 0) & (listed["image_id"] != "")]
    known = known[~known["reason"].str.startswith(("same content", "the same content"))]
    known = known.drop_duplicates(["subset", "image_id"])  # damaged files may be copies of each other, too
    chosen = _sampled(known, cfg.test_images)
    axes = chosen["label"].map({0: "none", 1: "unknown"})
    origins = chosen["image_id"].map(pictures.origin)
    folder_rows = chosen.assign(axis=axes, split="test", source=chosen["benchmark"], pair_id=origins)
    out = listed[~listed.index.isin(known.index)]
    return table.frame(pd.concat([world, folder_rows], ignore_index=True)), _lost(out, hidden)


def _sampled(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """The first `count` (0: all) images of each class and subset in hash order, the same for every seed."""
    order = rows.assign(order=[seeds.rank(i, "test") for i in rows["image_id"]]).sort_values("order")
    chosen = order.groupby(["subset", "label"]).head(count) if count else order
    return chosen.sort_index().drop(columns="order")
