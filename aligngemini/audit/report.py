"""An audit: a set of pictures, all that was found out about it, and the verdict on each of its parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from ..images.filenames import spelled
from ..images.places import skips
from ..images.table import sample_whole_pairs
from ..scores.cv_auroc import groups_per_class
from ..workbook.params import Refused
from ..workbook.progress import progress
from . import cues, duplicates, file_facts, findings, image_sets

ALL = "all"
Words = Callable[[pd.DataFrame], float]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    parts: one row for the whole, called ALL, and one for each subset if there are several: part, real, fake, groups
    (see groups_per_class), left_out, the counts of duplicates.RELATIONS, the AUROC of cues.NAMES and of the probes,
    verdict.
    pictures: the usable ones, with a column for each relation. left_out: path, benchmark, subset, label, reason.
    against: how many train, by table.
    """

    name: str
    parts: pd.DataFrame
    pictures: pd.DataFrame
    left_out: pd.DataFrame
    against: dict[str, int]

    @property
    def verdict(self) -> str:
        """The verdict on the whole; where that is usable, what of it is not."""
        whole, *rest = self.parts["verdict"]
        bad = self.parts["part"][1:][[said != findings.USABLE for said in rest]]
        return f"usable as a whole, but not {', '.join(bad)}" if whole == findings.USABLE and len(bad) else whole

    @property
    def clean(self) -> bool:
        """Whether no picture was left out and every part is usable."""
        return skips.lost(self.left_out).empty and self.parts["verdict"].eq(findings.USABLE).all()


def make(text: str, against: Iterable[str] = (), words: Words | None = None, workers: int = 2) -> Audit:
    """Audit what `text` names (see image_sets.rows) and compare it with training sets: `against`, and those of its run.

    `words` is a further probe of image-table rows, such as vlm.description_probe.description_auroc. Files are looked
    at by `workers` threads, once; what is remembered of them is not read again. Raises Refused for what cannot be read.
    """
    rows = image_sets.rows(text)
    train = {name: image_sets.training(name) for name in dict.fromkeys([*image_sets.beside(text), *against])}
    rows = file_facts.added(rows, _probed(rows), workers)
    usable = rows[rows["reason"] == ""].reset_index(drop=True)
    if usable.empty:
        why = [*skips.lost(rows)["reason"], *rows["reason"]][0]
        raise Refused(f"No picture of {text} can be used ({why}): give another set.")
    usable = usable.join(duplicates.found(usable, _training(usable, train.values(), workers)))
    usable = usable.assign(pair_id=duplicates.kin(usable, usable[list(duplicates.RELATIONS)[:4]]))
    left_out = rows.loc[rows["reason"] != "", ["path", "benchmark", "subset", "label", "reason"]]
    parts = _parts(usable, left_out)
    table = [_measured(name, *both, words) for name, both in progress(parts.items(), "guessing the class", len(parts))]
    own = (usable["split"] == "train").sum() if (usable["split"] != "train").any() else 0
    counts = ({"its own split train": int(own)} if own else {}) | {
        spelled(name): len(rows) for name, rows in train.items()
    }
    return Audit(spelled(text), pd.DataFrame(table), usable, left_out.reset_index(drop=True), counts)


def _probed(rows: pd.DataFrame) -> set[str]:
    """Paths of the pictures of every subset that the pixel probe will see."""
    pairs = rows.assign(pair_id=rows["pair_id"].where(rows["pair_id"] != "", rows["image_id"]))
    chosen = [sample_whole_pairs(same, cues.PROBED)["path"] for _, same in pairs.groupby(duplicates.PLACE, sort=False)]
    return set(pd.concat(chosen))


def _training(usable: pd.DataFrame, tables: Iterable[pd.DataFrame], workers: int) -> pd.DataFrame:
    looked = [file_facts.added(rows, workers=workers) for rows in tables]
    every = pd.concat([usable[usable["split"] == "train"], *looked], ignore_index=True)
    return every[every["reason"] == ""]


def _parts(usable: pd.DataFrame, left_out: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Name -> usable pictures and what was left out: of the whole, and of each subset if there are several."""
    every = pd.concat([usable, left_out])[duplicates.PLACE].drop_duplicates()
    every = every[every["subset"] != ""]
    spelt = "{benchmark}/{subset}" if every["benchmark"].nunique() > 1 else "{subset}"
    parts = {ALL: (usable, left_out)}
    for place in every.to_dict("records") if len(every) > 1 else []:
        parts[spelt.format(**place)] = tuple(
            rows[(rows["benchmark"] == place["benchmark"]) & (rows["subset"] == place["subset"])]
            for rows in (usable, left_out)
        )
    return parts


def _measured(name: str, rows: pd.DataFrame, left_out: pd.DataFrame, words: Words | None) -> dict:
    counts = {"real": int((rows["label"] == 0).sum()), "fake": int((rows["label"] == 1).sum())}
    copied = {relation: int((rows[relation] != "").sum()) for relation in duplicates.RELATIONS}
    told = cues.measured(rows) | ({cues.WORDS: words(rows)} if words else {})
    figures = counts | {"groups": groups_per_class(rows), "left_out": len(left_out)} | copied | told
    return {"part": name, **figures, "verdict": findings.sentence(figures)}
