"""Which images look alike: neighbours by a 64-bit perceptual hash, confirmed by a comparison of thumbnails."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dctn

SIDE, COLOUR = 32, 4  # px: sides of the gray and of the coloured thumbnail
FAR = 4  # bits of 64 in which hashes of images that look alike may differ; our choice
BANDS = FAR + 1  # two hashes at most FAR apart agree in one of so many bands
# The limits of the thumbnails, our choice: on real photographs, pages of text and product shots that were recompressed
# (JPEG of quality 30) or halved, the error stays below .17; different pages of text with the same hash begin at .34.
CLOSE = 0.2  # root mean square difference of the gray thumbnails, as a share of their own deviation
SHADE = 4.0  # of 255: root mean square difference of the coloured thumbnails
BLOCK = 1_000_000  # candidates compared at a time: some 50 MB
LOOKED = 10_000  # ... and so many by their thumbnails: some 100 MB


def thumbnails(rgb: np.ndarray) -> bytes:
    """What is compared of uint8 [H, W, 3]: uint8 [32, 32] of its luminance, then uint8 [4, 4, 3] of its colours."""
    image = Image.fromarray(rgb)
    gray = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return gray.tobytes() + image.resize((COLOUR, COLOUR), Image.Resampling.BOX).tobytes()


def stacked(seen: Sequence[bytes]) -> np.ndarray:
    """The `thumbnails` of n images as uint8 [n, 1072]."""
    return np.frombuffer(b"".join(seen), np.uint8).reshape(len(seen), SIDE**2 + 3 * COLOUR**2)


def hashes(seen: np.ndarray) -> np.ndarray:
    """uint64 [n] of `stacked` thumbnails: signs of the 64 lowest cosine coefficients against their median.

    They survive compression and another size, not cropping; of an image with little structure not even the former.
    """
    gray = seen[:, : SIDE**2].reshape(-1, SIDE, SIDE).astype(np.float32)
    low = dctn(gray, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(seen), 64)
    return np.packbits(low > np.median(low[:, 1:], axis=1, keepdims=True), axis=1).view(">u8")[:, 0].astype(np.uint64)


def find_similar(
    images: Sequence[bytes], groups: np.ndarray, others: Sequence[bytes], other_groups: np.ndarray
) -> np.ndarray:
    """For each of n images, by its `thumbnails`, the group of one of m `others` that looks like it, or -1.

    `groups` [n] and `other_groups` [m] (int64, those of others 0 or more) say what belongs together: images of one
    group are not compared. Memory is that of the arguments, of BLOCK candidates and of LOOKED pairs of thumbnails.
    """
    found = np.full(len(images), -1, np.int64)
    if not len(images) or not len(others):
        return found
    # Equal thumbnails count once: the least and the greatest of their groups tell whether any is not one's own.
    distinct = pd.Series(other_groups).groupby(np.array([*others], object)).agg(["min", "max"])
    least, greatest = distinct.to_numpy().T
    images, others = stacked(images), stacked(distinct.index)
    own_hashes, other_hashes = hashes(images), hashes(others)
    for own, other in _candidates(own_hashes, other_hashes):
        group = np.where(least[other] != groups[own], least[other], greatest[other])
        near = np.bitwise_count(own_hashes[own] ^ other_hashes[other]) <= FAR
        near = np.flatnonzero(near & (group != groups[own]) & (found[own] < 0))
        for at in range(0, len(near), LOOKED):
            chosen = near[at : at + LOOKED]
            chosen = chosen[are_close(images[own[chosen]], others[other[chosen]])]
            found[own[chosen]] = group[chosen]
    return found


def are_close(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bool [n]: whether the `stacked` thumbnails of n pairs are close in structure and in colour."""
    sides = [np.split(seen.astype(np.float32), [SIDE**2], axis=1) for seen in (first, second)]
    one, two = (gray - gray.mean(1, keepdims=True) for gray, _ in sides)
    structure = ((one - two) ** 2).mean(1) <= CLOSE**2 * ((one**2).mean(1) + (two**2).mean(1)) / 2
    return structure & (((sides[0][1] - sides[1][1]) ** 2).mean(1) <= SHADE**2)


def _candidates(hashes: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places in `hashes` and in `others` of pairs that agree in a band, in blocks of about BLOCK."""
    edges = np.linspace(0, 64, BANDS + 1).astype(int)
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        bands = [(side >> np.uint64(start)) & np.uint64(2 ** int(stop - start) - 1) for side in (hashes, others)]
        own, other = (pd.DataFrame({"band": band, "place": np.arange(len(band))}) for band in bands)
        total = own["band"].map(other["band"].value_counts()).fillna(0).cumsum()
        for _, block in own.groupby(total // BLOCK):
            pairs = block.merge(other, on="band")
            yield pairs["place_x"].to_numpy(), pairs["place_y"].to_numpy()
