"""The joint validation set: fakes of every axis, alike but for what is fake, of images that no other set holds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aligngemini.audit import data_run
from aligngemini.core.params import Refused
from aligngemini.images import decode, sets, table
from tests.images.conftest import few
from tests.images.test_sets import hashes

SUBSETS = ("semantic", "pixel", "both")  # called like the axis of their fakes


def shapes(rows):
    return rows.groupby(["subset", "label"]).size().to_dict()


@pytest.fixture
def folders(tmp_path, picture, saved):
    """Twenty photographs, plausible and implausible images, each role in a format and size of its own, and a test."""
    for role, form, size, start in (
        ("real", "PNG", (150, 130), 0),
        ("surreal", "WEBP", (200, 200), 100),
        ("photos", "JPEG", (196, 164), 200),
        ("bench/g/0_real", "PNG", (80, 80), 300),
        ("bench/g/1_fake", "PNG", (80, 80), 400),
    ):
        (tmp_path / role).mkdir(parents=True)
        for seed in range(20):
            (tmp_path / role / f"{seed}.{form.lower()}").write_bytes(saved(picture(*size, start + seed), form))
    return {
        "plausible": str(tmp_path / "real"),
        "implausible": str(tmp_path / "surreal"),
        "photos": str(tmp_path / "photos"),
        "test": [str(tmp_path / "bench")],
    }


def test_drawn_it_repeats_the_first_three_subsets_of_the_test(world_run):
    joint, test = world_run[2]["joint"], world_run[2]["test"]
    assert shapes(joint) == {(subset, label): 4 for subset in SUBSETS for label in (0, 1)}
    axes = joint[joint["label"] == 1].groupby("subset")["axis"].agg(set)
    assert axes.to_dict() == {subset: {subset} for subset in SUBSETS}
    assert set(joint["split"]) == {"joint"} and set(joint["format"]) == {"JPEG"} and joint["degrade_noise"].isna().all()
    assert (joint.groupby(["subset", "pair_id"])["label"].agg(sorted).map(str) == "[0, 1]").all()
    first = test[test["benchmark"] == "world"]
    assert shapes(first) == shapes(joint)
    texture = [set(rows["remark"][rows["subset"] == "pixel"]) for rows in (first, joint)]
    assert texture[0] == texture[1] and len(texture[0]) == 2
    both, violated = (joint[joint["axis"] == axis].set_index("pair_id") for axis in ("both", "semantic"))
    assert (both["remark"] == violated["remark"]).all() and (both["family"] == violated["family"]).all()


def test_its_pixel_fakes_are_reconstructions_of_its_reals(world_run):
    joint = world_run[2]["joint"]
    for axis in ("pixel", "both"):
        fakes = joint[joint["axis"] == axis].set_index("pair_id")
        plain = joint[joint["subset"] == "semantic"]
        originals = plain[plain["label"] == int(axis == "both")].set_index("pair_id")
        assert len(fakes) > 0
        for pair, path in fakes["path"].items():
            worn = decode.read(path).rgb.astype(float) - decode.read(originals.loc[pair, "path"]).rgb
            assert 0 < np.abs(worn).mean() < 30


def test_no_other_set_holds_a_scene_or_an_image_of_it(world_run):
    tables = dict(world_run[2])
    assert table.content_overlap(tables).empty
    joint = tables.pop("joint")
    for column in ("pair_id", "image_id"):
        assert not set(joint[column]) & {name for rows in tables.values() for name in rows[column]}


def test_an_image_that_another_set_holds_is_an_overlap(world_run):
    tables = world_run[2]
    leak = tables["semantic"].head(1).assign(split="joint")
    shared = table.content_overlap(tables | {"joint": leak})
    assert set(shared["what"]) == {"image_id", "pair_id"} and shared["splits"].str.contains("joint").all()


def test_every_other_file_is_the_same_with_and_without_it(new_run, smoother, world_run, folders):
    def without(files: dict) -> dict:
        return {name: data for name, data in files.items() if "joint" not in name}

    empty, cfg = new_run("none"), few(joint_images=0)
    tables = sets.build(empty, cfg)
    assert tables["joint"].empty and not empty.path("images", "joint").exists()
    assert hashes(empty.folder).keys() - without(hashes(empty.folder)) == {"joint.parquet", "left_out_joint.parquet"}
    assert without(hashes(empty.folder)) == without(hashes(world_run[0].folder))
    for count in (0, 3):
        sets.build(new_run(f"folders{count}"), few(**folders, joint_images=count))
    assert without(hashes(new_run("folders0").folder)) == without(hashes(new_run("folders3").folder))


def test_without_one_the_audit_has_nothing_to_say_of_it(new_run, smoother):
    tables = sets.build(new_run(), few(joint_images=0))
    figures, cues = data_run.measure(tables, None)
    assert figures["joint: images"] == 0 and cues[cues["set"] == "joint"]["auroc"].isna().all()


def test_from_folders_it_takes_what_training_and_validation_leave(new_run, smoother, folders):
    tables = sets.build(new_run(), few(**folders, joint_images=3))
    joint = tables["joint"]
    assert shapes(joint) == {(subset, label): 3 for subset in SUBSETS for label in (0, 1)}
    sources = {key: set(rows) for key, rows in joint.groupby(["subset", "axis"])["source"]}
    assert sources == {
        ("semantic", "none"): {"real"}, ("semantic", "semantic"): {"surreal"},
        ("pixel", "none"): {"photos"}, ("pixel", "pixel"): {"photos"},
        ("both", "none"): {"real", "photos"}, ("both", "both"): {"surreal"},
    }  # fmt: skip
    others = {pair for name in ("semantic", "pixel", "test") for pair in tables[name]["pair_id"]}
    assert not set(joint["pair_id"]) & others and joint["pair_id"].str.startswith("file/").all()


def test_neither_format_nor_size_nor_quality_tells_its_axes_apart(new_run, smoother, folders):
    tables = sets.build(new_run(), few(**folders, train_images=4, validation_images=4, joint_images=16))
    joint = tables["joint"]
    assert shapes(joint) == {(subset, label): 16 for subset in SUBSETS for label in (0, 1)}
    assert set(joint["format"]) == {"JPEG"} and set(joint["width"]) == set(joint["height"]) == {112}
    assert joint["jpeg_quality"].between(70, 98).all() and joint["jpeg_quality"].nunique() > 10
    asked = data_run.measure(tables)[1].pivot(index="set", columns="cue", values="auroc")
    assert (asked.loc[["joint", data_run.AXES], ["format", "size", "aspect"]] == 0.5).all().all()
    assert {"joint/semantic", "joint/pixel", "joint/both"} <= set(asked.index)
    by_form = joint.assign(format=joint["format"].mask(joint["axis"] == "pixel", "PNG"))
    planted = data_run.measure(tables | {"joint": by_form})[1].set_index(["set", "cue"])["auroc"]
    assert planted[data_run.AXES, "format"] == 1.0


def test_it_is_drawn_where_a_role_has_no_folder(new_run, smoother, folders):
    photos = sets.joint(new_run("photos"), few(photos=folders["photos"], joint_images=3))
    assert photos.groupby("subset")["source"].agg(set).to_dict() == {
        "semantic": {"world"}, "pixel": {"photos"}, "both": {"world", "photos"},
    }  # fmt: skip
    sides = {role: folders[role] for role in ("plausible", "implausible")}
    pixel = sets.joint(new_run("sides"), few(**sides, joint_images=3))
    assert pixel.groupby("subset")["source"].agg(set).to_dict() == {
        "semantic": {"real", "surreal"}, "pixel": {"world"}, "both": {"world", "real", "surreal"},
    }  # fmt: skip
    assert shapes(photos) == shapes(pixel) == {(subset, label): 3 for subset in SUBSETS for label in (0, 1)}


@pytest.mark.parametrize(("pairs", "left"), [(14, 2), (20, 0)])
def test_too_few_images_make_it_smaller_on_all_axes_which_is_said(new_run, smoother, folders, capsys, pairs, left):
    joint = sets.joint(new_run(), few(**folders, pixel_pairs=pairs))
    assert shapes(joint) == ({(subset, label): left for subset in SUBSETS for label in (0, 1)} if left else {})
    said = capsys.readouterr().err
    assert f"photos has {left} usable images left" in said and "lower train_images or pixel_pairs" in said
    assert ("is empty" in said) == (left == 0)


def test_training_on_all_images_leaves_it_a_share(new_run, smoother, folders):
    tables = sets.build(new_run(), few(**folders, train_images=0, joint_images=3))
    assert shapes(tables["joint"]) == {(subset, label): 3 for subset in SUBSETS for label in (0, 1)}
    trained = {name: rows[rows["split"] == "train"] for name, rows in tables.items()}
    assert len(trained["pixel"]) == len(trained["semantic"]) == 2 * (20 - 4 - 3)


def test_a_file_that_cannot_be_used_is_left_out_with_its_reason(new_run, smoother, folders, saved, picture):
    place = Path(folders["photos"])
    pixels = picture(196, 164, 900)
    for number in range(20):  # of one content, but for the metadata
        exif = Image.Exif()
        exif[0x010F] = f"Maker {number}"
        (place / f"same{number}.png").write_bytes(saved(pixels, "PNG", exif=exif))
    run = new_run()
    joint = sets.joint(run, few(**folders, train_images=4, validation_images=2, joint_images=36))
    photographs = joint[(joint["subset"] == "pixel") & (joint["label"] == 0)]
    assert len(photographs) and not photographs.duplicated("image_id").any()
    reasons = sets.left_out(run, few(**folders, train_images=4, validation_images=2, joint_images=36))
    assert "same picture as another file" in set(reasons[reasons["set"] == "joint"]["reason"])


def test_a_negative_size_is_refused():
    with pytest.raises(Refused, match="joint_images"):
        few(joint_images=-1)
