"""Logits at the positions of answers alone: TRL's values and gradients, for less work, on a processor."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from aligngemini.vlm import answer_positions, dpo, preference_pairs
from tests.vlm.training import CFG, base, train


@pytest.fixture(scope="module")
def trainer(rows):
    torch.manual_seed(0)
    made = dpo.build(base(), preference_pairs.from_remarks(rows), CFG)
    for name, weight in made.model.named_parameters():
        if "lora_B" in name:  # at zero, A would have no gradient
            torch.nn.init.normal_(weight, std=0.02)
    return made


def step(trainer, forward):
    """TRL's output of one batch, the gradients of its log-probabilities, and the operations of both passes."""
    trainer.model.get_base_model().forward = forward
    inputs = trainer.data_collator([trainer.train_dataset[index] for index in range(4)])
    mask = inputs.pop("completion_mask")
    labels = inputs["input_ids"].masked_fill(mask == 0, answer_positions.IGNORED)
    trainer.model.zero_grad()
    with FlopCounterMode(display=False) as counter:
        output = trainer.model(**inputs, labels=labels, fused_lm_head=True)
        output.log_probs.sum().backward()
    gradients = {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}
    return output, gradients, counter.get_total_flops()


def test_every_value_and_gradient_is_trls_for_less_work(trainer):
    ours = trainer.model.get_base_model().forward
    step(trainer, ours)  # the vision tower looks once, which counts here
    quick, quick_gradients, fewer = step(trainer, ours)
    plain, plain_gradients, more = step(trainer, ours.run)
    assert quick.keys() == plain.keys() and quick.log_probs.count_nonzero() > 0
    for name, value in plain.items():
        torch.testing.assert_close(quick[name], value, rtol=1e-5, atol=1e-5)
    assert plain_gradients and quick_gradients.keys() == plain_gradients.keys()
    for name, value in plain_gradients.items():
        torch.testing.assert_close(quick_gradients[name], value, rtol=1e-4, atol=1e-5)
    assert fewer < 0.95 * more


def test_a_training_has_the_losses_of_trls_trainer(rows, tmp_path, monkeypatch):
    cfg = CFG.replace(objective="dpo+sft", gradient_accumulation=2)
    quick = dpo.history(train(rows, tmp_path / "quick", cfg))
    monkeypatch.setattr(dpo, "project_answers_alone", lambda model: None)
    plain = dpo.history(train(rows, tmp_path / "plain", cfg))
    assert len(plain) > 1 and quick.loss.tolist() == pytest.approx(plain.loss.tolist(), abs=1e-5)
