"""The four tables: pure by construction, disjoint, alike for any number of workers, whole after a kill."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.audit import data_run
from aligngemini.core import seeds
from aligngemini.core.params import Refused
from aligngemini.images import decode, image_files, mixed_set, scene_images, semantic_set, sets, table

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


def test_mixed_set_is_half_of_each_and_as_large(world_run):
    tables = world_run[2]
    mixed = tables["mixed_semantic"]
    assert len(mixed) == len(tables["semantic"]) and mixed["subset"].value_counts().to_dict() == {
        "semantic": 12,
        "pixel": 12,
    }
    pure = set(tables["semantic"]["image_id"]) | set(tables["pixel"]["image_id"])
    assert set(mixed["image_id"]) <= pure
    assert (mixed.groupby("pair_id").size() == 2).all() and mixed.groupby(["split", "label"]).size().nunique() == 2


def old_half(rows: pd.DataFrame, up: int) -> set[str]:
    """Half of the pairs of each split in hash order, as mixed sets of equal pure sets have always been drawn."""
    kept = []
    for _, same in rows.groupby("split"):
        ranked = seeds.ranked(same["pair_id"], "mixed")
        kept += ranked[: (len(ranked) + up) // 2]
    return set(rows["image_id"][rows["pair_id"].isin(kept)])


def test_equal_pure_sets_give_all_models_the_mixed_set_they_have_always_had(world_run):
    tables = world_run[2]
    expected = old_half(tables["semantic"], 1) | old_half(tables["pixel"], 0)
    assert set(tables["mixed_semantic"]["image_id"]) == expected
    pd.testing.assert_frame_equal(tables["mixed_semantic"], tables["mixed_pixel"])


def pure(task: str, pairs: int, lone: bool) -> pd.DataFrame:
    rows = [
        {
            "pair_id": f"{task}{split}{i}{label * lone}",
            "label": label,
            "split": split,
            "image_id": f"{task}{split}{i}{label}",
        }
        for split, count in (("train", pairs), ("validation", 3))
        for i in range(count)
        for label in (0, 1)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("lone", [False, True])
@pytest.mark.parametrize(("semantic", "pixel"), [(5, 5), (50, 118), (10, 118), (118, 50), (7, 1)])
def test_a_mixed_set_has_as_many_couples_as_the_pure_set_of_its_model(semantic, pixel, lone):
    kinds = pure("s", semantic, lone), pure("p", pixel, False)
    for name, own, other in (("semantic", 0, 1), ("pixel", 1, 0)):
        halves = mixed_set.halves(*kinds, name)
        drawn = [mixed_set.sample(rows, wanted) for rows, wanted in zip(kinds, halves, strict=True)]
        assert (
            pd.concat(drawn).groupby(["split", "label"]).size().eq(kinds[own].groupby(["split", "label"]).size()).all()
        )
        train = [int((rows["split"] == "train").sum()) for rows in drawn]
        most = (kinds[other]["split"] == "train").sum()
        assert train[other] == most or abs(train[0] - train[1]) <= 2, "half of each, or all that there is"
        assert not pd.concat(drawn)["image_id"].duplicated().any()


def test_a_kind_without_a_couple_in_a_split_leaves_that_split_to_the_other():
    semantic, pixel = pure("s", 4, True), pure("p", 4, False)
    pixel = pixel[pixel["split"] == "train"]
    halves = mixed_set.halves(semantic, pixel, "semantic")
    assert halves == [{"train": 2, "validation": 3}, {"train": 2, "validation": 0}]
    assert mixed_set.halves(semantic, pixel, "pixel") == [{"train": 2}, {"train": 2}]
    assert len(mixed_set.sample(semantic, {"train": 2})) == 4, "nothing of a split of which nothing is wanted"


def test_a_class_that_failed_altogether_in_a_split_takes_the_other_class_with_it():
    rows = pure("s", 4, True)
    rows = rows[(rows["split"] == "train") | (rows["label"] == 0)]
    left = semantic_set.balanced(rows).groupby(["split", "label"]).size()
    assert left.to_dict() == {("train", 0): 4, ("train", 1): 4}
    assert semantic_set.balanced(rows[rows["label"] == 0]).empty


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


def test_a_model_trains_on_its_own_mixed_set(new_run, small, smoother):
    from aligngemini.expert import batches

    run, cfg = new_run(), small(pixel_pairs=11)
    tables = sets.build(run, cfg)
    vlm, expert = (table.training(run, "mixed", own) for own in ("semantic", "pixel"))
    train = {name: rows[rows["split"] == "train"] for name, rows in (tables | {"vlm": vlm, "expert": expert}).items()}
    assert len(train["vlm"]) == len(train["semantic"]) and len(train["expert"]) == len(train["pixel"])
    assert len(batches.match_real_fake(train["expert"], 0)) == len(batches.match_real_fake(train["pixel"], 0)) == 11
    assert table.counted(train["expert"]) == {"pictures_semantic": 12, "pictures_pixel": 10}
    assert table.training(run, "pixel", "semantic").equals(tables["pixel"])


def test_the_union_holds_all_pairs_of_both_pure_sets(world_run):
    tables = world_run[2]
    union = tables["union"]
    pure = [*tables["semantic"]["image_id"], *tables["pixel"]["image_id"]]
    assert sorted(union["image_id"]) == sorted(pure) and len(union) == 2 * len(tables["mixed_semantic"])
    assert set(tables["mixed_semantic"]["image_id"]) <= set(union["image_id"])


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


@pytest.fixture
def folder_sources(tmp_path, picture, saved):
    """Photographs, surreal pictures and a labelled benchmark, with the usual damage among them."""
    for seed in range(20):
        for folder, offset, size in (
            ("real", 0, (150, 130)),
            ("surreal", 100, (200, 200)),
            ("photos", 200, (96, 64)),
        ):
            path = tmp_path / folder / f"{seed}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(saved(picture(*size, seed + offset), "JPEG", quality=70 + seed))
    for label, offset in (("0_real", 300), ("1_fake", 400)):
        for seed in range(6):
            path = tmp_path / "bench" / "gpt4o" / label / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(saved(picture(80, 80, seed + offset), "PNG"))
    (tmp_path / "photos" / "broken.jpg").write_bytes((tmp_path / "photos" / "1.jpg").read_bytes()[:700])
    (tmp_path / "real" / "tiny.png").write_bytes(saved(picture(30, 30), "PNG"))
    (tmp_path / "bench" / "gpt4o" / "1_fake" / "page.png").write_text("<html>")
    (tmp_path / "bench" / "gpt4o" / "1_fake" / "page2.png").write_text("<html>")
    (tmp_path / "bench" / "gpt4o" / "0_real" / "seen.jpg").write_bytes((tmp_path / "photos" / "3.jpg").read_bytes())
    return tmp_path


def test_folders_become_the_same_kind_of_sets(new_run, small, smoother, folder_sources):
    names = {"plausible": "real", "implausible": "surreal", "photos": "photos"}
    cfg = small(
        **{role: str(folder_sources / name) for role, name in names.items()},
        test=[str(folder_sources / "bench")],
    )
    run = new_run()
    tables = sets.build(run, cfg)
    semantic, pixel, test = tables["semantic"], tables["pixel"], tables["test"]
    assert semantic.groupby(["split", "label"]).size().to_dict() == {
        ("train", 0): 8, ("train", 1): 8, ("validation", 0): 4, ("validation", 1): 4,
    }  # fmt: skip
    assert set(semantic["width"]) == set(semantic["height"]) == {112} and set(semantic["format"]) == {"PNG"}
    assert semantic["degrade_jpeg"].notna().all() and set(semantic["source"]) == {"real", "surreal"}
    assert pixel[pixel["label"] == 0]["path"].str.startswith(str(folder_sources / "photos")).all()
    assert pixel[pixel["label"] == 1]["path"].str.startswith(str(run.folder)).all()
    assert data_run.pair_identity(pixel)["pixel: pairs of equal quality"] == 1.0
    assert set(test["subset"]) == {"gpt4o"} and set(test["benchmark"]) == {"bench"}
    assert set(test["axis"]) == {"none", "unknown"} and test.groupby("label").size().to_dict() == {0: 4, 1: 4}
    halves = tables["mixed_semantic"].groupby(["subset", "split", "label"]).size().unstack()
    assert (halves[0] == halves[1]).all() and abs(len(tables["mixed_semantic"]) - len(semantic)) <= 2


def test_too_few_pictures_say_how_many_were_too_small(new_run, small, smoother, folder_sources):
    names = {"plausible": "real", "implausible": "surreal"}
    cfg = small(**{role: str(folder_sources / name) for role, name in names.items()}, image_size=140)
    with pytest.raises(Refused, match=r"plausible \(21 are smaller than image_size, 140 px\) has 0 usable images"):
        sets.semantic(new_run(), cfg)


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


def test_what_folders_lose_is_told(new_run, small, smoother, folder_sources):
    names = {"plausible": "real", "implausible": "surreal", "photos": "photos"}
    cfg = small(
        **{role: str(folder_sources / name) for role, name in names.items()},
        test=[str(folder_sources / "bench")], test_images=0, train_images=80,
    )  # fmt: skip
    run = new_run()
    tables = sets.build(run, cfg)
    lost = sets.left_out(run, cfg)
    said = {Path(row["path"]).name: row["reason"] for row in lost.to_dict("records")}
    assert "smaller than 112" in said["tiny.png"] and "damaged" in said["broken.jpg"] and "test set" in said["3.jpg"]
    unread = tables["test"][tables["test"]["reason"] != ""]
    assert unread["reason"].tolist() == ["not an image of a known format"] and unread["label"].tolist() == [1]
    figures, _ = data_run.measure(tables, lost)
    assert figures["test: unusable, not an image of a known format"] == 2  # one row, and a copy left out
    assert figures["pixel: unusable, cut short or damaged"] == 1


def test_world_and_folders_mix(new_run, small, smoother, folder_sources):
    cfg = small(photos=str(folder_sources / "photos"), test=["world", str(folder_sources / "bench")])
    tables = sets.build(new_run(), cfg)
    assert set(tables["semantic"]["source"]) == {"world"} and set(tables["pixel"]["source"]) == {"photos"}
    assert set(tables["test"]["subset"]) == {*JOINT, *(f"{name}, degraded" for name in JOINT), "gpt4o"}
    assert set(tables["test"]["benchmark"]) == {"world", "world, degraded", "bench"}


def test_the_test_sample_is_the_same_for_every_seed(new_run, small, smoother, folder_sources):
    chosen = [
        set(
            sets.test(new_run(f"t{seed}"), small(seed=seed, test=[str(folder_sources / "bench")], test_images=3))[
                "image_id"
            ]
        )
        for seed in (0, 1)
    ]
    assert chosen[0] == chosen[1] and len(chosen[0]) == 6


def test_both_classes_are_cropped_and_resized_alike(folder_sources):
    tall = Image.fromarray(
        np.dstack([np.tile(np.arange(300, dtype=np.uint16)[:, None] // 2, (1, 200))] * 3).astype(np.uint8)
    )
    tall.save(folder_sources / "tall.png")
    square = image_files.squared(str(folder_sources / "tall.png"), 200, 300, 100)
    assert (
        square.shape == (100, 100, 3) and abs(int(square[0, 0, 0]) - 25) <= 1 and abs(int(square[-1, 0, 0]) - 124) <= 1
    )
    with pytest.raises(decode.Unreadable, match="smaller than 201"):
        image_files.squared(str(folder_sources / "tall.png"), 200, 300, 201)


def test_missing_folders_are_refused_before_anything_is_made(new_run, small, smoother, tmp_path):
    run = new_run()
    with pytest.raises(Refused, match="There is no folder"):
        sets.pixel(run, small(photos=str(tmp_path / "none")))
    assert not run.path("images").exists()


def test_photographs_of_real_cameras_make_aligned_pairs(new_run, small, smoother):
    real = os.environ.get("ALIGNGEMINI_REAL")
    if not real:
        pytest.skip("ALIGNGEMINI_REAL is not set: no real photographs here")
    cfg = small(photos=str(Path(real) / "photos" / "camera"), test=[str(Path(real) / "benchmark")], max_side=256)
    tables = sets.build(new_run(), cfg)
    figures = data_run.pair_identity(tables["pixel"])
    assert all(figures[name] == 1.0 for name in figures if "equal" in name or "complete" in name)
    assert set(tables["test"]["subset"]) == {"dalle3", "gpt4o", "midjourney", "nano_banana"}


def test_left_out_is_a_plain_table(new_run, small, smoother):
    lost = sets.left_out(new_run(), small())
    assert list(lost.columns) == ["set", "path", "reason"] and isinstance(lost, pd.DataFrame)
