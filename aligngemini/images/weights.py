"""Weights of autoencoders: diffusers', our own and TAEF2's, located and loaded whole."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from aligngemini.core import models
from aligngemini.core.params import Refused

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

    if all((Path(place) / file).is_file() for file in FILES):
        return Taef2(Path(place)).to(dtype)
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
        files = f"neither a diffusers config.json nor {' and '.join(FILES)}"
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


WIDTH, LATENT = 64, 32
FILES = ("taef2_encoder.pth", "taef2_decoder.pth")


class Block(nn.Module):
    """Three 3 x 3 convolutions with a skip; `pooled` puts a branch with a global norm before them."""

    def __init__(self, pooled: bool = False):
        super().__init__()
        layers = [nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(3)]
        wide = nn.Conv2d(WIDTH, 4 * WIDTH, 1, bias=False), nn.GroupNorm(4, 4 * WIDTH)
        narrow = nn.ReLU(), nn.Conv2d(4 * WIDTH, WIDTH, 1, bias=False)
        self.conv = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        self.pool = nn.Sequential(*wide, *narrow) if pooled else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class Bounded(nn.Module):
    """Keep latents within (-3, 3)."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z / 3) * 3


def encoder() -> nn.Sequential:
    """[N, 3, H, W] in [0, 1] to latents [N, 32, H/8, W/8]."""
    layers = [nn.Conv2d(3, WIDTH, 3, padding=1), Block()]
    for pooled in (False, False, True):
        layers += [nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1, bias=False), *(Block(pooled) for _ in range(3))]
    return nn.Sequential(*layers, nn.Conv2d(WIDTH, LATENT, 3, padding=1))


def decoder() -> nn.Sequential:
    """Latents [N, 32, h, w] to images [N, 3, 8h, 8w], about [0, 1]."""
    layers = [Bounded(), nn.Conv2d(LATENT, WIDTH, 3, padding=1), nn.ReLU()]
    for pooled in (True, False, False):
        layers += [*(Block(pooled) for _ in range(3)), nn.Upsample(scale_factor=2)]
        layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, Block(), nn.Conv2d(WIDTH, 3, 3, padding=1))


class Taef2(nn.Module):
    """Both halves with a folder's weights, for images in [-1, 1] as of a diffusers autoencoder.

    Raises Refused if the weights do not match.
    """

    config = {"block_out_channels": (WIDTH, WIDTH)}

    def __init__(self, folder: Path):
        super().__init__()
        self.encoder, self.decoder = encoder(), decoder()
        try:
            for part, file in zip((self.encoder, self.decoder), FILES, strict=True):
                part.load_state_dict(torch.load(folder / file, map_location="cpu", weights_only=True))
        except Exception as error:  # torch.load raises many kinds for a file that is no state dict
            why = f"cannot be loaded ({error}); fetch both files again"
            raise Refused(f"The TAEF2 weights in {folder} {why}.") from error

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        return next(self.parameters()).dtype

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        """The latents of images in [-1, 1]."""
        return (self.encoder(x / 2 + 0.5),)

    def decode(self, z: torch.Tensor) -> SimpleNamespace:
        """`sample`: images in float32, about [-1, 1]."""
        return SimpleNamespace(sample=self.decoder(z).float() * 2 - 1)
