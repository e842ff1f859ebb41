"""The four tables: pure by construction, disjoint, alike for any number of workers, whole after a kill."""

import hashlib
import os
from pathlib import Path

import pytest

from aligngemini.audit import data_run
from aligngemini.core import seeds
from aligngemini.core.params import Refused
from aligngemini.images import image_files, scene_images, sets, table

JOINT = ("semantic", "pixel", "both")


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_semantic_set_holds_twins_that_share_their_draws(world_run):
    semantic = world_run[2]["semantic"]
    assert semantic.groupby(["split", "label"]).size().to_dict() == dict.fromkeys(
        [("train", 0), ("train", 1), ("validation", 0), ("validation", 1)], 8
    ) | {("validation", 0): 4, ("validation", 1): 4}
    drawn = ["degrade_scale", "degrade_noise", "degrade_blur", "degrade_jpeg"]
    for _, twins in semantic.groupby("pair_id"):
        assert sorted(twins["label"]) == [0, 1] and twins[drawn].nunique().eq(1).all() and twins["split"].nunique() == 1
    assert semantic[drawn].notna().all().all() and semantic["degrade_noise"].nunique() == 12
    assert set(semantic["format"]) == {"PNG"} and set(semantic["width"]) == {112}
    fakes = semantic[semantic["label"] == 1]
    assert (fakes["family"] != "").all() and (fakes["remark"] != "").all() and set(fakes["axis"]) == {"semantic"}


def test_pixel_set_holds_aligned_pairs(world_run):
    pixel = world_run[2]["pixel"]
    figures = data_run.pair_identity(pixel)
    assert all(figures[name] == 1.0 for name in figures if "equal" in name or "complete" in name)
    assert len(pixel) == 24 and set(pixel["axis"]) == {"none", "pixel"} and set(pixel["format"]) == {"JPEG"}
    assert set(pixel["family"]) == {""} and pixel["degrade_noise"].isna().all()
    assert pixel.groupby("label")["remark"].nunique().tolist() == [1, 1] and pixel["remark"].nunique() == 2


def test_a_split_without_a_pair_is_refused_with_what_was_lost(new_run, small, smoother, tmp_path, picture, saved):
    def place(data: bytes) -> str:
        return seeds.rank(hashlib.sha256(data).hexdigest(), "split")

    whole = [saved(picture(96, 64, seed), "JPEG") for seed in range(12)]
    cut = min((data[: len(data) // 2] for data in whole), key=place)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, data in enumerate([cut, *(data for data in whole if place(data) > place(cut))]):
        (photos / f"{number}.jpg").write_bytes(data)
    cfg = small(photos=str(photos), validation_images=2)
    with pytest.raises(Refused, match=r"pixel set has no pair for validation; 1 files.* raise validation_images"):
        sets.pixel(new_run(), cfg)


def test_no_scene_or_image_is_shared_between_sets_and_splits(world_run):
    tables = world_run[2]
    assert table.content_overlap(tables).empty
    scenes = [set(tables[name]["pair_id"]) for name in ("semantic", "pixel", "test")]
    assert not scenes[0] & scenes[1] and not scenes[0] & scenes[2] and not scenes[1] & scenes[2]
    assert len(set(tables["semantic"]["image_id"]) & set(tables["pixel"]["image_id"])) == 0


def test_the_same_bytes_whatever_the_number_of_workers(new_run, small, smoother, world_run, monkeypatch):
    monkeypatch.setattr(image_files, "BATCH", 3)
    sets.build(new_run("two"), small(workers=2))
    assert hashes(world_run[0].folder) == hashes(new_run("two").folder) and world_run[1].workers == 1


def test_another_seed_gives_other_pictures(new_run, small, smoother):
    one, other = (sets.pixel(new_run(f"s{seed}"), small(seed=seed)) for seed in (0, 1))
    assert not set(one["image_id"]) & set(other["image_id"])


def test_order_of_calls_does_not_matter_and_tables_are_made_once(new_run, smoother, world_run):
    run, (whole, cfg, _) = new_run(), world_run
    sets.joint(run, cfg)
    sets.union(run, cfg)
    sets.mixed(run, cfg, "pixel")
    sets.mixed(run, cfg)
    sets.test(run, cfg)
    assert hashes(run.folder) == hashes(whole.folder)
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    sets.build(run, cfg)
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")} == before


def test_a_killed_run_continues(new_run, smoother, world_run, monkeypatch):
    broken, (whole, cfg, _) = new_run("broken"), world_run
    with monkeypatch.context() as patch:
        patch.setattr(smoother, "roundtrip", lambda rgb: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sets.build(broken, cfg)
    assert not broken.path("test.parquet").exists()
    sets.build(broken, cfg)
    assert hashes(whole.folder) == hashes(broken.folder)


def test_twins_that_look_alike_are_left_out(new_run, small, smoother, monkeypatch):
    photograph = scene_images.photograph

    def blind(seed, split, index, violated, size, limits=None):
        return photograph(seed, split, index, violated and index != 2, size, limits)

    monkeypatch.setattr(scene_images, "photograph", blind)
    run, cfg = new_run(), small()
    semantic = sets.semantic(run, cfg)
    assert "train/semantic/2" not in set(semantic["pair_id"]) and len(semantic) == 20
    lost = sets.left_out(run, cfg)
    assert lost[lost["set"] == "semantic"]["reason"].str.contains("look alike").sum() == 4
    assert not os.path.isabs(lost["path"].iloc[0])


def test_the_pixel_set_may_have_more_pairs_than_the_others(new_run, small, smoother):
    tables = sets.build(new_run(), small(pixel_pairs=11))
    count = tables["pixel"].groupby(["split", "label"]).size().to_dict()
    assert count == {("train", 0): 11, ("train", 1): 11, ("validation", 0): 4, ("validation", 1): 4}
    assert (tables["semantic"]["split"] == "train").sum() == 16 and table.content_overlap(tables).empty


def test_how_the_latent_is_taken_and_pairs_are_stored_is_handed_on(new_run, small, monkeypatch):
    from aligngemini.images import autoencoder
    from tests.images.conftest import Smoother

    asked = []
    monkeypatch.setattr(autoencoder, "load", lambda *args, **options: asked.append(options) or Smoother())
    pixel = sets.pixel(new_run(), small(vae_latent="sampled", pair_format="png", seed=3))
    assert asked == [{"sample": True, "seed": 3, "dtype": "auto", "truncate": False}]
    assert set(pixel["format"]) == {"PNG"}
    assert pixel["jpeg_quality"].between(1, 100).all()  # what the camera wrote, though the file is a PNG now


def test_several_autoencoders_share_the_photographs_of_each_split_evenly(new_run, small, monkeypatch):
    from aligngemini.images import autoencoder
    from tests.images.conftest import Smoother

    def load(name, *_, **options):
        made = Smoother()
        made.name = Path(name).name
        return made

    monkeypatch.setattr(autoencoder, "load", load)
    alone = sets.pixel(new_run(), small())
    shared = sets.pixel(new_run(), small(more_vaes=["data/mini/vae/vq"]))
    made = shared[shared["label"] == 1].groupby(["split", "generator"]).size().to_dict()
    assert made == {(split, name): n for split, n in (("train", 4), ("validation", 2)) for name in ("kl", "vq")}
    assert set(shared.loc[shared["label"] == 0, "image_id"]) == set(alone.loc[alone["label"] == 0, "image_id"])


def test_an_autoencoder_that_trains_is_not_named_twice_and_never_only_tests(small):
    with pytest.raises(Refused, match="twice"):
        small(more_vaes=["data/mini/vae/kl"], vae="data/mini/vae/kl")
    with pytest.raises(Refused, match="makes the training fakes"):
        small(more_vaes=["data/mini/vae/vq"], generators=["data/mini/vae/vq"])
