"""The device that models compute on: the accelerator that torch has, else the processor."""

import ctypes
import sys
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

AUTO = "auto"  # of a number format: whatever suits this machine
NARROW = ("cuda", "xpu")  # kinds of accelerator on which auto means 16 bits; Apple's stays in float32
# Options of glibc's mallopt(3) with bytes. The first is ours: with the largest that glibc comes to by itself, 64 MB,
# some trainings kept what a step frees and others gave it back. The others say from which size on a block is given back
# when it is freed: the largest that glibc takes, and one of ours, by which laptop's DPO takes what its count says.
TRIM_THRESHOLD, KEPT, GIVEN_BACK = (-1, 256 * 2**20), (-3, 32 * 2**20), (-3, 64 * 2**10)
LARGE = 64 * 2**20  # bytes of weights (ours): more than the mini models, less than the smallest of laptop


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


def alike() -> list:
    """The torch.devices to compute on: all visible GPUs that are of the model of the first one, else one device."""
    import torch

    kind = best()
    module = getattr(torch, kind, None)
    names = [module.get_device_name(index) for index in range(module.device_count())] if kind in NARROW else []
    return [torch.device(kind, index) for index, each in enumerate(names) if each == names[0]] or [torch.device(kind)]


def copied(thing: Any, module: Any, device: Any, *tensors: Any) -> Any:
    """A deep copy of `thing`, with the weights of the `module` inside it, and other `tensors`, on another device.

    Raises ValueError for quantised weights, which stay where they were loaded, and for a device of another kind.
    """
    import torch

    home = next(module.parameters()).device
    if getattr(module, "is_quantized", False) or home.type != device.type:
        raise ValueError(f"the model stays on {home}")
    loose = [each for part in module.modules() for each in vars(part).values() if isinstance(each, torch.Tensor)]
    there = {id(each): each.to(device) for each in (*module.buffers(), *loose, *tensors) if each.device == home}
    for each in module.parameters():
        there[id(each)] = torch.nn.Parameter(each.detach().to(device), each.requires_grad)
    return deepcopy(thing, there)


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

    On processors with bfloat16 it is faster for most models, on others slower (MEASUREMENTS.md), and it gives other
    numbers: it is to be asked for.
    """
    import torch

    narrow = device.type in NARROW if precision == AUTO else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16) if narrow else nullcontext()


def imitates_bfloat16() -> bool:
    """Whether this processor has no instructions for products of bfloat16, which torch then computes some other way.

    Known of x86 alone; of other processors it is False.
    """
    import torch

    has = torch.cpu.get_capabilities()
    return has.get("architecture") == "x86_64" and not (has.get("avx512_bf16") or has.get("amx_bf16"))


def double(values: Any) -> Any:
    """A tensor in float64, on the CPU where the accelerator lacks that format."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def tune_allocator(module: Any) -> None:
    """Tell the C library what to do with memory that tensors on a processor have freed; no number changes.

    Beside a torch module of up to LARGE bytes it keeps up to 256 MB for the next tensors. By default glibc gives it
    back to the system and asks for it anew several times in each step of a small model, which is a tenth of the
    processor time of a training. Beside a larger one every block of more than 64 KB is given back when it is freed:
    blocks of many sizes would leave gaps, a third more than what torch has in use. C libraries without mallopt do as
    they do.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    large = sum(each.nbytes for each in module.parameters()) > LARGE
    for option in (TRIM_THRESHOLD, GIVEN_BACK if large else KEPT) if hasattr(libc, "mallopt") else ():
        libc.mallopt(*option)
