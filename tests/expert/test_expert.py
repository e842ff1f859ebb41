"""The expert: paired views, what trains, resuming, scoring, and the traps of the released DDA code."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageFilter
from safetensors.torch import load_file

from aligngemini.expert import backbone, score, train, views
from aligngemini.mini import bases, world
from aligngemini.workbook import stages
from aligngemini.workbook.seeds import generator

BASE = str(bases.FOLDERS["expert"])
CFG = stages.ExpertParams(batch_pairs=4, checkpoint_steps=3, epochs=2.0, learning_rate=1e-2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> pd.DataFrame:
    folder, rows = tmp_path_factory.mktemp("pairs"), []
    for index in range(12):
        picture = Image.fromarray(world.draw(0, "expert", index, False).rgb)
        for label, image in enumerate((picture, picture.filter(ImageFilter.GaussianBlur(1.2)))):
            path = folder / f"{index}_{label}.png"
            image.save(path)
            rows.append(
                {
                    "image_id": path.stem,
                    "path": str(path),
                    "label": label,
                    "pair_id": str(index),
                    "reason": "",
                }
            )
    return pd.DataFrame(rows)


def fresh(seed: int = 0, head: bool = True) -> backbone.Expert:
    torch.manual_seed(seed)
    return backbone.with_lora(backbone.load(BASE), CFG.lora_rank, CFG.lora_alpha, head)


@pytest.fixture(scope="module")
def trained(rows, tmp_path_factory):
    folder, expert = tmp_path_factory.mktemp("run"), fresh()
    train.train(expert, rows, CFG, folder / "checkpoints", folder / "adapter")
    return expert, folder


def test_a_pair_gets_identical_crops_and_changes():
    rgb = np.random.default_rng(0).integers(0, 256, (150, 170, 3), dtype=np.uint8)
    drawn = views.Draw(0.3, 0.8, True, 80, 4.0, 0.5)
    first, second = (views.view(rgb, 112, drawn, generator("grain", 1)) for _ in range(2))
    assert np.array_equal(first, second) and first.shape == (112, 112, 3)


def test_a_crop_is_cut_and_never_resized():
    rgb = np.random.default_rng(0).integers(0, 256, (150, 170, 3), dtype=np.uint8)
    assert np.array_equal(views.window(rgb, 112), rgb[19:131, 29:141])
    small = views.window(rgb[:60, :50], 112)
    assert small.shape == (112, 112, 3) and np.array_equal(small[26:86, 31:81], rgb[:60, :50])
    assert small[:26].max() == 0


def test_both_members_of_a_pair_stay_in_one_batch_half_real_half_fake(rows):
    couples = train.couples(rows, seed=0)
    assert all(r.rsplit("_", 1)[0] == f.rsplit("_", 1)[0] for r, f in zip(couples.real, couples.fake, strict=True))
    batch = train.Batches(couples, CFG, 0)[0]
    assert batch.shape == (8, 3, 112, 112) and batch.dtype == torch.uint8
    real, fake = batch[:4].float(), batch[4:].float()
    assert (real - fake).abs().mean() < (real - fake.roll(1, 0)).abs().mean()


def test_pictures_without_partners_are_coupled_class_by_class(rows):
    couples = train.couples(rows.assign(pair_id=rows.image_id), seed=0)
    assert len(couples) == 12 and couples.real.is_unique and couples.fake.is_unique
    assert all(p.endswith("_0.png") for p in couples.real) and all(p.endswith("_1.png") for p in couples.fake)


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


def test_an_untrained_head_stays_put_while_lora_moves(rows, tmp_path):
    """The released DDA code never hands its head to the optimiser; train_head=False repeats that on purpose."""
    expert = fresh(head=False)
    before = {n: w.detach().clone() for n, w in expert.model.named_parameters()}
    train.train(expert, rows, CFG, tmp_path / "c", tmp_path / "a")
    for name, weight in expert.model.named_parameters():
        if "head" in name:
            assert torch.equal(weight, before[name])
        if "lora_B" in name:
            assert weight.abs().max() > 0


def test_each_weight_is_listed_once_and_one_step_moves_it_by_the_learning_rate(rows):
    """The released DDA code lists LoRA weights twice, so that a step moves them twice."""
    expert = fresh()
    optim = train.optimiser(expert, CFG)
    listed = [id(w) for group in optim.param_groups for w in group["params"]]
    assert len(listed) == len(set(listed))
    before = {n: w.detach().clone() for n, w in expert.model.named_parameters() if "lora_B" in n}
    train._step(expert, optim, train.Batches(train.couples(rows, 0), CFG, 0)[0])
    step = max((w - before[n]).abs().max().item() for n, w in expert.model.named_parameters() if n in before)
    assert step == pytest.approx(CFG.learning_rate, rel=0.02)


def test_the_learning_rate_only_falls():
    rates = [train.rate(step, 200) for step in range(200)]
    assert rates[0] == 1 and all(a > b for a, b in zip(rates, rates[1:], strict=False)) and rates[-1] < 0.01


def test_it_learns_what_only_pixels_tell(trained, rows):
    scores = score.score(trained[0], rows, "pixel", 112).set_index("image_id").score
    wins = [scores[f"{i}_1"] > scores[f"{i}_0"] for i in range(12)]
    assert sum(wins) >= 10


def test_a_killed_and_resumed_run_equals_an_unbroken_one(rows, trained, tmp_path, monkeypatch):
    step, seen = train._step, []

    def dies(*args):
        seen.append(1)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(train, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        train.train(fresh(), rows, CFG, tmp_path / "checkpoints", tmp_path / "adapter")
    monkeypatch.setattr(train, "_step", step)
    train.train(fresh(seed=99), rows, CFG, tmp_path / "checkpoints", tmp_path / "adapter")
    whole, resumed = (load_file(f / "adapter/adapter_model.safetensors") for f in (trained[1], tmp_path))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    logs = [pd.read_parquet(f / "adapter/history.parquet") for f in (trained[1], tmp_path)]
    pd.testing.assert_frame_equal(*logs)


def test_the_saved_adapter_gives_back_the_trained_scores(trained, rows):
    again = backbone.with_adapter(backbone.load(BASE), trained[1] / "adapter")
    first, second = (score.score(e, rows, "pixel", 112).score for e in (trained[0], again))
    assert np.allclose(first, second, atol=1e-6)


def test_other_crop_sizes_work(trained, rows):
    assert score.score(trained[0], rows.head(2), "pixel", 140).score.between(0, 1).all()


def test_a_base_that_is_not_there_is_refused_with_the_next_step():
    with pytest.raises(ValueError, match="mini pretrain"):
        backbone.load("data/mini/expret")
