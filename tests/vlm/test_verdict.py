"""Scores of the VLM: teacher-forced, exact, the same in any batch, and honest about what could not be read."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.special import expit

from aligngemini.branches import scoring
from aligngemini.mini import bases
from aligngemini.vlm import load, template, verdict
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
    chat = template.asked(verdict.QUESTION)
    text = vlm.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    answer = vlm.processor.tokenizer(sentence, add_special_tokens=False)["input_ids"]
    batch = vlm.processor(text=[text + sentence], images=[picture], return_tensors="pt")
    with torch.inference_mode():
        logs = vlm.model(**batch).logits[0].log_softmax(-1)
    return sum(logs[-len(answer) - 1 + i, token].item() for i, token in enumerate(answer))


def test_p_fake_is_that_of_plain_forward_passes_over_both_sentences(vlm, pictures):
    real, fake = ([by_hand(vlm, picture, verdict.VERDICTS[label]) for picture in pictures] for label in (0, 1))
    assert np.allclose(verdict.p_fake(vlm, pictures), expit(np.subtract(fake, real)), rtol=0, atol=1e-5)


def test_sentences_that_differ_in_several_tokens_are_scored_by_their_whole_log_probabilities(
    vlm, pictures, monkeypatch
):
    """As a tokenizer may part the verdict words, and in any number of tokens on each side."""
    said = {0: "This image is real", 1: "This image is a fabricated one"}
    monkeypatch.setattr(verdict, "VERDICTS", said)
    assert len(verdict.tokens(vlm, said[1])) > len(verdict.tokens(vlm, said[0])) + 2
    real, fake = ([by_hand(vlm, picture, said[label]) for picture in pictures] for label in (0, 1))
    scores, _ = verdict.judged(vlm, pictures)
    assert np.allclose(scores, expit(np.subtract(fake, real)), rtol=1e-4, atol=0)


def test_the_two_verdicts_cost_one_forward_pass(vlm, pictures, monkeypatch):
    calls, forward = [], vlm.model.model.forward
    monkeypatch.setattr(vlm.model.model, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
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


def test_an_explanation_is_the_reason_without_the_verdict_that_it_explains(vlm, pictures, monkeypatch):
    said = {opening: verdict.spoken(vlm, pictures[:1], opening, 5)[0] for opening in verdict.VERDICTS.values()}
    assert all(text.startswith(opening) for opening, text in said.items())
    for reason in ("It floats.", ""):
        monkeypatch.setattr(verdict, "spoken", lambda vlm, images, opening, length, why=reason: [f"{opening}. {why}"])
        assert verdict.explain(vlm, pictures[:1], [1]) == [reason]


def test_an_explanation_does_not_depend_on_what_else_is_explained(vlm, pictures):
    wide = [pictures[0].resize((168, 112)), *pictures[1:3]]  # more image tokens than the rest: the others are padded
    alone = [verdict.explain(vlm, [picture], [1])[0] for picture in wide]
    assert verdict.explain(vlm, wide, [1, 1, 1]) == alone


@pytest.mark.parametrize("base", ["data/mini/vln", "./nowhere", "nothing"])
def test_a_base_that_is_not_there_is_refused_with_the_next_step(base):
    with pytest.raises(ValueError, match=base.replace(".", r"\.")):
        load.load(base)


def test_scores_of_a_bfloat16_model_are_not_rounded_to_a_few(pictures):
    """Its own logits have eight bits, and a set of pictures shares a few dozen of their differences."""
    rough = load.load(str(bases.FOLDERS["vlm"]), precision="bfloat16")
    shown = [Image.fromarray(world.draw(0, "many", i, bool(i % 2)).rgb) for i in range(200)]
    scores, own = [], []
    words = [verdict.tokens(rough, text) for text in verdict.VERDICTS.values()]
    for at in range(0, 200, 50):
        scores += verdict.p_fake(rough, shown[at : at + 50]).tolist()
        batch = verdict.continued(verdict.prompts(rough, shown[at : at + 50]), words[0][:-1])
        with torch.inference_mode():
            own.append(rough.model(**batch).logits[:, -1, [word[-1] for word in words]].float().diff(dim=1))
    assert len(set(scores)) >= 195 and len(torch.cat(own).unique()) < 180
