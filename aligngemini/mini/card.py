"""The card that each mini base carries: `card.json` for programs, `README.md` for people."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.analysis import export

ABOUT = "A small model of the AlignGemini workbook, pretrained on its drawn world. It has seen no photograph."
PLAIN = ("told", "command", "seed", "steps")


def write(folder: Path, name: str, card: dict[str, Any]) -> None:
    """Write both forms of `card` into `folder`; everything in it must fit JSON."""
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(text(name, card), encoding="utf-8")


def text(name: str, card: dict[str, Any]) -> str:
    """The card in Markdown: what it was told, how it is made again, its figures, the course of its loss."""
    lines = [f"# {name}", "", ABOUT, "", *(f"- **{key}**: {_inline(card[key])}" for key in PLAIN if key in card)]
    for key in [key for key in card if key not in (*PLAIN, "environment")]:
        lines += ["", f"## {key.replace('_', ' ')}", "", _section(card[key])]
    packages = card.get("environment", {}).get("packages", {})
    lines += ["", f"Made with {_inline(packages)}."] if packages else []
    return "\n".join(lines) + "\n"


def _inline(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _section(value: Any) -> str:
    """A table for a list of rows, for rows under names and for named figures; a figure alone as it is."""
    if not isinstance(value, list | dict):
        return str(value)
    if isinstance(value, dict) and all(isinstance(row, dict) for row in value.values()):
        return export.markdown(pd.DataFrame.from_dict(value, orient="index").reset_index(names="").fillna(""))
    return export.markdown(pd.DataFrame(value if isinstance(value, list) else [value]))
