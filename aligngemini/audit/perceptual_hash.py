"""Which images look alike: near by a 64-bit perceptual hash, and confirmed by a comparison of thumbnails."""

from collections.abc import Iterable

import numpy as np
from PIL import Image
from scipy.fft import dctn

SIDE, COLOUR = 32, 4  # px: sides of the gray and of the coloured thumbnail
FAR = 4  # bits of 64 in which hashes of images that look alike may differ; our choice
# The limits of the thumbnails, our choice: on real photographs, pages of text and product shots that were recompressed
# (JPEG of quality 30) or halved, the error stays below .17; different pages of text with the same hash begin at .34.
CLOSE = 0.2  # root mean square difference of the gray thumbnails, as a share of their own deviation
SHADE = 4.0  # of 255: root mean square difference of the coloured thumbnails
COMPARED = 1000  # images with a hash near to that of one image, whose thumbnails are compared with its own


def thumbnails(rgb: np.ndarray) -> bytes:
    """What is compared of uint8 [H, W, 3]: uint8 [32, 32] of its luminance, then uint8 [4, 4, 3] of its colours."""
    image = Image.fromarray(rgb)
    gray = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return gray.tobytes() + image.resize((COLOUR, COLOUR), Image.Resampling.BOX).tobytes()


def hashes(stacked: np.ndarray) -> np.ndarray:
    """uint64 [n] of `thumbnails`, uint8 [n, 1072]: signs of the 64 lowest cosine coefficients against their median.

    They survive compression and another size, not cropping; of an image with little structure not even the former.
    """
    gray = stacked[:, : SIDE**2].reshape(-1, SIDE, SIDE).astype(np.float32)
    low = np.asarray(dctn(gray, axes=(1, 2), norm="ortho"))[:, :8, :8].reshape(len(stacked), 64)
    return np.packbits(low > np.median(low[:, 1:], axis=1, keepdims=True), axis=1).view(">u8")[:, 0].astype(np.uint64)


def find_similar(
    images: Iterable[bytes], groups: np.ndarray, others: Iterable[bytes], other_groups: np.ndarray
) -> np.ndarray:
    """For each of n images, by its `thumbnails`, the place of one of m `others` that looks like it, or -1; int64 [n].

    `groups` [n] and `other_groups` [m] say what belongs together: images of one group are not compared.
    """
    found = np.full(len(groups), -1)
    if not len(groups) or not len(other_groups):
        return found
    first, second = (np.frombuffer(b"".join(seen), np.uint8).reshape(-1, SIDE**2 + 48) for seen in (images, others))
    second_hashes = hashes(second)
    for place, code in enumerate(hashes(first)):
        near = np.bitwise_count(second_hashes ^ code) <= FAR
        near = np.flatnonzero(near & (other_groups != groups[place]))[:COMPARED]
        close = near[are_close(first[place], second[near])]
        found[place] = close[0] if len(close) else -1
    return found


def are_close(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bool [n]: whether thumbnails, uint8 [1072] and [n, 1072], are close in structure and in colour."""
    one, others = one.astype(np.float32), others.astype(np.float32)
    grays = [seen[..., : SIDE**2] - seen[..., : SIDE**2].mean(-1, keepdims=True) for seen in (one, others)]
    deviation = ((grays[0] ** 2).mean() + (grays[1] ** 2).mean(-1)) / 2
    structure = ((grays[0] - grays[1]) ** 2).mean(-1) <= CLOSE**2 * deviation
    return structure & (((one - others)[:, SIDE**2 :] ** 2).mean(-1) <= SHADE**2)
