"""The audit of a set: its images, all that was measured on them, and the verdict on each of its parts."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from aligngemini.core import atomic, manifest, paths, values
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.images import aspect, table
from aligngemini.images.filenames import printable, spelled
from aligngemini.images.loaders import benchmark_rows, scan_cache, skips
from aligngemini.images.table import briefly
from aligngemini.scores.cv_auroc import groups_per_class

from . import cues, duplicates, file_facts, findings

ALL = "all"
TRAINING = ("semantic.parquet", "pixel.parquet", "joint.parquet")  # all else that a run learns from is made of these
LEFT_OUT = ["path", *duplicates.SUBSET, "label", "reason"]
Words = Callable[[pd.DataFrame], float]


@dataclass(frozen=True)
class Report:
    """What an audit measured.

    parts: one row for the whole, called ALL, and one for each subset if there are several: part, real, fake, groups
    (see groups_per_class), left_out, the counts of duplicates.RELATIONS, the AUROC of cues.NAMES and of the probes,
    verdict. images: the usable ones, with a column for each relation. left_out: path, benchmark, subset, label,
    reason. training: how many images train, by set.
    """

    name: str
    parts: pd.DataFrame
    images: pd.DataFrame
    left_out: pd.DataFrame
    training: dict[str, int]

    @property
    def verdict(self) -> str:
        """The verdict on the whole; where that is usable, which parts are not."""
        whole, bad = self.parts["verdict"][0], self.parts["part"][self.parts["verdict"] != findings.USABLE]
        return f"usable as a whole, but not {', '.join(bad)}" if whole == findings.USABLE and len(bad) else whole

    @property
    def clean(self) -> bool:
        """Whether no image was left out and every part is usable."""
        return skips.lost(self.left_out).empty and self.parts["verdict"].eq(findings.USABLE).all()


def audit(text: str, against: Iterable[str] = (), words: Words | None = None, workers: int = 2) -> Report:
    """Audit what `text` names (see read) and compare it with training sets: `against`, and those of its run.

    `words` is a further probe of image-table rows, such as vlm.description_probe.description_auroc. Files are read by
    `workers` threads; facts of files that have not changed are remembered. Raises Refused for what cannot be read.
    """
    rows = read(text)
    sets = {name: read_training(name) for name in [*training_tables(text), *against]}
    rows = file_facts.add(rows, workers)
    usable = rows["reason"] == ""
    images, left_out = rows[usable].reset_index(drop=True), rows.loc[~usable, LEFT_OUT].reset_index(drop=True)
    if images.empty:
        why = [*skips.lost(rows)["reason"], *rows["reason"]][0]
        raise Refused(f"No picture of {text} can be used ({why}): give another set.")
    own = images[images["split"] == "train"]
    training = pd.concat([own, *(file_facts.add(each, workers) for each in sets.values())], ignore_index=True)
    images = images.join(duplicates.find(images, training[training["reason"] == ""]))
    images["pair_id"] = duplicates.group_ids(images)  # a name of all that belongs together
    parts = _parts(images, left_out)
    rows = [_measured(name, *part, words) for name, part in progress(parts.items(), "guessing the class", len(parts))]
    counts = {"its own split train": len(own)} if 0 < len(own) < len(images) else {}
    counts |= {spelled(name): len(each) for name, each in sets.items()}
    return Report(spelled(text), pd.DataFrame(rows), images, left_out, counts)


def _parts(images: pd.DataFrame, left_out: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Name -> usable images and what was left out: of the whole, and of each subset if there are several."""
    subsets = pd.concat([images, left_out])[duplicates.SUBSET].drop_duplicates()
    subsets = subsets[subsets["subset"] != ""]
    title = "{}/{}" if subsets["benchmark"].nunique() > 1 else "{1}"
    parts = {ALL: (images, left_out)}
    for place in subsets.to_numpy() if len(subsets) > 1 else ():
        inside = [(rows[duplicates.SUBSET] == place).all(axis=1) for rows in (images, left_out)]
        parts[title.format(*place)] = images[inside[0]], left_out[inside[1]]
    return parts


def _measured(name: str, images: pd.DataFrame, left_out: pd.DataFrame, words: Words | None) -> dict:
    figures = {"real": int((images["label"] == 0).sum()), "fake": int((images["label"] == 1).sum())}
    figures |= {"groups": groups_per_class(images), "left_out": len(left_out)}
    figures |= {relation: int((images[relation] != "").sum()) for relation in duplicates.RELATIONS}
    measured = cues.single_feature_auroc(images) | {cues.PROBE: cues.pixel_probe(images)}
    figures |= {cue: area.auroc for cue, area in measured.items()}
    figures |= {cues.WORDS: words(images)} if words else {}
    return {"part": name, **figures, "verdict": findings.verdict(figures)}


def read(text: str, split: str = "test") -> pd.DataFrame:
    """The images that `text` names, one row per file and subset, a reason where it is of no use.

    Columns: root (names the memory of its files), path, label, benchmark, subset, split, pair_id, reason, image_id,
    format, jpeg_quality, width, height, and more of an image table.

    `text` is a Parquet image table, the folder of a run of notebook 01 (its test table), a labelled folder, a CSV
    list, or NAME:DIR[:REALS_DIR]; relative paths stand on the working directory. Images that are in no split
    count as `split`. Raises Refused for what is none of these.
    """
    if not text:
        raise Refused("the name of the set is empty: give an image table, a labelled folder, a CSV list, or NAME:DIR.")
    path = Path(text).absolute()
    path = path / "test.parquet" if os.path.isfile(path / "test.parquet") else path
    if path.suffix == ".parquet":
        rows = table.unchecked(path).assign(root=str(path))
    else:
        rows = scan_cache.added(benchmark_rows.rows(_absolute(text))).assign(split=split)
    if rows.empty:
        raise Refused(f"{text} holds no picture: give another set.")
    unlabelled = (rows["reason"] == "") & ~rows["label"].isin((0, 1))
    return rows.assign(reason=rows["reason"].mask(unlabelled, "no label")).reset_index(drop=True)


def read_training(text: str) -> pd.DataFrame:
    """The usable images of `text` that train: of a table those whose split is not test, of all else every one."""
    rows = read(text, "train")
    rows = rows[(rows["reason"] == "") & (rows["split"] != "test")]
    if rows.empty:
        raise Refused(f"{text} has no picture that trains: give --against a table of notebook 01, or a folder.")
    return rows


def training_tables(text: str) -> list[str]:
    """The tables that the run of the test table `text` learns from; none for anything else."""
    folder = Path(text).absolute()
    folder = folder.parent if folder.name == "test.parquet" else folder
    found = [folder / name for name in TRAINING if (folder / "test.parquet").is_file() and (folder / name).is_file()]
    return [str(path) for path in found if parquet.read_metadata(path).num_rows]  # a joint validation set may be empty


def _absolute(text: str) -> str:
    """The text with absolute paths, whether they are there or not."""
    head, colon, rest = text.partition(":")
    if not colon or "/" in head or os.path.exists(text):
        return str(Path(text).absolute())
    places = [rest] if os.path.exists(rest) else rest.rsplit(":", 1)
    return ":".join([head, *(place and str(Path(place).absolute()) for place in places)])


EXAMPLES = 3


def text(report: Report) -> str:
    """The report in plain text: counts, cues, copies, what was left out, and the verdicts."""
    training = ", ".join(f"{paths.short(name)} ({count} pictures)" for name, count in report.training.items())
    against = f"held against {training or 'no training set: give --against'}"
    titles = {
        f"Audit of {printable(report.name)}": f"{len(report.images)} usable pictures; {against}",
        "Pictures": _table(report.parts[["part", "real", "fake", "left_out", *duplicates.RELATIONS]]),
        "The class guessed from one cue alone (AUROC; .5 says nothing, nan: too few to tell)": _cues(report.parts),
        "Stands there more than once": _copies(report.images),
        "Left out": _left_out(report.left_out),
        "Beyond a VLM of the Qwen family": _left_out(aspect.too_long(report.images)),
        "Verdicts": "\n".join(report.parts["part"] + ": " + report.parts["verdict"]),
    }
    return "\n\n".join(f"{title}\n{body}" for title, body in titles.items()) + f"\n\nverdict: {report.verdict}"


def write(report: Report, folder: Path) -> Path:
    """Write audit.parquet (its parts), audit.md and left_out.csv into `folder`; raises DiskFull."""
    with manifest.room_on_disk(folder):
        values.write(folder / "audit.parquet", report.parts)
        atomic.write(folder / "audit.md", f"```\n{text(report)}\n```\n\n**Verdict:** {report.verdict}\n")
        atomic.write(folder / "left_out.csv", report.left_out.to_csv(index=False))
    return folder


def _table(rows: pd.DataFrame) -> str:
    return rows.to_string(index=False, float_format="{:.2f}".format, na_rep="nan")


def _cues(parts: pd.DataFrame) -> str:
    shown = [name for name in (*cues.NAMES, cues.PROBE, cues.WORDS) if name in parts]
    note = "The probes see pictures: they are shown, and are no confounds."
    return f"{_table(parts[['part', *shown]])}\n{note}"


def _copies(images: pd.DataFrame) -> str:
    copies = {what: images.loc[images[name] != "", ["path", name]] for name, what in duplicates.RELATIONS.items()}
    shown = {what: rows.map(paths.short).agg(" and ".join, axis=1) for what, rows in copies.items() if len(rows)}
    return _with_examples((f"{len(lines)} {what}", lines) for what, lines in shown.items())


def _left_out(rows: pd.DataFrame) -> str:
    groups = rows.groupby(["subset", briefly(rows["reason"])])["path"]
    return _with_examples((f"{subset or 'no subset'}: {len(same)} x {why}", same) for (subset, why), same in groups)


def _with_examples(groups: Iterable[tuple[str, pd.Series]]) -> str:
    lines = [[f"{head}, e.g.", *("  " + examples.head(EXAMPLES).map(printable))] for head, examples in groups]
    return "\n".join(sum(lines, [])) or "nothing"
