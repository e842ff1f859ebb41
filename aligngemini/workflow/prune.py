"""Which runs may go to free the disk, and their deletion: `aligngemini runs --prune`."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from aligngemini.core import atomic, paths, runs, stages
from aligngemini.core.params import Refused, shown
from aligngemini.workflow import listing

Record = dict[str, Any]


def command(newest: int | None, keep: list[str], sure: bool) -> str:
    """Return which runs would go, and how to let them; or delete them if `sure`. Raises `Refused`."""
    if newest is not None and newest < 0:
        raise Refused(f"--newest takes a whole number of at least 0, such as 2, not {newest}")
    going = chosen(runs.all(), newest, keep)
    if not going:
        return "there is nothing to delete"
    size = listing.size(sum(map(listing.bytes_of, going)))
    if sure:
        stay = [why for record in going if (why := delete(record))]
        return "\n".join([*stay, f"deleted {len(going) - len(stay)} runs of {size}"])
    return f"{listing.text(going)}\n\nthese {len(going)} runs take {size}: add --yes to delete them"


def chosen(records: list[Record], newest: int | None, keep: list[str]) -> list[Record]:
    """Return what may go of the manifests of `runs.all()`, runs of later notebooks first.

    Those are runs that were killed or have failed and, where `newest` is a number, complete runs except so many of the
    newest of each notebook and scale. What `keep` names (a run's name or its beginning) stays, and what a run stands on
    that stays. Raises `Refused` for a name of `keep` that no run has.
    """
    for text in keep:
        if not any(_name(record).startswith(text) for record in records):
            raise Refused(f"there is no run {shown(text)} to keep: `aligngemini runs` lists what there is")
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record["run"]["status"] == "complete":
            groups[record["run"]["notebook"], record["question"]["params"]["scale"]].append(record)
    old = [record for group in groups.values() for record in group[: len(group) - newest]] if newest is not None else []
    going = [record for record in records if record["run"]["status"] in ("killed", "failed")] + old
    going = [record for record in going if not any(_name(record).startswith(text) for text in keep)]
    needed = _below([record for record in records if record not in going], records)
    left = [record for record in going if _name(record) not in needed or record not in old]
    return sorted(left, key=lambda record: -list(stages.STAGES).index(record["run"]["notebook"]))


def _name(record: Record) -> str:
    return record["run"]["name"]


def _below(standing: list[Record], records: list[Record]) -> set[str]:
    """The names of all runs that the runs `standing` stand on, directly or not."""
    names: set[str] = set()
    while standing:
        new = {entry["run"] for record in standing for entry in record["question"]["inputs"].values()} - names
        names |= new
        standing = [record for record in records if _name(record) in new]
    return names


def delete(record: Record) -> str:
    """Delete the folder of a run; return why it stays, "" if it is gone. A run that is being made stays."""
    folder = Path(record["run"]["folder"])
    try:
        with FileLock(folder.with_name(f".{_name(record)}.lock"), timeout=0):
            for left in folder.parent.glob(f"{atomic.PART}*"):  # a kill came while one was deleted
                atomic.remove(left)
            atomic.discard(folder)
    except Timeout:
        return f"{paths.short(folder)} stays: another process works on it"
    return ""
