"""Marks for tests of a real GPU: `make test-gpu` runs them, and without a GPU they are skipped."""

import pytest
import torch

needed = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
two_needed = [pytest.mark.gpu, pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")]


def memory() -> float:
    """GB of the GPU, 0 without one."""
    return torch.cuda.get_device_properties(0).total_memory / 1e9 if torch.cuda.is_available() else 0.0
