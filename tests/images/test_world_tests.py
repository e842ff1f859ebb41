"""The subsets of the world's test: joint, degraded, other generators, and what was held out of training."""

from dataclasses import asdict

import numpy as np
import pytest

from aligngemini.core.params import Refused
from aligngemini.images import decode, scene_images, sets, table, world_tests
from aligngemini.world import kinds, scenes, world
from tests.images.conftest import few, on_the_world

JOINT = ("semantic", "pixel", "both")
HELD_OUT = ["shadow", "placement", "dog", "boat"]


def test_test_subsets_share_their_reals(world_run):
    test = world_run[2]["test"]
    test = test[test["benchmark"] == "world"]
    reals = test[test["label"] == 0].groupby("subset")["image_id"].agg(set)
    assert reals["semantic"] == reals["pixel"] == reals["both"] and len(reals["both"]) == 4
    axes = test[test["label"] == 1].groupby("subset")["axis"].agg(lambda a: sorted(set(a)))
    assert axes.to_dict() == {"semantic": ["semantic"], "pixel": ["pixel"], "both": ["both"]}
    assert (test.groupby(["subset", "pair_id"])["label"].agg(lambda labels: sorted(labels) == [0, 1])).all()
    both = test[test["axis"] == "both"].set_index("pair_id")
    violated = test[test["axis"] == "semantic"].set_index("pair_id")
    assert (both["family"] == violated["family"]).all() and (both["remark"] == violated["remark"]).all()
    rebuilt = decode.read(both["path"].iloc[0]).rgb.astype(float) - decode.read(violated.loc[both.index[0], "path"]).rgb
    assert 0 < np.abs(rebuilt).mean() < 30
    assert test["degrade_noise"].isna().all() and set(test["format"]) == {"JPEG"}


def test_degraded_subsets_hold_the_same_scenes_with_other_pixels(world_run):
    test = world_run[2]["test"]
    for subset in JOINT:
        clean, degraded = (test[test["subset"] == name] for name in (subset, f"{subset}, degraded"))
        assert set(degraded["benchmark"]) == {"world, degraded"} and set(degraded["format"]) == {"PNG"}
        told = ["pair_id", "label", "axis", "family", "kind", "generator", "remark"]
        assert clean[told].to_numpy().tolist() == degraded[told].to_numpy().tolist()
        assert not set(clean["image_id"]) & set(degraded["image_id"])
    degraded = test[test["benchmark"] == "world, degraded"]
    reals = degraded[degraded["label"] == 0].groupby("subset")["image_id"].agg(set)
    assert reals.iloc[0] == reals.iloc[1] == reals.iloc[2]


def test_degradation_is_sampled_anew_for_each_scene_and_once_for_all_its_images(world_run):
    tables = world_run[2]
    degraded = tables["test"][tables["test"]["benchmark"] == "world, degraded"]
    drawn = ["degrade_scale", "degrade_noise", "degrade_blur", "degrade_jpeg"]
    assert degraded[drawn].notna().all().all()
    assert degraded.groupby("pair_id")["degrade_noise"].nunique().eq(1).all()
    assert degraded["degrade_noise"].nunique() == 4
    assert not set(degraded["degrade_noise"]) & set(tables["semantic"]["degrade_noise"])


def test_each_other_generator_makes_the_pixel_subset_once_more(new_run, small, monkeypatch):
    from aligngemini.images import autoencoder

    kinds_of_wear = {"hub/train": 1, "hub/kl": 2, "hub/vq": 3}
    monkeypatch.setattr(autoencoder, "load", lambda name, revision="", **how: Roller(name, kinds_of_wear[name]))
    test = sets.test(new_run(), small(vae="hub/train", generators=["hub/kl", "hub/vq"]))
    others = test[test["benchmark"] == "world, other generators"]
    assert set(others["subset"]) == {"pixel, kl", "pixel, vq"}
    pixel = test[test["subset"] == "pixel"]
    for name in ("kl", "vq"):
        subset = others[others["subset"] == f"pixel, {name}"]
        assert set(subset[subset["label"] == 0]["image_id"]) == set(pixel[pixel["label"] == 0]["image_id"])
        assert set(subset["generator"]) == {"", f"hub/{name}"} and set(subset["axis"]) == {"none", "pixel"}
        assert sorted(subset["pair_id"]) == sorted(pixel["pair_id"])
        assert not set(subset[subset["label"] == 1]["image_id"]) & set(pixel["image_id"])


class Roller:
    """Stands in for autoencoders that wear pictures in different ways: mixes pixels `by` columns apart."""

    factor, number = 8, "float32"

    def __init__(self, name: str, by: int):
        self.name, self.by = name, by

    def batch(self, height: int, width: int) -> int:
        return 4

    def roundtrip(self, rgb: np.ndarray) -> np.ndarray:
        return ((rgb.astype(np.uint16) + np.roll(rgb, self.by, 2)) // 2).astype(np.uint8)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    cfg = few(train_images=60, validation_images=20, test_images=15, held_out=HELD_OUT)
    return on_the_world(tmp_path_factory.mktemp("held_out") / "run", cfg)[1:]


def test_what_is_held_out_never_occurs_in_training_nor_in_the_ordinary_subsets(held_out):
    cfg, tables = held_out
    ordinary = tables["test"][tables["test"]["benchmark"] != "world, held out"]
    for rows in (
        tables["semantic"],
        tables["pixel"],
        tables["mixed_semantic"],
        tables["union"],
        tables["joint"],
        ordinary,
    ):
        things = {
            thing["kind"]
            for name, index in {tuple(pair.rsplit("/", 1)) for pair in rows["pair_id"]}
            for thing in _scene(cfg, name, int(index))["things"]
        }
        assert things and not things & set(HELD_OUT)
        assert not set(rows["family"]) & set(HELD_OUT) and not set(rows["kind"]) & set(HELD_OUT)


def _scene(cfg, split: str, index: int) -> dict:
    """The plain scene of a pair, described anew from its name, under the limits of training."""
    return asdict(world.scene(cfg.seed, split, index, False, scene_images.seen(cfg))[0])


def test_two_further_subsets_hold_what_was_held_out(held_out):
    test = held_out[1]["test"]
    subset = test[test["benchmark"] == "world, held out"]
    assert set(subset["subset"]) == {"unseen violations", "unseen things"} and set(subset["axis"]) == {
        "none",
        "semantic",
    }
    new, things = (subset[subset["subset"] == name] for name in ("unseen violations", "unseen things"))
    assert set(new[new["label"] == 1]["family"]) == {"shadow", "placement"}
    assert not set(new["kind"]) & {"dog", "boat"} and set(things["kind"]) == {"dog", "boat"}
    assert not set(things["family"]) & {"shadow", "placement"}
    assert subset["degrade_noise"].notna().all() and set(subset["format"]) == {"PNG"}
    assert (subset.groupby("pair_id")["label"].agg(sorted).map(str) == "[0, 1]").all()


def test_held_out_things_alone_make_one_subset(new_run, small, smoother):
    test = sets.test(new_run(), small(held_out=["dog"]))
    assert "unseen things" in set(test["subset"]) and "unseen violations" not in set(test["subset"])


def test_no_scene_stands_in_two_splits_or_two_sets(held_out):
    tables = held_out[1]
    assert table.content_overlap(tables).empty
    named = [set(tables[name]["pair_id"]) for name in ("semantic", "pixel", "joint", "test")]
    assert sum(map(len, named)) == len(set.union(*named))
    scenes_of = tables["test"].groupby("benchmark")["pair_id"].agg(set)
    assert scenes_of["world"] == scenes_of["world, degraded"] and not scenes_of["world"] & scenes_of["world, held out"]


def test_nothing_held_out_leaves_the_world_as_it_was():
    every = world.Limits()
    assert every.families == scenes.FAMILIES and every.subjects == every.beside == tuple(kinds.KINDS)
    for index in range(20):
        assert world.scene(1, "train", index, True) == world.scene(1, "train", index, True, every)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"held_out": ["shadw"]}, "did you mean 'shadow'"),
        ({"held_out": list(scenes.FAMILIES)}, "every violation"),
        ({"held_out": ["dog", "dog"]}, "twice"),
        ({"held_out": ["dog"], "plausible": "a", "implausible": "b"}, "plausible is a folder"),
        ({"generators": ["data/mini/vae"], "vae": "data/mini/vae"}, "only tests"),
        ({"generators": ["a/kl", "b/kl"]}, "'kl' twice"),
    ],
)
def test_what_the_world_cannot_do_is_refused(small, changes, told):
    with pytest.raises(Refused, match=told):
        small(**changes)


def test_limits_that_leave_no_scene_are_refused():
    with pytest.raises(Refused, match="no scene with cactus can be wrong in reflection"):
        world.scene(0, "test", 0, True, world.Limits(("cactus",), ("cactus",), ("reflection",)))


def test_a_folder_called_like_a_subset_keeps_its_own_name(small):
    assert world_tests.names(small(generators=["hub/kl"], held_out=["dog"])) == {
        *JOINT, *(f"{name}, degraded" for name in JOINT), "pixel, kl", "unseen things",
    }  # fmt: skip


def test_a_folder_of_autoencoders_stands_for_all_but_the_training_one(small, tmp_path):
    for name in ("kl", "shuffle", "vq"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    cfg = small(vae=str(tmp_path / "kl"), generators=[str(tmp_path), "hub/one"])
    assert world_tests.generators(cfg) == [f"{tmp_path}/shuffle", f"{tmp_path}/vq", "hub/one"]
    several = small(vae=str(tmp_path / "kl"), more_vaes=[f"{tmp_path}/vq"], generators=[str(tmp_path)])
    assert world_tests.generators(several) == [f"{tmp_path}/shuffle"]
    assert {"pixel, shuffle", "pixel, vq", "pixel, one"} <= world_tests.names(cfg)
