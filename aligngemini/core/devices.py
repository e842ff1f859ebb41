"""The device that models compute on: the accelerator that torch has, else the processor."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

AUTO = "auto"  # of a number format: whatever suits this machine
NARROW = ("cuda", "xpu")  # kinds of accelerator on which auto means 16 bits; Apple's stays in float32


def best() -> str:
    """The kind of device to compute on: "cuda" (NVIDIA, and AMD by ROCm), "mps", "xpu" ..., "cpu" without any."""
    import torch  # takes seconds, so only where it is asked

    if torch.cuda.is_available():
        return "cuda"
    found = torch.accelerator.current_accelerator(check_available=True)
    return found.type if found and found.type != "cuda" else "cpu"


def name() -> str:
    """What the accelerator calls itself, or its kind; "" without any."""
    import torch

    if (kind := best()) == "cpu":
        return ""
    named = getattr(getattr(torch, kind), "get_device_name", None)
    return named() if named else kind


def number(precision: str, narrow: str) -> str:
    """The number format that `precision` means here: auto is `narrow` on an accelerator that has it, else float32."""
    if precision != AUTO:
        return precision
    import torch

    kind = best()
    there = kind in NARROW and (narrow != "bfloat16" or getattr(torch, kind).is_bf16_supported())
    return narrow if there else "float32"


def autocast(device: Any, precision: str = AUTO) -> AbstractContextManager:
    """Let layers on a torch.device compute in bfloat16 if `precision` says so; auto does on an accelerator alone.

    On processors with bfloat16 it is faster for most models (MEASUREMENTS.md), but gives other numbers: it is to be
    asked for.
    """
    import torch

    narrow = device.type in NARROW if precision == AUTO else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16) if narrow else nullcontext()


def double(values: Any) -> Any:
    """A tensor in float64, on the CPU where the accelerator lacks that format."""
    return (values.cpu() if values.device.type == "mps" else values).double()
