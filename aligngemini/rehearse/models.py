"""The three models of a scale, built from their configurations with random weights; nothing is downloaded.

architectures.json holds what VLMs and autoencoders of the hub say of their sizes (and the force_upcast of
stable-diffusion-2-1, which that file lacks and would else be true). Each function returns what the stages take, and its
module. On the device HOLLOW, a CPU, large weights are `flop_counter.zeros`.
"""

from pathlib import Path

import diffusers
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

from aligngemini.core import bfloat16_linear, devices, paths, reading
from aligngemini.core.params import Refused
from aligngemini.expert import architectures, backbone
from aligngemini.images import autoencoder, patches
from aligngemini.vlm import image_size, load, patch_embedding

from . import flop_counter, processors
from .setting import Setting

KNOWN = reading.json(Path(__file__).with_name("architectures.json"))
HOLLOW = "hollow"
WORDS = 1000  # more than the mini tokenizer has


def vlm(setting: Setting, folder: Path, device: str) -> tuple[load.VLM, nn.Module]:
    """The VLM of the recipe behind a processor whose words are some of its own: of its family, the mini one.

    It is made on its device and in its dtype from the start, so that no weight is ever there twice.
    """
    load.ignore_older_names()
    dtype, sizes = load.dtype_for(setting.vlm.precision), _sizes(setting.vlm.base)
    processor, ids = processors.of(sizes["model_type"])
    config = AutoConfig.for_model(**sizes | ids)
    with torch.device("meta" if device == HOLLOW else device):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()
    patch_embedding.make(model)
    if device != HOLLOW:  # a count is of a GPU, or to be the same on all machines
        bfloat16_linear.make(model)
        devices.tune_allocator(model)
    if device == HOLLOW:
        words = _hollowed(model, device).get_input_embeddings().weight
        words.data = torch.empty_like(words)  # of a size that takes no memory before it is written to
        nn.init.normal_(words.data[:WORDS])  # no two are alike
        model.tie_weights()  # which giving them memory parts
    model.generation_config = GenerationConfig(pad_token_id=0)  # no end: random weights talk to the last token
    image_size.limit(processor.image_processor, setting.vlm.max_pixels)
    return load.VLM(model, processor, setting.vlm.max_pixels), model


def expert(setting: Setting, folder: Path, device: str) -> tuple[backbone.Expert, nn.Module]:
    """The expert: timm's architecture that the recipe names, or a folder's, with a head of one logit and adapters."""
    base = setting.expert.base
    sizes = _sizes(base) if paths.resolve(base).is_dir() else {}
    name = sizes.get("architecture", base.rpartition("/")[2].partition(".")[0])
    place = torch.device("cpu" if device == HOLLOW else device)
    with torch.device("meta" if device == HOLLOW else device):
        model = architectures.build(name, **sizes.get("model_args", {}))
    colours = [backbone.colours(values, place) for values in backbone.CLIP]
    bare = backbone.Expert(_hollowed(model, device), *colours, {"base": base, "revision": "", "architecture": name})
    tuned = backbone.with_lora(bare, setting.expert)
    if device != HOLLOW:
        devices.tune_allocator(tuned.model)
    return tuned, tuned.model


def vae(setting: Setting, folder: Path, device: str) -> tuple[autoencoder.Autoencoder, nn.Module]:
    """The autoencoder of the recipe, saved and loaded as one from the hub is."""
    config, sizes = setting.data, _sizes(setting.data.vae)
    kind = sizes["_class_name"]
    model = getattr(patches if hasattr(patches, kind) else diffusers, kind).from_config(sizes)
    model.save_pretrained(folder / "vae")
    options = {"sample": config.vae_latent == "sampled", "seed": config.seed, "dtype": config.vae_dtype}
    loaded = autoencoder.load(str(folder / "vae"), device="cpu" if device == HOLLOW else device, **options)
    return loaded, model.to("meta")  # one of two is enough


def _hollowed(model: nn.Module, device: str) -> nn.Module:
    return model._apply(flop_counter.zeros) if device == HOLLOW else model


def _sizes(base: str) -> dict:
    """The configuration of a base: of a folder its own, else what is known here. Raises Refused."""
    folder = paths.resolve(base)
    if folder.is_dir():
        return reading.json(folder / "config.json")
    if base not in KNOWN:
        raise Refused(f"the sizes of {base} are not known here: rehearse with one of {', '.join(KNOWN)}, or a folder")
    return KNOWN[base]
