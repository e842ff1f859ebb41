"""The memory of real images explains what it has seen, and less of what it has not."""

import numpy as np
import torch

from aligngemini.peers import mirror


def features(seed, count=400, width=16):
    """Points near eight directions that depend on the seed."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(8, width))
    return (centres[rng.integers(0, 8, count)] + 0.1 * rng.normal(size=(count, width))).astype(np.float32)


def residual(known, values):
    tensor = torch.from_numpy(values)
    return (tensor - known(tensor)[0]).square().mean().item()


def test_it_reconstructs_what_it_learned_from_better_than_anything_else():
    known = mirror.learn(features(0), 64, 4, 8, seed=0)
    assert residual(known, features(0)) < 0.5 * residual(known, features(1))


def test_the_same_seed_gives_the_same_memory():
    first, second = (mirror.learn(features(0), 16, 4, 8, seed=3).slots for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_attention_uses_only_the_nearest_prototypes_and_sums_to_one():
    known = mirror.Memory(torch.randn(64, 16), 4, 8)
    again, attention = known(torch.randn(2, 5, 16))
    assert attention.shape == (2, 5, 4, 8) and again.shape == (2, 5, 16)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 5, 4))
    assert (attention.diff(dim=-1) <= 0).all(), "from large to small"


def test_evidence_of_a_prototype_itself_is_sure_and_leaves_little():
    slots = 20 * torch.eye(16)
    known = mirror.Memory(slots, 1, 4)
    left, sure = mirror.evidence(known, slots[None, :3])
    assert left.abs().max() < 1e-3 and sure[0, 0] > 0.99 and sure[0, 1] < 0.01
