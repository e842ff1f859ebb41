"""Both answers behind one prompt: the same losses and gradients, fewer tokens, and no row that is not a pair."""

import pytest
import torch

from aligngemini.core import progress
from aligngemini.mini import bases
from aligngemini.vlm import dpo, load, preference_pairs, prompt_packing
from aligngemini.vlm.params import VLMParams

CFG = VLMParams(batch_size=3, learning_rate=1e-2, gradient_accumulation=1)


def trainer(rows, folder, **changes):
    torch.manual_seed(0)
    base = load.load(str(bases.FOLDERS["vlm"]), max_pixels=CFG.max_pixels)
    made = dpo.build(base, preference_pairs.from_remarks(rows), CFG.replace(**changes), folder)
    made.args.logging_steps = 1
    return made


@pytest.mark.parametrize("saving", [False, True])
def test_every_loss_is_that_of_separate_rows(rows, tmp_path, saving):
    """Also where activations are computed again in the backward pass."""
    histories = []
    for share in (False, True):
        made = trainer(rows, tmp_path / str(share), share_prompt=share, gradient_checkpointing=saving)
        made.train()
        histories.append(dpo.history(made))
    assert histories[0].margin.abs().max() > 0.01
    assert histories[1].loss.tolist() == pytest.approx(histories[0].loss.tolist(), abs=1e-4)


def test_prompt_and_common_words_are_run_once(rows, tmp_path):
    made = trainer(rows, tmp_path, share_prompt=True)
    text = next(m for n, m in made.model.named_modules() if n.endswith("language_model"))
    ran, plain = [], text.forward.run
    spy = lambda **k: ran.append(k["inputs_embeds"].shape[:2]) or plain(**k)  # noqa: E731
    spy.__self__ = text
    text.forward.run = spy
    batch = next(iter(made.get_train_dataloader()))
    made.compute_loss(made.model, batch)
    length = batch["attention_mask"].sum(1)
    prompt = batch["completion_mask"].argmax(1)
    words = (length - prompt).tensor_split(2)
    longest = int((prompt[:3] + words[0] + words[1]).max()) - 3  # "This image is" is common too
    assert ran == [(3, longest)] * 2  # the policy and its reference


def layout(lengths: list[tuple[int, int]], common: int) -> tuple[prompt_packing.PackedLayout, torch.Tensor]:
    """Pairs of rows of these lengths whose first `common` tokens are equal."""
    width = max(max(pair) for pair in lengths)
    values = torch.rand(2 * len(lengths), width, 2, generator=torch.Generator().manual_seed(0))
    values[len(lengths) :, :common] = values[: len(lengths), :common]
    each = [one for one, _ in lengths] + [other for _, other in lengths]
    mask = torch.arange(width)[None] < torch.tensor(each)[:, None]
    positions = torch.arange(width).expand(3, len(each), width)
    return prompt_packing.PackedLayout(values, positions, mask.long()), torch.where(mask[..., None], values, torch.nan)


def test_packing_and_unpacking_give_every_token_back():
    made, values = layout([(7, 5), (4, 8)], 3)
    packed = made.packed(values)
    assert packed.shape == (2, 9, 2) and made.common.flatten().tolist() == [3, 3]
    there = ~values.isnan()
    assert torch.equal(made.unpacked(packed)[there], values[there])


def test_no_token_looks_ahead_or_at_the_other_answer():
    made, _ = layout([(5, 6)], 3)  # prompt 0-2, chosen 3-4, rejected 5-7
    sees = made.mask()[0, 0]
    assert sees[4].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]
    assert sees[6].nonzero().flatten().tolist() == [0, 1, 2, 5, 6]


def test_a_model_that_only_judges_is_left_alone(rows, tmp_path):
    made = trainer(rows, tmp_path, share_prompt=True)
    text = next(m for n, m in made.model.named_modules() if n.endswith("language_model"))
    assert text.forward._pairs(torch.ones(2, 4))
    assert not text.forward._pairs(torch.ones(3, 4))
    assert not text.forward._pairs(torch.tensor([[0, 1], [1, 1]]))
    text.eval()
    assert not text.forward._pairs(torch.ones(2, 4))


def test_attention_that_takes_no_mask_leaves_pairs_in_rows_of_their_own_and_says_so(vlm, capsys):
    vlm.model.set_attn_implementation("eager")
    progress.say_once.cache_clear()
    try:
        prompt_packing.pack_prompts(vlm.model)
        assert "sdpa" in capsys.readouterr().err
        assert "forward" not in vars(vlm.model.get_decoder()), "the model's own forward pass"
    finally:
        vlm.model.set_attn_implementation("sdpa")
