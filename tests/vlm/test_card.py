"""The VLM on a graphics card, pretended: judging, labelling, explaining, and a training step on packed pairs."""

import numpy as np
import peft
import pytest
import torch
from PIL import Image

from aligngemini.images import decode
from aligngemini.vlm import dpo, labels, load, preference_pairs, prompt_packing, verdict, vision_cache
from aligngemini.vlm.params import VLMParams
from tests.card import CARD, Card


@pytest.fixture(scope="module")
def card() -> Card:
    return Card()


@pytest.fixture(scope="module")
def there(card, vlm) -> load.VLM:
    with card:
        vlm.model.to(CARD)
    return vlm


def test_verdicts_reasons_and_explanations_come_back_from_the_card(card, there, rows, monkeypatch):
    monkeypatch.setattr(labels, "TOKENS", 2)
    shown = [Image.fromarray(decode.read(path).rgb) for path in rows.path.head(2)]
    with card:
        assert there.device == CARD
        scores = verdict.p_fake(there, shown)
        assert scores.dtype == np.float64 and np.isfinite(scores).all()
        frame = labels._part(there, rows.head(2), seed=0)
        assert all(frame.chosen.str.startswith("This image is"))
        assert verdict.spoken(there, shown[:1], verdict.VERDICTS[1], length=2)[0].startswith(verdict.VERDICTS[1])


def test_a_step_on_packed_pairs_leaves_its_gradients_on_the_card(card, there, rows):
    """Pictures seen once, prompts shared, activations computed again: the reference's pass and the policy's."""
    said = preference_pairs.dataset(preference_pairs.from_remarks(rows.head(2)))
    batch = vision_cache.CheckedCollator(there.processor, there.max_pixels)([said[0], said[1]])
    batch.pop("completion_mask")
    with card:
        model = peft.get_peft_model(there.model, dpo.lora(there, VLMParams())).train()
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        vision_cache.cache_vision_features(model)
        prompt_packing.pack_prompts(model)
        batch = {name: value.to(CARD) for name, value in batch.items()}
        policy = model(**batch, use_cache=False).logits
        with torch.no_grad(), model.disable_adapter():
            reference = model(**batch, use_cache=False).logits
        assert torch.equal(policy, reference)  # the adapter begins at nothing
        policy.float().log_softmax(-1)[..., 0].mean().backward()
        grads = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
        assert {grad.device for grad in grads.values()} == {CARD}
        assert all(grad.abs().max() > 0 for name, grad in grads.items() if "lora_B" in name)
