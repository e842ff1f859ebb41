"""What stands behind a kind of branch in `branch_runs`: options, written as `name=value` between spaces."""

import shlex
from typing import Any

from aligngemini.core import params
from aligngemini.core.params import Refused, Typed, param

from . import registry


class Options(Typed):
    """Options that every kind has. The first field of a subclass may be written without its name."""

    name: str = param("", "what tables call the branch, empty for its kind's name")


def read(kind: str, text: str) -> Any:
    """The options of a branch of that kind from a text, "base=hub/name rank=2". Raises Refused with the valid names."""
    cls = registry.kind(kind).load_options() or Options
    first = params.names(cls)[1:2]
    given: dict[str, Any] = {}
    for word in _words(text, kind):
        name, equals, value = word.partition("=")
        name, value = (name, value) if equals else (first[0] if first else name, word)
        if name not in params.names(cls):
            raise params.unknown(name, params.names(cls), f"the branch {kind}", "option")
        if name in given:
            raise Refused(f"the branch {kind} is given {name} twice: name it once")
        given[name] = params.parse(cls, name, value)
    return params.build(cls, given, f"the branch {kind}")


def _words(text: str, kind: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:  # an open quotation mark
        raise Refused(f"the options of {kind} cannot be read ({error}): write name=value between spaces") from error
