"""What is counted without arithmetic against the same with it: operations by torch, memory by its profiler."""

import json
from unittest.mock import patch

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from aligngemini.rehearse import flop_counter, models, run, setting, stages

MINI = setting.make("mini")
SMALL = MINI._replace(
    expert=MINI.expert.replace(batch_pairs=4, score_batch_size=4, workers=0),
    vlm=MINI.vlm.replace(
        batch_size=2, score_batch_size=2, gradient_checkpointing=True, precision="float32", labeller="base"
    ),
    photo=(224, 336),
    answer=4,
    explained=4,
)


def named(name: str, tried=SMALL) -> stages.Stage:
    (stage,) = stages.of(tried, name)
    return stage


def ready(name: str, tried, folder, device: str = "cpu"):
    """The module of a stage's model, and what does a number of its steps."""
    folder.mkdir(exist_ok=True)
    model, module = run.built(named(name), tried, folder, device)
    units, go = named(name).run(model, tried, folder / "step")
    assert units > 0
    return module, go


@pytest.fixture
def both(tmp_path):
    """Run a stage of the small setting with and without arithmetic: operations of both, and the count."""

    def run(name: str, **changes) -> tuple[int, flop_counter.Count]:
        tried = SMALL._replace(vlm=SMALL.vlm.replace(**changes))
        _, go = ready(name, tried, tmp_path / "a")
        with FlopCounterMode(display=False) as flops:
            go(1)
        module, go = ready(name, tried, tmp_path / "b", models.HOLLOW)
        return flops.get_total_flops(), flop_counter.counted(lambda: go(1), module)

    return run


@pytest.mark.parametrize(
    "name", ["reconstruction", "expert training", "expert scoring", "verdict scoring", "explaining"]
)
def test_a_stage_without_arithmetic_has_the_same_operations(name, both):
    real, count = both(name)
    assert real == count.flops > 0


@pytest.mark.parametrize("shared", [False, True], ids=["prompts apart", "prompts shared"])
def test_dpo_by_the_real_trainer_has_the_same_operations_without_arithmetic(shared, both):
    real, count = both("DPO", share_prompt=shared)
    assert real == count.flops > 0


def test_answers_without_reasons_are_counted_as_such(both):
    told = {reasons: both("DPO", labeller="", reasons=reasons)[1] for reasons in ("twin", "none")}
    assert told["none"].flops < 0.9 * told["twin"].flops


def test_weights_that_are_read_for_every_word_are_counted(both):
    _, count = both("explaining")
    spoken = models.vlm(SMALL, None, models.HOLLOW)[1]
    once = sum(weight.nbytes for part in (spoken.get_decoder(), spoken.lm_head) for weight in part.parameters())
    assert count.read > 0.5 * (SMALL.answer - 1) * once


@pytest.mark.parametrize("name", ["explaining", "labelling"])
def test_a_long_answer_is_counted_from_short_ones(name):
    tried = SMALL._replace(explained=9, reason=9)
    short, units = run.count_of(named(name, tried), tried)
    with patch.object(run, "FEW", (9,)), patch.object(run, "at", lambda tokens, counts: counts[0]):
        long, _ = run.count_of(named(name, tried), tried)
    assert units > 0 and short == pytest.approx(long)


def test_recomputed_activations_cost_operations_and_save_memory(both):
    """Most of what is left are TRL's tiles of the vocabulary, which are as large for the mini one."""
    (_, again), (_, kept) = (both("DPO", gradient_checkpointing=switch) for switch in (True, False))
    assert again.flops > 1.1 * kept.flops and again.activations < 0.9 * kept.activations


def growth(step, folder) -> int:
    """Bytes by which the memory that torch has allocated grows at its peak."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        step()
    run.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    seen = [event["args"] for event in events if event.get("name") == "[memory]"]
    return max(one["Total Allocated"] for one in seen) - (seen[0]["Total Allocated"] - seen[0]["Bytes"])


@pytest.mark.parametrize("name", ["expert training", "DPO"])
def test_the_memory_that_is_counted_is_what_torch_allocates(name, both, tmp_path):
    _, count = both(name)
    _, go = ready(name, SMALL, tmp_path / "c")
    assert growth(lambda: go(1), tmp_path) == pytest.approx(count.activations, rel=0.15)


def test_what_is_not_counted_is_computed():
    module = torch.nn.Linear(3, 2)
    made = []
    count = flop_counter.counted(lambda: made.extend(module(torch.ones(1, 3)) + torch.arange(2.0)), module)
    assert made[0].tolist() == [0.0, 1.0] and count.flops == 2 * 3 * 2


def test_images_keep_their_numbers_until_they_meet_weights():
    images, layer, seen = torch.rand(2, 3, 256, 256), torch.nn.Linear(256, 256), []
    count = flop_counter.counted(lambda: seen.extend([torch.cat([images, images]), layer(images)]), layer)
    assert torch.equal(seen[0], torch.cat([images, images])) and not seen[1].any()
    assert count.flops == 2 * images.numel() * 256


def test_dpo_of_the_laptop_is_counted_in_the_batches_of_its_recipe():
    """SmolVLM looks at the numbers of images: what is all zeros fills a batch up, and has no features."""
    laptop = setting.make("laptop")
    count, pairs = run.count_of(named("DPO", laptop), laptop)
    assert pairs == laptop.vlm.batch_size * laptop.vlm.gradient_accumulation and count.flops > 0


def test_pictures_that_threads_would_divide_among_them_are_counted_whole(monkeypatch):
    """The mini scale reconstructs twenty at a time; torch's counter sees no other thread than its own."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    count, pictures = run.count_of(named("reconstruction", MINI), MINI.single(), narrow=True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    alone, _ = run.count_of(named("reconstruction", MINI), MINI.single(), narrow=True)
    assert pictures >= 4 and count.flops == alone.flops > 0 and count.activations == alone.activations
