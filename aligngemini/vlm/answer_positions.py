"""Logits at the positions of answers alone: most tokens of a pair are of its prompt or padding, and count nowhere."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from aligngemini.core import adapters, devices

IGNORED = -100  # transformers' label of a token that does not count


class AnswerForward:
    """The forward pass of a model with TRL's fused vocabulary head, which projects only what has a label.

    TRL does so itself where it has a kernel of its own, on a GPU. Elsewhere it projects every position of every row,
    over the whole vocabulary and four times a step, and sets to zero what has no label.
    """

    def __init__(self, model: torch.nn.Module):
        self.model, self.run = model, model.forward
        self.__signature__ = inspect.signature(model.forward)  # PEFT and generate() read the names

    def __call__(self, *args, **options):
        """As the model's own; with `fused_lm_head`, TRL's values for each label [rows, width - 1], 0 without one."""
        if not options.get("fused_lm_head") or options["labels"].device.type in devices.NARROW:
            return self.run(*args, **options)
        labels = options.pop("labels")[:, 1:]
        counted = labels != IGNORED
        with _only(self.model.base_model, counted):
            output = self.run(*args, shift_labels=labels[counted][None], **options)
        return type(output)(**{name: _spread(value, counted) for name, value in output.items()})


@contextmanager
def _only(core: torch.nn.Module, counted: torch.Tensor) -> Iterator[None]:
    """Let the last hidden state [rows, width, d] of a model without head be [1, n, d]: of the n tokens before `counted`
    ones, bool [rows, width - 1].
    """

    def keep(module, inputs, output):
        output.last_hidden_state = output.last_hidden_state[:, :-1][counted][None]
        return output

    hook = core.register_forward_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def _spread(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Values [1, n] at their n places of [rows, width - 1]; a number for the whole batch stays as it is."""
    return values.new_zeros(counted.shape).masked_scatter(counted, values) if values.ndim else values


def project_answers_alone(model: torch.nn.Module) -> None:
    """Let a model (with or without adapter) in TRL's trainer compute logits for answers alone; no loss changes."""
    base = adapters.base(model)
    base.forward = AnswerForward(base)
