"""The folders a data run takes images from: listed, identified, and freed of duplicates and of anything the tests
hold.
"""

import pandas as pd

from aligngemini.core import paths, seeds
from aligngemini.core.params import Refused

from . import world_tests
from .loaders import benchmark_rows, folders, scan_cache
from .params import WORLD, DataParams

ROLES = {"plausible": 0, "implausible": 1, "photos": 0}


def listed(run, cfg: DataParams, *roles: str) -> pd.DataFrame:
    """The rows of `collect` with these roles; folders are walked and hashed once in a run."""
    rows = run.compute("sources.parquet", collect, cfg)
    return rows[rows["role"].isin(roles)]


def counts(cfg: DataParams, train: int = 0) -> dict[str, int]:
    """Pairs that each split of a training set shall have; `train` 0: half of cfg.train_images."""
    return {"train": train or cfg.train_images // 2, "validation": cfg.validation_images // 2}


def collect(cfg: DataParams) -> pd.DataFrame:
    """Every file of the configured folders: role (plausible, implausible, photos, test), the columns of
    folders.scan and scan_cache.added, and a reason wherever it cannot be used.
    """
    parts = [_role(role, getattr(cfg, role), label) for role, label in ROLES.items() if getattr(cfg, role) != WORLD]
    parts += _tests([text for text in dict.fromkeys(cfg.test) if text != WORLD])
    if not parts:
        columns = ["role", "path", "label", "subset", "generator", "pair_id", "benchmark", "image_id", "reason"]
        return pd.DataFrame(columns=columns)
    rows = scan_cache.added(pd.concat(parts, ignore_index=True), cfg.workers).drop(columns="root")
    _prefix_subsets(rows, world_tests.names(cfg) if WORLD in cfg.test else set())
    for exclude in (_exclude_contradictions, _exclude_duplicates, _exclude_tested, _exclude_shared):
        exclude(rows)
    return rows


def _role(role: str, text: str, label: int) -> pd.DataFrame:
    rows = benchmark_rows.without_class(folders.scan(paths.resolve(text)), 1 - label)
    return rows.assign(role=role, label=label)


def _tests(texts: list[str]) -> list[pd.DataFrame]:
    """Each text is one benchmark, called by its name, or as it was given where that would not be its own."""
    scans = [benchmark_rows.rows(text).assign(role="test") for text in texts]
    names = [rows["benchmark"].iloc[0] for rows in scans]
    taken = {name for name in names if names.count(name) > 1} | set(world_tests.BENCHMARKS)
    named = zip(scans, names, texts, strict=True)
    return [rows.assign(benchmark=text if name in taken else name) for rows, name, text in named]


def _prefix_subsets(rows: pd.DataFrame, taken: set[str]) -> None:
    """Put the benchmark before a subset's name that another benchmark uses, or that is `taken`."""
    is_test = (rows["role"] == "test") & (rows["subset"] != "")
    benchmarks = rows[is_test].groupby("subset")["benchmark"].nunique()
    where = is_test & rows["subset"].isin(taken | set(benchmarks[benchmarks > 1].index))
    rows.loc[where, "subset"] = rows["benchmark"] + "/" + rows["subset"]


def _exclude(rows: pd.DataFrame, where: pd.Series, reason: str | pd.Series) -> None:
    rows.loc[where & (rows["reason"] == "") & (rows["image_id"] != ""), "reason"] = reason


def _exclude_contradictions(rows: pd.DataFrame) -> None:
    for roles in (("test",), ("plausible", "implausible")):
        inside = rows["role"].isin(roles) & (rows["reason"] == "")
        labels = rows[inside].groupby("image_id")["label"].nunique()
        twofold = rows["image_id"].isin(labels[labels > 1].index)
        _exclude(rows, inside & twofold, "the same content stands among the reals and among the fakes")


def _exclude_duplicates(rows: pd.DataFrame) -> None:
    place = rows["role"] + "/" + rows["subset"].where(rows["role"] == "test", "")
    usable = rows[rows["reason"] == ""]
    first = usable.groupby([place[usable.index], "image_id"])["path"].transform("first")
    again = (first != usable["path"]).reindex(rows.index, fill_value=False)
    _exclude(rows, again, "same content as " + first.reindex(rows.index, fill_value=""))


def _exclude_tested(rows: pd.DataFrame) -> None:
    test = rows[rows["role"] == "test"].drop_duplicates("image_id").set_index("image_id")["benchmark"]
    tested = (rows["role"] != "test") & rows["image_id"].isin(test.index)
    _exclude(rows, tested, "stands in the test set " + rows["image_id"].map(test.to_dict().get).astype("str"))


def _exclude_shared(rows: pd.DataFrame) -> None:
    """A photograph that could serve both pure sets serves one, by its hash: the mixed set cannot leak."""
    usable = rows[rows["reason"] == ""]
    semantic = set(usable.loc[usable["role"].isin(("plausible", "implausible")), "image_id"])
    shared = semantic & set(usable.loc[usable["role"] == "photos", "image_id"])
    to_pixel = {image for image in shared if int(seeds.rank(image, "set")[-1], 16) % 2}
    of_photos = rows["role"] == "photos"
    _exclude(rows, of_photos & rows["image_id"].isin(shared - to_pixel), "serves the semantic set")
    _exclude(rows, ~of_photos & (rows["role"] != "test") & rows["image_id"].isin(to_pixel), "serves the pixel set")


def divide(rows: pd.DataFrame, train: int, validation: int, what: str, joint: int = 0) -> dict[str, pd.DataFrame]:
    """Split usable rows by hash of content: `validation` of them first, then `train` (0: all), then up to `joint`.

    Of "all", the joint set still has its share: up to `joint` images, but no more than a fifth of the rest. An image
    keeps its place in the order whatever else is in the folder. Raises Refused when nothing is left to train on.
    """
    order = seeds.ranked(rows["image_id"], "split")
    if len(order) <= validation:
        raise Refused(
            f"{what} has {len(order)} usable images and {validation} of them are asked for validation:"
            " lower validation_images or give more images."
        )
    last = validation + train if train else len(order) - min(joint, (len(order) - validation) // 5)
    by_id = rows.drop_duplicates("image_id").set_index("image_id", drop=False)
    places = {"train": order[validation:last], "validation": order[:validation], "joint": order[last : last + joint]}
    return {split: by_id.loc[names] for split, names in places.items()}
