"""Keys of what a run computes: a digest of the function and of what it is given, the same in every process.

Numbers, texts, tables and what consists of them count by their content, a run by its name, a dataclass by its fields,
an object that has `identity()` by that, and any other by its type alone.
"""

import dataclasses
import hashlib
import inspect
import math
import textwrap
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

from aligngemini.core import code, fingerprint, paths, stages
from aligngemini.core.params import Params
from aligngemini.core.saved_runs import SavedRun

OWN = "__main__"  # the module of a notebook's cells


def of(run: Any, function: Callable, args: tuple, kwargs: dict[str, Any]) -> str:
    """Return the key of what `function` computes for `run` from these arguments."""
    return fingerprint.digest(_Key(run).plain([function, args, kwargs]))


class _Key:
    """Values as JSON. Functions on the way are noted: one may call itself."""

    def __init__(self, run: Any) -> None:
        self.run, self.seen = run, set()
        self.outputs, self.partial = str(run.folder.parent.parent), f".{run.name}.partial"

    def plain(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else repr(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.plain(each) for each in value]
        if isinstance(value, dict):
            return [[self.plain(name), self.plain(value[name])] for name in sorted(value, key=str)]
        if isinstance(value, set | frozenset):
            return sorted(fingerprint.digest(self.plain(each)) for each in value)
        return self.thing(value)

    def thing(self, value: Any) -> Any:
        """What is neither plain nor made of what is plain."""
        if isinstance(value, Path):  # one of what the run has computed counts by how that was made, too
            inside = value.is_relative_to(self.run.folder) and value.relative_to(self.run.folder).as_posix()
            return [self.text(str(value)), self.run.made.get(inside, "")]
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return self.table(pd.DataFrame(value))
        if isinstance(value, partial):
            return self.plain([value.func, value.args, value.keywords])
        if inspect.isroutine(value) or hasattr(value, "__wrapped__"):
            return self.function(value)
        if isinstance(value, type | ModuleType):
            return [getattr(value, "__module__", ""), getattr(value, "__qualname__", value.__name__)]
        if isinstance(value, SavedRun):
            return [value.notebook, value.name]
        if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
            return self.array(value)
        return [self.thing(type(value)), self.inside(value)]

    def inside(self, value: Any) -> Any:
        """What an object says of itself."""
        if isinstance(value, Params):
            # Words that select a run may differ where the run is the same, and the run has its name from that.
            return self.plain(value.model_dump(exclude={each.field for each in stages.selectors(value)}))
        if dataclasses.is_dataclass(value):
            return self.plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
        if callable(getattr(value, "identity", None)):
            return self.plain(value.identity())
        return repr(value) if isinstance(value, bytes | range | slice | date) else None

    def text(self, value: str) -> str:
        """A text, the same wherever the outputs lie and whether the run is complete or not."""
        return value.replace(self.outputs, "outputs").replace(self.partial, self.run.name)

    def array(self, value: Any) -> Any:
        """What NumPy makes of numbers, a tensor or an image; one that it cannot read counts by its type."""
        array = _array(value)
        if array is None:
            return self.thing(type(value))
        if array.dtype == object or not array.shape:
            return self.plain(array.tolist())
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)  # dates have no buffer of their own
        return [str(getattr(value, "dtype", array.dtype)), array.shape, hashlib.sha256(content).hexdigest()]

    def table(self, table: pd.DataFrame) -> list[Any]:
        """The names, index and rows of a table; an image_id says which image a path leads to."""
        if "image_id" in table:
            table = table.drop(columns="path", errors="ignore")
        names = [str(name) for name in table]
        table = table.set_axis([str(place) for place in range(len(names))], axis=1)
        words = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
        rows = table.assign(**{name: self.texts(table[name]) for name in words})
        index = pd.DataFrame({"index": table.index.map(str)})
        return [names, fingerprint.of_rows(rows), fingerprint.of_rows(index)]

    def texts(self, column: pd.Series) -> pd.Series:
        """`text` of each value as a string; a text that stands there often is looked at once."""
        spelled = column.map(str)
        return spelled.map({each: self.text(each) for each in spelled.unique()})

    def function(self, value: Any) -> Any:
        """Module, name and source of a function; of one from a cell also what it uses of other cells."""
        if isinstance(value, MethodType):
            return self.plain([value.__func__, value.__self__])
        value = inspect.unwrap(value)
        if not isinstance(value, FunctionType) or value in self.seen:
            return getattr(value, "__qualname__", "")
        self.seen.add(value)
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        names = sorted(_names(value.__code__) & value.__globals__.keys()) if value.__module__ == OWN else []
        used = [held, value.__defaults__, value.__kwdefaults__, {name: value.__globals__[name] for name in names}]
        return [value.__module__, value.__qualname__, _source(value), self.plain(used)]


def _array(value: Any) -> np.ndarray | None:
    """The numbers of anything that NumPy can read, None for what it cannot."""
    try:
        if hasattr(value, "detach"):  # a tensor, perhaps on a GPU or with a gradient
            value = value.detach().cpu()
            value = value.float() if value.dtype.is_floating_point and value.dtype.itemsize < 4 else value  # bfloat16
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _source(function: FunctionType) -> Any:
    """The digest of a function's text, without comments and docstrings; its byte code where there is no text."""
    try:
        return code.cell(textwrap.dedent(inspect.getsource(function)), paths.PACKAGE.name).digest
    except (OSError, TypeError):
        return _compiled(function.__code__)


def _compiled(body: CodeType) -> list[Any]:
    consts = [_compiled(each) if isinstance(each, CodeType) else repr(each) for each in body.co_consts]
    return [body.co_code.hex(), list(body.co_names), consts]


def _names(body: CodeType) -> set[str]:
    """The names that a function, or one within it, looks up."""
    return set(body.co_names).union(*(_names(each) for each in body.co_consts if isinstance(each, CodeType)))
