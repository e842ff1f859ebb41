"""torch.compile for the blocks of a backbone while it trains: faster on a GPU, equal but for rounding."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from aligngemini.core.params import Refused
from aligngemini.core.progress import say

BACKEND = "inductor"
BLOCK = re.compile(r"(?:.*\.)?blocks(?:\.\d+)+")  # the name of a block in every architecture of `architectures`


@contextmanager
def blocks(model: nn.Module) -> Iterator[None]:
    """Compile the blocks of `model` for what happens inside; afterwards they are computed as before.

    One block after the other and not the whole: blocks are alike, so that they share their code, and weights keep their
    names. Raises Refused where torch cannot compile.
    """
    device = next(model.parameters()).device
    check(device)
    found = [each for name, each in model.named_modules() if BLOCK.fullmatch(name) and type(each) is not nn.Sequential]
    say(f"compiling {len(found)} blocks: the first updates take longer")
    for block in found:  # dynamic: with one code for all sizes, a resumed run would round otherwise
        block.compile(backend=BACKEND, dynamic=False)
    try:
        yield
    finally:
        for block in found:
            block._compiled_call_impl = None


def check(device: torch.device) -> None:
    """Raise Refused unless torch compiles a small function for `device`."""
    try:
        torch.compile(torch.sin, backend=BACKEND)(torch.ones(2, device=device))
    except Exception as error:  # of the compiler, of Triton, of a version of Python that torch does not know yet ...
        why = " ".join(str(error).split())[:200]
        raise Refused(
            f"torch.compile does not work here ({why}): set compiled to false, or install what is missing (a C++ "
            "compiler; on a GPU Triton)"
        ) from error
