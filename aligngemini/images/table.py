"""The image table: one row per image, the only way images travel between notebooks."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from aligngemini.core import seeds, values
from aligngemini.core.params import Refused

KINDS = {
    "image_id": "str", "path": "str", "label": "int64", "axis": "str", "source": "str", "generator": "str",
    "subset": "str", "benchmark": "str", "split": "str", "pair_id": "str", "format": "str",
    "jpeg_quality": "float64", "width": "int64", "height": "int64", "degrade_scale": "float64",
    "degrade_noise": "float64", "degrade_blur": "float64", "degrade_jpeg": "float64", "family": "str",
    "kind": "str", "remark": "str", "reason": "str",
}  # fmt: skip
COLUMNS = tuple(KINDS)
EMPTY = {column: {"str": "", "int64": 0}[kind] for column, kind in KINDS.items() if kind != "float64"}
AXES = ("semantic", "pixel", "both", "unknown", "none")
SPLITS = ("train", "validation", "joint", "test")
KEY = ["subset", "image_id"]
MIXED = {"semantic": "mixed_semantic", "pixel": "mixed_pixel"}  # the mixed set of models made for that supervision


def frame(rows: Iterable[Mapping] | pd.DataFrame) -> pd.DataFrame:
    """A table of the schema from rows; what they leave out becomes "", NaN or, for whole numbers, 0."""
    table = pd.DataFrame(rows).reset_index(drop=True)
    given = {column: table[column] for column in COLUMNS if column in table}
    filled = {column: given[column].fillna(EMPTY[column]) if column in EMPTY else given[column] for column in given}
    missing = {column: EMPTY.get(column, math.nan) for column in COLUMNS if column not in given}
    return table.assign(**missing, **filled)[list(COLUMNS)].astype(KINDS)


def check(table: pd.DataFrame, name: str = "the image table") -> pd.DataFrame:
    """Return the table; raise Refused, with examples, if it breaks the schema or its rules.

    Rules: label 0 or 1, known axes and splits, reals on axis none and only they, one row per (subset,
    image_id), and no image in two splits.
    """
    _whole(table, name)
    for column, allowed in (("label", (0, 1)), ("axis", AXES), ("split", SPLITS)):
        if wrong := sorted({str(value) for value in table[column] if value not in allowed})[:3]:
            raise Refused(f"{name} has {column} {', '.join(map(repr, wrong))}; allowed is {allowed}.")
    splits = table.groupby("image_id")["split"].transform("nunique")
    rules = {
        "must have axis none for real images and no others, not": (table["label"] == 0) != (table["axis"] == "none"),
        "has rows with no image_id:": table["image_id"] == "",
        "has more than one row for (subset, image_id) of": table.duplicated(KEY),
        "has images in more than one split:": splits > 1,
    }
    for rule, broken in rules.items():
        if broken.any():
            first = table[broken].drop_duplicates("path").head(3).itertuples()
            examples = ", ".join(f"{row.image_id[:12]} ({Path(row.path).name})" for row in first)
            raise Refused(f"{name} {rule} {examples}.")
    return table


def load(path: str | Path) -> pd.DataFrame:
    """Read and check a table; paths come back absolute. Raises Refused if there is none or it is broken."""
    return check(unchecked(path), Path(path).name)


def unchecked(path: str | Path) -> pd.DataFrame:
    """`load` without its rules on labels, axes, splits and repeated images: for who wants to see what breaks them."""
    table = values.read(path, "image table", "notebook 01", KINDS)
    _whole(table, Path(path).name)
    return table


def briefly(reasons: pd.Series) -> pd.Series:
    """Reasons without what is different in every row: details in brackets, and the other file of the same content."""
    return reasons.str.split(" (", regex=False).str[0].str.replace(r"^(same content) as .*", r"\1", regex=True)


def _whole(table: pd.DataFrame, name: str) -> None:
    if missing := [column for column in COLUMNS if column not in table]:
        raise Refused(f"{name} lacks the columns {', '.join(missing)}; make it again with notebook 01.")


def content_overlap(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Images or origins (pair_id) that stand in more than one split across tables: one row each, columns
    what, name, splits, tables. Empty is what one wants; the same image in two tables of one split is no
    overlap.
    """
    long = pd.concat(
        table[[column, "split"]].set_axis(["name", "split"], axis=1).assign(what=column, tables=label)
        for label, table in tables.items()
        for column in ("image_id", "pair_id")
    )
    long = long[long["name"] != ""].drop_duplicates().rename(columns={"split": "splits"})
    groups = long.groupby(["what", "name"])
    shared = long[groups["splits"].transform("nunique") > 1].groupby(["what", "name"])[["splits", "tables"]]
    return shared.agg(lambda texts: ", ".join(sorted(set(texts)))).reset_index()


def pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Real and fake of each pair side by side: pair_id, real, fake (paths); the partnerless are left out."""
    sides = [table[(table["label"] == label) & (table["pair_id"] != "")] for label in (0, 1)]
    real, fake = (side.drop_duplicates("pair_id")[["pair_id", "path"]] for side in sides)
    return real.rename(columns={"path": "real"}).merge(fake.rename(columns={"path": "fake"}), on="pair_id")


def sample_whole_pairs(rows: pd.DataFrame, limit: int) -> pd.DataFrame:
    """At most `limit` readable rows in hash order of pair_id, so that pairs stay together."""
    rows = rows[rows["reason"] == ""]
    order = {pair: place for place, pair in enumerate(seeds.ranked(rows["pair_id"], "audit"))}
    return rows.assign(place=rows["pair_id"].map(order)).sort_values(["place", "label"]).head(limit)


def sample_each(rows: pd.DataFrame, count: int, salt: str) -> pd.DataFrame:
    """At most `count` (0: all) rows of every subset and class, by a hash of the content, in their order: another scan,
    another machine or more images of another subset change nothing, and a larger sample holds the smaller one. The
    index must be unique.
    """
    order = rows["image_id"].map(lambda name: seeds.rank(name, salt)).sort_values().index
    chosen = rows.loc[order].groupby(["subset", "label"], sort=False).head(count) if count else rows
    return chosen.sort_index()


def training(run, supervision: str, own: str) -> pd.DataFrame:
    """The training table of a complete data run under a supervision, for a model made for the supervision `own` (of
    MIXED). Raises Refused as `load` does.
    """
    return load(run.path(f"{MIXED[own] if supervision == 'mixed' else supervision}.parquet"))


def counted(rows: pd.DataFrame) -> dict[str, int]:
    """Pictures of each task in a training table, as the results of a run name them."""
    return {f"pictures_{task}": int((rows["subset"] == task).sum()) for task in ("semantic", "pixel")}
