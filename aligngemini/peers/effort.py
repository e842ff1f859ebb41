"""Effort (arXiv 2411.15633) as a branch: the expert's loop and batches, with the adapter of `residual`."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from aligngemini.branches import options
from aligngemini.core import devices
from aligngemini.expert import architectures, backbone, train
from aligngemini.expert.branch import ExpertBranch
from aligngemini.expert.params import ExpertParams
from aligngemini.images import table

from . import composite
from .params import EffortOptions


class Effort(ExpertBranch):
    """Loaded as a trained expert is: its adapter is a LoRA on the whole layers."""

    kind: ClassVar[str] = "effort"

    @classmethod
    def fit(cls, source: str, data, out: Path, checkpoints: Path) -> dict[str, Any]:
        """Train on a set of a complete data run; `source` is the text of the options. Resumes from `checkpoints`."""
        given = options.read(cls.kind, source)
        names = ("epochs", "learning_rate", "crop", "base")
        config = ExpertParams(seed=data.seed, **{name: getattr(given, name) for name in names})
        expert = backbone.load(given.base, given.revision, config.normalisation)
        architectures.check_fused_attention(expert.model, cls.kind)
        split(expert.model, given.rank)
        expert.model.to(expert.device)
        rows = table.training(data, given.train, "pixel").query("split == 'train'")
        weights = given.orthogonality, given.preservation
        extra = partial(penalty, expert.model, *weights) if any(weights) else None
        log = train.optimise(expert, rows, config, checkpoints, extra)
        return composite.save(_as_lora(expert, given), cls.kind, source, config, len(rows) // 2, log, out)


def _as_lora(expert: backbone.Expert, given: EffortOptions) -> backbone.Expert:
    from peft import get_peft_model

    whole = backbone.load(given.base, given.revision)
    model = get_peft_model(whole.model, config(given.rank))
    into_lora(expert.model, model)
    return replace(expert, model=model)


QKV, PROJ = "attn.qkv", "attn.proj"  # timm keeps query, key and value in one layer: three matrices, each split alone
PARTS = {QKV: 3, PROJ: 1}


class Residual(nn.Module):
    """A linear layer whose weight [out, in] is `parts` matrices above each other, each main + U diag(S) V.

    U [parts, out / parts, rank], S [parts, rank] and V [parts, rank, in] train; all starts as the layer was.
    """

    def __init__(self, layer: nn.Linear, parts: int, rank: int) -> None:
        super().__init__()
        weight = layer.weight.detach()
        u, s, v = torch.linalg.svd(devices.double(weight.unflatten(0, (parts, -1))), full_matrices=False)
        last = [each.to(weight) for each in (u[..., -rank:], s[..., -rank:], v[..., -rank:, :])]
        self.U, self.S, self.V = (nn.Parameter(each.clone().contiguous()) for each in last)
        for name, each in zip(("U0", "S0", "V0"), last, strict=True):
            self.register_buffer(name, each.clone())
        self.main = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device=weight.device)
        self.main.weight = nn.Parameter(weight - dense(*last), requires_grad=False)
        self.main.bias = layer.bias
        self.main.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float [..., in] to [..., out]."""
        inner = torch.einsum("...i,pri->...pr", x, self.V) * self.S
        return self.main(x) + torch.einsum("...pr,por->...po", inner, self.U).flatten(-2)

    def penalties(self) -> tuple[torch.Tensor, torch.Tensor]:
        """How far the trained directions lean into the frozen ones or away from unit length, and how far the layer's
        energy, the sum of its squared singular values, has moved as a share of that of the residual (both from the
        paper; weights and scales are ours).
        """
        lean = (self._outside(self.U, self.U0) + self._outside(self.V.mT, self.V0.mT)).mean()
        energy = (dense(self.U, self.S, self.V).square().sum() / self.S0.square().sum().clamp_min(1e-12) - 1).abs()
        return lean, energy

    @staticmethod
    def _outside(now: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Squared length of `now` [p, n, r] outside the span of `first`, and of its Gram matrix off the identity."""
        away = now - first @ (first.mT @ now)
        gram = now.mT @ now - torch.eye(now.shape[-1], device=now.device, dtype=now.dtype)
        return away.square().sum((1, 2)) + gram.square().sum((1, 2))

    def as_lora(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A [2 parts rank, in] and B [out, 2 parts rank]; B A is what training has added to the whole layer."""
        a = torch.cat([self.S[..., None] * self.V, self.S0[..., None] * self.V0], 1)
        b = torch.cat([self.U, -self.U0], 2)
        return a.flatten(0, 1), torch.block_diag(*b)


def dense(u: torch.Tensor, s: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """U diag(S) V of all parts above each other, [out, in]."""
    return (u * s[:, None] @ v).flatten(0, 1)


def split(model: nn.Module, rank: int) -> None:
    """Put a Residual in place of the attention's linear layers in every block of a timm ViT; all but these and the head
    is frozen.
    """
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    for block in model.blocks:
        block.attn.qkv = Residual(block.attn.qkv, PARTS[QKV], rank)
        block.attn.proj = Residual(block.attn.proj, PARTS[PROJ], rank)


def residuals(model: nn.Module) -> Iterator[tuple[str, Residual]]:
    """The split layers with their names."""
    return ((name, each) for name, each in model.named_modules() if isinstance(each, Residual))


def config(rank: int):
    """The `LoraConfig` that `as_lora` fits: as many ranks for a layer as its side paths need, scaled by one."""
    from peft import LoraConfig

    ranks = {name: 2 * parts * rank for name, parts in PARTS.items()}
    targets = r"blocks\.\d+\.attn\.(qkv|proj)"
    return LoraConfig(
        r=2 * rank, lora_alpha=2 * rank, rank_pattern=ranks, alpha_pattern=ranks, target_modules=targets,
        modules_to_save=["head"],
    )  # fmt: skip


@torch.no_grad()
def into_lora(trained: nn.Module, peft_model: nn.Module) -> None:
    """Fill a fresh LoRA model of the same backbone, made with `config`, with what a split model has learned."""
    for name, each in residuals(trained):
        layer = peft_model.get_base_model().get_submodule(name)
        a, b = each.as_lora()
        layer.lora_A["default"].weight.copy_(a)
        layer.lora_B["default"].weight.copy_(b)
    peft_model.get_base_model().head.modules_to_save["default"].load_state_dict(trained.head.state_dict())


def penalty(model: nn.Module, orthogonality: float, preservation: float) -> torch.Tensor:
    """The weighted mean of `penalties` over all split layers."""
    parts = torch.stack([torch.stack(each.penalties()) for _, each in residuals(model)]).mean(0)
    return orthogonality * parts[0] + preservation * parts[1]
