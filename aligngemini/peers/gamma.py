"""GAMMA (arXiv 2509.10250): a classifier that segmentation guides, trained on manipulated photographs. The paper's idea
is here; backbone, what the masks say, queries and keys, losses, schedule and data are not in it, and ours.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from aligngemini.branches import options
from aligngemini.core.params import Refused
from aligngemini.core.seeds import generator
from aligngemini.expert import architectures, backbone, batches, train, views
from aligngemini.expert.branch import ExpertBranch
from aligngemini.expert.params import ExpertParams
from aligngemini.expert.sample import sample
from aligngemini.images import table

from . import composite, manipulate
from .params import GammaOptions

WEIGHTS = "gamma.safetensors"
HEADS = 4  # of the cross-attention


class Network(nn.Module):
    """A backbone with a classification head, two segmentation heads (`segment`), and reverse cross-attention (`guide`):
    the class token asks, the segmentation features answer, and the answer corrects the token before its head.
    """

    def __init__(self, model: nn.Module, segment: bool = True, guide: bool = True) -> None:
        super().__init__()
        width = model.num_features
        self.model = model
        self.features = nn.ModuleList(_features(width) for _ in range(2 * segment))
        self.masks = nn.ModuleList(nn.Linear(width, 1) for _ in range(2 * segment))
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True) if guide else None
        if self.attention is not None:
            nn.init.zeros_(self.attention.out_proj.weight)  # guidance begins with nothing, as LoRA does

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the masks [n, 2, H, W] (without segmentation [n, 0, H, W]) and of being fake [n], of normalised
        images [n, 3, H, W].
        """
        pooled, patches = architectures.features(self.model, pixels)
        seen = [each(patches) for each in self.features]
        logits = self.classify(pooled, seen)
        size = pixels.shape[2:]
        rows = round((patches.shape[1] * size[0] / size[1]) ** 0.5)
        if not seen:
            return pixels.new_zeros(len(pixels), 0, *size), logits
        coarse = torch.cat([mask(each) for mask, each in zip(self.masks, seen, strict=True)], 2).mT
        return functional.interpolate(coarse.unflatten(2, (rows, -1)), size, mode="bilinear"), logits

    def classify(self, token: torch.Tensor, seen: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits [n] of class tokens [n, d] and segmentation features, each [n, p, d]."""
        if self.attention is not None:
            memory = torch.cat(list(seen), 1)
            token = token + self.attention(token[:, None], memory, memory, need_weights=False)[0][:, 0]
        return self.model.get_classifier()(token).squeeze(1)


def _features(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))


class Manipulations(batches.Batches):
    """Batch number -> uint8 [2 n, 5, crop, crop] of n photographs, then these manipulated: three colours and two masks
    of 0 and 1. Every manipulation is drawn by seed, epoch and photograph.
    """

    def __init__(self, pairs: pd.DataFrame, kinds: Sequence[str], config: ExpertParams, start: int = 0) -> None:
        super().__init__(pairs, config, start)
        self.kinds = kinds

    def _views(self, row: Any, epoch: int) -> np.ndarray:
        draws, noise = (generator(what, self.config.seed, epoch, row.pair_id) for what in ("manipulation", "grain"))
        kind = str(draws.choice(self.kinds))
        real, fake, masks = manipulate.example(self.pairs, row.Index, kind, self.config.crop, draws)
        sampled = sample(self.config, draws)
        images = views.paired_views(real, fake, self.config, sampled, noise)
        flipped = np.flip(masks, [axis for axis, turn in ((0, sampled.upend), (1, sampled.flip)) if turn])
        return np.concatenate([images, np.stack([np.zeros_like(flipped), flipped])], 3, dtype=np.uint8)


def loss(expert: composite.Composite, batch: torch.Tensor, given: GammaOptions) -> torch.Tensor:
    """Mean binary cross-entropy of the verdicts on a batch of Manipulations, plus `weight` times that of the masks. An
    image with generated pixels is fake, with `moved` also one with moved pixels.
    """
    masks, logits = expert.judged(batch[:, :3])
    truth = batch[:, 3:].to(logits)
    fake = truth.amax((2, 3)) @ truth.new_tensor([1, given.moved])  # never both in one image
    whole = functional.binary_cross_entropy_with_logits(logits, fake)
    if not masks.shape[1]:
        return whole
    return whole + given.weight * functional.binary_cross_entropy_with_logits(masks, truth)


class Gamma(ExpertBranch):
    """Backbone with LoRA, heads and attention, trained together on photographs and these manipulated."""

    kind: ClassVar[str] = "gamma"
    FACTS: ClassVar = composite.FACTS
    segments = True  # whether it finds masks

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path) -> dict[str, Any]:
        """Train on the pixel set of a complete data run; `source` is the text of the options. Raises Refused."""
        given = options.read(cls.kind, source)
        pairs = matched(table.training(data, "pixel", "pixel").query("split == 'train'"), data.seed)
        if pairs.empty:
            raise Refused("gamma needs photographs with reconstructions: make the data run again")
        names = ("base", "crop", "epochs", "learning_rate")
        config = ExpertParams(seed=data.seed, **{name: getattr(given, name) for name in names})
        adapted = backbone.with_lora(backbone.load(given.base, given.revision), config)
        expert = _expert(adapted, given)
        made = partial(Manipulations, pairs, given.kinds, config)
        log = train.minimise(expert, made, config, checkpoints, partial(loss, given=given))
        return composite.save(adapted, cls.kind, source, config, len(pairs), log, out, expert.model)

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "gamma") -> Self:
        """The base that `facts` names with the adapter, heads and attention in `folder`. Raises Refused."""
        branch, given = super().load(facts, folder, name), options.read(cls.kind, facts["options"])
        branch.expert, branch.segments = _expert(branch.expert, given), given.segment
        composite.restore(branch.expert.model, Path(folder) / WEIGHTS)
        return branch

    @torch.inference_mode()
    def masks(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The pixels that it holds for GENERATED and for MOVED, bool [n, H, W, 2] (without segmentation [n, H, W, 0]),
        of uint8 images [H, W, 3].
        """
        logits, _ = self.expert.judged(views.tensor(images))
        return (logits > 0).permute(0, 2, 3, 1).cpu().numpy()


def matched(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The photographs of image-table rows with their reconstructions, as `batches.match_real_fake` has them."""
    pairs = batches.match_real_fake(rows, seed)
    return pairs[pairs.matched].reset_index(drop=True)


def _expert(adapted: backbone.Expert, given: GammaOptions) -> composite.Composite:
    return composite.around(adapted, Network(adapted.model.get_base_model(), given.segment, given.guide))
