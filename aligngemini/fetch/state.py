"""How far a source is: complete, incomplete, corrupt or missing, and in one line why."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from . import record

COMPLETE, INCOMPLETE, CORRUPT, MISSING = "complete", "incomplete", "corrupt", "missing"
SHOWN = 3  # examples of damaged files


@dataclass(frozen=True)
class State:
    """One of the four words, and the figures or examples behind it; `files` are those that are as they should be."""

    word: str
    detail: str
    files: int = 0


def of_folder(folder: Path, quick: bool, count: int = 0) -> State:
    """The state of a folder of pictures by its record, or of one put there by hand by what lies in it.

    `count` is how many pictures the source is known to have (0: not known); `quick` opens no file.
    """
    rows = record.read(folder)
    if rows is None:
        return _by_hand(record.unrecorded(folder, quick), count)
    found = dict(zip(rows["path"], record.problems(folder, rows, quick), strict=True))
    return of_files(found)


def of_files(found: dict[str, str], note: str = "") -> State:
    """The state of files of which each is fine (""), "missing", or damaged in some way; `note` is added."""
    wrong = {path: why for path, why in found.items() if why not in ("", "missing")}
    there = sum(why == "" for why in found.values())
    if wrong:
        return State(CORRUPT, f"{len(wrong)} of {len(found)}: {_examples(wrong)}")
    if there < len(found):
        return State(INCOMPLETE if there else MISSING, f"{there} of {len(found)}")
    return State(COMPLETE, f"{there} files{note}", there)


def together(states: list[State]) -> State:
    """The state of several folders as one source: the worst word, all details."""
    order = [CORRUPT, INCOMPLETE, MISSING, COMPLETE]
    worst = min((state.word for state in states), key=order.index)
    if worst == MISSING and any(state.word == COMPLETE for state in states):
        worst = INCOMPLETE
    if worst == COMPLETE:
        files = sum(state.files for state in states)
        return State(COMPLETE, f"{files} files", files)
    told = [state.detail for state in states if state.word == worst]
    return State(worst, "; ".join(told or [state.detail for state in states]))


def cleared(folder: Path) -> bool:
    """Remove the files of `folder` that differ from its record; whether it has one and all of it is there."""
    rows = record.read(folder)
    if rows is None:
        return False
    wrong = rows.loc[record.problems(folder, rows, quick=False) != "", "path"]
    for path in wrong:
        (folder / path).unlink(missing_ok=True)
    return wrong.empty and len(rows) > 0


def _by_hand(found: dict[str, str], count: int) -> State:
    state = of_files(found, ", put there by hand")
    if not found:
        return State(MISSING, "")
    if state.word == COMPLETE and count and len(found) < count:
        return State(INCOMPLETE, f"{len(found)} of {count}, put there by hand")
    return state


def _examples(wrong: dict[str, str]) -> str:
    lines = pd.Series(wrong).head(SHOWN)
    return "; ".join(f"{path}: {why}" for path, why in lines.items()) + (" …" if len(wrong) > SHOWN else "")
