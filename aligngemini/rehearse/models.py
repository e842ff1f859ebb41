"""The three models of a scale, built from their configurations with random weights; nothing is downloaded.

vlm.json holds what Qwen/Qwen2.5-VL-7B-Instruct says of its sizes, vae.json those of the autoencoder of
stabilityai/stable-diffusion-2-1 (its force_upcast, which that file lacks, would else be true). Each function returns
what the stages take, and its module. On the device HOLLOW, a CPU, large weights are `flop_counter.zeros`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from aligngemini.core import paths, reading
from aligngemini.expert import backbone
from aligngemini.images import autoencoder
from aligngemini.vlm import load

from . import flop_counter
from .stages import Setting

MINI = {"vlm": "data/mini/vlm", "expert": "data/mini/expert", "vae": "data/mini/vae/kl"}
EXPERT = "vit_large_patch14_dinov2"  # timm's name; its own image size is 518 px
HOLLOW = "hollow"
WORDS = 1000  # more than the mini tokenizer has


def vlm(setting: Setting, folder: Path, device: str) -> tuple[load.VLM, nn.Module]:
    """The VLM (8,292,166,656 weights at paper scale) behind the mini processor, whose words are some of its own.

    It is made on its device and in its dtype from the start, so that no weight is ever there twice.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

    config, dtype = AutoConfig.from_pretrained(paths.resolve(MINI["vlm"])), load.dtype_for(setting.vlm.precision)
    if setting.scale == "paper":  # the ids of special tokens are those of the mini processor
        ids = {name: value for name, value in config.to_dict().items() if name.endswith("_token_id")}
        config = type(config)(**_sizes("vlm", setting), **ids)
    with torch.device("meta" if device == HOLLOW else device):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()
    if device == HOLLOW:
        words = _hollowed(model, device).get_input_embeddings().weight
        words.data = torch.empty_like(words)  # of a size that takes no memory before it is written to
        nn.init.normal_(words.data[:WORDS])  # no two are alike
    model.generation_config = GenerationConfig(pad_token_id=0)  # no end: random weights talk to the last token
    return replace(load.load(MINI["vlm"], max_pixels=setting.vlm.max_pixels), model=model), model


@contextmanager
def answering(vlm: nn.Module, tokens: int) -> Iterator[None]:
    """Let the module of a VLM answer with so many tokens, whatever it is asked for."""
    vlm.generate = lambda **options: type(vlm).generate(vlm, **options | {"max_new_tokens": tokens})
    try:
        yield
    finally:
        del vlm.generate


def expert(setting: Setting, folder: Path, device: str) -> tuple[backbone.Expert, nn.Module]:
    """The expert: timm's ViT-L/14, or the shape of data/mini/expert, with a head of one logit and adapters."""
    import timm

    sizes = {} if setting.scale == "paper" else _sizes("expert", setting)
    name, place = sizes.get("architecture", EXPERT), torch.device("cpu" if device == HOLLOW else device)
    with torch.device("meta" if device == HOLLOW else device):
        model = timm.create_model(name, pretrained=False, **sizes.get("model_args", {}) | backbone.HEAD)
    colours = [backbone.colours(values, place) for values in backbone.CLIP]
    bare = backbone.Expert(
        _hollowed(model, device), *colours, {"base": setting.expert.base, "revision": "", "architecture": name}
    )
    tuned = backbone.with_lora(bare, setting.expert)
    return tuned, tuned.model


def vae(setting: Setting, folder: Path, device: str) -> tuple[autoencoder.Autoencoder, nn.Module]:
    """The autoencoder (83,653,863 weights at paper scale), saved and loaded as one from the hub is."""
    from diffusers import AutoencoderKL

    from aligngemini.images.patches import PatchAutoencoder

    config, kind = setting.vae, AutoencoderKL if setting.scale == "paper" else PatchAutoencoder
    model = kind.from_config(_sizes("vae", setting))
    model.save_pretrained(folder / "vae")
    options = {"sample": config.vae_latent == "sampled", "seed": config.seed, "dtype": config.vae_dtype}
    loaded = autoencoder.load(str(folder / "vae"), device="cpu" if device == HOLLOW else device, **options)
    loaded.tile = max(setting.sizes["vae"]) if device == HOLLOW else loaded.tile  # a GPU has room for photographs
    return loaded, model


def _hollowed(model: nn.Module, device: str) -> nn.Module:
    return model._apply(flop_counter.zeros) if device == HOLLOW else model


def _sizes(name: str, setting: Setting) -> dict:
    mini = paths.resolve(MINI[name]) / "config.json"
    return reading.json(Path(__file__).with_name(f"{name}.json") if setting.scale == "paper" else mini)
