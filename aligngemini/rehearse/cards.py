"""Graphics cards by name: what fits, and how long a count of operations and bytes takes."""

from dataclasses import dataclass

from ..workbook.params import Refused
from .ledger import Count

UTILISATION = 0.4  # share of the peak rate that training reaches (ours; .35 to .5 is usual at this size)
USABLE = 0.9  # share of the memory left by driver, libraries and gaps between blocks (ours)


@dataclass(frozen=True)
class Card:
    """Memory in GB (1e9 bytes), dense bfloat16 rate in TFLOP/s, memory bandwidth in GB/s: NVIDIA's data sheets."""

    name: str
    memory: float
    rate: float
    bandwidth: float

    def seconds(self, count: Count) -> float:
        """Time for `count`: its operations at UTILISATION of the peak rate, then what it reads again and again."""
        return count.flops / (UTILISATION * self.rate * 1e12) + count.read / (self.bandwidth * 1e9)

    def fits(self, count: Count) -> bool:
        """Whether `count` fits into USABLE of the memory."""
        return count.peak <= USABLE * self.memory * 1e9


CARDS = {
    "rtx4090": Card("RTX 4090 24 GB", 24, 165, 1008),
    "a100-40": Card("A100 40 GB", 40, 312, 1555),
    "a100-80": Card("A100 80 GB", 80, 312, 2039),
    "h100": Card("H100 80 GB", 80, 989, 3350),
    "h200": Card("H200 141 GB", 141, 989, 4800),
}


def named(name: str) -> Card:
    """The card called `name`; raises Refused with the names there are."""
    if name not in CARDS:
        raise Refused(f"--gpu knows {', '.join(CARDS)}, not {name!r}: take the one nearest to yours")
    return CARDS[name]


def smallest(count: Count) -> str:
    """The name of the first card that `count` fits, or "none"."""
    return next((card.name for card in CARDS.values() if card.fits(count)), "none")
