"""MIRROR (arXiv 2602.02222): how far an image is from what real images explain. Its training code is not released:
schedule, sets and crop of both phases are ours.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from aligngemini.branches import logistic, options
from aligngemini.core.progress import progress
from aligngemini.expert import architectures, backbone, train
from aligngemini.expert.branch import ExpertBranch
from aligngemini.expert.params import ExpertParams
from aligngemini.images import table

from . import composite, frozen
from .calibrated import Calibrated, Cropped
from .params import MirrorOptions

WEIGHTS = "mirror.safetensors"
TARGETS = r"blocks\.\d+\.attn\.qkv"  # query, key and value, as the released code adapts them
IMAGES, PATCHES = 400, 32  # real images behind the memory, and patches of each; ours
STEPS, BATCH, RATE = 300, 1024, 1e-3  # phase 1; not stated by the authors, ours
ORTHOGONAL = 1e-3  # lambda, the weight of |M M' - I|; not stated in the README, ours


class Memory(nn.Module):
    """Prototypes, the parameter `slots` [K, d]; each of `heads` parts of a feature looks at the `top` nearest of its
    own."""

    def __init__(self, slots: torch.Tensor, heads: int, top: int) -> None:
        super().__init__()
        self.slots, self.heads, self.top = nn.Parameter(slots), heads, min(top, len(slots))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction [..., d] of features [..., d], and attention [..., heads, top], from large to small."""
        slots = self.slots.unflatten(1, (self.heads, -1))
        query = features.unflatten(-1, (self.heads, -1))
        match = torch.einsum("...he,khe->...hk", query, slots) / slots.shape[-1] ** 0.5
        best, place = match.topk(self.top)
        attention = best.softmax(-1)
        sparse = torch.zeros_like(match).scatter(-1, place, attention)
        return torch.einsum("...hk,khe->...he", sparse, slots).flatten(-2), attention


def learn(features: np.ndarray, slots: int, heads: int, top: int, seed: int) -> Memory:
    """Phase 1: a memory that reconstructs features [n, d] of real images; it starts from `slots` of them, all of them
    if there are fewer. Draws depend on `seed` alone.
    """
    values = torch.from_numpy(features).float()
    draw = torch.Generator().manual_seed(seed)
    memory = Memory(values[torch.randperm(len(values), generator=draw)[:slots]].clone(), heads, top)
    optim = torch.optim.Adam(memory.parameters(), lr=RATE)
    for _ in progress(range(STEPS), "learning the memory"):
        batch = values[torch.randint(len(values), (min(BATCH, len(values)),), generator=draw)]
        optim.zero_grad()
        (functional.mse_loss(memory(batch)[0], batch) + ORTHOGONAL * _overlap(memory.slots)).backward()
        optim.step()
    return memory.requires_grad_(False)


def _overlap(slots: torch.Tensor) -> torch.Tensor:
    """Mean squared entry of M M' - I of prototypes brought to unit length."""
    unit = functional.normalize(slots, dim=1)
    return (unit @ unit.T - torch.eye(len(unit))).square().mean()


def evidence(memory: Memory, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of patch features [n, p, d]: the mean residual [n, d], and perplexity [n, 2], the means of the largest attention
    weight and of the attention's entropy in nats.
    """
    again, attention = memory(patches)
    entropy = -(attention * attention.clamp_min(1e-12).log()).sum(-1)
    sure = torch.stack([attention[..., 0].mean((1, 2)), entropy.mean((1, 2))], 1)
    return (patches - again).mean(1), sure


_learned: dict[tuple, Memory] = {}


class Evidence(nn.Module):
    """The backbone with the frozen memory and the head on residual, perplexity and perhaps the class token."""

    def __init__(self, model: nn.Module, known: Memory, width: int, token: bool) -> None:
        super().__init__()
        self.model, self.memory, self.token = model, known, token
        self.residual = nn.Sequential(nn.Linear(width, 512), nn.GELU(), nn.Linear(512, 256))  # as released
        self.perplexity = nn.Linear(2, 64)  # as released
        self.head = nn.Linear(256 + 64 + token * width, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the head sees, float [n, e], and logits [n], of normalised images [n, 3, H, W]."""
        pooled, patches = architectures.features(self.model, pixels)
        mean, sure = evidence(self.memory, patches)
        parts = [self.residual(mean), self.perplexity(sure), *([pooled] if self.token else [])]
        seen = torch.cat(parts, 1)
        return seen, self.head(seen).squeeze(1)


class Mirror(ExpertBranch):
    """Both phases trained: the memory on real images, then LoRA and head on pairs."""

    kind: ClassVar[str] = "mirror"
    FACTS: ClassVar = composite.FACTS

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path) -> dict[str, Any]:
        """Train on the pixel set of a complete data run; `source` is the text of the options."""
        from peft import LoraConfig, get_peft_model

        given, rows = options.read(cls.kind, source), table.training(data, "pixel", "pixel").query("split == 'train'")
        known = of_reals(given, rows.query("label == 0")[::2], data.seed)  # as Unexplained: one memory serves both
        plain = backbone.load(given.base, given.revision)
        architectures.check_fused_attention(plain.model, cls.kind)
        lora = LoraConfig(r=8, lora_alpha=16, target_modules=TARGETS)  # rank and alpha as released
        adapted = replace(plain, model=get_peft_model(plain.model, lora))
        expert = composite.around(adapted, _network(adapted, known, given.token))
        config = ExpertParams(seed=data.seed, base=given.base, crop=given.crop, epochs=given.epochs)
        log = train.optimise(expert, rows, config, checkpoints)
        return composite.save(adapted, cls.kind, source, config, len(rows) // 2, log, out, expert.model)

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "mirror") -> Self:
        """The base that `facts` names with the adapter, memory and head in `folder`. Raises Refused."""
        branch = super().load(facts, folder, name)
        given, file = options.read(cls.kind, facts["options"]), Path(folder) / WEIGHTS
        known = Memory(load_file(file)["memory.slots"], given.heads, given.top)
        branch.expert = composite.around(branch.expert, _network(branch.expert, known, given.token))
        composite.restore(branch.expert.model, file)
        return branch


def _network(adapted: backbone.Expert, known: Memory, token: bool) -> Evidence:
    model = adapted.model.get_base_model()
    return Evidence(model, known, model.num_features, token)


def of_reals(given: MirrorOptions, reals: pd.DataFrame, seed: int) -> Memory:
    """Phase 1 on the frozen backbone: a memory of patches of real images, drawn by `seed`; learned once per process."""
    shown, names = reals.head(IMAGES), ("base", "revision", "crop", "slots", "heads", "top")
    key = (*(getattr(given, name) for name in names), seed, *shown.image_id)
    if key not in _learned:
        found = np.stack(list(logistic.measured(_Patches(given), shown).values()))
        draws = np.random.default_rng(seed)
        parts = [each[draws.permutation(len(each))[:PATCHES]] for each in found]
        _learned[key] = learn(np.concatenate(parts), given.slots, given.heads, given.top, seed)
    return deepcopy(_learned[key])


class Unexplained(Calibrated):
    """What remains of MIRROR without training: the mean squared residual of the frozen backbone's patches, calibrated
    on real images that the memory has not seen.
    """

    kind = "memory"

    def __init__(self, given: MirrorOptions, name: str, quantiles: list[float], known: Memory) -> None:
        super().__init__(given, name, quantiles)
        self.known = known

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path | None = None) -> dict[str, Any]:
        """A memory of every second real training image of a complete data run, calibrated on the others."""
        given = options.read(cls.kind, source)
        rows = table.training(data, "pixel", "pixel").query("split == 'train' and label == 0")
        known = of_reals(given, rows[::2], data.seed)
        save_file({"slots": known.slots}, Path(out) / WEIGHTS)
        return cls(given, cls.kind, [], known).calibrate(source, rows[1::2])

    @classmethod
    def load(cls, facts: dict[str, Any], folder: Path, name: str = "") -> Self:
        given = options.read(cls.kind, facts["options"])
        slots = load_file(Path(folder) / WEIGHTS)["slots"]
        return cls(given, name or cls.kind, facts["quantiles"], Memory(slots, given.heads, given.top))

    @torch.inference_mode()
    def statistic(self, images: np.ndarray) -> np.ndarray:
        found = frozen.load(self.options.base, self.options.revision).patch_tokens(images)
        patches = torch.from_numpy(found)
        return (patches - self.known(patches)[0]).square().mean((1, 2)).double().numpy()


class _Patches(Cropped):
    def __init__(self, given: MirrorOptions) -> None:
        self.name, self.options = "the memory", given

    def features(self, views: list[np.ndarray]) -> np.ndarray:
        return frozen.load(self.options.base, self.options.revision).patch_tokens(np.stack(views))
