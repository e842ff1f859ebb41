"""Load an autoencoder (diffusers' for images, our PatchAutoencoder, TAEF2) and send pictures through and back."""

import hashlib
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..workbook import models
from ..workbook.params import Refused
from . import taef2

BUDGET = {"cpu": 2**30, "cuda": 8 * 2**30}  # bytes of activations held at once
ALONE = {"cpu": 2**16, "cuda": 2**40}  # px above which a picture goes alone: company costs a CPU a fifth (measured)
LIVE = 6  # full-resolution activations that count, workspaces of the convolutions included (measured)
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
)
WIDTHS = ("decoder_block_out_channels", "up_block_out_channels", "block_out_channels")  # as their configs call them
PROBE = 64  # px: side of the black square whose latents tell the factor
OVERLAP = 64  # px shared by neighbouring tiles and blended


class Autoencoder:
    """Pictures to latents and back.

    factor: pixels per side of a latent cell; name: what it was loaded from, as asked; tile: longest side
    sent through in one piece.
    """

    def __init__(
        self,
        name: str,
        factor: int,
        width: int,
        encode: Callable,
        decode: Callable,
        device: str,
        dtype: torch.dtype,
    ):
        self.name, self.factor, self.device, self.dtype = name, factor, device, dtype
        self._encode, self._decode = encode, decode
        self._pixels = BUDGET[device] // (LIVE * width * dtype.itemsize)
        self.tile = max(4 * OVERLAP, math.isqrt(self._pixels) // OVERLAP * OVERLAP)

    def batch(self, height: int, width: int) -> int:
        """How many pictures of this size go through at once; one for those that are cut into tiles."""
        if height * width > ALONE[self.device]:
            return 1
        return max(1, min(64, self._pixels // (height * width)))

    @torch.inference_mode()
    def roundtrip(self, rgb: np.ndarray) -> np.ndarray:
        """Reconstruct uint8 [N, H, W, 3]; uint8 of the same shape.

        Sides that are no multiple of `factor` are padded with their edge and cut back. Pictures with a side
        above `tile` are sent through in blended tiles, so that memory stays bounded.
        """
        height, width = rgb.shape[1:3]
        padded = fitted(rgb, self.factor)
        whole = max(padded.shape[1:3]) <= self.tile
        done = self._through(padded) if whole else np.stack([self._in_tiles(p) for p in padded])
        return done[:, :height, :width]

    def _through(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, 3] of uint8 pictures whose sides are multiples of `factor`."""
        step = self.batch(*rgb.shape[1:3])
        parts = [_in_bytes(self._batch_through(rgb[i : i + step])) for i in range(0, len(rgb), step)]
        return np.concatenate(parts)

    def _batch_through(self, rgb: np.ndarray) -> torch.Tensor:
        """float32 [N, H, W, 3] in [0, 1], still on the device."""
        x = torch.from_numpy(np.ascontiguousarray(rgb)).to(self.device).permute(0, 3, 1, 2)
        x = (x.to(torch.float32) / 255).to(self.dtype, memory_format=torch.channels_last)
        return self._decode(self._encode(x, rgb)).float().clamp(0, 1).permute(0, 2, 3, 1)

    def _in_tiles(self, rgb: np.ndarray) -> np.ndarray:
        total = np.zeros(rgb.shape, np.float32)
        weight = np.zeros((*rgb.shape[:2], 1), np.float32)
        for rows, up in _spans(rgb.shape[0], self.tile):
            for columns, across in _spans(rgb.shape[1], self.tile):
                ramp = (up[:, None] * across)[..., None]
                total[rows, columns] += ramp * self._batch_through(rgb[None, rows, columns])[0].cpu().numpy()
                weight[rows, columns] += ramp
        return _in_bytes(torch.from_numpy(total / weight))


def fitted(rgb: np.ndarray, factor: int) -> np.ndarray:
    """uint8 [..., H, W, 3] with both sides padded by their edge to multiples of `factor`."""
    height, width = rgb.shape[-3:-1]
    sides = ((0, -height % factor), (0, -width % factor), (0, 0))
    return np.pad(rgb, ((0, 0),) * (rgb.ndim - 3) + sides, mode="edge")


def _in_bytes(shares: torch.Tensor) -> np.ndarray:
    """uint8 of values in [0, 1]; rounded where they lie, since bytes travel four times as fast as floats."""
    return (shares * 255 + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy()


def _spans(length: int, tile: int) -> list[tuple[slice, np.ndarray]]:
    """Overlapping stretches that cover `length`, each with weights that fall off towards its ends."""
    tile = min(tile, length)
    starts = [*range(0, length - tile, tile - OVERLAP), length - tile]
    ramp = np.minimum(np.arange(tile) + 1, OVERLAP) / OVERLAP
    return [(slice(s, s + tile), (ramp * ramp[::-1]).astype(np.float32)) for s in starts]


def load(
    source: str, revision: str = "", sample: bool = False, seed: int = 0, device: str = "", dtype: str = ""
) -> Autoencoder:
    """Load from a folder (diffusers' files, also in a subfolder `vae`; or TAEF2's two) or from the hub.

    sample: draw the latent from the encoder's distribution, as DDA did, instead of taking its mean (ours, the
    default); the draw depends on (seed, picture) alone. device and dtype: "" takes CUDA in bfloat16 where
    there is one, else the CPU in float32. Raises Refused when there is no autoencoder.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    number = getattr(torch, dtype) if dtype else (torch.bfloat16 if device == "cuda" else torch.float32)
    place = models.where(source, "autoencoder")
    folder = Path(place)
    if folder.is_dir() and all((folder / file).is_file() for file in taef2.FILES):
        return _taef2(source, folder, device, number)
    return _of_diffusers(source, _found(place, revision, number), sample, seed, device, number)


def _taef2(name: str, folder: Path, device: str, dtype: torch.dtype) -> Autoencoder:
    try:
        parts = taef2.load(folder)
    except Exception as error:  # torch.load raises many kinds for a file that is no state dict
        raise Refused(f"The TAEF2 weights in {folder} cannot be loaded ({error}); fetch both files again.") from error
    encode, decode = (part.to(device, dtype, memory_format=torch.channels_last) for part in parts)
    return Autoencoder(name, 8, taef2.WIDTH, lambda x, rgb: encode(x), decode, device, dtype)


def _found(place: str, revision: str, dtype: torch.dtype):
    """A pipeline keeps its autoencoder in the subfolder `vae`; a folder or repository of its own keeps it on top."""
    from diffusers import AutoencoderKL

    warnings.filterwarnings("ignore", message=".*local_dir_use_symlinks.*")  # diffusers still passes it to the hub
    options, reasons = {"revision": revision} if revision else {}, []
    for inside in ({"subfolder": "vae"}, {}):
        try:
            config = AutoencoderKL.load_config(place, **inside, **options)
        except (OSError, ValueError) as error:
            reasons.append(error)
            continue
        return _pretrained(place, dtype, config.get("_class_name", "model of no name"), **inside, **options)
    if Path(place).is_dir():
        said = f"neither a diffusers config.json nor {' and '.join(taef2.FILES)}"
        raise Refused(f"{place} holds no autoencoder: {said}.") from reasons[-1]
    raise models.unloadable(place, "autoencoder", reasons[-1]) from reasons[-1]


def _class(kind: str):
    import diffusers

    from . import patches

    return getattr(patches if kind == "PatchAutoencoder" else diffusers, kind)


def _pretrained(place: str, dtype: torch.dtype, kind: str, **options):
    if kind not in KINDS:
        raise Refused(f"{place} holds a {kind}, not {' or '.join(KINDS)}; point vae at an autoencoder of images.")
    try:
        model, report = _class(kind).from_pretrained(
            place, use_safetensors=True, output_loading_info=True, torch_dtype=dtype, **options
        )
    except Exception as error:  # hub, file and weight errors of many kinds
        raise models.unloadable(place, "autoencoder", error) from error
    if report["missing_keys"]:
        raise Refused(f"The weights of {place} lack {len(report['missing_keys'])} tensors; fetch them again.")
    return model


def _of_diffusers(name: str, model, sample: bool, seed: int, device: str, dtype: torch.dtype) -> Autoencoder:
    """Scaling and shift of the latents are for the diffusion model and cancel out on the way through and back."""
    model = model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)

    def encode(x: torch.Tensor, rgb: np.ndarray) -> torch.Tensor:
        found = model.encode(x * 2 - 1)
        if not hasattr(found, "latent_dist"):  # without a distribution there is nothing to draw
            return found[0]
        drawn = found.latent_dist
        if not sample:
            return drawn.mean
        noise = torch.stack([_noise(seed, picture, drawn.mean.shape[1:]) for picture in rgb])
        return drawn.mean + drawn.std * noise.to(drawn.mean)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return model.decode(z).sample / 2 + 0.5

    factor = _factor(model, device, dtype)
    return Autoencoder(name, factor, _widest(model.config), encode, decode, device, dtype)


@torch.inference_mode()
def _factor(model, device: str, dtype: torch.dtype) -> int:
    """Pixels per side of a latent cell."""
    found = model.encode(torch.zeros(1, 3, PROBE, PROBE, device=device, dtype=dtype))
    latent = found.latent_dist.mean if hasattr(found, "latent_dist") else found[0]
    return PROBE // latent.shape[-1]


def _widest(config) -> int:
    """Channels at full resolution: a decoder's last stage still carries the width of the stage before it."""
    # a patch model has the scale of four stages and carries a quarter of its width at full resolution
    widths = next(filter(None, map(config.get, WIDTHS)), None) or [config.width // 4] * 4
    return widths[min(1, len(widths) - 1)]


def _noise(seed: int, picture: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal draws that depend on (seed, picture) alone."""
    key = hashlib.sha256(picture.tobytes()).digest()
    digest = hashlib.sha256(f"latent/{seed}/".encode() + key).digest()
    return torch.randn(shape, generator=torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1))
