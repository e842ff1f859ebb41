"""What one image does stops no other: exceptions as values, and which of them are not about an image at all."""

import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from aligngemini.core.manifest import ALONE, DiskFull, no_memory
from aligngemini.core.params import Refused
from aligngemini.core.progress import say, say_once

from .filenames import printable
from .header import Unreadable

MANY = 4  # images; where so many fail alike and none succeeds, the model is broken and not the images
HOPELESS = 100  # images; after so many a broken model is not asked any more
LONGEST = 200  # letters of an exception's own text


class Unanswered(RuntimeError):
    """A service has no answer on an image, and says what to do. Where it has none on any image, it is refused."""


def attempt(function: Callable, *given) -> Any:
    """`function(*given)`, or the exception that it raised. DiskFull and Refused are about no image: they are raised."""
    try:
        return function(*given)
    except (DiskFull, Refused):
        raise
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # they would keep images and tensors
        return error


def each(function: Callable[[list], Iterable], items: list) -> list:
    """`function(items)`, one result for each; where it raises, of every item alone, with the exception as the result of
    those that raise alone, too. Items that are exceptions already stay what they are. Memory that is too small: see
    `halved`.
    """
    good = [item for item in items if not isinstance(item, Exception)]
    results = attempt(halved, function, good) if good else []
    if isinstance(results, Exception) and no_memory(results):
        raise results
    if isinstance(results, Exception) and len(good) > 1:
        results = [result for item in good for result in each(function, [item])]
    results = iter([results] if isinstance(results, Exception) else results)
    return [item if isinstance(item, Exception) else next(results) for item in items]


def halved(function: Callable[[list], Iterable], items: list) -> list:
    """`function(items)`, one result for each; where memory is too small for all at once, of each half of them, and so
    on. A line says so. Raises the error of memory that one item is enough for, with a note.
    """
    try:
        return list(function(items))
    except Exception as error:
        if not no_memory(error):
            raise
        if len(items) == 1:
            error.add_note(ALONE)
            raise
        traceback.clear_frames(error.__traceback__)  # what they hold does not fit beside the halves
    half = (len(items) + 1) // 2
    say_once(f"{len(items)} images at once do not fit the memory: {half} at once, which may change the last digits")
    return [*halved(function, items[:half]), *halved(function, items[half:])]


def reason(what: str, error: Exception) -> str:
    """Why an image has no score: the words of Unreadable or Unanswered, or `what` with the exception's own behind."""
    if isinstance(error, Unreadable | Unanswered):
        return str(error)
    return f"{what} ({type(error).__name__}: {' '.join(str(error).split())[:LONGEST]})"


def without_failures(results: Sequence, rows: pd.DataFrame, what: str) -> tuple[list, pd.DataFrame]:
    """The results of image-table rows and the rows, without those whose result is an exception; prints which."""
    good = [not isinstance(result, Exception) for result in results]
    for result, path in zip(results, rows["path"], strict=True):
        if isinstance(result, Exception):
            say(f"left out of {what}: {printable(path)}, {reason('it fails', result)}")
    return [result for result, is_good in zip(results, good, strict=True) if is_good], rows[good]


class Failures:
    """Which images failed in which branch; what Unreadable says is known to lie in the image, and does not count."""

    def __init__(self):
        self.good: set[str] = set()
        self.bad: dict[str, list[Exception]] = {}

    def note(self, branch: str, results: Sequence) -> None:
        """Note the results of `each`."""
        failed = [result for result in results if isinstance(result, Exception)]
        self.bad.setdefault(branch, []).extend(error for error in failed if not isinstance(error, Unreadable))
        if len(failed) < len(results):
            self.good.add(branch)

    def check(self, enough: int = MANY) -> None:
        """Raise the exception of a branch that failed on `enough` images, on all alike; Refused for Unanswered."""
        for branch, errors in list(self.bad.items()):  # other threads may note more
            alike = {(type(error), re.sub(r"\d+", "", str(error))) for error in errors}
            if branch not in self.good and len(errors) >= enough and len(alike) == 1:
                raise Refused(f"{branch}: {errors[0]}") if isinstance(errors[0], Unanswered) else errors[0]
