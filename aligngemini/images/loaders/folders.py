"""Find images under a folder and, where the folders say so, what is real and what is fake."""

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from aligngemini.core.params import Refused

from ..filenames import spelled
from . import skips
from .benchmarks import BOTH, NEITHER, Layout

PLAIN = Layout()
ROW = ["path", "label", "subset", "generator", "reason"]
PROBLEMS = {NEITHER: "no folder above it says real or fake", BOTH: "the folders above it say both real and fake"}


def scan(root: str | Path, labelled: bool = False) -> pd.DataFrame:
    """List every file under `root` by path: path, label (-1: none), subset, generator, pair_id (of Layout.picture, ""
    here), benchmark, root, reason.

    A reason stands with every file that is not tried as an image, see `skips`, and with folders that do not open. A
    file takes the label of its ancestors (0_real, real, nature; 1_fake, fake, ai; any case); in a labelled tree, an
    image with no such ancestor or with both kinds keeps its row with a reason. Symbolic links are followed; loops, and
    links in a folder that is walked again, are not. Paths are spelled as `filenames.spelled` does. Raises Refused for
    a folder that is missing or has no image, and where it must be `labelled` but is not.
    """
    if not os.path.isdir(root):
        raise Refused(f"There is no folder {root}: put the images there, or give the folder that holds them.")
    rows = walked(Path(root))
    tried = rows[rows["reason"] == ""]
    _refuse_without_images(root, len(tried), rows[["path", "reason"]].itertuples(index=False))
    if (tried["label"] != NEITHER).any():
        return judged(rows)
    if labelled:
        raise Refused(f"No folder under {root} says what is real or fake: sort the images into 0_real and 1_fake.")
    return rows


def files(root: str | Path) -> list[tuple[Path, str]]:
    """Every file under `root`, whatever its folders are called, and why it is not tried as an image, or "".

    In scan's order, texts and hidden files last. Raises Refused for a folder without images.
    """
    listed = sorted(walk(Path(root)))
    _refuse_without_images(root, sum(not reason for _, reason in listed), listed)
    return [(Path(path), reason) for path, reason in sorted(listed, key=lambda item: item[1] in skips.ASIDE)]


def walk(root: Path) -> Iterator[tuple[str, str]]:
    """Path and reason of every file under a folder, one folder after another: their number may be any."""
    return _walk(root, root, PLAIN)


def found(source: str | Path, walk: Callable = files) -> Iterable[tuple[str | Path, str]]:
    """Path and reason of a file, as it is named, or of all files of a folder: in the order of `files` or of `walk`."""
    return walk(Path(source)) if os.path.isdir(source) else [(source, skips.reason(source))]


def _refuse_without_images(root: str | Path, count: int, listed: Iterable[tuple[str, str]]) -> None:
    """Refuse a folder of no image, and name a file that is there instead."""
    if not count:
        first = min(listed, key=lambda item: item[1] in skips.ASIDE, default=None)
        why = f" ({os.path.basename(first[0])}: {first[1]})" if first else ""
        raise Refused(f"There is no image under {root}{why}: put image files there, or give another folder.")


def walked(root: Path, layout: Layout = PLAIN, start: Path | None = None, name: str = "") -> pd.DataFrame:
    """The rows of scan before they are judged: labels may be NEITHER or BOTH. No refusals; may be empty.

    `layout` says what the names of the folders below `root` mean; `start` is the folder below it to walk;
    `name` is what benchmark, and subset where no folder names one, are called. Archives that `layout` unpacks have the
    reason skips.UNPACKED.
    """
    name = name or spelled(root.resolve().name)

    @functools.cache
    def facts(folder: str) -> tuple[int, str, str]:
        above = tuple(map(spelled, Path(folder).relative_to(root).parts))
        return layout.label(above), *layout.place(above, name)

    begin = start or root  # where it cannot be opened, it is itself what is listed
    listed = sorted(_walk(begin, root, layout))
    rows = [_row(path, why, *facts(path if path == str(begin) else os.path.dirname(path))) for path, why in listed]
    table = pd.DataFrame(rows, columns=ROW).assign(benchmark=name, root=spelled(root))
    pictures = map(layout.picture, table["path"], table["label"])
    return table.assign(pair_id=[picture and f"{name}/{picture}" for picture in pictures])


def _row(path: str, reason: str, label: int, generator: str, subset: str) -> tuple:
    """A row of `walked`; a file that is not tried makes no subset of its own."""
    alone = reason and (label == NEITHER or reason in skips.ASIDE)
    return spelled(path), label, "" if alone else subset, generator, reason


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a labelled tree, with a reason where the folders say nothing, or both."""
    problem = rows["label"].map(PROBLEMS).fillna("")
    return rows.assign(reason=rows["reason"].where(rows["reason"] != "", problem), label=rows["label"].clip(lower=-1))


def _walk(start: Path, root: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    """Path and reason of all files, in no order; a list of folders to come, since trees may be deep.

    Links wait until all else is walked, and only the first visit to a folder follows the links in it: their number
    bounds the walk, however they cross.
    """
    waiting, seen = deque([(str(start), frozenset())]), set()
    while waiting:
        folder, above = waiting.pop()
        try:
            entries, own = sorted(os.scandir(folder), key=lambda entry: entry.name), _identity(folder)
        except OSError as error:
            yield folder, f"the folder cannot be opened ({error.strerror})"
            continue
        here, first = above | {own}, own not in seen
        seen.add(own)
        for entry in entries:
            path, is_link = entry.path.removeprefix("./"), entry.is_symlink()
            if not os.path.isdir(path) if is_link else not entry.is_dir():
                yield path, _not_tried(path, layout)
            elif reason := _not_entered(path, is_link, here, first, root, layout):
                yield path, reason
            else:
                (waiting.appendleft if is_link else waiting.append)((path, here))


def _identity(folder: str) -> tuple[int, int]:
    facts = os.stat(folder)
    return facts.st_dev, facts.st_ino


def _not_entered(path: str, is_link: bool, here: frozenset, first: bool, root: Path, layout: Layout) -> str:
    """Why a folder is not walked into; "" if it is."""
    if skips.hidden(os.path.basename(path)):
        return skips.HIDDEN
    if is_link and _identity(path) in here:
        return skips.LOOP
    if is_link and os.path.realpath(path).startswith(("/proc/", "/sys/")):  # they have no end, and no images
        return "a folder of the operating system, which holds no files of its own"
    if reason := layout.skipped_folder(Path(path).relative_to(root).parts):
        return reason
    return "a link to a folder that is already listed" if is_link and not first else ""


def _not_tried(path: str, layout: Layout) -> str:
    """Why a file is not tried as an image; "" if it is."""
    name = os.path.basename(path)
    if skips.hidden(name):
        return skips.HIDDEN
    return skips.UNPACKED if layout.unpacks(name) else skips.reason(path) or layout.skipped_file(name)
