"""The expert's logits and their gradients with a last block that computes the class token alone, against all tokens.

`OMP_NUM_THREADS=1 python tests/benchmarks/class_token.py [BASE]`; BASE defaults to the mini base. Processor time of a
batch of 64 images of 112 px, of training and of scoring, in one run.
"""

import sys
import time
from collections.abc import Callable
from unittest import mock

import torch

from aligngemini.expert import architectures, backbone
from aligngemini.expert.params import ExpertParams

STEPS = 12


def milliseconds(work: Callable) -> float:
    """Processor time of one call, after three that warm up."""
    for _ in range(3):
        work()
    began = time.process_time()
    for _ in range(STEPS):
        work()
    return (time.process_time() - began) / STEPS * 1000


def main(base: str = "data/mini/expert") -> None:
    """Print both ways, their ratio, and how far their logits lie apart."""
    torch.manual_seed(0)
    expert = backbone.with_lora(backbone.load(base), ExpertParams(scale="mini", base=base))
    images = torch.randint(0, 256, (64, 3, 112, 112), dtype=torch.uint8)
    score = torch.inference_mode()(lambda: expert.judged(images)[1])
    works = {"training": lambda: expert.judged(images)[1].sum().backward(), "scoring": score}
    with mock.patch.object(architectures, "pooled", lambda *given: architectures.features(*given)[0]):
        whole, wanted = {name: milliseconds(work) for name, work in works.items()}, score()
    for name, work in works.items():
        print(f"{name}: all tokens {whole[name]:.0f} ms, ours {(ours := milliseconds(work)):.0f} ms, ", end="")
        print(f"{ours / whole[name]:.2f} of the time")
    print(f"logits at most {(score() - wanted).abs().max():.1e} apart")


if __name__ == "__main__":
    main(*sys.argv[1:])
