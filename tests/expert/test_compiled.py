"""Training with compiled blocks: the same losses but for rounding, the same checkpoints, the same adapter."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from aligngemini.core.params import Refused
from aligngemini.expert import architectures, compiled, train
from tests import backbones
from tests.expert.conftest import CFG, fresh

ASKS = CFG.replace(compiled=True, workers=0, checkpoint_steps=2, epochs=1.7)


@pytest.fixture(autouse=True)
def without_a_compiler(monkeypatch):
    """torch's own kernels behind the compiled graphs: to make others takes minutes."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")


def _trained(rows, folder, config=ASKS) -> list[float]:
    train.train(fresh(), rows, config, folder / "checkpoints", folder / "adapter")
    return pd.read_parquet(folder / "adapter" / "history.parquet").loss.tolist()


def _weights(folder) -> dict[str, np.ndarray]:
    with safe_open(folder / "adapter" / "adapter_model.safetensors", framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_losses_and_adapter_are_those_of_plain_training(rows, tmp_path):
    plain, ours = tmp_path / "plain", tmp_path / "compiled"
    assert np.allclose(_trained(rows, plain, ASKS.replace(compiled=False)), _trained(rows, ours), atol=1e-4)
    assert _weights(plain).keys() == _weights(ours).keys()
    assert all(np.allclose(weight, _weights(ours)[name], atol=1e-3) for name, weight in _weights(plain).items())


def test_a_killed_training_goes_on_to_the_same_weights(rows, tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    losses, update = _trained(rows, whole), train.update

    def dies(expert, optim, parts, *others):
        if len(list((killed / "checkpoints").glob("*"))):
            raise KeyboardInterrupt
        return update(expert, optim, parts, *others)

    monkeypatch.setattr(train, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        _trained(rows, killed)
    monkeypatch.setattr(train, "update", update)
    assert _trained(rows, killed) == losses
    assert all(np.array_equal(weight, _weights(killed)[name]) for name, weight in _weights(whole).items())


@pytest.mark.parametrize("name", backbones.FAMILIES)
def test_every_family_has_blocks_to_compile_and_none_stays_so(name, monkeypatch):
    model, done = architectures.build(name, **backbones.FAMILIES[name]), []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **options: done.append(self))
    with compiled.blocks(model):
        assert len(done) >= 2 and not any(isinstance(each, torch.nn.Sequential) for each in done)
    assert all(each._compiled_call_impl is None for each in model.modules())


def test_where_torch_cannot_compile_it_is_refused(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "BACKEND", "no such backend")
    with pytest.raises(Refused, match="set compiled to false"):
        _trained(rows, tmp_path)
