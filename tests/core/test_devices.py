"""Where models compute: the accelerator that torch has, of whatever kind, else the processor."""

import pytest
import torch

from aligngemini.core import devices
from aligngemini.vlm import load


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
