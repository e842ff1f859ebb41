"""Find images under a folder and, where the folders say so, what is real and what is fake."""

import functools
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from ...workbook.params import Refused
from .. import decode
from . import memory
from .layout import Layout

NOT_IMAGES = {"thumbs.db", "desktop.ini"}
LITTER = {"__macosx"}
PLAIN = Layout()
COLUMNS = ["path", "label", "subset", "generator", "reason", "said"]
UNKNOWN_NAME = "its name is not valid UTF-8: rename it"


def scan(root: str | Path, labelled: bool | None = None) -> pd.DataFrame:
    """List the images under `root` by path: path, label (-1: none), subset, generator, benchmark, root, reason.

    A file takes the label of its ancestors (0_real, real, nature; 1_fake, fake, ai; any case); in a labelled
    tree a file with no such ancestor, or with both kinds, keeps its row with a reason. `labelled` None finds
    out whether the tree is labelled; True insists on it. Symbolic links are followed, loops are not. Raises
    Refused for a missing or empty folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise Refused(f"There is no folder {root}: put the images there, or give the folder that holds them.")
    rows = walked(root)
    if not (rows["reason"] == "").any():
        raise Refused(f"There is no image under {root}: put JPEG, PNG or WebP files there, or give another folder.")
    if labelled is None:
        labelled = (rows["label"] >= 0).any()
    if labelled and not (rows["label"] >= 0).any():
        raise Refused(f"No folder under {root} says what is real or fake: sort the images into 0_real and 1_fake.")
    return judged(rows) if labelled else rows.drop(columns="said")


def walked(root: Path, layout: Layout = PLAIN, start: Path | None = None, name: str = "") -> pd.DataFrame:
    """The rows of scan before they are judged, and `said`, all that the folders say of a file.

    `layout` tells what the names of the folders below `root` mean; `start` is the folder below it to walk;
    `name` is what benchmark, and subset where no folder names one, are called. No refusals; may be empty.
    """
    name = name or root.resolve().name
    told = functools.cache(lambda above: (layout.says(above), *layout.place(above, name)))
    found = sorted(_walk(start or root, frozenset(), root, layout), key=lambda item: str(item[0]))
    rows = pd.DataFrame([_row(root, path, reason, told) for path, reason in found], columns=COLUMNS)
    return rows.assign(benchmark=name, root=str(root))


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a labelled tree: without `said`, and with a reason where the folders say nothing, or both."""
    said = rows["said"].map(set).map(len)
    problem = said.map({0: "no folder above it says real or fake", 2: "the folders above it say both real and fake"})
    reason = rows["reason"].where(rows["reason"] != "", problem.fillna(""))
    return rows.assign(reason=reason, label=rows["label"].where(said == 1, -1)).drop(columns="said")


def files(root: str | Path) -> list[Path]:
    """Paths of the images under `root` in scan's order, whatever their folders are called."""
    rows = scan(root, labelled=False)
    return [Path(path) for path in rows.loc[rows["reason"] == "", "path"]]


def _walk(folder: Path, above: frozenset, root: Path, layout: Layout) -> Iterator[tuple[Path, str]]:
    """Yield (path, reason) of files and of folders that do not open; `above` holds the folders around us."""
    try:
        entries = list(os.scandir(folder))
        here = above | {_identity(folder)}
    except OSError as error:
        yield folder, f"the folder cannot be opened ({error.strerror})"
        return
    for entry in entries:
        name, identity, path = entry.name.lower(), _identity(entry.path), Path(entry.path)
        if name.startswith(".") or name in LITTER or name in NOT_IMAGES:
            continue
        reason = layout.takes(entry.name) if identity is None else _not_entered(path, identity in here, root, layout)
        if identity is not None and reason == "":
            yield from _walk(path, here, root, layout)
        elif reason is not None:
            yield path, reason


def _not_entered(path: Path, is_above: bool, root: Path, layout: Layout) -> str | None:
    """Why a folder is not walked into; "" if it is, None if nobody has to know."""
    if is_above:
        return "a link back to a folder above it" if layout.source else None
    return layout.leaves(path.relative_to(root).parts)


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and number of a folder, through links; None for a file or a link that leads nowhere."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if stat.S_ISDIR(facts.st_mode) else None


def _row(root: Path, path: Path, reason: str, told: Callable) -> dict:
    text = spelled(path)
    shown = path if text == str(path) else Path(text)
    said, generator, subset = told(shown.relative_to(root).parts[:-1])
    return {
        "path": text, "label": said[-1] if said else -1, "subset": subset, "generator": generator,
        "reason": reason if shown is path else UNKNOWN_NAME, "said": said,
    }  # fmt: skip


def spelled(path: str | Path) -> str:
    """A path as tables can hold it: bytes that are no UTF-8 are written as \\x and two digits."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def identified(rows: pd.DataFrame, label: str = "reading headers", workers: int = 2) -> pd.DataFrame:
    """Add decode.identify's facts to scanned rows: image_id, format, jpeg_quality, size, reason.

    A file is read once, however many rows name it, and not again as long as its size and time stay the same. What has
    a reason already is not read: it may be an archive of many gigabytes.
    """
    usable = rows[rows["reason"] == ""]
    parts = [memory.facts(root, set(same), label, workers) for root, same in usable.groupby("root", sort=False)["path"]]
    facts = pd.concat([pd.DataFrame(columns=memory.FACTS), *parts])
    facts = facts[~facts.index.duplicated()].reindex(rows["path"]).set_index(rows.index)
    facts = facts.fillna(decode.NOTHING).astype({"jpeg_quality": float, "width": int, "height": int})
    facts["reason"] = rows["reason"].where(rows["reason"] != "", facts["reason"])
    return pd.concat([rows.drop(columns=["root", "reason"]), facts], axis=1)
