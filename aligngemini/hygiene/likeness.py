"""Which pictures look alike: a 64-bit hash of their coarse structure, and neighbours in Hamming distance."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.fft import dctn

SIDE = 32  # px to which a picture is shrunk before its transform
FAR = 4  # bits of 64 in which pictures that look alike may differ; our choice
BANDS = FAR + 1  # two hashes at most FAR apart agree in one of so many bands
BLOCK = 1_000_000  # candidates compared at a time: some 50 MB


def looks(rgb: np.ndarray) -> int:
    """The hash of uint8 [H, W, 3]: signs of its 64 lowest cosine coefficients against their median.

    It survives compression and another size, not cropping; of a picture with little structure not even the former.
    """
    grey = Image.fromarray(rgb).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    low = dctn(np.asarray(grey, np.float64), norm="ortho")[:8, :8].ravel()
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes())


def alike(hashes: np.ndarray, kin: np.ndarray, others: np.ndarray, their_kin: np.ndarray) -> np.ndarray:
    """For each of `hashes` (uint64 [n]) the kin of one of `others` (uint64 [m]) at most FAR bits away, or -1.

    `kin` and `their_kin` (int64, 0 or more) say what belongs together: pictures of equal kin are no neighbours.
    Memory is that of the arguments and of BLOCK candidates.
    """
    found = np.full(len(hashes), -1, np.int64)
    if not len(hashes) or not len(others):
        return found
    distinct, low, high = _ends(others, their_kin)
    for mine, theirs in _candidates(hashes, distinct):
        other = np.where(low[theirs] != kin[mine], low[theirs], high[theirs])
        near = (np.bitwise_count(hashes[mine] ^ distinct[theirs]) <= FAR) & (other != kin[mine])
        found[mine[near]] = other[near]
    return found


def _ends(hashes: np.ndarray, kin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct hashes, and the least and the greatest kin of each: they tell whether any is not one's own."""
    distinct, place = np.unique(hashes, return_inverse=True)
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
