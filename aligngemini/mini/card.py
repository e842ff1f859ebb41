"""The card that each mini base carries: `card.json` for programs, `README.md` for people."""

import json
from pathlib import Path

ABOUT = "A small model of the AlignGemini workbook, pretrained on its drawn world. It has seen no photograph."
PLAIN = ("told", "command", "seed", "steps")


def write(folder: Path, name: str, card: dict) -> None:
    """Write both forms of `card` into `folder`; everything in it must fit JSON."""
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(text(name, card), encoding="utf-8")


def text(name: str, card: dict) -> str:
    """The card in Markdown: what it was told, how it is made again, its figures, the course of its loss."""
    lines = [f"# {name}", "", ABOUT, ""]
    lines += [f"- **{key}**: {_inline(card[key])}" for key in PLAIN if key in card]
    for key, value in card.items():
        if key in PLAIN or key == "environment":
            continue
        lines += ["", f"## {key.replace('_', ' ')}", "", *_section(value)]
    packages = card.get("environment", {}).get("packages", {})
    lines += ["", "Made with " + ", ".join(f"{k} {v}" for k, v in packages.items()) + "."] if packages else []
    return "\n".join(lines) + "\n"


def _inline(value) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _section(value) -> list[str]:
    """A table for a list of rows, for rows under names and for named figures; a figure alone as it is."""
    if isinstance(value, list) and value:
        return _table(list(value[0]), [list(row.values()) for row in value])
    if isinstance(value, dict) and all(isinstance(row, dict) for row in value.values()):
        columns = list(dict.fromkeys(column for row in value.values() for column in row))
        return _table(["", *columns], [[name, *(row.get(c, "") for c in columns)] for name, row in value.items()])
    if isinstance(value, dict):
        return _table(list(value), [list(value.values())])
    return [str(value)]


def _table(head: list, rows: list[list]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: list) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
