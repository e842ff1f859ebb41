"""Pretraining: a killed and resumed loop equals an unbroken one."""

import pickle

import pytest
import torch

from aligngemini.mini import loop, pretrain_expert, pretrain_vae, pretrain_vlm


def batch(step: int) -> dict:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return {"x": x, "y": x.sum(1, keepdim=True)}


def loss(module, data):
    return (module(data["x"]) - data["y"]).square().mean()


def model():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1)


class Killed(RuntimeError):
    pass


def test_a_killed_and_resumed_run_equals_an_unbroken_one(tmp_path):
    whole, broken = model(), model()
    loop.fit(whole, batch, loss, 30, 0.05, tmp_path / "whole", every=10, workers=0)

    def dies(step: int) -> dict:
        if step == 25:
            raise Killed
        return batch(step)

    try:
        loop.fit(broken, dies, loss, 30, 0.05, tmp_path / "broken", every=10, workers=0)
    except Killed:
        broken = model()
    log = loop.fit(broken, batch, loss, 30, 0.05, tmp_path / "broken", every=10, workers=0)
    assert [row["step"] for row in log] == [10, 20, 30]
    assert torch.equal(whole.weight, broken.weight) and torch.equal(whole.bias, broken.bias)
    assert log[-1]["loss"] < log[0]["loss"]


def test_the_learning_rate_warms_up_and_then_only_falls():
    rates = [loop.cosine(step, 1000) for step in range(1000)]
    assert rates[0] < 0.02 and max(rates) > 0.95
    peak = rates.index(max(rates))
    assert all(a >= b for a, b in zip(rates[peak:], rates[peak + 1 :], strict=False))


def test_the_last_entry_of_a_log_is_the_mean_of_its_own_steps(tmp_path):
    """With 25 steps and an entry every 10 the last entry has five steps, not ten."""
    still = model()
    log = loop.fit(still, batch, lambda m, data: 0 * loss(m, data) + 3, 25, 0.05, tmp_path, every=10, workers=0)
    assert [row["loss"] for row in log] == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "room, base, stages",
    [(pretrain_expert, (), 1), (pretrain_vae, ("kl",), 1), (pretrain_vlm, ("vlm",), 3)],
    ids=["expert", "vae", "vlm"],
)
def test_batches_can_be_made_by_a_spawned_process(room, base, stages, tmp_path, monkeypatch):
    """Where processes are spawned and not forked, as on macOS, a worker gets its work by pickle."""
    handed = []

    def looked_at(module, make_batch, *rest):
        handed.append(make_batch)
        if len(handed) == stages:
            raise Killed
        return []

    monkeypatch.setattr(room, "fit", looked_at)
    for size in {"GLANCES", "BATCH"} & set(vars(room)):
        monkeypatch.setattr(room, size, 4)
    with pytest.raises(Killed):
        room.pretrain(*base, tmp_path / "out", tmp_path / "work", 8)
    for make in handed:
        here, there = make(3), pickle.loads(pickle.dumps(make))(3)
        assert here and set(here) == set(there) and all(torch.equal(here[name], there[name]) for name in here)
