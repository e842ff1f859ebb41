"""Count what a step would do: operations and bytes, on the meta device, where tensors have shapes and no content."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakIdKeyDictionary

# What autocast computes in bfloat16, as far as these architectures use it.
NARROWED = (functional.linear, functional.conv2d, torch.conv2d, torch.matmul, functional.scaled_dot_product_attention)


@dataclass(frozen=True)
class Count:
    """One step: floating-point operations, the bytes alive at its peak (of them `weights` of the model's own), the
    bytes of weights read again for each generated token, and the pictures or pairs it does.
    """

    flops: float
    peak: float
    weights: float
    units: int
    read: float = 0.0

    def plus(self, **more: float) -> "Count":
        """The same with more operations, peak or bytes read."""
        return replace(self, **{name: getattr(self, name) + value for name, value in more.items()})


def counted(step: Callable[[], object], model: torch.nn.Module, units: int, narrowed: bool = False) -> Count:
    """Run `step` on `model`, which lies on the meta device, and count; `narrowed`: as under autocast to bfloat16."""
    with Ledger(model) as ledger, AsOnACard(narrowed):
        step()
    return Count(ledger.flops, ledger.peak, ledger.weights, units)


class Ledger(TorchDispatchMode):
    """Operations by torch's own formulas, and the bytes of all meta tensors that are alive, with their peak.

    A model's weights and buffers are there from the start. (FlopCounterMode would keep checkpointed tensors alive.)
    """

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.known, self.live, self.peak, self.flops = WeakIdKeyDictionary(), 0, 0, 0
        for tensor in (*model.parameters(), *model.buffers()):
            self._note(tensor)
        self.weights = self.live

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, formula = kwargs or {}, flop_registry.get(function.overloadpacket)
        if formula is None:
            with self:
                made = function.decompose(*args, **kwargs)  # what inference mode hands over in one piece
            if made is not NotImplemented:
                return made
        made = function(*args, **kwargs)
        self.flops += formula(*args, **kwargs, out_val=made) if formula else 0
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._note(tensor)
        return made

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if tensor.is_meta and storage not in self.known:
            self.known[storage] = storage.nbytes()
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, size: int) -> None:
        self.live -= size


class AsOnACard(TorchFunctionMode):
    """Let the meta device do as a card does: attention in one kernel, index tensors of the host taken along, and
    products in bfloat16 where autocast is asked for.
    """

    def __init__(self, narrowed: bool):
        super().__init__()
        self.narrowed = narrowed

    def __torch_function__(self, function, types, args=(), kwargs=None):
        given = args, kwargs or {}
        tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, torch.Tensor)]
        if any(t.is_meta for t in tensors) and not all(t.is_meta for t in tensors):
            given = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), given)
        if self.narrowed and function in NARROWED:
            given = tree_map_only(torch.Tensor, _narrow, given)
        if function is functional.scaled_dot_product_attention:
            function = _attention
        return function(*given[0], **given[1])


def _narrow(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor


def _attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """The kernel a card would choose; left to itself the meta device writes the whole matrix of attention."""
    groups = query.shape[1] // key.shape[1]
    key, value = (tensor.repeat_interleave(groups, 1) for tensor in (key, value)) if groups > 1 else (key, value)
    if attn_mask is None:
        kernel = torch.ops.aten._scaled_dot_product_flash_attention
        return kernel(query, key, value, dropout_p, is_causal, scale=scale)[0]
    kernel = torch.ops.aten._scaled_dot_product_efficient_attention
    mask = torch.empty((*query.shape[:3], key.shape[2]), dtype=query.dtype, device="meta")
    return kernel(query, key, value, mask, True, dropout_p, is_causal, scale=scale)[0]
