"""Which pictures look alike: neighbours by a 64-bit hash of their coarse structure that a finer look confirms."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.fft import dctn

SIDE, COLOUR = 32, 4  # px: sides of the grey and of the coloured thumbnail
FAR = 4  # bits of 64 in which hashes of pictures that look alike may differ; our choice
BANDS = FAR + 1  # two hashes at most FAR apart agree in one of so many bands
# The finer look, our choice: on real photographs, pages of text and product shots that were recompressed (JPEG of
# quality 30) or halved, the error stays below .17; different pages of text with the same hash begin at .34.
CLOSE = 0.2  # root mean square difference of the grey thumbnails, as a share of their own deviation
SHADE = 4.0  # of 255: root mean square difference of the coloured thumbnails
BLOCK = 1_000_000  # candidates compared at a time: some 50 MB
LOOKED = 10_000  # ... and so many by their thumbnails: some 100 MB


def looks(rgb: np.ndarray) -> bytes:
    """What is compared of uint8 [H, W, 3]: uint8 [32, 32] of its luminance, then uint8 [4, 4, 3] of its colours."""
    picture = Image.fromarray(rgb)
    grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return grey.tobytes() + picture.resize((COLOUR, COLOUR), Image.Resampling.BOX).tobytes()


def stacked(seen: list[bytes]) -> np.ndarray:
    """The `looks` of n pictures as uint8 [n, 1072]."""
    return np.frombuffer(b"".join(seen), np.uint8).reshape(len(seen), SIDE**2 + 3 * COLOUR**2)


def hashes(seen: np.ndarray) -> np.ndarray:
    """uint64 [n] of `stacked` looks: signs of the 64 lowest cosine coefficients against their median.

    They survive compression and another size, not cropping; of a picture with little structure not even the former.
    """
    if not len(seen):
        return np.empty(0, np.uint64)
    grey = seen[:, : SIDE**2].reshape(-1, SIDE, SIDE).astype(np.float32)
    low = dctn(grey, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(seen), 64)
    return np.packbits(low > np.median(low[:, 1:], axis=1, keepdims=True), axis=1).view(">u8")[:, 0].astype(np.uint64)


def alike(seen: np.ndarray, kin: np.ndarray, others: np.ndarray, their_kin: np.ndarray) -> np.ndarray:
    """For each of the `stacked` looks `seen` [n] the kin of one of `others` [m] that it looks like, or -1.

    `kin` and `their_kin` (int64, 0 or more) say what belongs together: pictures of equal kin are no neighbours.
    Memory is that of the arguments, of BLOCK candidates and of LOOKED pairs of thumbnails.
    """
    found = np.full(len(seen), -1, np.int64)
    if not len(seen) or not len(others):
        return found
    others, low, high = _ends(others, their_kin)
    mine_hashes, their_hashes = hashes(seen), hashes(others)
    for mine, theirs in _candidates(mine_hashes, their_hashes):
        other = np.where(low[theirs] != kin[mine], low[theirs], high[theirs])
        near = np.bitwise_count(mine_hashes[mine] ^ their_hashes[theirs]) <= FAR
        near &= (other != kin[mine]) & (found[mine] < 0)
        for at in range(0, near.sum(), LOOKED):
            chosen = np.flatnonzero(near)[at : at + LOOKED]
            chosen = chosen[confirmed(seen[mine[chosen]], others[theirs[chosen]])]
            found[mine[chosen]] = other[chosen]
    return found


def confirmed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bool [n]: whether the `stacked` looks of n pairs are close in structure and in colour."""
    (grey, colour), (their_grey, their_colour) = (_parts(seen) for seen in (first, second))
    apart = ((grey - their_grey) ** 2).mean(1)
    structure = apart <= CLOSE**2 * ((grey**2).mean(1) + (their_grey**2).mean(1)) / 2
    return structure & (((colour - their_colour) ** 2).mean(1) <= SHADE**2)


def _parts(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 luminance less its mean [n, 1024], and colours [n, 48]."""
    grey, colour = np.split(seen.astype(np.float32), [SIDE**2], axis=1)
    return grey - grey.mean(1, keepdims=True), colour


def _ends(seen: np.ndarray, kin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct looks, and the least and the greatest kin of each: they tell whether any is not one's own."""
    distinct, place = np.unique(seen, axis=0, return_inverse=True)
    low, high = np.full(len(distinct), np.iinfo(np.int64).max), np.full(len(distinct), -1, np.int64)
    np.minimum.at(low, place, kin)
    np.maximum.at(high, place, kin)
    return distinct, low, high


def _candidates(hashes: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places in `hashes` and in `others` of pairs that agree in a band, in blocks."""
    edges = np.linspace(0, 64, BANDS + 1).astype(int)
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        mask, shift = np.uint64(2 ** int(stop - start) - 1), np.uint64(start)
        mine, theirs = (hashes >> shift) & mask, (others >> shift) & mask
        order = np.argsort(theirs, kind="stable")
        first = np.searchsorted(theirs, mine, "left", sorter=order)
        counts = np.searchsorted(theirs, mine, "right", sorter=order) - first
        yield from _spread(first, counts, order)


def _spread(first: np.ndarray, counts: np.ndarray, order: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Write runs of `counts` places from `first` on out in full, about BLOCK at a time."""
    total = np.cumsum(counts)
    cuts = np.unique(np.searchsorted(total, np.arange(BLOCK, total[-1] + BLOCK, BLOCK), "left").clip(max=len(total)))
    for part in np.split(np.arange(len(counts)), cuts):
        mine = np.repeat(part, counts[part])
        ends = np.cumsum(counts[part])
        within = np.arange(len(mine)) - np.repeat(ends - counts[part], counts[part])
        yield mine, order[first[mine] + within]
