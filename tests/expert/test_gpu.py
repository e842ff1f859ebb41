"""The expert on a GPU: it scores as on the CPU, an update moves what it must, and a killed training goes on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aligngemini.expert import batches, objective, train, views
from aligngemini.images import decode
from tests import gpu
from tests.expert.conftest import CFG, fresh

pytestmark = gpu.needed


@pytest.mark.parametrize(("released", "close"), [(True, 2e-3), (False, 0.05)])
def test_p_fake_is_that_of_the_cpu_but_for_rounding(rows, released, close):
    """Ours lets the backbone compute in bfloat16; the DDA code computes in float32 throughout."""
    expert = replace(fresh(), released=released)
    crops = [views.window(decode.read(path).rgb, 112) for path in rows.path]
    there = expert.p_fake(crops)
    here = replace(expert, model=expert.model.cpu(), mean=expert.mean.cpu(), std=expert.std.cpu())
    assert there.dtype == np.float64 and np.abs(there - here.p_fake(crops)).max() < close
    assert len(set(there)) == len(crops), "the head computes in float32: no two images share a score"


def test_an_update_moves_adapters_and_head_and_leaves_the_backbone(rows):
    expert, config = fresh(), CFG.replace(contrastive_weight=0.5)
    before = {name: weight.detach().clone() for name, weight in expert.model.named_parameters()}
    optim = objective.optimiser(expert, config)
    batch = batches.Batches(batches.match_real_fake(rows, 0), config)[0].pin_memory()
    assert 0 < train.update(expert, optim, [batch, batch], config) < 10
    for name, weight in expert.model.named_parameters():
        assert weight.device.type == "cuda"
        moves = "lora_B" in name or "head.modules_to_save" in name
        assert "lora_A" in name or torch.equal(weight, before[name]) != moves, name


def test_a_killed_training_goes_on_to_the_numbers_of_an_unbroken_one(rows, tmp_path, monkeypatch):
    config, update, calls = CFG.replace(workers=0), train.update, []

    def dies(*given):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return update(*given)

    train.train(fresh(), rows, config, tmp_path / "whole", tmp_path / "one")
    monkeypatch.setattr(train, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        train.train(fresh(), rows, config, tmp_path / "killed", tmp_path / "two")
    monkeypatch.undo()
    train.train(fresh(seed=99), rows, config, tmp_path / "killed", tmp_path / "two")
    logs = [pd.read_parquet(tmp_path / name / "history.parquet") for name in ("one", "two")]
    assert logs[0].step.tolist() == logs[1].step.tolist()
    assert np.allclose(logs[0].loss, logs[1].loss, atol=0.02)
