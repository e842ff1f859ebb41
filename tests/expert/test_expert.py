"""The expert: matches and batches, what trains, resuming, scoring."""

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from aligngemini.branches import scoring
from aligngemini.core import paths, stages
from aligngemini.expert import adapter, backbone, batches, objective, train
from aligngemini.expert.branch import ExpertBranch
from aligngemini.mini import bases
from tests.expert.conftest import CFG, fresh

BASE = str(bases.FOLDERS["expert"])


def test_both_members_of_a_pair_stay_in_one_batch_half_real_half_fake(rows):
    matches = batches.match_real_fake(rows, seed=0)
    assert all(r.rsplit("_", 1)[0] == f.rsplit("_", 1)[0] for r, f in zip(matches.real, matches.fake, strict=True))
    batch = batches.Batches(matches, CFG, 0)[0]
    assert batch.shape == (8, 3, 112, 112) and batch.dtype == torch.uint8
    real, fake = batch[:4].float(), batch[4:].float()
    assert (real - fake).abs().mean() < (real - fake.roll(1, 0)).abs().mean()


def test_an_update_of_several_batches_is_one_on_all_their_pairs(rows):
    """Two pairs twice or four pairs once: the same gradients but for rounding, so LoRA moves the same way."""
    frame, moved = batches.match_real_fake(rows, 0), []
    for pairs in (2, 4):
        cfg = CFG.replace(batch_pairs=pairs, gradient_accumulation=4 // pairs)
        made, expert = batches.Batches(frame, cfg, 0), fresh()
        train.update(expert, objective.optimiser(expert, cfg), [made[i] for i in range(4 // pairs)], cfg)
        moved.append(torch.cat([w.grad.flatten() for n, w in expert.model.named_parameters() if "lora_B" in n]))
    assert torch.allclose(*moved, rtol=1e-3, atol=1e-6)


def test_batches_that_the_expert_sees_at_once_count_as_they_do_one_by_one(rows):
    """Each has a contrastive loss of its own; the gradients are the same but for rounding."""
    cfg, moved = CFG.replace(batch_pairs=2, contrastive_weight=0.5), []
    made = batches.Batches(batches.match_real_fake(rows, 0), cfg, 0)
    for together in (1, 2, 3):
        expert = fresh()
        optim = objective.optimiser(expert, cfg)
        moved.append([train.update(expert, optim, [made[i] for i in range(3)], cfg, together=together)])
        moved[-1] += [w.grad for n, w in expert.model.named_parameters() if "lora_B" in n]
    for found in moved[1:]:
        assert found[0] == pytest.approx(moved[0][0], rel=1e-6)
        assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in zip(found[1:], moved[0][1:], strict=True))


def test_a_gpu_that_is_too_small_for_an_update_at_once_takes_it_in_pieces(rows, monkeypatch, capsys):
    cfg, update, tried = CFG.replace(gradient_accumulation=4), train.update, []

    def small(*given):
        tried.append(given[-1])
        if given[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return update(*given)

    monkeypatch.setattr(train, "update", small)
    expert, batch = fresh(), batches.Batches(batches.match_real_fake(rows, 0), CFG, 0)[0]
    monkeypatch.setattr(train.devices, "best", lambda: "cuda")
    step = train.updating(expert, objective.optimiser(expert, cfg), cfg)
    assert 0 < step([batch] * 4) < 10 and 0 < step([batch] * 4) < 10
    assert tried == [4, 2, 1, 1] and "1 of 4 batches at once" in capsys.readouterr().err


def test_six_views_train_like_two(rows, tmp_path):
    cfg = CFG.replace(resized_views=True, margin=16, contrastive_weight=0.5, pixel_mix_probability=0.5, workers=0)
    made = batches.Batches(batches.match_real_fake(rows, 0), cfg, 0)[0]
    assert made.shape == (24, 3, 112, 112)
    history = pd.read_parquet(
        train.train(fresh(), rows, cfg.replace(epochs=0.7), tmp_path / "c", tmp_path / "a") / "history.parquet"
    )
    assert len(history) == 2 and np.isfinite(history.loss).all()


def test_pictures_without_partners_are_coupled_class_by_class(rows):
    matches = batches.match_real_fake(rows.assign(pair_id=rows.image_id), seed=0)
    assert len(matches) == 12 and matches.real.is_unique and matches.fake.is_unique and not matches.matched.any()
    assert all(p.endswith("_0.png") for p in matches.real) and all(p.endswith("_1.png") for p in matches.fake)


def test_lora_sits_on_the_blocks_and_never_on_the_patch_embedding():
    adapted = backbone.trainable(fresh()).weight
    assert adapted.str.contains("blocks").sum() == 4 * 4 * 2
    assert not adapted.str.contains("patch_embed").any() and adapted.str.contains("head").sum() == 2


def test_every_trainable_weight_moves_and_every_frozen_one_stays(trained):
    start = dict(fresh().model.named_parameters())
    for name, weight in trained[0].model.named_parameters():
        if not weight.requires_grad:
            assert torch.equal(weight, start[name]), name
        elif "lora_A" not in name:
            assert not torch.equal(weight, start[name]), name


def scored(expert, rows, crop=112):
    return scoring.table(rows, ExpertBranch(expert, crop), "pixel", 64)


def test_it_learns_what_only_pixels_tell(trained, rows):
    scores = scored(trained[0], rows).set_index("image_id").score
    wins = [scores[f"{i}_1"] > scores[f"{i}_0"] for i in range(12)]
    assert sum(wins) >= 10


def test_a_killed_and_resumed_run_equals_an_unbroken_one(rows, trained, tmp_path, monkeypatch):
    step, seen = train.update, []

    def dies(*args):
        seen.append(1)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(train, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        train.train(fresh(), rows, CFG, tmp_path / "checkpoints", tmp_path / "adapter")
    monkeypatch.setattr(train, "update", step)
    train.train(fresh(seed=99), rows, CFG, tmp_path / "checkpoints", tmp_path / "adapter")
    whole, resumed = (load_file(f / "adapter/adapter_model.safetensors") for f in (trained[1], tmp_path))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logs = [pd.read_parquet(f / "adapter/history.parquet") for f in (trained[1], tmp_path)]
    pd.testing.assert_frame_equal(*logs)


@pytest.mark.parametrize("files", [["state.pt"], ["state.pt", "state.pt.before"]])
def test_a_damaged_checkpoint_costs_steps_and_no_number(rows, trained, tmp_path, monkeypatch, capsys, files):
    cfg, step, seen = CFG.replace(checkpoint_steps=2), train.update, []

    def dies(*args):
        seen.append(1)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(train, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        train.train(fresh(), rows, cfg, tmp_path / "checkpoints", tmp_path / "adapter")
    for name in files:
        file = tmp_path / "checkpoints" / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    train.train(fresh(), rows, cfg, tmp_path / "checkpoints", tmp_path / "adapter")
    whole, resumed = (load_file(f / "adapter/adapter_model.safetensors") for f in (trained[1], tmp_path))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logs = [pd.read_parquet(f / "adapter/history.parquet") for f in (trained[1], tmp_path)]
    pd.testing.assert_frame_equal(*logs)
    said = capsys.readouterr().err
    assert said.count("passed over") == len(files) and ("starts anew" in said) == (len(files) == 2)
    assert len(seen) == 6 + (4 if len(files) == 1 else 6)


def test_the_saved_adapter_gives_back_the_trained_scores(trained, rows):
    again = adapter.with_adapter(backbone.load(BASE), trained[1] / "adapter")
    first, second = (scored(e, rows).score for e in (trained[0], again))
    assert np.allclose(first, second, atol=1e-6)


def test_other_crop_sizes_work(trained, rows):
    assert scored(trained[0], rows.head(2), 140).score.between(0, 1).all()


def test_a_base_that_is_not_there_is_refused_with_the_next_step():
    with pytest.raises(ValueError, match="mini pretrain"):
        backbone.load("data/mini/expret")


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_loss_by_hand_in_notebook_03_is_that_of_training(rows, trained, weight):
    book = nbformat.read(paths.notebook(stages.EXPERT), as_version=4)
    *lines, last = next(cell.source for cell in book.cells if cell.id == "loss-by-hand-and-by-the-trainer").splitlines()
    cfg = CFG.replace(contrastive_weight=weight)
    names = {"expert": trained[0], "batch": batches.Batches(batches.match_real_fake(rows, 0), cfg, 0)[0], "half": 4}
    names |= {"cfg": cfg, "objective": objective, "torch": torch, "pd": pd}
    exec("\n".join(lines), names)
    loss = eval(last, names).loss
    assert loss["by hand"] == pytest.approx(loss["training"], abs=1e-5) and loss["training"] > 0
