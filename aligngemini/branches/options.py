"""What stands behind a kind of branch in `branch_runs`: options, written as `name=value` between spaces."""

import shlex
from pathlib import Path
from typing import Any, ClassVar, Self

from aligngemini.core import params
from aligngemini.core.params import Refused, Typed, param

from . import registry


class Options(Typed):
    """Options that every kind has. The first field of a subclass may be written without its name."""

    name: str = param("", "what tables call the branch, empty for its kind's name")


class ByOptions:
    """Base of the branches that need nothing but their options: nothing is trained or calibrated."""

    kind: ClassVar[str]
    crop = 0

    def __init__(self, given: Any, name: str) -> None:
        self.options, self.name = given, name

    @classmethod
    def fit(cls, source: str, data: Any, out: Path, checkpoints: Path | None = None) -> dict[str, Any]:
        """Raise Refused for options that could not be loaded later."""
        cls(read(cls.kind, source), cls.kind)
        return {"options": source}

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "") -> Self:
        """The branch of these options. Raises Refused."""
        return cls(read(cls.kind, facts["options"]), name or cls.kind)


def read(kind: str, text: str) -> Any:
    """The options of a branch of that kind from a text, "base=hub/name rank=2". Raises Refused with the valid names."""
    found = registry.kind(kind)
    cls = found.load(found.options) if found.options else Options
    if not issubclass(cls, Options):
        raise Refused(f"{found.options} must be a class of options of {kind}: derive it from branches.options.Options")
    first = params.names(cls)[1:2]
    given: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:  # an open quotation mark
        raise Refused(f"the options of {kind} cannot be read ({error}): write name=value between spaces") from error
    for word in words:
        name, equals, value = word.partition("=")
        name, value = (name, value) if equals else (first[0] if first else name, word)
        if name not in params.names(cls):
            raise params.unknown(name, params.names(cls), f"the branch {kind}", "option")
        if name in given:
            raise Refused(f"the branch {kind} is given {name} twice: name it once")
        given[name] = params.parse(cls, name, value)
    return params.build(cls, given, f"the branch {kind}")
