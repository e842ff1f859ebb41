"""An adapter comes back as it was saved, knows what it was trained on, and is refused wherever it does not fit."""

import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from aligngemini.core import adapters
from aligngemini.core.params import Refused

FACTS = {"base": "owner/base", "revision": "abc", "crop": 336, "prompt": "real | fake?"}


class Tiny(nn.Module):
    def __init__(self, layers: int = 2):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(layers))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def tiny(layers: int = 2) -> Tiny:
    torch.manual_seed(0)
    return Tiny(layers)


@pytest.fixture
def saved(tmp_path):
    """A trained-looking adapter of two blocks, its folder, and what it answers."""
    model = get_peft_model(tiny(), LoraConfig(r=2, target_modules=r"blocks\.\d+", init_lora_weights=False))
    card = adapters.card("A tiny one", "For a test.", FACTS, "adapters.put(model, folder)")
    folder = adapters.save(model, tmp_path / "adapter", FACTS, card)
    return folder, model.eval()(torch.ones(1, 4))


def test_it_comes_back_with_the_same_answers_and_facts(saved):
    folder, answer = saved
    assert torch.equal(adapters.put(tiny(), folder)(torch.ones(1, 4)), answer)
    assert adapters.facts(folder) == FACTS


def test_peft_alone_finds_its_base_and_revision(saved):
    told = json.loads((saved[0] / "adapter_config.json").read_text())
    assert (told["base_model_name_or_path"], told["revision"]) == ("owner/base", "abc")


def test_the_card_opens_with_what_the_hub_reads_and_names_every_fact(saved):
    text = (saved[0] / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: peft\nbase_model: owner/base\n")
    assert "| crop | 336 |" in text and r"real \| fake?" in text and "```python\nadapters.put(" in text


def test_a_card_names_no_base_of_the_hub_for_a_folder():
    assert "base_model" not in adapters.card("t", "s", FACTS | {"base": "data/mini/vlm"}, "u")


@pytest.mark.parametrize("layers", [1, 3])
def test_a_base_of_another_shape_is_refused(saved, layers):
    """With fewer blocks PEFT says nothing of the weights it drops; with more it would only warn."""
    with pytest.raises(Refused, match="does not fit"):
        adapters.put(tiny(layers), saved[0])


def test_weights_under_another_name_are_refused(saved):
    path = saved[0] / adapters.WEIGHTS
    weights = load_file(path)
    first = min(weights)
    save_file({name + ("x" if name == first else ""): value for name, value in weights.items()}, path)
    with pytest.raises(Refused, match="lacks"):
        adapters.put(tiny(), saved[0])


@pytest.mark.parametrize("text", [None, "{", "[]", '{"base": "owner/base"}'])
def test_facts_that_are_missing_or_damaged_are_refused(saved, text):
    (saved[0] / adapters.FACTS).unlink()
    if text is not None:
        (saved[0] / adapters.FACTS).write_text(text)
    with pytest.raises(Refused, match="does not say"):
        adapters.facts(saved[0])


def test_weights_that_are_not_safetensors_are_never_opened(saved):
    (saved[0] / adapters.WEIGHTS).rename(saved[0] / "adapter_model.bin")
    with pytest.raises(Refused, match="holds no"):
        adapters.put(tiny(), saved[0])
