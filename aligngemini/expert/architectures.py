"""The architectures of timm that the expert can stand on: how they are built, where LoRA goes, what features are."""

from typing import NamedTuple

import torch
from torch import nn

from aligngemini.core.params import Refused


class Architecture(NamedTuple):
    """title: what a refusal calls it; adapted: full names of the layers that get LoRA; options: how timm builds it."""

    title: str
    adapted: str
    options: dict[str, bool] = {}


# Module of timm -> architecture. The ViT's layers are DDA's choice: attention qkv and proj, MLP fc1 and fc2 of every
# block, anchored on the blocks since the patch embedding has a `proj` too.
ARCHITECTURES = {
    "vision_transformer": Architecture(
        "ViT (DINOv2, CLIP, SigLIP 2)", r"blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(fc1|fc2))", {"dynamic_img_size": True}
    ),
    "eva": Architecture(
        "EVA (DINOv3 ViT, EVA-02)",
        r"blocks\.\d+\.(attn\.(qkv|[qkv]_proj|proj)|mlp\.(fc1|fc1_[gx]|fc2))",
        {"dynamic_img_size": True},
    ),
    "convnext": Architecture("ConvNeXt (DINOv3 too)", r"stages\.\d+\.blocks\.\d+\.mlp\.(fc1|fc2)"),
    "efficientnet": Architecture("EfficientNet", r"blocks\.\d+\.\d+\.conv_pwl?|conv_head"),  # 1 x 1 convolutions
}


def find(name: str) -> Architecture:
    """The architecture behind timm's `name`; raises Refused where nobody has said where its LoRA goes."""
    from timm.models import is_model_in_modules

    for module, architecture in ARCHITECTURES.items():
        if is_model_in_modules(name, [module]):
            return architecture
    known = ", ".join(each.title for each in ARCHITECTURES.values())
    raise Refused(f"the expert does not know where LoRA goes in the architecture {name!r}: choose one of {known}")


def build(name: str, source: str = "", **options) -> nn.Module:
    """timm's model of that architecture with a head of one logit, for images of any size: from `source` ("local-dir:"
    or "hf-hub:") with its weights, or with random ones. Batch normalisation stays as it is when the rest trains.
    """
    import timm

    options |= {"num_classes": 1, **find(name).options}
    model = timm.create_model(source or name, pretrained=bool(source), **options)
    return timm.layers.freeze_batch_norm_2d(model)


def check_colours(model: nn.Module) -> None:
    """Raise ValueError unless the model takes images of three channels."""
    if (channels := model.pretrained_cfg["input_size"][0]) != 3:
        raise ValueError(f"it takes images of {channels} channels, and those of this project have 3; choose another")


def head(model: nn.Module) -> str:
    """The full name of the last linear layer."""
    return next(name for name, each in model.named_modules() if each is model.get_classifier())


def patch(model: nn.Module) -> int:
    """Side of a patch in px, whose multiples the sides of images must be; 1 for convolutions."""
    return model.patch_embed.patch_size[0] if hasattr(model, "patch_embed") else 1


def features(model: nn.Module, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the head sees of images [n, 3, H, W], pooled as the model does it (DINOv2: the class token), [n, d], and the
    features of their p places (patches, or cells of the last map) after the last block and norm, [n, p, d]; float32.
    """
    last = model.forward_features(pixels).float()
    pooled = model.forward_head(last, pre_logits=True).float()
    return pooled, last.flatten(2).mT if last.ndim == 4 else last[:, model.num_prefix_tokens :]


def pooled(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """The first of what `features` gives. The last block of a ViT computes no more than the head sees of it, where that
    is the class token: a seventh less time with four blocks (measured).
    """
    if not _sees_one_token(model):
        return features(model, pixels)[0]
    *blocks, last = model.blocks
    x = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(pixels))))
    for block in blocks:
        x = block(x)
    x = (x + last.drop_path1(last.ls1(last.attn(last.norm1(x)))))[:, :1]
    x = x + last.drop_path2(last.ls2(last.mlp(last.norm2(x))))
    return model.forward_head(model.norm(x), pre_logits=True).float()


def _sees_one_token(model: nn.Module) -> bool:
    """Whether the head sees the class token alone, behind plain blocks that keep what backpropagation needs."""
    from timm.models.vision_transformer import Block

    plain = type(getattr(model, "blocks", [None])[-1]) is Block and not model.grad_checkpointing
    return plain and model.global_pool == "token" and model.attn_pool is None


def check_fused_attention(model: nn.Module, peer: str) -> None:
    """Raise Refused where no layer holds query, key and value together, which a peer adapts."""
    if not any(name.endswith("attn.qkv") for name, _ in model.named_modules()):
        raise Refused(f"{peer} adapts the attention of a ViT, and its base has none that is known: give another base")
