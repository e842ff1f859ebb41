"""Where models compute: the accelerator that torch has, of whatever kind, else the processor."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.overrides import TorchFunctionMode

from aligngemini.core import devices
from aligngemini.expert import backbone
from aligngemini.mini import bases
from aligngemini.peers import effort
from aligngemini.vlm import labels, load, verdict


@pytest.fixture
def machine(monkeypatch):
    """Pretend that torch has an accelerator of that kind, "" for none."""

    def pretend(kind):
        there = torch.device(kind) if kind else None
        monkeypatch.setattr(torch.cuda, "is_available", lambda: kind == "cuda")
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: there)
        for each in (torch.cuda, torch.xpu):
            monkeypatch.setattr(each, "is_bf16_supported", lambda: True)

    return pretend


@pytest.mark.parametrize(
    ("kind", "device", "number", "of_a_process"),
    [
        ("", "cpu", "float32", "cpu"),
        ("cuda", "cuda", "bfloat16", "cuda:1"),
        ("xpu", "xpu", "bfloat16", "xpu:1"),
        ("mps", "mps", "float32", "mps"),
    ],
)
def test_any_accelerator_is_used_and_auto_is_narrow_where_it_is_known_to_work(
    machine, monkeypatch, kind, device, number, of_a_process
):
    machine(kind)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.best() == device and load.place() == of_a_process
    assert devices.number("auto", "bfloat16") == number and devices.number("float32", "bfloat16") == "float32"
    narrow = devices.autocast(torch.device(device))
    assert isinstance(narrow, torch.autocast) == (number == "bfloat16")


def test_a_processor_computes_in_bfloat16_only_if_asked():
    layer, x = torch.nn.Linear(4, 4), torch.ones(1, 4)
    for precision, dtype in (("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with devices.autocast(x.device, precision):
            assert layer(x).dtype == dtype


class Apple(TorchFunctionMode):
    """Refuses on the processor what an Apple GPU lacks, float64, and what it does wrongly: to copy memory that is not
    pinned without waiting."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        made, options = function(*args, **kwargs or {}), kwargs or {}
        if function in (torch.Tensor.double, torch.Tensor.to):
            assert made.dtype != torch.float64 or args[0].dtype == torch.float64
            assert not options.get("non_blocking") or args[0].is_pinned()
        return made


def test_an_apple_gpu_is_asked_for_nothing_that_it_lacks(monkeypatch):
    def on_the_host(values):
        with torch._C.DisableTorchFunction():
            return values.double()

    vlm, expert = load.load(str(bases.FOLDERS["vlm"])), backbone.load(str(bases.FOLDERS["expert"]))
    monkeypatch.setattr(devices, "double", on_the_host)
    monkeypatch.setattr(labels, "TOKENS", 2)
    shown = np.zeros((112, 112, 3), np.uint8)
    with Apple():
        assert 0 < verdict.p_fake(vlm, [Image.fromarray(shown)]) < 1
        assert labels.reasons(vlm, verdict.prompts(vlm, [Image.fromarray(shown)], labels.ASK), 0, ["it"], seed=0)
        assert 0 < expert.p_fake([shown]) < 1
        effort.split(expert.model, rank=1)
        assert 0 < expert.p_fake([shown]) < 1


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_freed_memory_is_kept_beside_a_small_model_and_given_back_beside_a_large_one():
    """A process by itself: this one may keep its memory already."""
    script = """
import resource, numpy
from types import SimpleNamespace
from aligngemini.core import devices
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        arrays = [numpy.ones(2**20) for _ in range(4)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def beside(size):
    weights = SimpleNamespace(nbytes=size)
    devices.tune_allocator(SimpleNamespace(parameters=lambda: [weights]))
    faults()
    return faults()
print(faults(), beside(devices.LARGE + 1), beside(devices.LARGE))
"""
    default, large, small = map(int, subprocess.check_output([sys.executable, "-c", script]).split())
    assert min(default, large) > 1000 and small < default / 10
