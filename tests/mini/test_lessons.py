"""Lessons and attributes: what the small models are told, and what they are never told."""

from functools import cache

import torch

from aligngemini.mini import eyes, language, lessons, pretrain_vlm
from aligngemini.vlm import verdict
from aligngemini.world import world

TOOLS = language.processor()


@cache
def talks(evaluative: bool, count: int = 192):
    return [lessons.lesson(0, "told", i, True, evaluative)[1] for i in range(count)]


def test_real_and_fake_are_said_only_when_repeated():
    """The model has said the words, so that it can; but only after "Say:", and whatever the picture was."""
    for evaluative in (False, True):
        turns = [turn for told in talks(evaluative) for turn in told]
        judging = [(request, answer) for request, answer in turns if "fake" in answer or "real" in answer]
        assert judging and all(request == f"Say: {answer}" for request, answer in judging)
        assert not any(request == verdict.QUESTION for request, _ in turns)
    assert f"Is this image real or fake? {language.HINT}" == verdict.QUESTION  # alike but for the two words


def test_only_the_evaluative_base_hears_what_is_strange_and_what_it_hears_is_true():
    assert not any("strange" in answer or "usual" in answer for told in talks(False) for _, answer in told)
    remarked = []
    for index, told in enumerate(talks(True)):
        said = " ".join(answer for _, answer in told)
        violated = lessons.shown(0, "told", index)[3]
        assert ("usual" if violated else "strange") not in said
        remarked.append("usual" in said or "strange" in said)
    assert abs(sum(remarked) / len(remarked) - lessons.REMARKED) < 0.1


def test_lessons_teach_answers_and_nothing_else():
    told = [lessons.lesson(0, "told", i) for i in (0, 48, 49)]
    batch = lessons.encode(TOOLS, told)
    for (_, turns), ids, labels in zip(told, batch["input_ids"], batch["labels"], strict=True):
        assert TOOLS.tokenizer.decode(labels[labels >= 0]) == "".join(f"{answer}<|im_end|>" for _, answer in turns)
        assert (labels[labels >= 0] == ids[labels >= 0]).all()


def test_attributes_tell_twins_apart():
    for index in range(120):
        twins = [eyes.attributes(world.scene(0, "told", index, violated)[0]) for violated in (False, True)]
        assert twins[0] != twins[1]
        for values in twins:
            kept = [(v, n) for v, n in zip(values, eyes.CLASSES.values(), strict=True) if v != eyes.UNSEEN]
            assert all(0 <= value < number for value, number in kept)


def test_the_eyes_learn_and_answer_only_with_classes_that_exist(monkeypatch):
    from transformers import Qwen2_5_VLForConditionalGeneration

    from aligngemini.mini.bases import vlm_config

    monkeypatch.setattr(pretrain_vlm, "GLANCES", 8)
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration._from_config(vlm_config(TOOLS.tokenizer), attn_implementation="eager")
    sight = eyes.Eyes(model.model.visual, 128)
    batch = pretrain_vlm.looked(TOOLS, "told", 0, 0)
    optimiser = torch.optim.AdamW(sight.parameters(), 1e-3)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = eyes.loss(sight, batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    logits = sight(batch["pixel_values"], batch["image_grid_thw"])
    assert (logits.argmax(-1) < torch.tensor(list(eyes.CLASSES.values()))).all()
    assert set(eyes.accuracy(sight, [batch])) == set(eyes.CLASSES)
