"""DPO on the mini base with TRL's own trainer: what moves, what stays, where it resumes, and what it refuses."""

import math
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from aligngemini.core import paths, stages
from aligngemini.core.params import Refused
from aligngemini.images import decode
from aligngemini.vlm import adapter, dpo, load, preference_pairs, verdict
from aligngemini.vlm.params import VLMParams
from aligngemini.world import world
from tests import model_card
from tests.vlm.training import CFG, base, train


@pytest.fixture(scope="module")
def trained(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(rows, folder), folder


def test_every_trainable_weight_moves_and_every_frozen_one_stays(trained):
    trainer, _ = trained
    before = dict(base().model.named_parameters())
    moved = 0
    for name, weight in trainer.model.named_parameters():
        plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
        if "lora_B" in name:
            assert weight.abs().max() > 0, name
            moved += 1
        elif "lora_" not in name:
            assert not weight.requires_grad and torch.equal(weight, before[plain]), name
    assert moved == 21  # seven projections in each of three layers


def test_lora_stays_out_of_the_vision_tower(trained):
    modules = load.adapted_modules(trained[0].model)
    assert modules and all("language_model" in name and "visual" not in name for name in modules)


def test_the_first_loss_is_ln_2_and_the_margin_leaves_zero(trained):
    history = dpo.history(trained[0])
    assert history.loss.iloc[0] == pytest.approx(math.log(2), abs=0.01)
    assert history.margin.iloc[0] == pytest.approx(0, abs=1e-3) and abs(history.margin.iloc[-1]) > 0


def test_answers_reach_the_model(rows):
    trainer = dpo.build(base(), preference_pairs.from_remarks(rows), CFG, rows_folder(rows))
    batch = next(iter(trainer.get_train_dataloader()))
    assert (batch["completion_mask"].sum(1) > 5).all()
    assert (batch["input_ids"] == base().processor.image_token_id).sum(1).eq(16).all()


def rows_folder(rows):
    from pathlib import Path

    return Path(rows.path.iloc[0]).parent / "unused"


@pytest.mark.parametrize(
    ("loss", "gradient", "objective"),
    [
        (0.6931, 0.0, "dpo"),
        (0.2, 1.0, "dpo"),
        (float("nan"), 1.0, "dpo"),
        (2.0, 0.0, "sft"),
        (0.0, 1.0, "sft"),
        (float("nan"), 1.0, "sft"),
    ],
)
def test_a_run_that_cannot_learn_is_stopped_at_its_first_step(loss, gradient, objective):
    with pytest.raises(RuntimeError, match=f"{objective.upper()} did not start"):
        dpo.check_start(loss, gradient, objective)


def test_a_training_of_one_update_which_would_move_nothing_is_refused(rows, tmp_path):
    frame = preference_pairs.from_remarks(rows)
    with pytest.raises(Refused, match="8 pairs make one update.* raise train_images"):
        dpo.fit(None, frame, CFG.replace(gradient_accumulation=4), tmp_path, tmp_path / "adapter")


@pytest.fixture(scope="module")
def tuned(rows, tmp_path_factory):
    """The same pairs and steps as `trained`, fine-tuned on the chosen answers."""
    folder = tmp_path_factory.mktemp("sft")
    return train(rows, folder, CFG.replace(objective="sft")), folder


def test_fine_tuning_moves_the_adapters_and_leaves_the_vision_tower(tuned, trained):
    trainer, folder = tuned
    before = dict(base().model.named_parameters())
    for name, weight in trainer.model.named_parameters():
        plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
        if "lora_B" in name:
            assert weight.abs().max() > 0, name
        elif "lora_" not in name:
            assert torch.equal(weight, before[plain]), name
    names = "adapter/adapter_model.safetensors"
    one, other = load_file(folder / names), load_file(trained[1] / names)
    assert set(one) == set(other) and not all(torch.equal(one[name], other[name]) for name in one)


def test_fine_tuning_lowers_the_surprise_at_chosen_answers_in_the_same_steps(tuned, trained):
    history = dpo.history(tuned[0])
    assert len(history) == len(dpo.history(trained[0])) and history.loss.iloc[-1] < history.loss.iloc[0]
    assert history.loss.iloc[0] != pytest.approx(math.log(2), abs=0.02)
    assert {"step", "loss", "margin", "accuracy", "learning_rate"} == set(history) and history.notna().all().all()


def test_the_saved_adapter_gives_back_the_trained_scores(trained):
    trainer, folder = trained
    pictures = [Image.fromarray(world.draw(0, "x", i, bool(i % 2)).rgb) for i in range(4)]
    wanted = verdict.p_fake(load.VLM(trainer.model.eval(), trainer.processing_class), pictures)
    plain = verdict.p_fake(base(), pictures)
    found = verdict.p_fake(adapter.with_adapter(base(), folder / "adapter"), pictures)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert abs(found - plain).max() > 1e-4


def test_the_code_on_the_card_judges_a_picture(trained, rows):
    folder, picture = trained[1] / "adapter", Image.fromarray(decode.read(rows.path[0]).rgb)
    assert list(model_card.answer(folder, rows.path[0])) == list(
        verdict.p_fake(adapter.with_adapter(base(), folder), [picture])
    )


def test_an_adapter_with_other_names_is_refused_rather_than_loaded_as_zeros(trained, tmp_path):
    import shutil

    from safetensors.torch import save_file

    shutil.copytree(trained[1] / "adapter", tmp_path / "adapter")
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    renamed = {name.replace("layers.0", "blocks.0"): value for name, value in weights.items()}
    save_file(renamed, tmp_path / "adapter" / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        adapter.with_adapter(base(), tmp_path / "adapter")


def test_a_killed_and_resumed_run_equals_an_unbroken_one(rows, trained, tmp_path):
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 3:
                raise KeyboardInterrupt

    torch.manual_seed(CFG.seed)
    trainer = dpo.build(base(), preference_pairs.from_remarks(rows), CFG, tmp_path / "checkpoints")
    trainer.add_callback(Kill())
    with pytest.raises(KeyboardInterrupt):
        dpo.train(trainer, tmp_path / "adapter", {})
    train(rows, tmp_path)
    names = "adapter/adapter_model.safetensors"
    whole, resumed = load_file(trained[1] / names), load_file(tmp_path / names)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_same_seed_gives_the_same_adapter(rows, trained, tmp_path):
    train(rows, tmp_path)
    names = "adapter/adapter_model.safetensors"
    first, second = load_file(trained[1] / names), load_file(tmp_path / names)
    assert first and first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_dropout_inside_the_adapters_is_there_when_asked_for(rows, tmp_path):
    """TRL's own default would switch it off without a word."""
    for wanted in (0.0, 0.5):
        trainer = dpo.build(
            base(), preference_pairs.from_remarks(rows), CFG.replace(lora_dropout=wanted), tmp_path / str(wanted)
        )
        found = {m.p for n, m in trainer.model.named_modules() if "lora_dropout.default" in n and hasattr(m, "p")}
        assert found == ({wanted} if wanted else set())


def test_one_process_trains_on_one_gpu_of_several(tmp_path, monkeypatch):
    """TRL refuses a trainer that would spread batches over all GPUs it sees."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    told = dpo.settings(CFG.replace(precision="float32"), tmp_path)
    assert told.n_gpu == 1 and told.device == torch.device("cuda", 0)


def test_bfloat16_can_be_asked_for_where_there_is_no_gpu(tmp_path):
    told = dpo.settings(CFG.replace(precision="bfloat16"), tmp_path)
    assert told.bf16 and told.device.type == "cpu"


@pytest.mark.parametrize("option", ["activation_checkpointing", "gradient_checkpointing"])  # transformers 5.23, 5.17
@pytest.mark.parametrize(("stage", "reentrant"), [(3, {"use_reentrant": True}), (2, None)])
def test_pieces_of_zero3_are_gathered_again_where_activations_are_computed_again(stage, reentrant, option):
    told = SimpleNamespace(deepspeed_plugin=SimpleNamespace(zero_stage=stage), **{f"{option}_kwargs": None})
    assert dpo._recomputing(told) == option and vars(dpo._reentrant(told))[f"{option}_kwargs"] == reentrant


def test_the_adapter_of_a_four_bit_base_trains_in_float32(rows, tmp_path):
    """Else the published step of 1e-6 is rounded away: 0.01 + 1e-6 is 0.01 in bfloat16."""
    vlm = base()
    vlm.model.is_loaded_in_4bit = True
    trainer = dpo.build(vlm, preference_pairs.from_remarks(rows), CFG.replace(quantise="4bit"), tmp_path)
    assert {weight.dtype for weight in trainer.model.parameters() if weight.requires_grad} == {torch.float32}


@pytest.mark.parametrize(
    ("pairs_given", "batch", "accumulation", "epochs", "updates"),
    [(10_000, 1, 8, 1.0, 1250), (2400, 16, 1, 1.0, 150), (24, 4, 1, 1.0, 6), (25, 4, 2, 1.5, 6)],
)
def test_updates_are_counted_as_the_trainer_counts_them(pairs_given, batch, accumulation, epochs, updates):
    cfg = VLMParams(batch_size=batch, gradient_accumulation=accumulation, epochs=epochs)
    assert dpo.updates(pairs_given, cfg) == updates


def by_hand(trainer, cfg) -> pd.DataFrame:
    """The table that notebook 02 makes of the first pair."""
    book = nbformat.read(paths.notebook(stages.VLM), as_version=4)
    cells = {cell.id: cell.source for cell in book.cells}
    *lines, last = f"{cells['log-probabilities-by-hand']}\n{cells['loss-by-hand-and-by-trl']}".splitlines()
    names = {"trainer": trainer, "untrained": load.VLM(trainer.model.eval(), trainer.processing_class), "cfg": cfg}
    names |= {"pair": trainer.data_collator([trainer.train_dataset[0]]), "torch": torch, "pd": pd}
    exec("\n".join(lines), names)
    return eval(last, names)


def test_the_loss_by_hand_in_notebook_02_is_that_of_the_trainer_after_training_too(trained, tuned):
    for (trainer, _), objective in ((trained, "dpo"), (tuned, "sft")):
        table = by_hand(trainer, CFG.replace(objective=objective))
        assert table["policy, by hand"].tolist() == pytest.approx(table["policy, by TRL"].tolist(), abs=1e-3)
        assert abs(table["policy, by hand"] - table.reference)[:2].min() > 0.01, "the adapter changes both answers"
