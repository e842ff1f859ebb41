"""From scores to verdicts: one frame for each way of looking at a benchmark, with a reason for every gap."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from aligngemini.analysis import published
from aligngemini.branches import registry
from aligngemini.branches.branch import Branch
from aligngemini.branches.score_cache import Scores
from aligngemini.core import fingerprint
from aligngemini.detector import Detector
from aligngemini.fusion import join, outside
from aligngemini.fusion.rules import Fusion
from aligngemini.images.protocols import Protocol, Treatment, treatment
from aligngemini.scores import metrics

from . import scoring
from .benchmark import Benchmark
from .scoring import Job, NearConstant, Reasons

CARRIED = ["benchmark", "subset", "image_id", "pair_id", "label", "generator", "path"]
CONSTANT = NearConstant()


class View(NamedTuple):
    """A protocol, and perhaps a perturbation at a severity after it."""

    protocol: Protocol
    perturbation: str = ""
    severity: float = 0

    @property
    def title(self) -> str:
        """'native', 'native, jpeg 90'."""
        harm = f", {self.perturbation} {self.severity:g}" if self.perturbation else ""
        return f"{self.protocol.name}{harm}"


@dataclass
class Bench:
    """A benchmark before a detector: `facts` says what scores for each (branch, crop), `reasons` what has no score."""

    benchmark: Benchmark
    detector: Detector
    store: Scores
    facts: dict[tuple[str, int], dict] = field(default_factory=dict)
    reasons: Reasons = field(default_factory=dict)

    def jobs(self, view: View, label: int) -> list[Job]:
        """Return what has to be known of an image of that label, the branches first, in order."""
        steps = treatment(view.protocol, self.benchmark.key, label, view.perturbation, view.severity)
        jobs = [self._job(branch, crop(branch, view.protocol), steps) for branch in self.detector.branches]
        return [*jobs, self._job(CONSTANT, 0, ())] if view.protocol.skips_constant else jobs

    def _job(self, branch: Branch, side: int, steps: Treatment) -> Job:
        key = branch.name, side
        self.facts[key] = self.facts.get(key) or scoring.facts(branch, side)
        return Job(branch, fingerprint.digest(self.facts[key]), side, steps)

    def rows(self, protocol: Protocol) -> pd.DataFrame:
        """Return the images of the subsets that the protocol counts, with a reason for those too small for it."""
        rows = self.benchmark.rows
        if counted := protocol.subsets.get(self.benchmark.key):
            rows = rows[rows["subset"].str.casefold().isin({name.casefold() for name in counted})]
        small = rows[["width", "height"]].min(axis=1) < protocol.side
        return rows.assign(reason=np.where(small, f"smaller than {protocol.side} px", ""))

    def score(self, views: list[View]) -> None:
        """Let the branches score what is not known of the views. Raises DiskFull."""
        wanted: dict[Job, set[str]] = {}
        for view in views:
            rows = self.rows(view.protocol)
            for label, part in rows[rows["reason"] == ""].groupby("label"):
                for job in self.jobs(view, int(label)):
                    wanted.setdefault(job, set()).update(part["image_id"])
        images = self.benchmark.rows.drop_duplicates("image_id")[["image_id", "path", "reason"]]
        self.reasons |= scoring.score(images, wanted, self.store)

    def judged(self, view: View) -> pd.DataFrame:
        """Return one row per image and subset: CARRIED, <name>_score for each branch, reason, outside (the branches
        that were trained on nothing like it, joined by +), fused_score, verdict, fired.

        Rows that a protocol leaves out have no scores; where some branches have none, the reason names them.
        """
        rows = self.rows(view.protocol)
        parts = [self._scored(rows[rows["label"] == label], self.jobs(view, label)) for label in (0, 1)]
        frame = pd.concat(parts).loc[rows.index].reset_index(drop=True)
        return join.fuse(frame, self.fusion(view.protocol), self.detector.names)

    def _scored(self, rows: pd.DataFrame, jobs: list[Job]) -> pd.DataFrame:
        """Return the rows of one label with what is known of them."""
        known = {job.branch.name: rows["image_id"].map(self.store.recall(*job.kind)).astype(float) for job in jobs}
        constant = known.pop(CONSTANT.name, pd.Series(np.nan, rows.index)) == 1
        reason = rows["reason"].mask(constant & (rows["reason"] == ""), "near-constant")
        counts = reason == ""
        frame = rows[CARRIED].assign(**{f"{name}_score": score.where(counts) for name, score in known.items()})
        gaps = counts & ~join.scored(frame, self.detector.names)
        kinds = {None: None} | {job.branch.name: job.kind for job in jobs}
        reason[gaps] = [self._reason(image_id, kinds) for image_id in rows["image_id"][gaps]]
        strangers = pd.Series("", rows.index, dtype=object)
        for job in jobs[: len(self.detector.names)]:
            strange = counts & (rows["image_id"].map(self.store.recall(*job.outside)) == 1)
            strangers += strange.map({True: f"{job.branch.name}+", False: ""})
        return frame.assign(reason=reason, outside=strangers.str.rstrip("+"))

    def _reason(self, image_id: str, kinds: Mapping) -> str:
        """Return why an image lacks a score, by the kinds of its jobs; "" where nothing is known of that."""
        gaps = {name: self.reasons[image_id, kind] for name, kind in kinds.items() if (image_id, kind) in self.reasons}
        return gaps.get(None) or join.reason(gaps, self.detector.names)

    def fusion(self, protocol: Protocol) -> Fusion:
        """Return the detector's rule and thresholds, or what the protocol puts in their place; a rule that was fitted
        stays what it is unless the protocol names another."""
        own, given = self.detector.fusion, protocol.threshold
        thresholds = own.thresholds if given is None else (given,) * len(own.thresholds)
        if protocol.rule:
            return Fusion(protocol.rule, thresholds)
        return own if given is None else Fusion(own.rule, thresholds, own.fitted_on)

    def as_published(self, protocol: Protocol) -> bool:
        """Tell whether a protocol comes to what the published numbers of the benchmark were made by."""
        fusion, key = self.fusion(protocol), self.benchmark.key
        crops = {crop(branch, protocol) for branch in self.detector.branches}
        return all(published.as_published(key, side, set(fusion.thresholds), fusion.rule, protocol) for side in crops)

    def verdicts(self, view: View) -> pd.DataFrame:
        """Return `judged` once for each branch and once for the fusion: title, model, supervision (here the protocol),
        run, axis, score and verdict, as analysis.tables wants them."""
        judged, fusion, name = self.judged(view), self.fusion(view.protocol), view.protocol.name
        same = {"supervision": name, "run": "", "axis": judged["label"].map({0: "none", 1: "unknown"})}
        parts = []
        for model, threshold in zip(self.detector.names, fusion.thresholds, strict=True):
            score = judged[f"{model}_score"]
            said = {"score": score, "verdict": metrics.verdicts(score, threshold)}
            title = f"{registry.title(model)}, {name}"
            strange = outside.of(judged["outside"], model)
            parts.append(judged.assign(title=title, model=model, **same, **said, outside=strange))
        fused = {"title": f"fusion ({fusion.rule}), {name}", "model": "fusion", "score": judged["fused_score"]}
        parts.append(judged.assign(**fused, **same, outside=judged["outside"] != ""))
        return pd.concat(parts, ignore_index=True)


def crop(branch: Branch, protocol: Protocol) -> int:
    """Return the side of the crop that a branch looks at under a protocol, px; 0 for one that looks at whole images."""
    return branch.crop and (protocol.crop or branch.crop)
