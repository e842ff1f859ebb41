"""Weights of autoencoders: diffusers', our own and TAEF2's, located and loaded whole."""

import warnings
from pathlib import Path

import torch

from aligngemini.core import models
from aligngemini.core.params import Refused

from . import taef2

# diffusers' autoencoders of single images, and ours; SD2.1, SDXL, SD3.5 and FLUX.1 have an AutoencoderKL
KINDS = (
    "AutoencoderKL",
    "AutoencoderKLFlux2",
    "AutoencoderKLHunyuanImage",
    "AsymmetricAutoencoderKL",
    "AutoencoderDC",
    "AutoencoderTiny",
    "VQModel",
    "PatchAutoencoder",
    "Upscaler",
)
WIDTHS = ("decoder_block_out_channels", "up_block_out_channels", "block_out_channels")  # as their configs call them


def opened(place: str, revision: str, dtype: torch.dtype, auto: bool):
    """The autoencoder in a folder (also TAEF2's two files) or a repository of the hub, in `dtype`; Refused for none.

    A pipeline keeps it in the subfolder `vae`; a place of its own keeps it on top. auto: one whose file says
    `force_upcast` is opened in float32; diffusers' default for files that are silent would say so of every one.
    """
    from diffusers import AutoencoderKL

    if all((Path(place) / file).is_file() for file in taef2.FILES):
        return taef2.Taef2(Path(place)).to(dtype)
    warnings.filterwarnings("ignore", message=".*local_dir_use_symlinks.*")  # diffusers still passes it to the hub
    options, reasons = {"revision": revision} if revision else {}, []
    for inside in ({"subfolder": "vae"}, {}):
        try:
            config = AutoencoderKL.load_config(place, **inside, **options)
        except (OSError, ValueError) as error:
            reasons.append(error)
            continue
        dtype = torch.float32 if auto and config.get("force_upcast") else dtype
        return _pretrained(place, dtype, config.get("_class_name", "model of no name"), **inside, **options)
    if Path(place).is_dir():
        files = f"neither a diffusers config.json nor {' and '.join(taef2.FILES)}"
        raise Refused(f"{place} holds no autoencoder: {files}.") from reasons[-1]
    raise models.unloadable(place, "autoencoder", reasons[-1]) from reasons[-1]


def _pretrained(place: str, dtype: torch.dtype, kind: str, **options):
    import diffusers

    from . import patches

    if kind not in KINDS:
        raise Refused(f"{place} holds a {kind}, not {' or '.join(KINDS)}; point vae at an autoencoder of images.")
    options |= {"use_safetensors": True, "output_loading_info": True, "torch_dtype": dtype}
    with models.loading(place, "autoencoder"):
        home = patches if hasattr(patches, kind) else diffusers
        model, report = getattr(home, kind).from_pretrained(place, **options)
    if report["missing_keys"]:
        raise Refused(f"The weights of {place} lack {len(report['missing_keys'])} tensors; fetch them again.")
    return model


def widest(config) -> int:
    """Channels at full resolution: a decoder's last stage still carries the width of the stage before it."""
    # a patch model has the scale of four stages and carries a quarter of its width at full resolution
    widths = next(filter(None, map(config.get, WIDTHS)), None) or [config.width // 4] * 4
    return widths[min(1, len(widths) - 1)]
