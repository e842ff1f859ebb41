"""Scores of the VLM: teacher-forced, exact, the same in any batch, and honest about what could not be read."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from aligngemini.branches import scoring
from aligngemini.mini import bases
from aligngemini.vlm import load, verdict
from aligngemini.vlm.branch import VLMBranch
from aligngemini.world import world


@pytest.fixture(scope="module")
def vlm():
    return load.load(str(bases.FOLDERS["vlm"]))


@pytest.fixture(scope="module")
def pictures():
    return [Image.fromarray(world.draw(0, "t", i, bool(i % 2)).rgb) for i in range(5)]


def by_hand(vlm, picture, sentence: str) -> float:
    """log p(sentence) from one plain forward pass over prompt and sentence."""
    text = vlm.processor.apply_chat_template(verdict.chat(), add_generation_prompt=True, tokenize=False)
    answer = vlm.processor.tokenizer(sentence, add_special_tokens=False)["input_ids"]
    batch = vlm.processor(text=[text + sentence], images=[picture], return_tensors="pt")
    with torch.inference_mode():
        logs = vlm.model(**batch).logits[0].log_softmax(-1)
    return sum(logs[-len(answer) - 1 + i, token].item() for i, token in enumerate(answer))


def test_log_probabilities_are_those_of_a_plain_forward_pass(vlm, pictures):
    sentences = [*verdict.VERDICTS.values(), "The dog has four legs."]
    found = verdict.log_probabilities(vlm, verdict.prompts(vlm, pictures[:2]), sentences)
    wanted = [[by_hand(vlm, p, s) for s in sentences] for p in pictures[:2]]
    assert np.allclose(found.numpy(), wanted, atol=1e-3)


def test_the_two_verdicts_cost_one_forward_pass(vlm, pictures, monkeypatch):
    calls, forward = [], vlm.model.forward
    monkeypatch.setattr(vlm.model, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    verdict.p_fake(vlm, pictures)
    assert len(calls) == 1


def test_a_score_does_not_depend_on_its_batch(vlm, pictures):
    wide = [*pictures, Image.fromarray(np.zeros((56, 140, 3), np.uint8))]
    together = verdict.p_fake(vlm, wide)
    alone = np.concatenate([verdict.p_fake(vlm, [p]) for p in wide])
    assert np.allclose(together, alone, atol=1e-5)
    assert ((together > 0) & (together < 1)).all()


def test_what_cannot_be_read_keeps_its_row_with_a_reason(vlm, tmp_path):
    Image.fromarray(world.draw(0, "t", 0, False).rgb).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    table = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "a"],
            "path": [str(tmp_path / n) for n in ("good.png", "bad.png", "gone.png", "good.png")],
            "reason": "",
        }
    )
    scores = scoring.table(table, VLMBranch(vlm), "semantic", 64).set_index("image_id")
    assert list(scores.index) == ["a", "b", "c"]
    assert 0 < scores.score["a"] < 1 and scores.reason["a"] == ""
    assert scores.score[["b", "c"]].isna().all() and (scores.reason[["b", "c"]] != "").all()


def test_an_explanation_opens_with_the_verdict_it_explains(vlm, pictures):
    said = verdict.explain(vlm, pictures[:3], [0, 1, 0], tokens=5)
    assert [text.startswith(verdict.VERDICTS[1]) for text in said] == [False, True, False]
    assert said[0].startswith(verdict.VERDICTS[0]) and said[2].startswith(verdict.VERDICTS[0])


def test_an_explanation_does_not_depend_on_what_else_is_explained(vlm, pictures):
    wide = [pictures[0].resize((168, 112)), *pictures[1:3]]  # more image tokens than the rest: the others are padded
    alone = [verdict.explain(vlm, [picture], [1])[0] for picture in wide]
    assert verdict.explain(vlm, wide, [1, 1, 1]) == alone


@pytest.mark.parametrize("base", ["data/mini/vln", "./nowhere", "nothing"])
def test_a_base_that_is_not_there_is_refused_with_the_next_step(base):
    with pytest.raises(ValueError, match=base.replace(".", r"\.")):
        load.load(base)


def by_vocabulary(vlm, pictures) -> np.ndarray:
    """p(fake) from the log-probabilities of both sentences over the whole vocabulary."""
    logs = verdict.log_probabilities(vlm, verdict.prompts(vlm, pictures), [*verdict.VERDICTS.values()])
    return logs.double().softmax(1)[:, 1].numpy()


def test_two_rows_of_the_head_give_the_score_that_the_whole_vocabulary_gives(vlm, pictures):
    assert np.allclose(verdict.p_fake(vlm, pictures), by_vocabulary(vlm, pictures), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sentences", [("This image is real", "fake"), ("This image is real", "This image is a fake")])
def test_sentences_that_part_earlier_are_compared_whole(vlm, pictures, monkeypatch, sentences):
    monkeypatch.setattr(verdict, "VERDICTS", dict(enumerate(sentences)))
    found = verdict.p_fake(vlm, pictures[:2])
    logs = [[by_hand(vlm, picture, sentence) for sentence in sentences] for picture in pictures[:2]]
    assert np.allclose(found, torch.tensor(logs).softmax(1)[:, 1].numpy(), atol=1e-3)


def test_scores_of_a_bfloat16_model_are_not_rounded_to_a_few(pictures):
    """Its own logits have eight bits, and a set of pictures shares a few dozen of their differences."""
    rough = load.load(str(bases.FOLDERS["vlm"]), precision="bfloat16")
    shown = [Image.fromarray(world.draw(0, "many", i, bool(i % 2)).rgb) for i in range(200)]
    scores, differences = [], []
    rough.model.get_output_embeddings().register_forward_hook(lambda head, given, made: differences.append(made))
    tokens = [verdict._tokens(rough, verdict.VERDICTS[which])[-1] for which in (0, 1)]
    for at in range(0, 200, 50):
        scores += verdict.p_fake(rough, shown[at : at + 50]).tolist()
    own = torch.cat([made[:, -1, tokens].float().diff(dim=1) for made in differences])
    assert len(set(scores)) >= 195 and len(own.unique()) < 180


@pytest.mark.parametrize("how", ["saved whole", "tuned by LoRA", "tied"])
def test_a_head_that_an_adapter_replaces_or_tunes_is_the_one_that_scores(pictures, how):
    import peft

    base = load.load(str(bases.FOLDERS["vlm"]))
    plain = verdict.p_fake(base, pictures[:2])
    if how == "tied":
        base.model.lm_head.weight = base.model.get_input_embeddings().weight
        tuned = base
    else:
        named = {"modules_to_save": ["lm_head"]} if how == "saved whole" else {}
        targets = ["q_proj"] if named else ["lm_head"]
        tuned = load.VLM(
            peft.get_peft_model(base.model, peft.LoraConfig(target_modules=targets, **named)), base.processor
        )
        with torch.no_grad():
            for name, weight in tuned.model.named_parameters():
                if "lm_head" in name and weight.requires_grad:
                    weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
        tuned.model.eval()
    real, fake = (np.array([by_hand(tuned, p, verdict.VERDICTS[which]) for p in pictures[:2]]) for which in (0, 1))
    found = verdict.p_fake(tuned, pictures[:2])
    assert np.allclose(found, 1 / (1 + np.exp(real - fake)), atol=1e-3) and not np.allclose(found, plain, atol=1e-3)
