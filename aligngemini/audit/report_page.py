"""An audit as people read it, and as files."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ..images import aspect
from ..images.filenames import printable
from ..images.table import briefly
from ..workbook import manifest, paths
from . import cues, duplicates
from .report import Audit

EXAMPLES = 3


def text(audit: Audit) -> str:
    """The audit in plain text: counts, cues, copies, what was left out, and the verdicts."""
    titles = {
        f"Audit of {printable(audit.name)}": _head(audit),
        "Pictures": _table(audit.parts[["part", "real", "fake", "left_out", *duplicates.RELATIONS]]),
        "The class guessed from one cue alone (AUROC; .5 says nothing, nan: too few to tell)": _cues(audit.parts),
        "Stands there more than once": "\n".join(_copies(audit.pictures)) or "nothing",
        "Left out": "\n".join(_left_out(audit.left_out)) or "nothing",
        "Beyond a VLM of the Qwen family": "\n".join(_left_out(aspect.too_long(audit.pictures))) or "nothing",
        "Verdicts": "\n".join(f"{row.part}: {row.verdict}" for row in audit.parts.itertuples()),
    }
    return "\n\n".join(f"{title}\n{body}" for title, body in titles.items()) + f"\n\nverdict: {audit.verdict}"


def markdown(audit: Audit) -> str:
    """`text` as Markdown: tables and lists in fixed letters, titles as titles."""
    blocks = [block.split("\n", 1) for block in text(audit).split("\n\n")[:-1]]
    return (
        "\n".join(f"## {title}\n\n```\n{body}\n```\n" for title, body in blocks) + f"\n**Verdict:** {audit.verdict}\n"
    )


def write(audit: Audit, folder: Path) -> Path:
    """Write audit.parquet (its parts), audit.md and left_out.csv into `folder`; raises DiskFull."""
    with manifest.room_on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        audit.parts.to_parquet(folder / "audit.parquet", index=False)
        (folder / "audit.md").write_text(markdown(audit), encoding="utf-8")
        audit.left_out.to_csv(folder / "left_out.csv", index=False)
    return folder


def _head(audit: Audit) -> str:
    held = ", ".join(f"{paths.short(name)} ({count} pictures)" for name, count in audit.against.items())
    return f"{len(audit.pictures)} usable pictures; held against {held or 'no training set: give --against'}"


def _table(rows: pd.DataFrame) -> str:
    return rows.to_string(index=False, float_format="{:.2f}".format, na_rep="nan")


def _cues(parts: pd.DataFrame) -> str:
    shown = [name for name in (*cues.NAMES, cues.PROBE, cues.WORDS) if name in parts]
    note = "The probes see pictures: they are shown, and are no confounds."
    return f"{_table(parts[['part', *shown]])}\n{note}"


def _copies(pictures: pd.DataFrame) -> Iterator[str]:
    for relation, what in duplicates.RELATIONS.items():
        met = pictures[pictures[relation] != ""]
        if len(met):
            shown = met[["path", relation]].head(EXAMPLES).map(paths.short).map(printable).to_numpy()
            yield "\n".join([f"{len(met)} {what}, e.g.", *(f"  {mine} and {other}" for mine, other in shown)])


def _left_out(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each place and reason, with up to three paths under it."""
    short = briefly(rows["reason"])
    for (subset, reason), same in rows.groupby([rows["subset"], short]):
        yield "\n".join(
            [
                f"{subset or 'no subset'}: {len(same)} x {reason}, e.g.",
                *("  " + same["path"].head(EXAMPLES).map(printable)),
            ]
        )
