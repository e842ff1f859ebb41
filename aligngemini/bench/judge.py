"""From remembered scores to verdicts: one frame for each way of looking at a benchmark, with a reason for every gap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..analysis import published, tables
from ..fusion import join
from ..fusion.rules import Fusion
from ..images.protocols import Protocol, treatment
from . import identity
from .pictures import Pictures
from .remembered import Scores
from .scoring import CONSTANT, Job, Reasons

BRANCHES = ("vlm", "expert")
CARRIED = ["benchmark", "subset", "image_id", "label", "generator", "path"]


class View(NamedTuple):
    """A protocol, and perhaps a perturbation at a severity after it."""

    protocol: Protocol
    perturbation: str = ""
    severity: float = 0

    @property
    def title(self) -> str:
        """'native', 'native, jpeg 90'."""
        return (
            f"{self.protocol.name}, {self.perturbation} {self.severity:g}" if self.perturbation else self.protocol.name
        )


@dataclass(frozen=True)
class Bench:
    """A benchmark before a detector: `facts` tells what scores for each (branch, crop), `models` digests it."""

    pictures: Pictures
    detector: object
    facts: list[dict]
    models: Mapping[tuple[str, int], str]

    @classmethod
    def of(cls, pictures: Pictures, detector, protocols: list[Protocol]) -> "Bench":
        """The bench of a detector under these protocols."""
        asked = {("vlm", 0), *(("expert", protocol.crop or detector.crop) for protocol in protocols)}
        facts = {key: identity.facts(detector, *key) for key in sorted(asked)}
        digests = {key: identity.of(told) for key, told in facts.items()} | {(CONSTANT, 0): identity.of_code()}
        return cls(pictures, detector, list(facts.values()), digests)

    def jobs(self, view: View, label: int) -> dict[str, Job]:
        """What has to be known of a picture of that label, by branch."""
        steps = treatment(view.protocol, self.pictures.known, label, view.perturbation, view.severity)
        crops = {"vlm": 0, "expert": view.protocol.crop or self.detector.crop}
        looks = {name: Job(name, self.models[name, crop], crop, steps) for name, crop in crops.items()}
        if view.protocol.skips_constant:
            looks[CONSTANT] = Job(CONSTANT, self.models[CONSTANT, 0], 0, ())
        return looks

    def rows(self, protocol: Protocol) -> pd.DataFrame:
        """The pictures of the subsets that the protocol counts, with a reason for those too small for it."""
        rows = self.pictures.rows
        if counted := protocol.subsets.get(self.pictures.known):
            rows = rows[rows["subset"].str.casefold().isin({name.casefold() for name in counted})]
        small = rows[["width", "height"]].min(axis=1) < protocol.side
        return rows.assign(reason=np.where(small, f"smaller than {protocol.side} px", ""))

    def wanted(self, views: list[View]) -> dict[Job, set[str]]:
        """Image ids by job, for all views together."""
        found: dict[Job, set[str]] = {}
        for view in views:
            rows = self.rows(view.protocol)
            for label, part in rows[rows["reason"] == ""].groupby("label"):
                for job in self.jobs(view, int(label)).values():
                    found.setdefault(job, set()).update(part["image_id"])
        return found

    def judged(self, view: View, store: Scores, reasons: Reasons) -> pd.DataFrame:
        """One row per picture and subset: CARRIED, vlm_score, expert_score, reason, fused_score, verdict, fired.

        `reasons` are those of scoring.score. Rows that a protocol leaves out have no scores; where one branch alone has
        none, the reason names it. Raises Refused as fusion.rules.Fusion does.
        """
        rows = self.rows(view.protocol)
        known = pd.concat([self._known(rows, view, label, store) for label in (0, 1)]).loc[rows.index]
        left_out = rows["reason"].mask((rows["reason"] == "") & (known[CONSTANT] == 1), "near-constant")
        told = pd.concat([self._told(rows, view, label, reasons) for label in (0, 1)]).loc[rows.index]
        whole = known[list(BRANCHES)].notna().all(axis=1)
        frame = rows[CARRIED].assign(reason=left_out.where(left_out != "", told.mask(whole, "")))
        for name in BRANCHES:
            frame[f"{name}_score"] = known[name].where(left_out == "")
        rule, *thresholds = settings(view.protocol, self.detector)
        return join.fuse(frame.reset_index(drop=True), Fusion(rule, tuple(thresholds)), BRANCHES)

    def _known(self, rows: pd.DataFrame, view: View, label: int, store: Scores) -> pd.DataFrame:
        """Scores of the rows of one label by branch, NaN where there is none."""
        part = rows[rows["label"] == label]
        jobs = self.jobs(view, label)
        found = {name: part["image_id"].map(store.recall(*job.kind)).astype(float) for name, job in jobs.items()}
        return pd.DataFrame({CONSTANT: np.nan} | found, index=part.index)

    def _told(self, rows: pd.DataFrame, view: View, label: int, reasons: Reasons) -> pd.Series:
        """Why the rows of one label lack a score, "" where nothing is known of that."""
        part = rows[rows["label"] == label]
        kinds = {None: None} | {name: job.kind for name, job in self.jobs(view, label).items()}
        failed = {image for image, _ in reasons}
        told = [
            join.reason(
                {name: reasons[image, kind] for name, kind in kinds.items() if (image, kind) in reasons}, BRANCHES
            )
            if image in failed
            else ""
            for image in part["image_id"]
        ]
        return pd.Series(told, part.index, str)


def settings(protocol: Protocol, detector) -> tuple[str, float, float]:
    """Rule and the thresholds of VLM and expert under a protocol."""
    thresholds = detector.thresholds if protocol.threshold is None else (protocol.threshold,) * 2
    return protocol.rule or detector.rule, *thresholds


def as_published(protocol: Protocol, known: str, detector) -> bool:
    """Whether a protocol comes to what the published numbers of a benchmark were made by, with this detector."""
    rule, *thresholds = settings(protocol, detector)
    return published.as_published(known, protocol.crop or detector.crop, set(thresholds), rule, protocol)


def verdicts(frame: pd.DataFrame, view: View, detector) -> pd.DataFrame:
    """`Bench.judged` three times over, by VLM, expert and fusion: title, model, supervision (here the protocol), run,
    axis, score and verdict, as analysis.tables wants them."""
    rule, *thresholds = settings(view.protocol, detector)
    limits = dict(zip(BRANCHES, thresholds, strict=True))
    parts = []
    for name, title in tables.NAMES.items():
        score = frame["fused_score" if name == "fusion" else f"{name}_score"]
        verdict = frame["verdict"] if name == "fusion" else score.gt(limits[name]).astype("Int8").mask(score.isna())
        shown = f"{title} ({rule})" if name == "fusion" else title
        told = {"title": f"{shown}, {view.protocol.name}", "model": name, "supervision": view.protocol.name, "run": ""}
        parts.append(
            frame.assign(score=score, verdict=verdict, axis=frame["label"].map({0: "none", 1: "unknown"}), **told)
        )
    return pd.concat(parts, ignore_index=True)
