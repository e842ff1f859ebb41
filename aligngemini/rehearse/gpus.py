"""Known GPUs: what fits, and how long a count of operations takes."""

from typing import NamedTuple

UTILISATION = 0.4  # share of the peak rate that training reaches (ours; .35 to .5 is usual at this size)
HOPPER = 0.15  # the same of an H100, which waits for its processor: .12 to .20 in the stages of MEASUREMENTS.md
MEMORY = {"paper": 20, "colab": 10}  # GB that true sizes take without a GPU: most are the VLM's weights in bfloat16
USABLE = 0.9  # share of the memory left by driver, libraries and gaps between blocks (ours)


class GPU(NamedTuple):
    """Memory in GB (1e9 bytes), dense bfloat16 rate in TFLOP/s, memory bandwidth in GB/s: NVIDIA's data sheets; and the
    share of that rate that is reached.
    """

    name: str
    memory: float
    rate: float
    bandwidth: float
    share: float = UTILISATION

    def seconds(self, flops: float, read: float = 0.0) -> float:
        """Time for operations at its share of the peak rate, then for `read` bytes that it waits for."""
        return flops / (self.share * self.rate * 1e12) + read / (self.bandwidth * 1e9)

    def fits(self, peak: float) -> bool:
        """Whether `peak` bytes are at most USABLE of the memory."""
        return peak <= USABLE * self.memory * 1e9


GPUS = {
    "t4": GPU("T4 16 GB", 16, 65, 320),  # in float16: it has no bfloat16, which torch then imitates, slower
    "rtx4090": GPU("RTX 4090 24 GB", 24, 165, 1008),
    "a100-40": GPU("A100 40 GB", 40, 312, 1555),
    "a100-80": GPU("A100 80 GB", 80, 312, 2039),
    "h100": GPU("H100 80 GB", 80, 989, 3350, HOPPER),
    "h200": GPU("H200 141 GB", 141, 989, 4800, HOPPER),
}


def smallest(peak: float) -> str:
    """The name of the first GPU that `peak` bytes fit, or "none"."""
    return next((gpu.name for gpu in GPUS.values() if gpu.fits(peak)), "none")
