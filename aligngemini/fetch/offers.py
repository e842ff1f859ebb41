"""What a scale needs to be fetched: its sources by name, and what each would bring, before anything is downloaded."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.core import models, params, recipes, stages
from aligngemini.core.params import Refused

from . import bases, coco, echo4o, held_out, lite0, unsplash
from .record import COMPLETE, Offer

SOURCES: dict[str, Any] = {"coco": coco, "unsplash": unsplash, "echo4o": echo4o, "held_out": held_out, "lite0": lite0}
SOURCES |= bases.BASES
COUNTS = {"shards": 2, "count": 6000, "width": 1024}  # where neither the command nor the scale says


def chosen(names: list[str], scale: str) -> dict[str, Any]:
    """The sources by name; `vlm:owner/name@revision` stands for another model than the recipe's. Raises Refused."""
    found = {}
    for text in names:
        name, _, given = text.partition(":")
        if name not in SOURCES or given and name not in bases.BASES:
            raise params.unknown(text, list(SOURCES), "the workbook", "source")
        found[name] = SOURCES[name]
        if name in bases.BASES:
            found[name] = replace(SOURCES[name], given=given, scale=scale)
    return found


def needed(scale: str) -> list[str]:
    """The names of what the recipes of a scale take from the web: folders of data/raw, and models of the hub."""
    recipes.settings(scale)  # refuses a scale that is not there
    values = recipes.recipe(scale, stages.STAGES[stages.DATA]).values()
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    folders = {Path(text).parts[2].removesuffix(".csv") for text in map(str, texts) if text.startswith("data/raw/")}
    hub = {name for name, base in bases.BASES.items() if models.on_hub(replace(base, scale=scale).name)}
    names = [name for name in SOURCES if name in folders | hub]
    if not names:
        raise Refused(f"scale {scale} names nothing that can be fetched: put your own into the folders of its recipe")
    return names


def counts(scale: str, args: Namespace) -> dict[str, int]:
    """How much of the sources: what the command says, else the scale, else COUNTS."""
    usual = COUNTS | (recipes.settings(scale)["fetch"] if scale else {})
    return {name: usual[name] if getattr(args, name) is None else getattr(args, name) for name in usual}


def table(sources: dict[str, Any], root: Path, args: Namespace) -> pd.DataFrame:
    """A row for each source: from, MB, licence (a summary) and state; the hub is asked. problem: why it did not say how
    large it is, else "".
    """
    rows = []
    for name, source in sources.items():
        problem = ""
        try:
            offer = source.offer(root, args)
        except Refused as refusal:
            origin = getattr(source, "name", "") or getattr(source, "REPO", name)
            offer, problem = Offer(origin, 0, source.RIGHTS or "as its card says"), str(refusal)
        about, state = "about" if offer.about else "", source.check(root, quick=True)
        rows.append([name, offer.origin, offer.bytes / 1e6, about, offer.licence, state.word, problem])
    return pd.DataFrame(rows, columns=["source", "from", "MB", "exact", "licence", "state", "problem"])


def text(offered: pd.DataFrame) -> str:
    """The table as people read it, and the sum of what is not there yet."""
    size = [f"{row.exact} {row.MB:,.0f} MB".strip() if row.MB else "-" for row in offered.itertuples()]
    unknown = list(offered.source[offered.problem != ""])
    size = ["not known" if name in unknown else text for name, text in zip(offered.source, size, strict=True)]
    shown = offered.assign(size=size)[["source", "size", "licence", "state", "from"]]
    missing = offered.loc[offered.state != COMPLETE, "MB"].sum()
    without = f" without {', '.join(unknown)}, whose size could not be asked for" if unknown else ""
    to_come = f"to come: about {missing / 1e3:,.1f} GB{without} (licences: a summary, not legal advice)"
    return f"{shown.to_string(index=False)}\n{to_come}"
