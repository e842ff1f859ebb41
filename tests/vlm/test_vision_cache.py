"""The vision tower looks once at images that stand twice in a batch; images that do not fit are refused."""

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutput
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

from aligngemini.vlm import dpo, parts, preference_pairs, vision_cache
from tests.vlm.training import CFG, base, train


def test_a_picture_that_is_too_large_cut_off_or_without_an_answer_stops_the_training(rows):
    vlm = base()
    examples = [preference_pairs.dataset(preference_pairs.from_remarks(rows))[i] for i in range(2)]
    batch = vision_cache.CheckedCollator(vlm.processor, 12544)([dict(e) for e in examples])
    with pytest.raises(RuntimeError, match="16 tokens, more than the 15"):
        vision_cache.check_images(batch, vlm.processor, 15 * 784)
    short = {**batch, "input_ids": batch["input_ids"][:, -20:]}
    with pytest.raises(RuntimeError, match="cut off"):
        vision_cache.check_images(short, vlm.processor, 0)
    cut = vision_cache.CheckedCollator(vlm.processor, 12544)
    cut.collate.max_length = int(batch["completion_mask"].argmax(1).max())
    with pytest.raises(RuntimeError, match="no answer"):
        cut([dict(e) for e in examples])


def test_looking_once_changes_no_loss(rows, tmp_path, monkeypatch):
    """The tower sees each picture of a step once, and every logged loss is that of the plain trainer."""
    quick = train(rows, tmp_path / "once", steps=3)
    monkeypatch.setattr(dpo, "cache_vision_features", lambda model: None)
    plain = train(rows, tmp_path / "plain", steps=3)
    assert dpo.history(quick).loss.tolist() == pytest.approx(dpo.history(plain).loss.tolist(), abs=1e-3)


def test_a_tower_that_looks_once_is_asked_once_a_step_for_half_the_rows(rows, tmp_path):
    looks = []
    trainer = dpo.build(base(), preference_pairs.from_remarks(rows), CFG, tmp_path / "checkpoints")
    core = parts.core(trainer.model)
    cached, plain = core.get_image_features, core.get_image_features.compute
    core.get_image_features = lambda *images, **options: looks.append("asked") or cached(*images, **options)
    cached.compute = lambda image_grid_thw, **images: (
        looks.append(len(image_grid_thw)) or plain(image_grid_thw=image_grid_thw, **images)
    )
    trainer.args.max_steps = 1
    trainer.train()
    assert looks.count("asked") == 2 and [n for n in looks if n != "asked"] == [CFG.batch_size]


def test_an_image_is_prepared_once_for_both_answers_of_its_pair(rows):
    vlm = base()
    examples = [preference_pairs.dataset(preference_pairs.from_remarks(rows))[i] for i in range(3)]
    collator = vision_cache.CheckedCollator(vlm.processor, 12544)
    plain = DataCollatorForVisionPreference(vlm.processor)([dict(e) for e in examples])
    prepared, prepare = [], vlm.processor.image_processor.preprocess
    vlm.processor.image_processor.preprocess = lambda images, **k: prepared.append(len(images)) or prepare(images, **k)
    batch = collator([dict(e) for e in examples])
    assert prepared == [3]
    assert batch.keys() == plain.keys() and all(batch[name].equal(value) for name, value in plain.items())


def test_a_tower_that_trains_is_never_remembered():
    with pytest.raises(RuntimeError, match="trains"):
        vision_cache.cache_vision_features(base().model.train())


@pytest.mark.parametrize("layer", [torch.arange(6.0)[:, None], [torch.zeros(2, 1), torch.ones(4, 1)]])
def test_features_are_repeated_in_the_form_of_each_version_of_transformers(layer):
    """A layer is a tensor of all images or one for each; features may be an attribute and no item of the output."""

    def compute(pixel_values):
        output = BaseModelOutput(last_hidden_state=pixel_values)
        output.pooler_output, output.deepstack_features = [torch.ones(2, 1)], [layer, layer]
        return output

    features = vision_cache.CachedFeatures(compute)(torch.ones(2, 3))
    assert len(features.pooler_output) == 2 and len(features.deepstack_features) == 2
    rows = [torch.cat(tuple(each)) if isinstance(each, list) else each for each in features.deepstack_features]
    once = torch.cat(layer) if isinstance(layer, list) else layer
    assert all(torch.equal(each, torch.cat([once, once])) for each in rows)
