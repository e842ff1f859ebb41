"""The audit of a set: its images, all that was measured on them, and the verdict on each of its parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.images.filenames import spelled
from aligngemini.images.loaders import skips
from aligngemini.scores.cv_auroc import groups_per_class

from . import cues, duplicates, file_facts, findings, image_sets

ALL = "all"
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
    """Audit what `text` names (see image_sets.read) and compare it with training sets: `against`, and those of its run.

    `words` is a further probe of image-table rows, such as vlm.description_probe.description_auroc. Files are read by
    `workers` threads; facts of files that have not changed are remembered. Raises Refused for what cannot be read.
    """
    rows = image_sets.read(text)
    sets = {name: image_sets.read_training(name) for name in [*image_sets.training_tables(text), *against]}
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
    table = [_measured(name, *part, words) for name, part in progress(parts.items(), "guessing the class", len(parts))]
    counts = {"its own split train": len(own)} if 0 < len(own) < len(images) else {}
    counts |= {spelled(name): len(each) for name, each in sets.items()}
    return Report(spelled(text), pd.DataFrame(table), images, left_out, counts)


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
    figures |= cues.single_feature_auroc(images) | {cues.PROBE: cues.known_pixel_probe(images)}
    figures |= {cues.WORDS: words(images)} if words else {}
    return {"part": name, **figures, "verdict": findings.verdict(figures)}
