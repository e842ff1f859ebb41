"""Find images under a folder and, where the folders say so, what is real and what is fake."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from ..workbook.params import Refused
from ..workbook.progress import progress
from . import decode

REAL = {"0_real", "real", "nature"}
FAKE = {"1_fake", "fake", "ai"}
REAL_OR_FAKE = dict.fromkeys(REAL, 0) | dict.fromkeys(FAKE, 1)
SUFFIXES = {
    "", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2",
    ".ppm",
}  # fmt: skip
NOT_IMAGES = {"thumbs.db", "desktop.ini"}
LITTER = {"__macosx"}
BETWEEN = {
    "train",
    "val",
    "valid",
    "validation",
    "test",
    "images",
}  # folders that name a split, not a generator
KINDS = {"pixel", "pix", "semantic", "sem"}  # second level that stays apart: <generator>/<pixel|semantic>


def scan(root: str | Path, labelled: bool | None = None) -> pd.DataFrame:
    """List the images under `root` by path: path, label (-1: none), subset, generator, benchmark, reason.

    A file takes the label of its ancestors (0_real, real, nature; 1_fake, fake, ai; any case); in a labelled
    tree a file with no such ancestor, or with both kinds, keeps its row with a reason. `labelled` None finds
    out whether the tree is labelled; True insists on it. Symbolic links are followed, loops are not. Raises
    Refused for a missing or empty folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise Refused(f"There is no folder {root}: put the images there, or give the folder that holds them.")
    found = sorted(_walk(root, frozenset()), key=lambda item: item[0].relative_to(root).as_posix())
    rows = [_row(root, path, reason) for path, reason in found]
    if not any(row["reason"] == "" for row in rows):
        raise Refused(f"There is no image under {root}: put JPEG, PNG or WebP files there, or give another folder.")
    if labelled is None:
        labelled = any(row["label"] >= 0 for row in rows)
    if labelled and not any(row["label"] >= 0 for row in rows):
        raise Refused(f"No folder under {root} says what is real or fake: sort the images into 0_real and 1_fake.")
    return pd.DataFrame([_judged(row) if labelled else row for row in rows]).drop(columns="said")


def files(root: str | Path) -> list[Path]:
    """Paths of the images under `root` in scan's order, whatever their folders are called."""
    rows = scan(root, labelled=False)
    return [Path(path) for path in rows.loc[rows["reason"] == "", "path"]]


def _walk(folder: Path, above: frozenset) -> Iterator[tuple[Path, str]]:
    """Yield (path, reason) of files and of folders that do not open; `above` holds the folders around us."""
    try:
        entries = list(os.scandir(folder))
        here = above | {_identity(folder)}
    except OSError as error:
        yield folder, f"the folder cannot be opened ({error.strerror})"
        return
    for entry in entries:
        name, identity = entry.name.lower(), _identity(entry.path)
        if name.startswith(".") or name in LITTER or name in NOT_IMAGES:
            continue
        if identity is None and Path(name).suffix in SUFFIXES:
            yield Path(entry.path), ""
        if identity is not None and identity not in here:
            yield from _walk(Path(entry.path), here)


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and number of a folder, through links; None for a file or a link that leads nowhere."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if stat.S_ISDIR(facts.st_mode) else None


def _row(root: Path, path: Path, reason: str) -> dict:
    above = path.relative_to(root).parts[:-1]
    said = [REAL_OR_FAKE[part.lower()] for part in above if part.lower() in REAL_OR_FAKE]
    generator, subset = _names(root, above)
    return {
        "path": str(path), "label": said[-1] if said else -1, "subset": subset, "generator": generator,
        "benchmark": root.resolve().name, "reason": reason, "said": said,
    }  # fmt: skip


def _names(root: Path, above: tuple[str, ...]) -> tuple[str, str]:
    """Generator and subset: the first folder that is neither label nor split, and a second one of KINDS."""
    names = [part for part in above if part.lower() not in REAL_OR_FAKE and part.lower() not in BETWEEN]
    generator = names[0] if names else root.resolve().name
    kind = names[1:2] if len(names) > 1 and names[1].lower() in KINDS else []
    return generator, "/".join([generator, *kind])


def _judged(row: dict) -> dict:
    problem = ""
    if not row["said"]:
        problem = "no folder above it says real or fake"
    elif len(set(row["said"])) > 1:
        problem = "the folders above it say both real and fake"
    return row | ({"reason": row["reason"] or problem, "label": -1} if problem else {})


def identified(rows: pd.DataFrame, label: str = "reading headers", workers: int = 2) -> pd.DataFrame:
    """Add decode.identify's facts to scanned rows: image_id, format, jpeg_quality, size, reason."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        facts = list(progress(pool.map(decode.identify, rows["path"]), label, total=len(rows)))
    facts = pd.DataFrame(facts, index=rows.index)
    facts["reason"] = rows["reason"].where(rows["reason"] != "", facts["reason"])
    return pd.concat([rows.drop(columns="reason"), facts], axis=1)
