"""Find images under a folder and, where the folders say so, what is real and what is fake."""

import functools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import psutil

from aligngemini.core.params import Refused

from .. import decode
from ..filenames import spelled
from . import scan_cache, skips
from .tree_layout import Layout

PLAIN = Layout()
COLUMNS = ["path", "label", "subset", "generator", "reason", "said"]
AGAIN = "a link to a folder that is already listed"
KERNEL = {"proc", "sysfs", "devpts", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "bpf"}


def scan(root: str | Path, labelled: bool | None = None) -> pd.DataFrame:
    """List every file under `root` by path: path, label (-1: none), subset, generator, benchmark, root, reason.

    A reason stands with every file that is not tried as an image, see `skips`, and with folders that do not open. A
    file takes the label of its ancestors (0_real, real, nature; 1_fake, fake, ai; any case); in a labelled
    tree an image with no such ancestor, or with both kinds, keeps its row with a reason. `labelled` None finds
    out whether the tree is labelled; True insists on it. Symbolic links are followed; loops, links in a folder that is
    walked again, and the kernel's file systems are not. Paths are spelled as `filenames.spelled` does. Raises Refused
    for a folder that is missing or has no image.
    """
    rows = walked(_there(root))
    tried = rows[rows["reason"] == ""]
    _some(root, len(tried), rows[["path", "reason"]].itertuples(index=False))
    if labelled is None:
        labelled = (tried["label"] >= 0).any()
    if labelled and not (tried["label"] >= 0).any():
        raise Refused(f"No folder under {root} says what is real or fake: sort the images into 0_real and 1_fake.")
    return judged(rows) if labelled else rows.drop(columns="said")


def _there(root: str | Path) -> Path:
    if not os.path.isdir(root):
        raise Refused(f"There is no folder {root}: put the images there, or give the folder that holds them.")
    return Path(root)


def _some(root: str | Path, count: int, found: Iterable[tuple[str, str]]) -> None:
    """Refuse a folder without images, with what is there instead."""
    if not count:
        first = min(found, key=lambda item: item[1] in skips.ASIDE, default=None)
        why = f" ({os.path.basename(first[0])}: {first[1]})" if first else ""
        raise Refused(f"There is no image under {root}{why}: put image files there, or give another folder.")


def walked(root: Path, layout: Layout = PLAIN, start: Path | None = None, name: str = "") -> pd.DataFrame:
    """The rows of scan before they are judged, and `said`, all that the folders say of a file.

    `layout` tells what the names of the folders below `root` mean; `start` is the folder below it to walk;
    `name` is what benchmark, and subset where no folder names one, are called. Archives that `layout` unpacks have the
    reason skips.UNPACKED. No refusals; may be empty.
    """
    name = name or spelled(root.resolve().name)

    @functools.cache
    def told(folder: str) -> tuple:
        above = tuple(map(spelled, Path(folder).relative_to(root).parts))
        return layout.says(above), *layout.place(above, name)

    found = sorted(_walk(str(start or root), root, layout))
    rows = [_row(path, reason, *told(os.path.dirname(path))) for path, reason in found]
    return pd.DataFrame(rows, columns=COLUMNS).assign(benchmark=name, root=spelled(root))


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a labelled tree: without `said`, and with a reason where the folders say nothing, or both."""
    said = rows["said"].map(set).map(len)
    problem = said.map({0: "no folder above it says real or fake", 2: "the folders above it say both real and fake"})
    reason = rows["reason"].where(rows["reason"] != "", problem.fillna(""))
    return rows.assign(reason=reason, label=rows["label"].where(said == 1, -1)).drop(columns="said")


def files(root: str | Path) -> list[tuple[Path, str]]:
    """Every file under `root`, whatever its folders are called, and why it is not tried as an image, or "".

    In scan's order, texts and hidden files last. Raises Refused as scan does.
    """
    found = sorted(_walk(str(_there(root)), Path(root), PLAIN))
    _some(root, sum(not reason for _, reason in found), found)
    return [(Path(path), reason) for path, reason in sorted(found, key=lambda item: item[1] in skips.ASIDE)]


def _walk(start: str, root: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    """Path and reason of all files, in no order; a list of folders to come, since trees may be deep.

    Links wait until all else is walked, and only the first visit to a folder follows the links in it: their number
    bounds the walk, however they cross.
    """
    waiting, seen = deque([(start, frozenset())]), set()
    while waiting:
        folder, above = waiting.pop()
        try:
            entries, own = _listed(folder), _identity(folder)
        except OSError as error:
            yield folder, f"the folder cannot be opened ({error.strerror})"
            continue
        if own[0] in _of_the_kernel():
            yield folder, "a folder of the operating system, which holds no files of its own"
            continue
        here, first = above | {own}, own not in seen
        seen.add(own)
        for entry in entries:
            is_folder, path = _is_folder(entry), entry.path.removeprefix("./")
            reason = (_not_entered if is_folder else _not_tried)(entry, here, root, layout)
            if not is_folder or reason != "":
                yield from [(path, reason)] if reason is not None else []
            elif not entry.is_symlink():
                waiting.append((path, here))
            elif first:
                waiting.appendleft((path, here))
            else:
                yield path, AGAIN


def _listed(folder: str) -> list[os.DirEntry]:
    """What is in a folder, by name: which of several links is followed must not depend on the disk."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


@functools.cache
def _of_the_kernel() -> set[int]:
    """Devices of the file systems that show the state of the machine: they have no end, and no pictures."""
    mounted = psutil.disk_partitions(all=True)
    return {
        os.stat(each.mountpoint).st_dev for each in mounted if each.fstype in KERNEL and os.path.exists(each.mountpoint)
    }


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str) -> tuple[int, int]:
    """Device and number of a folder, through links."""
    facts = os.stat(folder)
    return facts.st_dev, facts.st_ino


def _not_entered(entry: os.DirEntry, here: frozenset, root: Path, layout: Layout) -> str | None:
    """Why a folder is not walked into; "" if it is, None if nobody has to know."""
    if skips.hidden(entry.name):
        return skips.HIDDEN
    if entry.is_symlink() and _identity(entry.path) in here:
        return "a link back to a folder above it" if layout.source else None
    return layout.leaves(Path(entry.path).relative_to(root).parts)


def _not_tried(entry: os.DirEntry, here: frozenset, root: Path, layout: Layout) -> str:
    """Why a file is not tried as an image; "" if it is."""
    if skips.hidden(entry.name):
        return skips.HIDDEN
    return skips.UNPACKED if layout.unpacks(entry.name) else skips.reason(entry.path) or layout.skips(entry.name)


def _row(path: str, reason: str, said: list[int], generator: str, subset: str) -> dict:
    """A row of walked; what is not tried makes no subset of its own."""
    if reason and (not said or reason in skips.ASIDE):
        subset = ""
    return {
        "path": spelled(path), "label": said[-1] if said else -1, "subset": subset, "generator": generator,
        "reason": reason, "said": said,
    }  # fmt: skip


def identified(rows: pd.DataFrame, label: str = "reading headers", workers: int = 2) -> pd.DataFrame:
    """Add decode.identify's facts to scanned rows: image_id, format, jpeg_quality, size, reason.

    A file is read once, however many rows name it, and not again as long as its size and time stay the same. What has
    a reason already is not read: it may be an archive of many gigabytes.
    """
    whole = scan_cache.added(rows, [(scan_cache.IDENTITY, set(rows["path"]), label)], decode.NOTHING, workers)
    return whole.drop(columns="root")
