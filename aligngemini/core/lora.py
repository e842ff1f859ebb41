"""PEFT's LoRA layer with fewer passes over memory."""

import torch
from peft.tuners import lora
from peft.tuners.tuners_utils import BaseTunerLayer


class Linear(lora.Linear):
    """A LoRA layer that adds B A x within a matrix product, to [..., n] from [..., m].

    PEFT multiplies B A x by the scaling and then adds it: two more passes over the largest tensors of a block, and two
    more to store and to go back through. Here A x is scaled, which is small. The numbers are the same where the scaling
    is a power of two, as with an alpha that is the rank, else but for rounding.
    """

    def forward(self, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        names = [name for name in self.active_adapters if name in self.lora_A]
        if self.disable_adapters or self.merged or self.lora_variant or len(names) != 1 or args or kwargs:
            return super().forward(x, *args, **kwargs)
        (name,), rows = names, x.reshape(-1, x.shape[-1])
        inner = self.lora_A[name](self.lora_dropout[name](rows)) * self.scaling[name]
        result = self.base_layer(rows)
        result.addmm_(inner.to(result.dtype), self.lora_B[name].weight.to(result.dtype).T)
        return result.view(*x.shape[:-1], result.shape[-1])


def lean(model: torch.nn.Module) -> torch.nn.Module:
    """The model, whose LoRA layers are `Linear` where they were PEFT's, and no longer copy what they get to float32, as
    PEFT has it: autocast would copy that back to bfloat16 at once, with the same numbers.
    """
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.cast_input_dtype_enabled = False
        if type(layer) is lora.Linear:
            layer.__class__ = Linear
    return model
