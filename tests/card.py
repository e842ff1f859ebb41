"""A pretended graphics card: arithmetic stays on the CPU, but tensors of both devices may meet only as on a card."""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

CARD, HOST = torch.device("cuda", 0), torch.device("cpu")
MOVES = {torch.ops.aten.copy_, torch.ops.aten._to_copy}
PICKS = {torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_, torch.ops.aten._index_put_impl_}


class Card(TorchFunctionMode):
    """Inside, "cuda" can be asked for; a tensor of it says so, and what mixes devices raises RuntimeError.

    Numbers (tensors of no dimensions) of the host may stand beside the card's tensors, and so may indices, as in torch.
    """

    def __init__(self):
        super().__init__()
        self.there, self.guard = WeakIdKeyDictionary(), _Guard(self)

    def __enter__(self):
        self.guard.__enter__()
        return super().__enter__()

    def __exit__(self, *told):
        super().__exit__(*told)
        self.guard.__exit__(*told)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor lies on the card."""
        return tensor.untyped_storage() in self.there

    def put(self, tensor: torch.Tensor, there: bool) -> torch.Tensor:
        """The tensor as one that lies there, or no longer."""
        if there:
            self.there[tensor.untyped_storage()] = True
        else:
            self.there.pop(tensor.untyped_storage(), None)
        return tensor

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, one = kwargs or {}, args[0] if args and isinstance(args[0], torch.Tensor) else None
        if function == torch.Tensor.device.__get__:
            return CARD if self.holds(one) else HOST
        if function in (torch.Tensor.numpy, torch.Tensor.__array__) and self.holds(one):
            raise TypeError("numpy cannot read the card: .cpu() first")
        asked = _asked(function, args, kwargs, self)
        if asked is None:
            return function(*args, **kwargs)
        drawn = kwargs.get("generator")
        if drawn is not None and drawn.device != asked:
            raise RuntimeError("a generator draws on its own device alone")
        made = function(*tree_map(_home, args), **tree_map(_home, kwargs))
        if one is not None and self.holds(one) != (asked == CARD) and made.untyped_storage() is one.untyped_storage():
            made = made.clone()
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.put(tensor, asked == CARD)
        return made


def _asked(function, args, kwargs, card: Card) -> torch.device | None:
    """The device that a call names, None for none."""
    if function is torch.Tensor.cpu:
        return HOST
    named = kwargs.get("device")
    if function is torch.Tensor.to and named is None and len(args) > 1:
        if isinstance(args[1], torch.Tensor):
            return CARD if card.holds(args[1]) else HOST
        named = args[1]
    if isinstance(named, str | torch.device):
        return CARD if torch.device(named).type == "cuda" else HOST if torch.device(named).type == "cpu" else None
    return None


def _home(value):
    cuda = isinstance(value, torch.device) and value.type == "cuda"
    return HOST if cuda or (isinstance(value, str) and value.startswith("cuda")) else value


class _Guard(TorchDispatchMode):
    """Looks at every operation, those of the backward pass too."""

    def __init__(self, card: Card):
        super().__init__()
        self.card = card

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, torch.Tensor)]
        there = [tensor for tensor in given if self.card.holds(tensor)]
        kind = function.overloadpacket
        first = given[:1] if kind in MOVES else given
        if kind not in MOVES and there:
            must = args[:1] if kind in PICKS else given
            strange = [t for t in must if isinstance(t, torch.Tensor) and t.ndim and not self.card.holds(t)]
            if strange:
                raise RuntimeError(f"Expected all tensors to be on the same device, in {function}")
        made = function(*args, **(kwargs or {}))
        if any(self.card.holds(tensor) for tensor in first):
            for tensor in tree_leaves(made):
                if isinstance(tensor, torch.Tensor):
                    self.card.put(tensor, True)
        return made
