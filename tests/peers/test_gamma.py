"""GAMMA: masks are exact, segmentation guides the verdict, and training is the same however often it is killed."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from aligngemini.branches import options
from aligngemini.core import seeds
from aligngemini.core.params import Refused
from aligngemini.expert import backbone, train
from aligngemini.expert.params import ExpertParams
from aligngemini.images import table
from aligngemini.peers import gamma, manipulate, segmentation
from aligngemini.peers.manipulate import GENERATED, KINDS, MOVED

BASE, SMALL = "data/mini/expert", "epochs=2 crop=56"


@pytest.fixture(scope="module")
def pairs(data):
    return gamma.matched(table.load(data.path("pixel.parquet")), 0)


def fitted(data, folder, text=SMALL):
    """Train in `folder`, from its checkpoints if it has some; the facts."""
    for name in ("out", "checkpoints"):
        (folder / name).mkdir(exist_ok=True, parents=True)
    seeds.seed(0, "gamma", torch=True)
    return gamma.Gamma.fit(text, data, folder / "out", folder / "checkpoints")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gamma")
    return gamma.Gamma.load(fitted(data, folder), folder / "out"), folder / "out"


def weights(folder):
    return load_file(folder / "adapter_model.safetensors") | load_file(folder / gamma.WEIGHTS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_masks_are_exactly_where_pixels_changed(kind):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 100, (64, 80, 3), np.uint8)
    done = manipulate.apply(kind, real, real if kind == "copy-move" else real + 100, rng)
    np.testing.assert_array_equal((done.fake != real).any(2), done.masks.any(2))
    assert done.masks[..., KINDS[kind]].any() and not done.masks[..., 1 - KINDS[kind]].any()
    assert done.masks.all(2).sum() == 0 and done.masks.any(2).all() == (kind == "reconstruction")


def test_a_blob_covers_the_share_that_is_drawn_for_it():
    shares = [manipulate.region(50, 70, np.random.default_rng(i)).mean() for i in range(50)]
    assert min(shares) > 0.09 and max(shares) < 0.41 and max(shares) - min(shares) > 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_filled_from_its_reconstruction_or_from_photographs(pairs, kind):
    reals, fakes = ([manipulate._crop(path, 112, 0, 0) for path in pairs[side]] for side in ("real", "fake"))
    done = manipulate.example(pairs, 3, kind, 112, np.random.default_rng(1))
    inside = done.masks.any(2)
    np.testing.assert_array_equal(done.real, reals[3])
    same = [np.array_equal(done.fake[inside], each[inside]) for each in (fakes if KINDS[kind] == GENERATED else reals)]
    assert same.index(True) == 3 if KINDS[kind] == GENERATED else not same[3]
    assert any(same) == (kind != "copy-move")


def test_a_batch_is_photographs_and_these_manipulated_with_masks_that_turn_along(pairs):
    plain = ExpertParams(batch_pairs=8, crop=56, chain=["flip", "upend"])
    batch = gamma.Manipulations(pairs, ["splicing"], plain)[0]
    assert batch.shape == (16, 5, 56, 56) and batch.dtype == torch.uint8
    real, fake = batch[:8], batch[8:]
    assert not real[:, 3:].any() and not fake[:, 3 + GENERATED].any()
    changed = (real[:, :3] != fake[:, :3]).any(1)
    assert not changed[fake[:, 3 + MOVED] == 0].any() and changed[fake[:, 3 + MOVED] == 1].float().mean() > 0.9
    assert torch.equal(
        gamma.Manipulations(pairs, ["splicing"], plain, 3)[0], gamma.Manipulations(pairs, ["splicing"], plain)[3]
    )


@pytest.mark.parametrize(("moved", "wanted"), [("true", 0), ("false", 3)])
def test_moved_pixels_make_an_image_fake_only_where_that_is_asked_for(moved, wanted):
    batch = torch.zeros(3, 5, 4, 4, dtype=torch.uint8)
    batch[1, 3 + GENERATED, :2], batch[2, 3 + MOVED, :2] = 1, 1
    sure = SimpleNamespace(judged=lambda colours: (torch.zeros(3, 0, 4, 4), torch.tensor([-9.0, 9.0, 9.0])))
    found = gamma.loss(sure, batch, options.read("gamma", f"moved={moved}"))
    assert found.item() == pytest.approx(wanted, abs=1e-3)


@pytest.mark.slow
def test_segmentation_features_change_the_verdict_of_a_trained_network(made):
    network = made[0].expert.model
    token, seen = torch.randn(2, 128), [torch.randn(2, 16, 128) for _ in range(2)]
    first, second = (network.classify(token, [seen[0], each]) for each in (seen[1], -seen[1]))
    assert (first != second).all()


def test_without_guidance_segmentation_features_change_no_verdict():
    network = gamma.Network(backbone.load(BASE).model, guide=False)
    token, seen = torch.randn(2, 128), torch.randn(2, 16, 128)
    assert torch.equal(network.classify(token, [seen, seen]), network.classify(token, [seen, -seen]))


def test_the_mask_of_the_whole_image_lies_as_the_image_does():
    """A patch that the head picks out lies in the mask where it lies in the image."""
    network = gamma.Network(backbone.load(BASE).model).eval()
    network.features[0], network.masks[0] = torch.nn.Identity(), torch.nn.Linear(128, 1)
    tokens = torch.zeros(1, 1 + 4 * 8, 128)
    tokens[0, 1 + 3 * 8 + 6] = 1  # row 3, column 6
    network.model.forward_features = lambda pixels: tokens
    torch.nn.init.ones_(network.masks[0].weight)
    masks, _ = network(torch.zeros(1, 3, 4 * 14, 8 * 14))
    assert masks.shape == (1, 2, 56, 112)
    row, column = divmod(masks[0, GENERATED].argmax().item(), 112)
    assert (row // 14, column // 14) == (3, 6)


@pytest.mark.slow
def test_what_trains_has_moved_and_what_is_frozen_has_not(data, made):
    branch, _ = made
    seeds.seed(0, "gamma", torch=True)
    adapted = backbone.with_lora(backbone.load(BASE), ExpertParams())
    start = dict(gamma.Network(adapted.model.get_base_model()).named_parameters())
    for name, weight in branch.expert.model.named_parameters():
        trains = not name.startswith("model.") or "lora_" in name or "modules_to_save" in name
        assert start[name].requires_grad == trains, name
        if "lora_A" not in name and "original_module" not in name:  # a fresh head that PEFT does not use
            assert torch.equal(weight, start[name]) != trains, name


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_weights_of_an_unbroken_one(data, made, tmp_path, monkeypatch):
    update, calls = train.update, []

    def dies(*given):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return update(*given)

    monkeypatch.setattr(gamma, "ExpertParams", partial(ExpertParams, checkpoint_steps=2))
    monkeypatch.setattr(train, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        fitted(data, tmp_path)
    fitted(data, tmp_path)
    assert 6 < len(calls) < 10, "it went on, not anew"
    one, two = weights(made[1]), weights(tmp_path / "out")
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["segment=false guide=false", "guide=false kinds=[reconstruction]"])
def test_each_part_can_be_left_out(data, tmp_path, text):
    facts = fitted(data, tmp_path, f"crop=56 epochs=0.1 {text}")
    branch = gamma.Gamma.load(facts, tmp_path / "out")
    scores = branch.p_fake([np.full((56, 56, 3), 90, np.uint8)])
    assert scores.shape == (1,) and branch.segments == ("segment" not in text)
    assert branch.masks([np.zeros((56, 56, 3), np.uint8)]).shape == (1, 56, 56, 2 * branch.segments)


@pytest.mark.parametrize("text", ["segment=false", "kinds=[painting]", "kinds=[]", "weight=-1"])
def test_what_cannot_be_is_refused(text):
    with pytest.raises(Refused):
        options.read("gamma", text)


@pytest.mark.slow
def test_weights_of_other_options_are_refused(made, data):
    branch, folder = made
    facts = branch.base | {"options": "crop=56 guide=false"}
    with pytest.raises(Refused, match="does not fit its options"):
        gamma.Gamma.load(facts, folder)


def test_agreement_counts_pixels_of_all_images_together():
    truth, found = np.zeros((2, 2, 4, 4, 2), bool)
    truth[0, :2, :, GENERATED] = found[0, 1:3, :, GENERATED] = True
    found[1, 0, 0, MOVED] = True
    iou, f1, alarms = segmentation.agreement(found, truth)
    assert (iou, f1, alarms) == (4 / 13, 8 / 17, 5 / 24)
    assert np.isnan(segmentation.agreement(found, np.zeros_like(truth))[0])


@pytest.mark.slow
def test_masks_are_judged_on_validation_photographs_and_only_of_detectors_that_segment(data, made):
    rows = table.load(data.path("pixel.parquet"))
    rows["split"] = np.where(rows.pair_id.isin(["p1", "p2", "p3"]), "validation", "train")
    found = segmentation.table([made[0]], rows, 0)
    assert (
        list(found.manipulation) == [*KINDS, "none"] and set(found.images) == {3} and set(found.detector) == {"GAMMA"}
    )
    assert found.f1[:4].between(0, 1).all() and found.f1[4:].isna().all() and found.false_alarms[4:].between(0, 1).all()
    assert segmentation.sheet([made[0]], rows, 0).data.count("<img") == 3 * len(KINDS)
    assert segmentation.table([], rows, 0).empty and "No pictures" in segmentation.sheet([], rows, 0).data
