"""The VLM as a branch: it looks at the whole image, and can say why."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image

from aligngemini.branches import domain as domains
from aligngemini.branches import identity
from aligngemini.core import adapters, devices, manifest
from aligngemini.core.params import Refused
from aligngemini.core.runs import Run

from . import image_size, verdict
from . import load as bases
from .adapter import with_adapter


@dataclass(eq=False)
class VLMBranch:
    """A tuned VLM; `base` (as `facts` gives it) and `adapter` are what it was loaded from, for its identity."""

    kind: ClassVar[str] = "vlm"
    FACTS: ClassVar = {"base": str, "revision": str, "precision": str, "max_pixels": int, "quantise": str}
    crop: ClassVar[int] = 0
    slow: ClassVar[bool] = True  # a cascade asks it last
    vlm: bases.VLM
    base: dict[str, Any] = field(default_factory=dict)
    adapter: Path = Path()
    name: str = "vlm"
    domain: domains.Domain | None = None

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "vlm") -> Self:
        """The base that `facts` names with the adapter in `folder`. Raises Refused where they do not fit."""
        complete = isinstance(facts, dict) and manifest.fits({"quantise": "", **facts}, cls.FACTS)
        if not complete or not set(facts) <= set(cls.FACTS):
            raise Refused(f"{folder} comes without what its VLM is loaded by: name another run, or fetch it again.")
        return cls(with_adapter(bases.load(**facts), folder), facts, folder, name, domains.load(folder))

    @staticmethod
    def facts(run: Run) -> dict[str, Any]:
        """The base of a run of notebook 02, at the commit that was trained on."""
        facts = {name: run.params[name] for name in ("base", "precision", "max_pixels")}
        facts["quantise"] = run.params.get("quantise", "")  # runs from before there was a choice lack it
        return facts | {"revision": run.models["base"]["revision"]}

    def on(self, device: torch.device) -> Self:
        """A copy on another device. Raises ValueError if it is quantised."""
        return devices.copied(self, self.vlm.model, device)

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> Image.Image:
        """The image as large as the model sees it; see image_size. Raises Unreadable for one that is too long."""
        return image_size.look(self.vlm, rgb)

    def p_fake(self, views: list[Image.Image]) -> np.ndarray:
        """p(fake) by the verdict sentences, float64 [n]."""
        return verdict.p_fake(self.vlm, views)

    def features(self, views: list[Image.Image]) -> np.ndarray:
        """What its vision tower sees, float32 [n, d]."""
        return verdict.features(self.vlm, views)

    def judge(self, views: list[Image.Image]) -> tuple[np.ndarray, list[bool | None]]:
        """p(fake), and whether each image is unlike all training images, None where that is not known."""
        if self.domain is None:
            return self.p_fake(views), [None] * len(views)
        p_fake, seen = verdict.judged(self.vlm, views)
        return p_fake, self.domain.outside(seen)

    def explain(self, views: list[Image.Image], fake: list[bool]) -> list[str]:
        """The model's reasons for the verdicts, "" where it gives none."""
        return verdict.explain(self.vlm, views, fake)

    @property
    def objective(self) -> str:
        """The objective that its adapter was trained with: not all of them teach it to give reasons."""
        return adapters.facts(self.adapter).get("objective", "")

    def identity(self, crop: int = 0) -> dict[str, Any]:
        """What its scores depend on, whatever the crop."""
        weight, base = next(self.vlm.model.parameters()), self.base
        model = identity.of_model(weight, base["base"], base["revision"], self.adapter, "transformers", __name__)
        return {"branch": self.kind, **model, "max_pixels": self.vlm.max_pixels, "quantise": base.get("quantise")}
