"""Numbers as people write them: what YAML must not read as another number, and how to write what is meant."""

import math
import re
from typing import Any

import yaml

INT, FLOAT, DATE = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
LARGEST = 10**15  # whole numbers below it are spelled out


class Loader(yaml.SafeLoader):
    """YAML with decimal numbers alone: 010, 0x10, 1_000 and 1:30, in YAML 8, 16, 1000 and 90, stay texts, as do dates.

    Texts are no numbers: whoever wants one refuses them, and tells how to write it.
    """


Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag not in (INT, FLOAT, DATE)]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(INT, re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    FLOAT,
    re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"),
    list("-+.0123456789"),
)


def advice(value: Any, kind: type) -> str:
    """How to write what `value` may stand for, which is no `kind` (int, float or bool), or ""; each way is accepted."""
    if kind is bool:
        meant = SWITCHES.get(str(value).strip().lower().removesuffix(".0"))
        return "" if meant is None else f"write {meant}"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return ""
    if isinstance(value, int) and abs(value) > LARGEST:
        return ""
    readings = _readings(value.strip().replace("_", "")) if isinstance(value, str) else [value]
    if any(not math.isfinite(number) for number in readings):
        return "write a finite number"
    written = dict.fromkeys(spelled(number, kind) for number in readings if kind is float or number == int(number))
    return f"write {' or '.join(written)}" if written else "write a whole number" if readings else ""


def spelled(number: float, kind: type) -> str:
    """A number as YAML, Python and papermill all read it."""
    if kind is int:
        return str(int(number))
    mantissa, mark, exponent = repr(float(number)).partition("e")
    return f"{mantissa}{'' if '.' in mantissa or not mark else '.0'}e{int(exponent):+d}" if mark else mantissa


def _readings(text: str) -> list[float]:
    """The numbers that a text may stand for, the likeliest first."""
    if re.fullmatch(r"[-+]?0[xob]\w{1,16}", text, re.IGNORECASE):
        return _converted(lambda: [int(text, 0)])
    if re.fullmatch(r"[-+]?0[0-7]+", text):
        return [int(text), int(text, 8)]
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", text):
        return [float(text.replace(",", "")), *_converted(lambda: [float(text.replace(",", "."))])]
    return _converted(
        lambda: [int(text) if text.isdecimal() and len(text) < len(str(LARGEST)) else float(text.replace(",", "."))]
    )


def _converted(convert) -> list[float]:
    try:
        return convert()
    except ValueError:
        return []
