"""Every benchmark behind one door: what is written in notebook 01's `test` becomes rows of labelled pictures.

A text is `world`, a labelled folder, a CSV list, `NAME:DIR`, or `NAME:DIR:REALS_DIR` where the real pictures
lie elsewhere. What a benchmark is like stands in LAYOUTS.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from aligngemini.core import paths
from aligngemini.core.params import Refused, unknown

from ..filenames import spelled, true
from . import archives, csv_lists, folders, list_reading, skips
from .benchmarks import LAYOUTS, OTHER_NAMES, key


def split(text: str) -> tuple[str, list[str]]:
    """Name and folders of `NAME:DIR[:REALS_DIR]`; no name, and the text itself, for a folder or a file.

    Raises Refused for a name that is not in LAYOUTS, with the nearest one.
    """
    head, colon, rest = text.partition(":")
    if not colon or "/" in head or paths.resolve(text).exists():
        return "", [text]
    names = {_letters(name): name for name in LAYOUTS} | OTHER_NAMES
    if _letters(head) not in names:
        raise unknown(head, list(LAYOUTS), "test", "benchmark")
    name = names[_letters(head)]
    if not rest:
        raise Refused(f"{text} names no folder: write {name}:DIR")
    place, colon, reals = rest.rpartition(":")
    return name, [place, reals] if colon and not paths.resolve(rest).exists() else [rest]


def parts(text: str) -> list[str]:
    """The folders and files that a text of `test` names; Refused for a named benchmark that is not there, and for a
    file that begins like an image or an archive: the list would be read after everything else is made.
    """
    name, places = split(text)
    if not name and (place := paths.resolve(text)).is_file():
        list_reading.start(place)
    for place, reals in zip(places if name else [], (False, True), strict=False):
        _there(name, paths.resolve(place), reals)
    return places


def rows(text: str) -> pd.DataFrame:
    """The pictures of a benchmark, with a reason wherever one does not count: the columns of folders.scan.

    Label 0 is real, 1 fake, -1 unknown. Real pictures that several subsets share stand once in each. Named
    benchmarks are called as in the published numbers. Raises Refused, with where to get it, for a benchmark that
    is not there or has no picture that counts.
    """
    name, places = split(text)
    here, *elsewhere = [paths.resolve(part) for part in places]
    if not name:
        return csv_lists.rows(here) if here.is_file() else folders.scan(here, labelled=True)
    found = pd.concat([_found(name, here), *[_reals(name, place) for place in elsewhere]], ignore_index=True)
    usable = (found["reason"] == "") & (found["label"] >= 0)
    if not usable.any():
        raise Refused(_nothing(name, here, found))
    if LAYOUTS[name].shared:
        found = _shared(found, name)
    found["label"] = found["label"].where(found["reason"] == "", -1)
    return pd.concat([found, *_one_sided(found, name)], ignore_index=True)


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _there(name: str, root: Path, reals: bool = False) -> None:
    """Raise Refused for a folder that is not there, or that holds what this benchmark does not test on."""
    layout = LAYOUTS[name]
    if reals and not layout.shared:
        raise Refused(f"{name} has its own real pictures: leave out {root}, write {name}:DIR.")
    if not root.is_dir():
        what = f"The real pictures of {name} are" if reals else f"{name} is"
        source = layout.reals if reals and layout.reals else layout.source
        raise Refused(f"{what} not at {root}: download from {source}, and give the folder.")
    problem = layout.leaves((root.name,))
    if problem:
        raise Refused(f"{root} is no folder to test {name} on ({problem}): give the one above it.")


def _nothing(name: str, root: Path, found: pd.DataFrame) -> str:
    reasons = skips.lost(found)["reason"]
    why = f" ({reasons.iloc[0]})" if len(reasons) else ""
    return f"No picture of {name} counts under {root}{why}: unpack it there, it is from {LAYOUTS[name].source}."


def _found(name: str, root: Path) -> pd.DataFrame:
    _there(name, root)
    layout = LAYOUTS[name]
    walked = folders.walked(root, layout, name=key(name))
    is_pack = walked["reason"] == skips.UNPACKED
    parts = [walked[~is_pack]]
    parts += [frame for pack in walked.loc[is_pack, "path"] for frame in _unpacked(name, Path(true(pack)), root)]
    found = folders.judged(pd.concat([frame for frame in parts if len(frame)] or parts, ignore_index=True))
    return csv_lists.checked(found, layout.listing) if layout.listing and len(found) else found


def _unpacked(name: str, pack: Path, root: Path) -> list[pd.DataFrame]:
    """Rows of what an archive holds, and of what it was not allowed to hold."""
    target, refused = archives.unpacked(pack, root)
    inside = folders.walked(archives.home(root), LAYOUTS[name], start=target, name=key(name))
    inside = inside[inside["reason"] != skips.HIDDEN]  # the note on what was unpacked
    lost = [
        {"path": spelled(f"{pack}/{member}".rstrip("/")), "reason": reason, "said": []} for member, reason in refused
    ]
    fixed = {"label": -1, "subset": key(name), "generator": "", "benchmark": key(name), "root": spelled(root)}
    return [inside, pd.DataFrame(lost, columns=["path", "reason", "said"]).assign(**fixed)]


def _reals(name: str, root: Path) -> pd.DataFrame:
    """Rows of a folder that holds real pictures, whatever its folders are called, except what is not to test."""
    _there(name, root, reals=True)
    layout = replace(LAYOUTS[name], unlabelled=0, digit=False, only="", packed=(), depth=1)
    rows = folders.judged(folders.walked(root, layout, name=key(name)))
    other = rows["label"] == 1
    return rows.assign(
        label=rows["label"].mask(other, -1),
        reason=rows["reason"].mask(other & (rows["reason"] == ""), "stands in a folder of the other class"),
    )


def _shared(found: pd.DataFrame, name: str) -> pd.DataFrame:
    """Put real pictures that belong to no subset of fakes into every subset that they serve."""
    usable = found["reason"] == ""
    fakes = found[usable & (found["label"] == 1)].drop_duplicates("subset").set_index("subset")["generator"]
    free = usable & (found["label"] == 0) & ~found["subset"].isin(fakes.index)
    kept = [found[~free]]
    for pool, same in found[free].groupby("subset"):
        serves = [s for s in fakes.index if not LAYOUTS[name].pooled or pool in (key(name), s.split("/")[0])]
        kept += [same.assign(subset=subset, generator=fakes[subset]) for subset in serves]
        if len(fakes) and not serves:
            kept.append(same.assign(reason=f"there are no fakes to compare {pool} with"))
    return pd.concat(kept if len(fakes) else [found], ignore_index=True)


def _one_sided(found: pd.DataFrame, name: str) -> list[pd.DataFrame]:
    """A row for every subset that lacks a class, unless it is a benchmark of fakes alone."""
    usable = found[(found["reason"] == "") & (found["label"] >= 0)]
    labels = usable.groupby("subset")["label"].agg(["nunique", "first"])
    lone = labels[labels["nunique"] == 1] if not LAYOUTS[name].lone else labels[:0]
    lines = usable.drop_duplicates("subset").set_index("subset", drop=False).loc[lone.index]
    here = "is all of it unpacked?"
    elsewhere = f"get them from {LAYOUTS[name].reals}, and write {name}:DIR:REALS_DIR" if LAYOUTS[name].reals else here
    lacking = {1: f"real pictures: {elsewhere}", 0: f"fakes: {here}"}
    reasons = [f"{subset} has no {lacking[label]}" for subset, label in lone["first"].items()]
    return [lines.assign(path=lines["root"], label=-1, reason=reasons)] if len(lines) else []
