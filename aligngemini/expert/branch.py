"""The pixel expert as a branch: it looks at the centre crop, never resized."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from aligngemini.branches import domain as domains
from aligngemini.branches import identity
from aligngemini.core import devices, manifest
from aligngemini.core.params import Refused
from aligngemini.core.runs import Run

from . import backbone
from .adapter import with_adapter
from .views import window


@dataclass(eq=False)
class ExpertBranch:
    """A tuned expert; `base` (as `facts` gives it) and `adapter` are what it was loaded from, for its identity."""

    kind: ClassVar[str] = "expert"
    FACTS: ClassVar = {"base": str, "revision": str, "crop": int}
    expert: backbone.Expert
    crop: int
    base: dict[str, Any] = field(default_factory=dict)
    adapter: Path = Path()
    name: str = "expert"
    domain: domains.Domain | None = None

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "expert") -> Self:
        """The base that `facts` names with the adapter in `folder`. Raises Refused where they do not fit."""
        if not manifest.fits(facts, cls.FACTS) or facts["crop"] < 1:
            raise Refused(f"{folder} comes without what its expert is loaded by: name another run, or fetch it again.")
        expert = with_adapter(backbone.load(facts["base"], facts["revision"]), folder)
        return cls(expert, facts["crop"], facts, folder, name, domains.load(folder))

    @staticmethod
    def facts(run: Run) -> dict[str, Any]:
        """The base of a run of notebook 03, at the commit that was trained on, and the side of its crops, px."""
        revision = run.models["base"]["revision"]
        return {"base": run.params["base"], "revision": revision, "crop": run.params["crop"]}

    def on(self, device: torch.device) -> Self:
        """A copy on another device."""
        return devices.copied(self, self.expert.model, device, self.expert.mean, self.expert.std)

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """The centre crop, uint8 [crop, crop, 3]; a smaller image is padded with zeros."""
        return window(rgb, crop or self.crop)

    def p_fake(self, views: list[np.ndarray]) -> np.ndarray:
        """The sigmoid of its logits, float64 [n]."""
        return self.expert.p_fake(views)

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        """What its backbone sees without the adapter, float64 [n, d]."""
        return self.expert.frozen(views)

    def judge(self, views: list[np.ndarray]) -> tuple[np.ndarray, list[bool | None]]:
        """p(fake), and whether each crop is unlike all training images, None where that is not known."""
        if self.domain is None:
            return self.p_fake(views), [None] * len(views)
        frozen = self.features(views)
        return self.expert.p_fake(views, frozen), self.domain.outside(frozen)

    def identity(self, crop: int = 0) -> dict[str, Any]:
        """What its scores of crops of that side depend on."""
        weight = next(self.expert.model.parameters())
        model = identity.of_model(
            weight, self.base["base"], self.base["revision"], self.adapter, "timm", type(self).__module__
        )
        return {"branch": self.kind, **model, "crop": crop or self.crop}
