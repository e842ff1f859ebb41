"""What is computed against what is measured: torch's own counter of operations and its profiler of memory, on a CPU."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from aligngemini.expert import objective, train
from aligngemini.rehearse import cards, counts, doors, ledger, setting
from aligngemini.vlm import verdict

TILE = 4 * 2**15  # bytes for each position that TRL takes of the vocabulary at once
MINI = setting.of("mini", 1)
LESS = replace(
    MINI,
    expert=MINI.expert.replace(batch_pairs=32),
    vlm=MINI.vlm.replace(batch_size=2, score_batch_size=4, gradient_checkpointing=True, precision="float32"),
)


def attention(query, key, value, *rest, **named) -> int:
    return sdpa_flop_count(query, *_repeated(query, key, value))


def attention_back(gradient, query, key, value, *rest, **named) -> int:
    return sdpa_backward_flop_count(gradient, query, *_repeated(query, key, value))


def _repeated(query, *shared):
    """Sizes of keys and values with as many heads as the queries have."""
    return [(*query[:2], *size[2:]) for size in shared]


# The kernel of attention on a CPU: older torch has no formula for it.
KERNEL, BACK = "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention_for_cpu_backward"
FORMULAS = {getattr(torch.ops.aten, KERNEL): attention, getattr(torch.ops.aten, BACK): attention_back}


def flops(step) -> int:
    with FlopCounterMode(display=False, custom_mapping=FORMULAS) as counter:
        step()
    return counter.get_total_flops()


def growth(step, folder) -> int:
    """Bytes by which the memory that torch has allocated grows at its peak."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        step()
    run.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    told = [event["args"] for event in events if event.get("name") == "[memory]"]
    return max(one["Total Allocated"] for one in told) - (told[0]["Total Allocated"] - told[0]["Bytes"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rehearsal")


@pytest.fixture(scope="module")
def vlm(folder):
    return doors.build_vlm(LESS, folder, "cpu")


def test_a_step_of_the_expert_takes_the_operations_and_the_memory_that_are_computed(folder):
    expert = doors.build_expert(LESS, folder, "cpu")
    optimiser, shown = objective.optimiser(expert, LESS.expert), torch.zeros(64, 3, 112, 112, dtype=torch.uint8)
    count = counts.expert_training(counts.expert(LESS), LESS, narrowed=False)
    made = []
    measured = growth(lambda: made.append(flops(lambda: train.update(expert, optimiser, [shown], LESS.expert))), folder)
    assert made == pytest.approx([count.flops], rel=0.02)
    assert measured == pytest.approx(count.peak - count.weights, rel=0.15)


def test_a_reconstruction_takes_the_operations_and_the_memory_that_are_computed(folder):
    model, shown = doors.build_vae(MINI, folder, "cpu"), np.zeros((64, 112, 112, 3), np.uint8)
    count = counts.reconstruction(counts.vae(MINI, torch.float32), MINI)
    assert count.units == model.batch(112, 112) == 64
    assert flops(lambda: model.roundtrip(shown)) == pytest.approx(count.flops, rel=0.02)
    measured = growth(lambda: model.roundtrip(shown), folder)
    assert measured == pytest.approx(count.peak - count.weights, rel=0.15)


def test_verdicts_take_the_operations_that_are_computed(vlm):
    count = counts.verdict_scoring(counts.vlm(LESS, torch.float32), LESS)
    assert flops(lambda: verdict.p_fake(vlm, doors.drawn(LESS, 4))) == pytest.approx(count.flops, rel=0.02)


def test_an_update_of_dpo_behind_a_shared_prompt_takes_the_operations_that_are_computed_within_a_half(folder):
    """The real trainer scores every position on a CPU, on a GPU the answers alone."""
    told, long = [], replace(LESS, answer=60, vlm=LESS.vlm.replace(share_prompt=True))
    alone = doors.build_vlm(long, folder, "cpu")
    made = flops(lambda: doors.preference(alone, long, folder / "shared", told.append))
    assert told == [0, 2] and 1 <= made / counts.preference(counts.vlm(long), long).flops < 1.5


def test_an_update_of_dpo_takes_the_operations_and_the_memory_that_are_computed_within_a_half(folder):
    """Besides, on a CPU: a tile of the vocabulary that is as large for the mini one, and the pictures themselves."""
    told, long = [], replace(LESS, answer=60)
    more, alone = replace(long, vlm=long.vlm.replace(batch_size=8)), doors.build_vlm(long, folder, "cpu")
    count = counts.preference(counts.vlm(more, torch.float32), more, narrowed=False)
    step = partial(doors.preference, alone, more, folder / "more", told.append)
    measured = growth(lambda: told.append(flops(step)), folder)
    rows, length = 2 * 8, doors.asked(alone.processor, doors.drawn(more, 1), 60)["input_ids"].shape[1]
    *laps, made = told
    assert laps == [0, 8] and 1 <= made / count.flops < 1.5
    assert 1 <= (measured - rows * length * TILE) / (count.peak - count.weights) < 1.5


def test_recomputed_activations_cost_operations_and_save_memory():
    kept = replace(LESS, vlm=LESS.vlm.replace(gradient_checkpointing=False))
    again, whole = (counts.preference(counts.vlm(one), one) for one in (LESS, kept))
    assert again.flops > 1.1 * whole.flops and again.peak < whole.peak - 0.25 * (whole.peak - whole.weights)


def test_a_batch_twice_as_large_takes_twice_the_activations_and_operations():
    more = replace(LESS, expert=LESS.expert.replace(batch_pairs=64))
    one, two = (counts.expert_training(counts.expert(each), each) for each in (LESS, more))
    assert two.flops == pytest.approx(2 * one.flops, rel=0.01)
    assert two.peak - two.weights == pytest.approx(2 * (one.peak - one.weights), rel=0.1)


def test_time_is_operations_by_rate_and_reading_by_bandwidth():
    count = ledger.Count(flops=cards.UTILISATION * 312e12, peak=30e9, weights=16e9, units=1, read=2039e9)
    assert cards.named("a100-80").seconds(count) == pytest.approx(2)
    assert cards.smallest(count) == "A100 40 GB" and not cards.named("rtx4090").fits(count)
    assert cards.smallest(count.plus(peak=200e9)) == "none"


def test_an_unknown_card_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="a100-80.*not 'gtx'"):
        cards.named("gtx")
