"""The image tables of a data run: semantic, pixel, union and mixed training sets, and the tests.

Each function makes its table (and its pictures under `images/`) as a step of the run, or reads it if it is
there; the order of the calls does not matter. What could not be used stands, with its reason, in
`left_out_<set>.parquet`.
"""

from collections.abc import Callable

import pandas as pd

from ..workbook.params import Refused
from . import cells, degrade, drawn, pictures, reconstruct, sources, table
from .sources import WORLD

LEFT_OUT = ["set", "path", "reason"]
SIDES = {"plausible": 0, "implausible": 1}  # labels of the semantic set's folders
MIXED = {"semantic": "mixed_semantic", "pixel": "mixed_pixel"}  # the mixed set of models made for that supervision


def build(run, cfg) -> dict[str, pd.DataFrame]:
    """All six tables by name; Refused for missing folders, too few images, or splits that share content."""
    tables = {
        "test": test(run, cfg),
        "semantic": semantic(run, cfg),
        "pixel": pixel(run, cfg),
        **{name: mixed(run, cfg, own) for own, name in MIXED.items()},
        "union": union(run, cfg),
    }
    shared = table.content_overlap(tables)
    if len(shared):
        raise Refused(f"{len(shared)} images stand in two splits, e.g. {shared.iloc[0].to_dict()}; report this.")
    return tables


def semantic(run, cfg) -> pd.DataFrame:
    """Plausible and implausible pictures, degraded alike (train, validation); the world's are twins."""
    make = _semantic_from_world if cfg.plausible == WORLD else _semantic_from_folders
    return _step(run, cfg, "semantic", _with_pairs(make, "semantic"))


def pixel(run, cfg) -> pd.DataFrame:
    """Photographs and reconstructions, in pairs alike in format, quality, size; train and validation rows."""
    return _step(run, cfg, "pixel", _with_pairs(_pixel, "pixel"))


def mixed(run, cfg, own: str = "semantic") -> pd.DataFrame:
    """The mixed set of models made for the supervision `own` (of MIXED): as many couples, and so updates, as that set has.

    They are drawn by hash, half of either kind. Where a kind has fewer couples than that, all of it is taken, and the
    rest of the other: no picture is shown more often than in a pure set.
    """

    def write(path):
        kinds = semantic(run, cfg), pixel(run, cfg)
        halves = [_drawn(rows, wanted) for rows, wanted in zip(kinds, _halves(*kinds, own), strict=True)]
        table.write(pd.concat(halves, ignore_index=True), path, base=run.folder)

    return table.load(run.step(f"{MIXED[own]}.parquet", write))


def training(run, supervision: str, own: str) -> pd.DataFrame:
    """The training table of a complete data run under a supervision, for a model made for the supervision `own` (of
    MIXED). Raises Refused as `table.load` does."""
    return table.load(run.path(f"{MIXED[own] if supervision == 'mixed' else supervision}.parquet"))


def counted(rows: pd.DataFrame) -> dict[str, int]:
    """Pictures of each task in a training table, as the results of a run name them."""
    return {f"pictures_{task}": int((rows["subset"] == task).sum()) for task in ("semantic", "pixel")}


def union(run, cfg) -> pd.DataFrame:
    """All pairs of both pure sets, and so as many pictures of each task as its pure set has."""

    def write(path):
        table.write(pd.concat([semantic(run, cfg), pixel(run, cfg)], ignore_index=True), path, base=run.folder)

    return table.load(run.step("union.parquet", write))


def test(run, cfg) -> pd.DataFrame:
    """The test rows of every benchmark and subset: the world's, see `cells`, and the folders'.

    Unreadable test images keep their row, with a reason.
    """
    return _step(run, cfg, "test", _test)


def left_out(run, cfg) -> pd.DataFrame:
    """Every file that could not be used: set, path, reason. Makes the tables that are not there yet."""
    build(run, cfg)
    parts = [pd.read_parquet(run.path(f"left_out_{name}.parquet")) for name in ("semantic", "pixel", "test")]
    return pd.concat(parts, ignore_index=True)


def _step(run, cfg, name: str, make: Callable) -> pd.DataFrame:
    def write(path):
        rows, lost = make(run, cfg)
        lost = lost.assign(path=[table.relative(p, run.folder.absolute()) for p in lost["path"]], set=name)
        run.step(f"left_out_{name}.parquet", lambda p: lost[LEFT_OUT].astype("str").to_parquet(p, index=False))
        table.write(rows, path, base=run.folder)

    return table.load(run.step(f"{name}.parquet", write))


def _with_pairs(make: Callable, name: str) -> Callable:
    """`make`, but Refused where what could be made leaves a split that was asked for without a real and a fake."""

    def checked(run, cfg):
        rows, lost = make(run, cfg)
        have = _by_split(rows)
        for split, wanted in _counts(cfg).items():
            if wanted and not have.get(split):
                why = f"; {len(lost)} files are left out, the last one: {lost['reason'].iloc[-1]}" if len(lost) else ""
                raise Refused(f"The {name} set has no pair for {split}{why}. Give more images or raise {split}_images.")
        return rows, lost

    return checked


def _sources(run, cfg, *roles: str) -> pd.DataFrame:
    """The listed folders of these roles; they are walked and hashed once in a run."""
    path = run.step("sources.parquet", lambda p: sources.collect(cfg).to_parquet(p, index=False))
    rows = pd.read_parquet(path)
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


def _semantic_from_folders(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    listed = _sources(run, cfg, *SIDES)
    usable = listed[(listed["reason"] == "") & (listed[["width", "height"]].min(axis=1) >= cfg.image_size)]
    small = listed[(listed["reason"] == "") & ~listed.index.isin(usable.index)]
    divided = _balanced(usable, _counts(cfg), _called(small, cfg.image_size))
    folder = str(run.path("images", "semantic"))
    fixed = {"folder": folder, "seed": cfg.seed, "size": cfg.image_size, "ranges": degrade.ranges(cfg)}
    rows = []
    for split, part in divided.items():
        part = part.assign(source=part["benchmark"]).to_dict("records")
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


def _balanced(usable: pd.DataFrame, counts: dict[str, int], called: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Both classes divided by hash of content, as many images in the larger class as in the smaller."""
    divided = {
        role: sources.divide(usable[usable["label"] == label], counts["train"], counts["validation"], called[role])
        for role, label in SIDES.items()
    }
    least = {split: min(len(divided[role][split]) for role in SIDES) for split in counts}
    return {split: pd.concat([divided[role][split].head(least[split]) for role in SIDES]) for split in counts}


def _pixel(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts, listed = _counts(cfg, cfg.pixel_pairs), pd.DataFrame(columns=["path", "reason"])
    if cfg.photos == WORLD:
        limits = drawn.seen(cfg)
        parts = {s: drawn.photographs(run, cfg, s, "pixel", n, limits) for s, n in counts.items()}
    else:
        listed = _sources(run, cfg, "photos")
        usable = listed[listed["reason"] == ""].assign(source=listed["benchmark"], subset="pixel")
        parts = sources.divide(usable, counts["train"], counts["validation"], "photos")
    photographs = pd.concat([part.assign(split=split) for split, part in parts.items()], ignore_index=True)
    made, failed = reconstruct.worn(run, cfg, photographs, "pixel", cfg.vae, cfg.vae_revision, cfg.pair_format)
    if made.empty:
        raise Refused(f"None of the photographs under {cfg.photos} can be read: {failed['reason'].iloc[0]}.")
    return table.frame(made.assign(reason="")), _lost(listed, failed)


def _couples(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """pair_ids of real and fake together, of lone reals and of lone fakes, each in hash order."""
    labels = rows.groupby("pair_id")["label"].agg(lambda both: tuple(sorted(both)))
    return tuple(sources.ranked(labels.index[labels == kind], "mixed") for kind in ((0, 1), (0,), (1,)))


def _halves(semantic: pd.DataFrame, pixel: pd.DataFrame, own: str) -> list[dict[str, int]]:
    """Couples by split that the mixed set of `own` takes from the semantic and from the pixel set."""
    have = [_by_split(semantic), _by_split(pixel)]
    total = have[list(MIXED).index(own)]
    most = [{split: each.get(split, 0) for split in total} for each in have]
    first = {split: max(min((n + 1) // 2, most[0][split]), n - most[1][split]) for split, n in total.items()}
    return [first, {split: n - first[split] for split, n in total.items()}]


def _by_split(rows: pd.DataFrame) -> dict[str, int]:
    return {split: _count(same) for split, same in rows.groupby("split")}


def _count(rows: pd.DataFrame) -> int:
    both, reals, fakes = map(len, _couples(rows))
    return both + min(reals, fakes)


def _drawn(rows: pd.DataFrame, wanted: dict[str, int]) -> pd.DataFrame:
    """So many couples of each split; of pairs and of lone reals with lone fakes their shares."""
    kept: list[str] = []
    for split, same in rows.groupby("split"):
        both, reals, fakes = _couples(same)
        pairs = wanted.get(split, 0) * len(both) // max(1, _count(same))
        alone = wanted.get(split, 0) - pairs
        kept += [*both[:pairs], *reals[:alone], *fakes[:alone]]
    return rows[rows["pair_id"].isin(kept)]


def _test(run, cfg) -> tuple[pd.DataFrame, pd.DataFrame]:
    world, hidden = cells.world(run, cfg) if WORLD in cfg.test else (table.frame([]), table.frame([]))
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
    order = rows.assign(order=[sources.rank(i, "test") for i in rows["image_id"]]).sort_values("order")
    chosen = order.groupby(["subset", "label"]).head(count) if count else order
    return chosen.sort_index().drop(columns="order")
