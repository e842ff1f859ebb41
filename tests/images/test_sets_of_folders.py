"""Sets made of folders: cut alike, freed of what is too small, twice there or tested."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.audit import data_run
from aligngemini.core.params import Refused
from aligngemini.images import decode, image_files, sets
from tests.images.test_sets import JOINT


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
