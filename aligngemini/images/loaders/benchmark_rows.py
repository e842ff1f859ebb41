"""Every benchmark behind one door: what is written in notebook 01's `test` becomes rows of labelled images.

A text is `world`, a labelled folder, a CSV list, `NAME:DIR`, or `NAME:DIR:REALS_DIR` where the real images
lie elsewhere. What a benchmark is like stands in LAYOUTS.
"""

from pathlib import Path

import pandas as pd

from aligngemini.core import paths
from aligngemini.core.params import Refused, unknown

from ..filenames import spelled, true
from . import archives, csv_lists, folders, skips
from .benchmarks import LAYOUTS, key


def split(text: str) -> tuple[str, list[str]]:
    """Name and folders of `NAME:DIR[:REALS_DIR]`; no name, and the text itself, for a folder or a file.

    Raises Refused for a name that is not in LAYOUTS, with the nearest one.
    """
    head, colon, rest = text.partition(":")
    if not colon or "/" in head or paths.resolve(text).exists():
        return "", [text]
    names = {_letters(known): name for name, layout in LAYOUTS.items() for known in (name, *layout.aliases)}
    if _letters(head) not in names:
        raise unknown(head, list(LAYOUTS), "the workbook", "benchmark")
    name = names[_letters(head)]
    if not rest:
        raise Refused(f"{text} names no folder: write {name}:DIR")
    place, colon, reals = rest.rpartition(":")
    return name, [place, reals] if colon and not paths.resolve(rest).exists() else [rest]


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def parts(text: str) -> list[str]:
    """The folders and files that a text of `test` names. Raises Refused for a named benchmark that is not there, and
    for a file that begins like an image or an archive: the list would be read after everything else is made.
    """
    name, places = split(text)
    if not name and (place := paths.resolve(text)).is_file():
        csv_lists.check_start(place)
    for place, reals in zip(places if name else [], (False, True), strict=False):
        _check_folder(name, paths.resolve(place), reals)
    return places


def rows(text: str) -> pd.DataFrame:
    """The images of a benchmark, with a reason wherever one does not count: the columns of folders.scan.

    Label 0 is real, 1 fake, -1 unknown. Real images that several subsets share stand once in each. Named
    benchmarks are called as in the published numbers. Raises Refused, with where to get it, for a benchmark that
    is not there or has no image that counts.
    """
    name, places = split(text)
    here, *elsewhere = [paths.resolve(part) for part in places]
    if not name:
        return csv_lists.rows(here) if here.exists() and not here.is_dir() else folders.scan(here, labelled=True)
    table = pd.concat([_own(name, here), *[_reals(name, place) for place in elsewhere]], ignore_index=True)
    if not ((table["reason"] == "") & (table["label"] >= 0)).any():
        why = "".join(f" ({reason})" for reason in skips.lost(table)["reason"].head(1))
        source = LAYOUTS[name].source
        raise Refused(f"No picture of {name} counts under {here}{why}: unpack it there, it is from {source}.")
    if LAYOUTS[name].shared:
        table = _shared(table, name)
    table["label"] = table["label"].where(table["reason"] == "", -1)
    return pd.concat([table, *_one_sided(table, name)], ignore_index=True)


def _check_folder(name: str, root: Path, reals: bool = False) -> None:
    """Raise Refused for a folder that is not there, or that holds what this benchmark does not test on."""
    layout = LAYOUTS[name]
    if reals and not layout.shared:
        raise Refused(f"{name} has its own real pictures: leave out {root}, write {name}:DIR.")
    if not root.is_dir():
        what = f"The real pictures of {name} are" if reals else f"{name} is"
        source = layout.reals if reals and layout.reals else layout.source
        raise Refused(f"{what} not at {root}: download from {source}, and give the folder.")
    if problem := layout.skipped_folder((root.name,)):
        raise Refused(f"{root} is no folder to test {name} on ({problem}): give the one above it.")


def _own(name: str, root: Path) -> pd.DataFrame:
    _check_folder(name, root)
    layout = LAYOUTS[name]
    walked = folders.walked(root, layout, name=key(name))
    is_pack = walked["reason"] == skips.UNPACKED
    parts = [frame for pack in walked.loc[is_pack, "path"] for frame in _unpacked(name, Path(true(pack)), root)]
    table = folders.judged(pd.concat([walked[~is_pack], *parts], ignore_index=True))
    return csv_lists.checked(table, layout.listing) if layout.listing and len(table) else table


def _unpacked(name: str, pack: Path, root: Path) -> list[pd.DataFrame]:
    target, refused = archives.unpacked(pack, root)
    inside = folders.walked(archives.home(root), LAYOUTS[name], start=target, name=key(name))
    facts = {"label": -1, "subset": key(name), "generator": "", "benchmark": key(name), "root": spelled(root)}
    lost = [{"path": spelled(f"{pack}/{member}".rstrip("/")), "reason": reason, **facts} for member, reason in refused]
    inside = inside[inside["reason"] != skips.HIDDEN]  # the note on what was unpacked
    return [inside, pd.DataFrame(lost, columns=inside.columns)] if lost else [inside]


def _reals(name: str, root: Path) -> pd.DataFrame:
    """Rows of a folder that holds real images, whatever its folders are called, except what is not to test."""
    _check_folder(name, root, reals=True)
    layout = LAYOUTS[name].replace(unlabelled=0, digit=False, only="", packed=[], depth=1)
    return without_class(folders.judged(folders.walked(root, layout, name=key(name))), 1)


def without_class(rows: pd.DataFrame, label: int) -> pd.DataFrame:
    """The rows, where those that their folders give `label` get a reason and no label."""
    other = rows["label"] == label
    reason = rows["reason"].mask(other & (rows["reason"] == ""), "stands in a folder of the other class")
    return rows.assign(label=rows["label"].mask(other, -1), reason=reason)


def _shared(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Put real images that belong to no subset of fakes into every subset that they serve."""
    layout, usable = LAYOUTS[name], table["reason"] == ""
    fakes = table[usable & (table["label"] == 1)].drop_duplicates("subset").set_index("subset")["generator"]
    free = usable & (table["label"] == 0) & ~table["subset"].isin(fakes.index)
    if fakes.empty:
        return table
    parts = [table[~free]]
    for pool, reals in table[free].groupby("subset"):
        pools = {s: layout.pools.get(s, s.split("/")[0]) for s in fakes.index}
        serves = [s for s in fakes.index if not layout.pooled or pool in (key(name), pools[s])]
        parts += [reals.assign(subset=subset, generator=fakes[subset]) for subset in serves]
        if not serves:
            parts.append(reals.assign(reason=f"there are no fakes to compare {pool} with"))
    return pd.concat(parts, ignore_index=True)


def _one_sided(table: pd.DataFrame, name: str) -> list[pd.DataFrame]:
    """A row for every subset that lacks a class, unless it is a benchmark of fakes alone."""
    usable = table[(table["reason"] == "") & (table["label"] >= 0)]
    sides = usable.groupby("subset")["label"].transform("nunique")
    lines = usable[sides == 1].drop_duplicates("subset").sort_values("subset")
    if LAYOUTS[name].lone or lines.empty:
        return []
    reals, whole = LAYOUTS[name].reals, "is all of it unpacked?"
    elsewhere = f"get them from {reals}, and write {name}:DIR:REALS_DIR" if reals else whole
    lacking = lines["label"].map({1: f"real pictures: {elsewhere}", 0: f"fakes: {whole}"})
    return [lines.assign(path=lines["root"], label=-1, reason=lines["subset"] + " has no " + lacking)]
