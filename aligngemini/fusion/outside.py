"""What branches were trained on, and one line for images that are unlike it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from aligngemini.branches import registry
from aligngemini.images.params import WORLD

DRAWN = "drawn scenes of scale {}"
SMALL = ("smoke", "mini")  # scales whose images are all drawn
TABLES = {"semantic": ("plausible", "implausible"), "pixel": ("photos",)}  # the sources of each training set
QUIET = 0.05  # share of images outside, up to which nothing is said: 1 % of the validation images are outside, too
NEXT = (
    "`aligngemini run --scale laptop`, `colab` or `paper` trains all branches on photographs, `--scale photo` shows "
    "how the expert does: see docs/data.md"
)
AGAIN = "train on such images: see docs/data.md"


def trained_on(supervision: str, data: Mapping[str, Any]) -> str:
    """What the training images under a supervision were, from the parameters of notebook 01."""
    sources = [data[name] for name in sum(TABLES.values(), ()) if name in TABLES.get(supervision, (name,))]
    if all(source == WORLD for source in sources):
        return DRAWN.format(data["scale"])
    return f"images of scale {data['scale']}" + (", some of them drawn" if WORLD in sources else "")


def of(outside: pd.Series, name: str) -> pd.Series:
    """Whether the branch `name` is among those of each `outside`, which are joined by +; bool [n]."""
    return outside.str.split("+").map(lambda names: name in names).astype(bool)


def remark(outside: pd.Series, about: Mapping[str, str], known: set[str]) -> str:
    """One line on images by their `outside`, names joined by +: how many are unlike what the branches were trained on
    (`about`, by name), and the next step; "" where there is nothing to say. Of a branch that cannot tell (it is not in
    `known`) it says what that was, if it was drawn.
    """
    groups: dict[tuple[int | None, str], list[str]] = {}
    for name, what in about.items():
        count = int(of(outside, name).sum())
        if count > QUIET * len(outside):
            groups.setdefault((count, what), []).append(registry.called(name))
        elif name not in known and what.startswith(DRAWN.format("")):
            groups.setdefault((None, what), []).append(registry.called(name))
    if not groups or outside.empty:
        return ""
    parts = [_part(count, len(outside), what, " and ".join(titles)) for (count, what), titles in groups.items()]
    drawn = any(what.startswith(DRAWN.format("")) for _, what in groups)
    return f"{'; '.join(parts)}: verdicts on what is unlike these say nothing. Next: {NEXT if drawn else AGAIN}"


def _part(count: int | None, total: int, what: str, who: str) -> str:
    if count is None:
        return f"all training images of {who} are {what}"
    fact = f" ({what})" if what else ""
    unlike = f"{count} of {total} images are" if total > 1 else "the image is"
    return f"{unlike} unlike all training images of {who}{fact}"
