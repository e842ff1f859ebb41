"""The folders a data run draws from: listed, identified, and freed of duplicates and of anything the tests
hold.
"""

import pandas as pd

from aligngemini.core import paths, seeds
from aligngemini.core.params import Refused

from . import world_tests
from .loaders import benchmark_rows, folders

WORLD = "world"
ROLES = {"plausible": 0, "implausible": 1, "photos": 0}


def collect(cfg) -> pd.DataFrame:
    """Every file of the configured folders: role (plausible, implausible, photos, test), the columns of
    folders.scan and folders.identified, and a reason wherever it cannot be used.
    """
    listed = [_role(role, getattr(cfg, role), label) for role, label in ROLES.items() if getattr(cfg, role) != WORLD]
    listed += _tests([text for text in dict.fromkeys(cfg.test) if text != WORLD])
    if not listed:
        return pd.DataFrame(columns=["role", "path", "label", "subset", "generator", "benchmark", "image_id", "reason"])
    rows = folders.identified(pd.concat(listed, ignore_index=True), workers=cfg.workers)
    _own_subsets(rows, world_tests.names(cfg) if WORLD in cfg.test else set())
    _strike_contradictions(rows)
    _strike_duplicates(rows)
    _strike_tested(rows)
    _strike_shared(rows)
    return rows


def _role(role: str, text: str, label: int) -> pd.DataFrame:
    rows = folders.scan(paths.resolve(text)).assign(role=role)
    other = (rows["label"] == 1 - label) & (rows["reason"] == "")
    rows.loc[other, "reason"] = "stands in a folder of the other class"
    return rows.assign(label=label)


def _tests(texts: list[str]) -> list[pd.DataFrame]:
    """Each text is one benchmark, called by its name, or as it was given where that would not be its own."""
    scanned = [benchmark_rows.rows(text).assign(role="test") for text in texts]
    names = [rows["benchmark"].iloc[0] for rows in scanned]
    own = [
        name if names.count(name) == 1 and name not in world_tests.BENCHMARKS else text
        for name, text in zip(names, texts, strict=True)
    ]
    return [rows.assign(benchmark=name) for rows, name in zip(scanned, own, strict=True)]


def _own_subsets(rows: pd.DataFrame, drawn: set[str]) -> None:
    """Put the benchmark before a subset's name where two benchmarks, or those `drawn`, use the same name."""
    test = rows[(rows["role"] == "test") & (rows["subset"] != "")]
    benchmarks = test.groupby("subset")["benchmark"].nunique()
    taken = set(benchmarks[benchmarks > 1].index) | drawn
    where = (rows["role"] == "test") & rows["subset"].isin(taken)
    rows.loc[where, "subset"] = rows["benchmark"] + "/" + rows["subset"]


def _strike(rows: pd.DataFrame, where: pd.Series, reason: str | pd.Series) -> None:
    rows.loc[where & (rows["reason"] == "") & (rows["image_id"] != ""), "reason"] = reason


def _strike_contradictions(rows: pd.DataFrame) -> None:
    for roles in (("test",), ("plausible", "implausible")):
        inside = rows["role"].isin(roles) & (rows["reason"] == "")
        labels = rows[inside].groupby("image_id")["label"].nunique()
        twofold = rows["image_id"].isin(labels[labels > 1].index)
        _strike(rows, inside & twofold, "the same content stands among the reals and among the fakes")


def _strike_duplicates(rows: pd.DataFrame) -> None:
    place = rows["role"] + "/" + rows["subset"].where(rows["role"] == "test", "")
    usable = rows[rows["reason"] == ""]
    first = usable.groupby([place[usable.index], "image_id"])["path"].transform("first")
    again = (first != usable["path"]).reindex(rows.index, fill_value=False)
    _strike(rows, again, "same content as " + first.reindex(rows.index, fill_value=""))


def _strike_tested(rows: pd.DataFrame) -> None:
    test = rows[rows["role"] == "test"]
    where = test.drop_duplicates("image_id").set_index("image_id")["benchmark"]
    struck = (rows["role"] != "test") & rows["image_id"].isin(where.index)
    _strike(rows, struck, "stands in the test set " + rows["image_id"].map(where.to_dict().get).astype("str"))


def _strike_shared(rows: pd.DataFrame) -> None:
    """A photograph that could serve both pure sets serves one, by its hash: the mixed set cannot leak."""
    usable = rows[rows["reason"] == ""]
    semantic = set(usable.loc[usable["role"].isin(("plausible", "implausible")), "image_id"])
    photos = set(usable.loc[usable["role"] == "photos", "image_id"])
    to_pixel = {image for image in semantic & photos if int(seeds.rank(image, "set")[-1], 16) % 2}
    to_semantic = (semantic & photos) - to_pixel
    of_photos = rows["role"] == "photos"
    _strike(rows, of_photos & rows["image_id"].isin(to_semantic), "serves the semantic set")
    _strike(rows, ~of_photos & (rows["role"] != "test") & rows["image_id"].isin(to_pixel), "serves the pixel set")


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
