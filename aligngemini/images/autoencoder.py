"""Load an autoencoder (diffusers' for images, our PatchAutoencoder, TAEF2) and send images through and back."""

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from aligngemini.core import devices, models
from aligngemini.core.params import Refused

from . import weights

BUDGET = {"cpu": 2**30, "cuda": 8 * 2**30}  # bytes of activations held at once
ALONE = {"cpu": 2**16, "cuda": 2**40}  # px above which a picture goes alone: company costs a CPU a fifth (measured)
# Bytes of one activation: the C library gives larger ones back to the system and gets them anew for each batch, which
# costs a seventh (measured; half of M_MMAP_THRESHOLD_MAX of mallopt(3)).
KEPT = {"cpu": 2**24, "cuda": 2**40}
LIVE = 6  # full-resolution activations that count, workspaces of the convolutions included (measured)
PROBE = 64  # px: side of the squares that tell the factor, and whether float16 is wide enough
OVERLAP = 64  # px shared by neighbouring tiles and blended


class Autoencoder:
    """Pictures to latents and back.

    factor: pixels per side of a latent cell; name: what it was loaded from, as asked; tile: longest side
    sent through in one piece; dtype: what the model computes in, while pictures become numbers and numbers bytes in
    float32; sample, seed: see `load`; truncate: bytes are cut, as the DDA code does, not rounded (ours); threads: those
    that divide a batch among them on a CPU, None for the caller's alone.
    """

    def __init__(self, name: str, model, device: str, sample: bool = False, seed: int = 0):
        self.name, self.device, self.dtype, self.truncate = name, device, model.dtype, False
        self.model = model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self._sample, self._seed = sample, seed
        wide = weights.widest(model.config) * self.dtype.itemsize  # bytes of an activation at one pixel
        self._pixels = BUDGET.get(device, BUDGET["cpu"]) // (LIVE * wide)
        self._at_once = min(self._pixels, KEPT.get(device, KEPT["cpu"]) // wide)
        threads = torch.get_num_threads() if device == "cpu" else 1
        self.threads = ThreadPoolExecutor(threads, initializer=_work_alone) if threads > 1 else None
        self.tile = max(4 * OVERLAP, math.isqrt(self._pixels) // OVERLAP * OVERLAP)
        probe = np.zeros((1, PROBE, PROBE, 3), np.uint8)
        with torch.inference_mode():
            self.factor = PROBE // self._encode(torch.zeros(1, 3, PROBE, PROBE, device=device), probe).shape[-1]

    def on(self, device: torch.device) -> Self:
        """A copy on another device."""
        other = devices.copied(self, self.model, device)
        other.device = str(device)
        return other

    @property
    def number(self) -> str:
        """The name of `dtype`: "float16"."""
        return str(self.dtype).removeprefix("torch.")

    def batch(self, height: int, width: int) -> int:
        """How many pictures of this size go through at once; one for those that are cut into tiles."""
        if height * width > ALONE.get(self.device, ALONE["cuda"]):
            return 1
        return max(1, min(64, self._at_once // (height * width)))

    @torch.inference_mode()
    def roundtrip(self, rgb: np.ndarray) -> np.ndarray:
        """Reconstruct uint8 [N, H, W, 3]; uint8 of the same shape.

        Sides that are no multiple of `factor` are padded with their edge and cut back. Pictures with a side
        above `tile` are sent through in blended tiles, so that memory stays bounded. Raises Refused where numbers
        overflow: a picture that another dtype made would differ from all others by that.
        """
        height, width = rgb.shape[1:3]
        padded = fitted(rgb, self.factor)
        if max(padded.shape[1:3]) > self.tile:
            done = [self._in_tiles(picture)[None] for picture in padded]
        else:
            step = self.batch(*padded.shape[1:3])
            done = [self._side_by_side(padded[i : i + step]) for i in range(0, len(padded), step)]
        return np.concatenate(done)[:, :height, :width]

    def _side_by_side(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, 3] of one batch. On a CPU each thread takes pictures of its own, if there are two for each:
        together they would wait for each other in every layer, which costs half as much again (measured).
        """
        if self.threads is None or len(rgb) < 2 * self.threads._max_workers:
            return self._alone(rgb)
        return np.concatenate(list(self.threads.map(self._alone, np.array_split(rgb, self.threads._max_workers))))

    @torch.inference_mode()
    def _alone(self, rgb: np.ndarray) -> np.ndarray:
        return self._in_bytes(self._batch_through(rgb))

    def _batch_through(self, rgb: np.ndarray) -> torch.Tensor:
        """float32 [N, H, W, 3] in [0, 1], still on the device."""
        x = torch.from_numpy(np.ascontiguousarray(rgb)).to(self.device).permute(0, 3, 1, 2)
        x = x.to(torch.float32, memory_format=torch.channels_last) / 255
        images = self._decode(self._encode(x, rgb))
        if not images.isfinite().all():
            raise Refused(f"{self.name} overflows in {self.number}: give vae_dtype float32, or other weights.")
        return images.clamp(0, 1).permute(0, 2, 3, 1)

    def _encode(self, x: torch.Tensor, rgb: np.ndarray) -> torch.Tensor:
        """Latents of images in [0, 1]. Scaling and shift, which are for a diffusion model, would cancel out."""
        code = self.model.encode((x * 2 - 1).to(self.dtype))
        if not hasattr(code, "latent_dist"):  # without a distribution there is nothing to sample
            return code[0]
        latent = code.latent_dist
        if not self._sample:
            return latent.mean
        noise = torch.stack([_noise(self._seed, image, latent.mean.shape[1:]) for image in rgb])
        return latent.mean + latent.std * noise.to(latent.mean)

    def _decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.model.decode(z).sample.float() / 2 + 0.5

    def _in_tiles(self, rgb: np.ndarray) -> np.ndarray:
        total = np.zeros(rgb.shape, np.float32)
        weight = np.zeros((*rgb.shape[:2], 1), np.float32)
        for rows, up in _spans(rgb.shape[0], self.tile):
            for columns, across in _spans(rgb.shape[1], self.tile):
                ramp = (up[:, None] * across)[..., None]
                total[rows, columns] += ramp * self._batch_through(rgb[None, rows, columns])[0].cpu().numpy()
                weight[rows, columns] += ramp
        return self._in_bytes(torch.from_numpy(total / weight))

    def _in_bytes(self, shares: torch.Tensor) -> np.ndarray:
        """uint8 of values in [0, 1]; made where they lie, since bytes travel four times as fast as floats."""
        return (shares * 255 + (0 if self.truncate else 0.5)).clamp(0, 255).to(torch.uint8).cpu().numpy()


def _work_alone() -> None:
    """Let this thread compute by itself; the others keep theirs."""
    torch.get_num_threads()  # the first look sets the number for this thread
    threadpool_limits(1, user_api="openmp")


def fitted(rgb: np.ndarray, factor: int) -> np.ndarray:
    """uint8 [..., H, W, 3] with both sides padded by their edge to multiples of `factor`."""
    height, width = rgb.shape[-3:-1]
    sides = ((0, -height % factor), (0, -width % factor), (0, 0))
    return np.pad(rgb, ((0, 0),) * (rgb.ndim - 3) + sides, mode="edge")


def _spans(length: int, tile: int) -> list[tuple[slice, np.ndarray]]:
    """Overlapping stretches that cover `length`, each with weights that fall off towards its ends."""
    tile = min(tile, length)
    starts = [*range(0, length - tile, tile - OVERLAP), length - tile]
    ramp = np.minimum(np.arange(tile) + 1, OVERLAP) / OVERLAP
    return [(slice(s, s + tile), (ramp * ramp[::-1]).astype(np.float32)) for s in starts]


def load(
    source: str, revision: str = "", sample=False, seed: int = 0, device: str = "", dtype=devices.AUTO, truncate=False
) -> Autoencoder:
    """Load from a folder (diffusers' files, also in a subfolder `vae`; or TAEF2's two) or from the hub.

    sample: draw the latent from the encoder's distribution, as DDA did, instead of taking its mean (ours, the
    default); the draw depends on (seed, picture) alone. device: "" takes the accelerator that there is, else the CPU.
    dtype: auto is float32 on a CPU and float16 on a GPU, as DDA did, or float32 there too if the autoencoder's
    configuration asks for it (`force_upcast`) or it overflows; bfloat16 rounds so much that fakes can be told by it.
    Raises Refused when there is no autoencoder, or when it cannot compute in the dtype asked for.
    """
    device = device or devices.best()
    auto = dtype == devices.AUTO
    first = ("float16" if device in devices.NARROW else "float32") if auto else dtype
    place = models.where(source, "autoencoder")
    if Path(place).is_dir():
        models.check(Path(place), "autoencoder")

    def open_in(number: torch.dtype) -> Autoencoder:
        return Autoencoder(source, weights.opened(place, revision, number, auto), device, sample, seed)

    model = open_in(getattr(torch, first))
    if model.dtype == torch.float16:
        try:
            model.roundtrip(_extremes())
        except (Refused, RuntimeError) as error:  # an overflow, or an operation that float16 lacks
            if not auto:
                raise Refused(f"{source} cannot compute in float16: give vae_dtype float32.") from error
            model = open_in(torch.float32)
    if model.dtype == torch.float32:
        torch.backends.cudnn.allow_tf32 = False  # else convolutions on a card round to ten bits
    model.truncate = truncate
    return model


def _extremes() -> np.ndarray:
    """Pictures that drive an autoencoder far: black, white, a checkerboard, noise; uint8 [4, PROBE, PROBE, 3]."""
    black = np.zeros((PROBE, PROBE, 3), np.uint8)
    checked = (255 * (np.indices(black.shape[:2]).sum(0) // 8 % 2))[..., None].astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, black.shape, np.uint8)
    return np.stack([black, black + 255, black + checked, noise])


def _noise(seed: int, image: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal numbers that depend on (seed, image) alone."""
    key = hashlib.sha256(image.tobytes()).digest()
    digest = hashlib.sha256(f"latent/{seed}/".encode() + key).digest()
    return torch.randn(shape, generator=torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1))
