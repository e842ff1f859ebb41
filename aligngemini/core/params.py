"""Typed, closed parameters: frozen dataclasses whose fields carry help, choices and ranges."""

import ast
import dataclasses
import difflib
import json
import math
import reprlib
import sys
from collections.abc import Mapping
from typing import Any, Self, get_args, get_origin, get_type_hints

import yaml

from aligngemini.core import numbers

INJECTED = "# Parameters"  # papermill's own first line in the cell it injects
INSTEAD = {
    "vlm_run": 'name it in branch_runs, as "vlm RUN"',
    "expert_run": 'name it in branch_runs, as "expert RUN"',
    "vlm_runs": 'name them in branch_runs, each as "vlm RUN"',
    "expert_runs": 'name them in branch_runs, each as "expert RUN"',
    "vlm_threshold": "fixed_thresholds has one for each of branch_runs",
    "expert_threshold": "fixed_thresholds has one for each of branch_runs",
}  # parameters of earlier versions, and what takes their place


NOTHING = ("", "~", "null", "Null", "NULL")  # how YAML spells that there is no value
LONGEST = 4000  # characters of a sentence: what it quotes may have come from anywhere
QUOTED = reprlib.Repr()
QUOTED.maxstring = QUOTED.maxother = QUOTED.maxlong = 160
QUOTED.maxlist = QUOTED.maxtuple = QUOTED.maxdict = 12
QUOTED.maxlevel = 3


class Refused(ValueError):
    """A question that cannot be asked: a bad parameter or a missing input. The text says what to do next.

    Of a longer text than people read the middle is left out.
    """

    def __init__(self, text: str = "") -> None:
        half = LONGEST // 2
        super().__init__(text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}")


def shown(value: Any) -> str:
    """Return a value as sentences quote it: its `repr`, cut to what people read."""
    try:
        return QUOTED.repr(value)
    except ValueError:  # Python does not spell a whole number of thousands of digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"


def said(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


def param(default: Any, help: str, choices=None, least=None, most=None, **rules: Any) -> Any:
    """Return a dataclass field with a default, a help text and the values it may take.

    `choices`: the only values allowed; `least`, `most`: bounds, inclusive. Rules: `above` (exclusive lower
    bound), `multiple` (whole multiple of), `pair` (a list low, high), `filled` (text or list not empty),
    `upstream` (notebook whose run the value selects), `branches` and `read` (see branches.branch_runs.field), `source`
    ("folder", "file", "model" or "benchmark": a path whose content belongs to the question), `parts` (a function: the
    paths that a text names, where it may name several), `besides` (words that stand for no path), `on_card` (a number
    format: what auto means where there is a GPU, see `models.number`). Lists
    are checked element by element. Raises ValueError if the help holds '=', because papermill would misread the cell.
    """
    if "=" in help:
        raise ValueError(f"help texts may not contain '=': {help!r}")
    rules |= {"choices": choices, "least": least, "most": most, "help": help}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=rules)
    return dataclasses.field(default=default, metadata=rules)


@dataclasses.dataclass(frozen=True)
class Params:
    """Base of every notebook's parameters; building one checks all values and raises `Refused`."""

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = _typed(field.name, getattr(self, field.name), kinds[field.name])
            _check(field.name, value, field.metadata)
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Raise `Refused` if fields contradict each other; subclasses that know such a case override this."""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with the named fields changed, checked again."""
        return build(type(self), dataclasses.asdict(self) | changes)


def names(cls: type[Params]) -> list[str]:
    """Return the parameter names of `cls`, in order."""
    return [field.name for field in dataclasses.fields(cls)]


def unknown(name: str, valid: list[str], where: str, what: str = "parameter") -> Refused:
    """Return the refusal of a `what` called `name` that `where` does not have, with the nearest valid name."""
    if name in INSTEAD:
        return Refused(f"{where} has no {what} {shown(name)} any more: {INSTEAD[name]}")
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(valid)}"
    return Refused(f"{where} has no {what} {shown(name)}: {hint}")


def build(cls: type[Params], mapping: Mapping[str, Any], where: str | None = None) -> Any:
    """Return `cls` built from `mapping` and defaults; raises `Refused` for unknown names or bad values."""
    valid = names(cls)
    for name in mapping:
        if name not in valid:
            raise unknown(str(name), valid, where or cls.__name__)
    return cls(**mapping)


def read(cls: type[Params], namespace: Mapping[str, Any]) -> Any:
    """Return `cls` built from a notebook's variables (pass `globals()`).

    Names assigned in the cell that papermill injects must be fields of `cls`; anything else raises `Refused`.
    """
    valid = names(cls)
    for name in _injected(namespace.get("In", [])):
        if name not in valid:
            raise unknown(name, valid, "this notebook")
    return build(cls, {name: namespace[name] for name in valid if name in namespace})


def _injected(cells: list[str]) -> list[str]:
    sources = [cell for cell in cells if cell.startswith(INJECTED)]
    statements = [statement for source in sources for statement in ast.parse(source).body]
    targets = [target for s in statements if isinstance(s, ast.Assign) for target in s.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def parse(cls: type[Params], name: str, text: str) -> Any:
    """Return what the command line's `text` means for parameter `name`: YAML of decimal numbers; texts stay texts."""
    kind = get_type_hints(cls)[name]
    if kind is str:
        return text
    try:
        return yaml.load(text, yaml.BaseLoader if kind == list[str] else numbers.Loader)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError) as error:
        raise Refused(f"{name}: {shown(text)} cannot be read as {article(kind)}; write it as in a recipe") from error


def cell(cls: type[Params]) -> str:
    """Return the source of the cell tagged `parameters`, lines `name: type = default  # help`."""
    kinds, default = get_type_hints(cls), cls()
    lines = []
    for field in dataclasses.fields(cls):
        value = json.dumps(getattr(default, field.name), ensure_ascii=False)
        if kinds[field.name] is bool:
            value = value.capitalize()
        lines.append(f"{field.name}: {spell(kinds[field.name])} = {value}  # {field.metadata['help']}")
    return "\n".join(lines)


def spell(kind: Any) -> str:
    """Return a type as it is written in a parameters cell: `float`, `list[str]`."""
    return f"list[{get_args(kind)[0].__name__}]" if get_origin(kind) is list else kind.__name__


def article(kind: Any) -> str:
    """Return a type as it stands in a sentence: "a float", "an int"."""
    return f"{'an' if kind is int else 'a'} {spell(kind)}"


def _typed(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise Refused(f"{name} must be {article(kind)}, got {shown(value)}{_hint(value, kind)}")
        return [_typed(f"{name}[{i}]", item, get_args(kind)[0]) for i, item in enumerate(value)]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < sys.float_info.max else math.inf
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Refused(
            f"{name} must be {article(kind)}, got {shown(value)} ({type(value).__name__}){_hint(value, kind)}"
        )
    if kind is float and not math.isfinite(value):
        raise Refused(f"{name} must be a finite number, got {shown(value)}")
    return value


def _hint(value: Any, kind: Any) -> str:
    """What to write instead of a value of another kind; "" where that cannot be known."""
    if get_origin(kind) is list:
        return _list_hint(value, get_args(kind)[0])
    if kind is str:
        return ": put it in quotes, or give it to papermill with -r"
    told = numbers.advice(value, kind)
    return f": {told}" if told else ""


def _list_hint(value: Any, kind: type) -> str:
    if isinstance(value, str) and value.lstrip().startswith("["):
        return ": this is a text; papermill takes lists with -y"
    if value in (None, *NOTHING):
        return ": leave it out to have its default, or write a list in brackets"
    if isinstance(value, str) and kind is str:
        return f": write {json.dumps([value])}"
    told = numbers.advice(value, kind).removeprefix("write ").split(" or ")[0] if kind is not str else ""
    return f": write [{told}]" if any(map(str.isdigit, told)) else ": write a list in brackets"


def _check(name: str, value: Any, rules: Mapping[str, Any]) -> None:
    items = value if isinstance(value, list) else [value]
    if rules.get("filled") and (not value or "" in items):
        raise Refused(f"{name} must not be empty")
    if rules.get("pair") and (len(items) != 2 or items[0] > items[1]):
        raise Refused(f"{name} must be two numbers, the lower first, got {shown(value)}")
    for item in items:
        problem = _outside(item, rules)
        if problem:
            raise Refused(f"{name} must be {problem}, got {shown(item)}")


def _outside(item: Any, rules: Mapping[str, Any]) -> str:
    if rules["choices"] is not None and item not in rules["choices"]:
        near = difflib.get_close_matches(str(item), [str(choice) for choice in rules["choices"]], n=1)
        return " or ".join(map(repr, rules["choices"])) + (f" (did you mean {near[0]!r}?)" if near else "")
    least, most = rules["least"], rules["most"]
    if least is not None and item < least:
        return f"at least {least}" + (f" and at most {most}" if most is not None else "")
    if most is not None and item > most:
        return f"at most {most}" + (f" and at least {least}" if least is not None else "")
    if rules.get("above") is not None and item <= rules["above"]:
        return f"above {rules['above']}"
    if rules.get("multiple") and item % rules["multiple"]:
        return f"a multiple of {rules['multiple']}"
    return ""
