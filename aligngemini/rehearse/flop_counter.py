"""What a stage takes, counted while it runs on the CPU without its arithmetic.

What works on large tensors gives zeros at once. Small tensors are computed, and so are images until they meet weights,
so that the stage goes its way. All that torch's flop counter knows gives zeros, whatever its size.
"""

import weakref
from collections.abc import Callable
from mmap import mmap
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode, flop_registry
from torch.utils.weak import WeakIdKeyDictionary

BALANCE = 100  # operations to a byte: below, a GPU waits for its memory
LARGE = 2**16  # numbers of a tensor that is not computed with
FEW = (2, 3, 4)  # tokens of the answers that are counted in the place of a long one
# Operations whose results have as many numbers as the operands' values say, or go to Python.
VALUES = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}
# What tells where an answer begins, once pairs share their prompts.
WORDS = {torch.ops.aten.embedding.default, torch.ops.aten.masked_scatter.default}


class Count(NamedTuple):
    """Operations; bytes that a GPU waits for; bytes of the model, of all else that was alive at the peak, and of the
    weights that train.
    """

    flops: float
    read: float
    weights: float
    activations: float
    trained: float


def at(tokens: int, counts: list[Count]) -> Count:
    """The count of an answer of `tokens` from those of FEW: each token looks at one more than the one before it."""
    powers = np.vander([*FEW, tokens], 3)
    return Count(*(powers[-1] @ np.linalg.solve(powers[:-1], np.array(counts))).tolist())


def counted(run: Callable[[], Any], model: torch.nn.Module) -> Count:
    """Run something that uses a model on the CPU, without its arithmetic."""
    flops, skipped = FlopCounterMode(display=False), SkipArithmetic()
    # Its hooks on modules would keep activations that checkpointing gives back.
    flops.mod_tracker = SimpleNamespace(parents={"Global"}, __enter__=lambda: None, __exit__=lambda *error: None)
    skipped.note([*model.parameters(), *model.buffers()], hollow=True)
    weights = skipped.live
    with skipped, flops:
        run()
    trained = sum(each.nbytes for each in model.parameters() if each.requires_grad)
    return Count(flops.get_total_flops(), skipped.read, weights, skipped.peak - weights, trained)


class SkipArithmetic(TorchDispatchMode):
    """Zeros in the place of what is large or counted, and account of the bytes of tensors."""

    def __init__(self):
        super().__init__()
        self.storages, self.live, self.peak, self.read = WeakIdKeyDictionary(), 0, 0, 0
        self.hollow = WeakIdKeyDictionary()  # storages of weights, and of zeros in the place of numbers

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, formula = kwargs or {}, flop_registry.get(function.overloadpacket)
        skipped = formula or self._is_large(function, args)
        if skipped and function._schema.is_mutable:
            return args[0] if function._schema.returns else None
        made = _zeros_for(function, args, kwargs) if skipped else function(*args, **kwargs)
        if skipped and not formula and any(not each.is_floating_point() for each in _tensors(made)):
            made = function(*args, **kwargs)  # places and truths tell the stage how to go on
        if formula:
            size = sum(each.nbytes for each in _tensors(args))
            self.read += size if formula(*args, **kwargs, out_val=made) < BALANCE * size else 0
        self.note(_tensors(made), hollow=skipped)
        return made

    def note(self, tensors: list[torch.Tensor], hollow: bool = False) -> None:
        """Take account of tensors, until they are gone; hollow: their numbers are none to compute with."""
        storages = [tensor.untyped_storage() for tensor in tensors]
        self.hollow.update(dict.fromkeys(storages) if hollow else {})
        for storage in (storage for storage in storages if storage not in self.storages):
            self.storages[storage] = size = storage.nbytes()
            self.live += size
            weakref.finalize(storage, self._forget, size)
        self.peak = max(self.peak, self.live)

    def _forget(self, size: int) -> None:
        self.live -= size

    def _is_large(self, function: torch._ops.OpOverload, args: tuple) -> bool:
        """Whether it makes or changes numbers, as many as can be known beforehand, of a large hollow tensor."""
        if function.is_view or function in WORDS or VALUES & set(function.tags):
            return False
        large = [each for each in _tensors(args) if each.is_floating_point() and each.numel() > LARGE]
        return any(each.untyped_storage() in self.hollow for each in large)


def _zeros_for(function: torch._ops.OpOverload, args: tuple, kwargs: dict) -> Any:
    """Zeros in the form of the result."""
    args, kwargs = tree_map_only(torch.Tensor, lambda each: each.to("meta"), (args, kwargs))
    kwargs |= {"device": "meta"} if kwargs.get("device") else {}
    return tree_map_only(torch.Tensor, zeros, function(*args, **kwargs))


def _tensors(values: Any) -> list[torch.Tensor]:
    return [each for each in tree_leaves(values) if isinstance(each, torch.Tensor)]


def zeros(shape: torch.Tensor) -> torch.Tensor:
    """Zeros on the CPU in the shape of a tensor. Large ones take no memory, which the system gives when it is written
    to: nobody does.
    """
    if shape.numel() <= LARGE:
        return torch.zeros_like(shape, device="cpu")
    block = torch.frombuffer(mmap(-1, shape.untyped_storage().nbytes()), dtype=shape.dtype)
    return block.as_strided(shape.shape, shape.stride())
