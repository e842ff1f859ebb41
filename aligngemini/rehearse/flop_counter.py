"""What a stage takes, counted while it runs on the CPU without its arithmetic.

Products, convolutions and attention, all that torch's flop counter knows, give zeros at once and never look at a
weight. So the true size takes a minute, and no memory for weights that nobody has written to.
"""

import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode, flop_registry
from torch.utils.weak import WeakIdKeyDictionary

BALANCE = 100  # operations to a byte: below, a GPU waits for its memory


class Count(NamedTuple):
    """Operations; bytes that a GPU waits for; bytes of the model, and of all else that was alive at the peak."""

    flops: float
    read: float
    weights: float
    activations: float


def counted(run: Callable[[], Any], model: torch.nn.Module) -> tuple[Count, Any]:
    """Run something that uses a model on the CPU, without its arithmetic: the count, and what came of it."""
    flops, skipped = FlopCounterMode(display=False), SkipArithmetic()
    # Its hooks on modules would keep activations that checkpointing gives back.
    flops.mod_tracker = SimpleNamespace(parents={"Global"}, __enter__=lambda: None, __exit__=lambda *error: None)
    skipped.note([*model.parameters(), *model.buffers()])
    weights = skipped.live
    with skipped, flops:
        made = run()
    return Count(flops.get_total_flops(), skipped.read, weights, skipped.peak - weights), made


class SkipArithmetic(TorchDispatchMode):
    """Zeros in the place of what the flop counter counts, and account of the bytes of tensors."""

    def __init__(self):
        super().__init__()
        self.storages, self.live, self.peak, self.read = WeakIdKeyDictionary(), 0, 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, formula = kwargs or {}, flop_registry.get(function.overloadpacket)
        if formula:
            shapes = tree_map_only(torch.Tensor, lambda each: each.to("meta"), (args, kwargs))
            made = tree_map_only(torch.Tensor, _zeros, function(*shapes[0], **shapes[1]))
            size = sum(each.nbytes for each in tree_leaves(args) if isinstance(each, torch.Tensor))
            self.read += size if formula(*args, **kwargs, out_val=made) < BALANCE * size else 0
        else:
            made = function(*args, **kwargs)
        self.note(tree_leaves(made))
        return made

    def note(self, values: list[Any]) -> None:
        """Take account of tensors, until they are gone."""
        storages = [value.untyped_storage() for value in values if isinstance(value, torch.Tensor)]
        for storage in (storage for storage in storages if storage not in self.storages):
            self.storages[storage] = size = storage.nbytes()
            self.live += size
            weakref.finalize(storage, self._forget, size)
        self.peak = max(self.peak, self.live)

    def _forget(self, size: int) -> None:
        self.live -= size


def _zeros(shape: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(shape, device="cpu")
