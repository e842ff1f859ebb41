"""Typed, closed parameters: pydantic models whose fields carry help, choices and ranges."""

import ast
import difflib
import json
import operator
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from aligngemini.core import redaction
from aligngemini.core.yaml_loader import Loader

INJECTED = "# Parameters"  # papermill's own first line in the cell it injects
ADVANCED = "advanced"  # the variable of a notebook that holds its other parameters
LONGEST = 4000  # characters of a sentence: what it quotes may have come from anywhere
QUOTED = 200  # characters of a value that a sentence quotes
BOUNDS = {  # rule -> whether a value obeys it, and how a sentence says it
    "least": (operator.ge, "at least {}"),
    "above": (operator.gt, "above {}"),
    "most": (operator.le, "at most {}"),
    "multiple": (lambda value, step: value % step == 0, "a multiple of {}"),
}


class Refused(ValueError):
    """Input that cannot be used: a bad parameter or a missing file. The text says what to do next.

    The middle of a text that is too long to read is left out.
    """

    def __init__(self, text: str = "") -> None:
        half = LONGEST // 2
        super().__init__(text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}")


def shown(value: Any) -> str:
    """Return the `repr` of a value for a sentence; the middle of a long one is left out."""
    text = repr(value)
    return text if len(text) <= QUOTED else f"{text[: QUOTED // 2]} … {text[-QUOTED // 2 :]}"


def said(error: BaseException) -> str:
    """Return the first line of an error's text, or its class where it has none."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


def param(default: Any, help: str, choices=None, least=None, most=None, **rules: Any) -> Any:
    """Return a field with a default (`...`: the class gives it), a help text and the values it may take.

    `choices`: the only values allowed; `least`, `most`: bounds, inclusive. Rules: `above` (exclusive lower
    bound), `multiple` (whole multiple of), `pair` (a list low, high), `filled` (text or list not empty), `advanced`
    (see `advanced` below), `upstream` (notebook whose run the value selects), `branches` and `read` (see
    branches.branch_runs.field), `source` ("folder", "file", "model" or "benchmark": a path whose content decides the
    run's name), `parts` (a function: the paths that a text names, where it may name several), `besides` (words that
    stand for no path), `on_card` (a number format: what auto means where there is a GPU, see `devices.number`). Lists
    are checked element by element. Raises ValueError if the help holds '=', because papermill would misread the cell.
    """
    if "=" in help:
        raise ValueError(f"help texts may not contain '=': {help!r}")
    rules |= {"choices": choices, "least": least, "most": most}
    return Field(default, description=help, json_schema_extra=rules)


def advanced(default: Any, help: str, **rules: Any) -> Any:
    """Return a `param` that stands in the mapping `advanced` of a notebook, not on a line of its parameters cell."""
    return param(default, help, advanced=True, **rules)


class Typed(BaseModel):
    """Values with types and rules, see `param`; building one checks all of them and raises `Refused`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _refusal(type(self), error.errors()[0]) from error
        self.check()

    @field_validator("*", mode="before")
    @classmethod
    def _read_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Read texts as YAML where numbers, switches or lists are wanted: papermill passes some of them as texts."""
        name, kind = str(info.field_name), cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, str):
            return _parsed(name, value, kind)
        if not isinstance(value, list) or get_origin(kind) is not list:
            return value
        return [_parsed(name, each, get_args(kind)[0]) if isinstance(each, str) else each for each in value]

    @field_validator("*")
    @classmethod
    def _check_rules(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        _check(name, value, rules(cls)[name])
        return value

    def check(self) -> None:
        """Raise `Refused` if fields contradict each other; subclasses that know such a case override this."""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with the named fields changed, checked again."""
        return build(type(self), self.model_dump() | changes)


class Params(Typed):
    """Base of every notebook's parameters."""

    scale: str = param("mini", "size of the experiment, the name of a folder of recipes", filled=True)
    seed: int = param(0, "seed of all random numbers, 0 to 4294967295", least=0, most=2**32 - 1)  # numpy's bound


def names(cls: type[Typed]) -> list[str]:
    """Return the parameter names of `cls`, in order."""
    return list(cls.model_fields)


def main_names(cls: type[Typed]) -> list[str]:
    """Return the names of the parameters that have a line of their own in the parameters cell."""
    return [name for name, each in rules(cls).items() if not each.get("advanced")]


def rules(cls: type[Typed]) -> dict[str, dict[str, Any]]:
    """Return name -> the rules of each parameter, as `param` takes them."""
    return {name: cast("dict[str, Any]", field.json_schema_extra or {}) for name, field in cls.model_fields.items()}


def unknown(name: str, valid: list[str], where: str, what: str = "parameter") -> Refused:
    """Return the refusal of a `what` called `name` that `where` does not have, with the nearest valid name."""
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(valid)}"
    return Refused(f"{where} has no {what} {shown(name)}: {hint}")


def build(cls: type[Typed], mapping: Mapping[str, Any], where: str | None = None) -> Any:
    """Return `cls` built from `mapping` and defaults; raises `Refused` for unknown names or bad values."""
    for name in mapping:
        if name not in cls.model_fields:
            raise unknown(str(name), names(cls), where or cls.__name__)
    return cls(**mapping)


def problems(cls: type[Typed], mapping: Mapping[str, Any], where: str) -> list[str]:
    """Return what `build` would refuse, all of it: every unknown name and bad value, else what contradicts itself."""
    strange = [str(unknown(str(name), names(cls), where)) for name in mapping if name not in cls.model_fields]
    try:
        cls(**{name: value for name, value in mapping.items() if name in cls.model_fields})
    except Refused as refusal:
        cause = refusal.__cause__
        errors = cause.errors() if isinstance(cause, ValidationError) else []
        return strange + ([str(_refusal(cls, each)) for each in errors] or [str(refusal)])
    return strange


def read(cls: type[Typed], namespace: Mapping[str, Any]) -> Any:
    """Return `cls` built from a notebook's variables (pass `globals()`): its fields by name, and those in `advanced`.

    Names assigned in the cell that papermill injects must be fields of `cls`, or `advanced`. Anything else, and a
    field that is given in both ways, raises `Refused`.
    """
    sources = [cell for cell in namespace.get("In", []) if cell.startswith(INJECTED)]
    statements = [statement for source in sources for statement in ast.parse(source).body]
    targets = [target for each in statements if isinstance(each, ast.Assign) for target in each.targets]
    injected = [target.id for target in targets if isinstance(target, ast.Name) and target.id != ADVANCED]
    by_name = {name: namespace[name] for name in [*names(cls), *injected] if name in namespace}
    further = _mapping(namespace.get(ADVANCED, {}))
    if twice := [name for name in further if name in by_name]:
        raise Refused(f"{twice[0]} is given by name and in {ADVANCED}: leave it out of {ADVANCED}")
    return build(cls, by_name | further, "this notebook")


def _mapping(value: Any) -> dict[str, Any]:
    """Return the mapping `advanced`; papermill passes it as a dict, or as a text with -p."""
    with suppress(Refused):
        value = _parsed(ADVANCED, value, dict) if isinstance(value, str) else value
    if not isinstance(value, dict):
        raise Refused(f'{ADVANCED} must be a mapping, got {shown(value)}: write it as {{"NAME": value}}')
    return value


def parse(cls: type[Typed], name: str, text: str) -> Any:
    """Return what `text` says as parameter `name`: YAML of decimal numbers, or a text. Raises `Refused` for neither."""
    return _parsed(name, text, cls.model_fields[name].annotation)


def _parsed(name: str, text: str, kind: Any) -> Any:
    if kind is str:
        return text
    try:
        return yaml.load(text, yaml.BaseLoader if kind == list[str] else Loader)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError) as error:
        raise Refused(f"{name}: {shown(text)} cannot be read as {article(kind)}; write it as in a recipe") from error


def spell(kind: Any) -> str:
    """Return a type as it is written in a parameters cell: `float`, `list[str]`."""
    return f"list[{get_args(kind)[0].__name__}]" if get_origin(kind) is list else kind.__name__


def article(kind: Any) -> str:
    """Return a type as it stands in a sentence: "a float", "an int"."""
    return f"{'an' if kind is int else 'a'} {spell(kind)}"


def _refusal(cls: type[Typed], problem: Mapping[str, Any]) -> Refused:
    """Return the sentence for the first problem that pydantic names."""
    name, *place = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return unknown(str(name), names(cls), cls.__name__)
    if problem["type"] == "value_error":
        return problem["ctx"]["error"]
    value = problem["input"]
    kind: Any = cls.model_fields[name].annotation
    path = name + "".join(f"[{each}]" for each in place)
    if problem["type"] == "string_unicode":  # a name on the disk may have such bytes
        return Refused(f"{path} must be text that UTF-8 can hold, got {shown(value)}: rename the folder")
    if problem["type"] == "finite_number":
        return Refused(f"{path} must be a finite number, got {shown(value)}")
    kind = get_args(kind)[0] if place else kind
    hint = {str: ": put it in quotes, or give it to papermill with -r"}.get(kind, "")
    if get_origin(kind) is list:
        hint = f": write a list in brackets, such as {json.dumps(cls.model_fields[name].get_default())}"
    return Refused(f"{path} must be {article(kind)}, got {shown(value)} ({type(value).__name__}){hint}")


def _check(name: str, value: Any, rules: Mapping[str, Any]) -> None:
    items = value if isinstance(value, list) else [value]
    texts = [item for item in items if isinstance(item, str)]
    if texts and redaction.hidden(texts) != texts:
        raise Refused(
            f"{name} holds a password or a token, and runs write it down: set HF_TOKEN, or VLLM_API_KEY for a server"
        )
    if rules.get("filled") and (not value or "" in items):
        raise Refused(f"{name} must not be empty")
    if rules.get("pair") and (len(items) != 2 or items[0] > items[1]):
        raise Refused(f"{name} must be two numbers, the lower first, got {shown(value)}")
    bounds = {rule: rules[rule] for rule in BOUNDS if rules.get(rule) is not None}
    words = " and ".join(BOUNDS[rule][1].format(bound) for rule, bound in bounds.items())
    for item in items:
        if not all(BOUNDS[rule][0](item, bound) for rule, bound in bounds.items()):
            raise Refused(f"{name} must be {words}, got {shown(item)}")
        if rules.get("choices") is not None and item not in rules["choices"]:
            near = difflib.get_close_matches(str(item), map(str, rules["choices"]), n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise Refused(f"{name} must be {' or '.join(map(repr, rules['choices']))}{hint}, got {shown(item)}")
