"""Benchmarks: each in a miniature of its true layout, counted by hand, and every trap that they set."""

import io
import json
import os
import tarfile
import zlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.analysis import published
from aligngemini.images import benchmarks, decode, folders, memory, sets, shards, sources
from aligngemini.images.layouts import LAYOUTS, key
from aligngemini.workbook import paths, questions
from aligngemini.workbook.params import Refused

TREES = {
    "GenImage": [
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/nature/a.JPEG",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/nature/b.JPEG",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/ai/c.png",
        "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/train/ai/d.png",
        "imagenet_midjourney/val/nature/e.JPEG",
        "imagenet_midjourney/val/ai/f.png",
        "BigGAN/0_real/g.png",
        "BigGAN/1_fake/h.png",
    ],
    "DRCT-2M": [
        "images/ldm-text2im-large-256/val2017/000000000139.jpg",
        "images/ldm-text2im-large-256/train2017/000000000009.jpg",
        "images/sdxl-turbo/val2017/000000000139.jpg",
        "images/sdxl-turbo/val2017/000000000285.jpg",
        "fake_rec_images/sdxl-turbo/full_inpainting/val2017/000000000139.jpg",
        "+coco/val2017/000000000139.jpg",
        "+coco/val2017/000000000285.jpg",
        "+coco/train2017/000000000009.jpg",
    ],
    "BFree-Online": [
        "REAL/Ed7JvuVXsAUTp-j/img00400.jpg",
        "REAL/Ed7JvuVXsAUTp-j/img00401.jpg",
        "REAL/GxY1aaWXQAA2bcd/img00400.jpg",
        "FAKE/FsL1ChiXwAAaVFk/img03517.jpg",
    ],
    "WildRF": [
        "WildRF/train/0_real/a.jpg",
        "WildRF/val/1_fake/b.jpg",
        "WildRF/test/reddit/0_real/c.jpg",
        "WildRF/test/reddit/1_fake/d.jpg",
        "WildRF/test/twitter/0_real/e.jpg",
        "WildRF/test/twitter/1_fake/f.jpg",
        "WildRF/test/facebook/0_real/g.jpg",
        "WildRF/test/facebook/1_fake/h.jpg",
        "WildRF/test/facebook/1_fake/i.jpg",
    ],
    "AIGIBench": [
        "train/car/0_real/a.png",
        "train/sdv1.4/1_fake/b.png",
        "test/CommunityAI/0_real/c.png",
        "test/CommunityAI/1_fake/d.png",
        "test/SocialRF/0_real/e.png",
        "test/SocialRF/1_fake/f.png",
        "test/ProGAN/train/0_real/g.png",
        "test/ProGAN/car/1_fake/h.png",
    ],
    "Chameleon": ["test/0_real/a.jpg", "test/0_real/b.jpg", "test/1_fake/c.jpg", "train/1_fake/d.jpg"],
    "CO-SPY-Bench": [
        "synthetic/mscoco/stabilityai@sdxl-turbo/0.png",
        "synthetic/mscoco/stabilityai@sdxl-turbo/1.png",
        "synthetic/cc3m/stabilityai@sdxl-turbo/0.png",
        "synthetic/cc3m/black-forest-labs@FLUX.1-dev/0.png",
        "+misc/real_image_examples/CC3M/0.png",
        "+misc/val2017/000000000139.jpg",
        "+misc/real_image_examples/SBU/0.png",
    ],
    "CO-SPY-In-the-Wild": [
        "CO-SPY-In-the-Wild/civitai/0_real/a.jpg",
        "CO-SPY-In-the-Wild/civitai/1_fake/b.jpg",
        "CO-SPY-In-the-Wild/flux/1_fake/c.jpg",
        "CO-SPY-In-the-Wild/lexica/d.jpg",
        "+reals/some/e.jpg",
    ],
    "AIGI-Now": [
        "FLUX-kera/pix/0_coco/a.jpg",
        "FLUX-kera/pix/1_flux/b.jpg",
        "FLUX-kera/sem/0_coco/a.jpg",
        "FLUX-kera/sem/1_flux/b.jpg",
        "Kling/semantic/0_real/c.jpg",
        "keling/semantic/1_fake/d.jpg",
    ],
    "AIGCDetectBenchmark": [
        "test/progan/airplane/0_real/a.png",
        "test/progan/train/0_real/b.png",
        "test/progan/train/1_fake/c.png",
        "test/cyclegan/horse/1_fake/d.png",
        "test/cyclegan/zebra/0_real/e.png",
        "test/whichfaceisreal/0_real/f.jpg",
        "test/whichfaceisreal/1_fake/g.jpg",
    ],
    "ForenSynths": [
        "train/progan/cat/0_real/a.png",
        "val/progan/cat/0_real/b.png",
        "test/stylegan/bedroom/0_real/c.png",
        "test/stylegan/car/1_fake/d.png",
        "test/stylegan2/horse/0_real/e.png",
        "test/stylegan2/church/1_fake/f.png",
        "test/deepfake/0_real/g.png",
        "test/deepfake/1_fake/h.png",
    ],
    "Synthbuster": [
        "synthbuster/dalle2/r000da54ft.png",
        "synthbuster/dalle3/r000da54ft.png",
        "synthbuster/midjourney-v5/r000da54ft.png",
        "+real_RAISE_1k/r000da54ft.png",
        "+real_RAISE_1k/r001d260dt.png",
    ],
    "SynthWildX": [
        "dalle3/F_g5.jpg",
        "firefly/F_jA.jpg",
        "midjourney/F_oH.jpg",
        "midjourney/F_ob.jpg",
        "real/F_p1.jpg",
        "real/F_p2.jpg",
    ],  # fmt: skip
    "EvalGEN": ["FLUX/00000_0.jpg", "FLUX/00000_1.jpg", "FLUX/00001_0.jpg", "GoT/00000_0.jpg", "GoT/00000_10.jpg"],
    "DDA-COCO": ["val2017/1.png", "val2017/2.png", "sd21/1.png", "sd21/2.png", "sdxl/1.png", "sdxl/val2017/2.png"],
}  # paths under +folder are the real pictures that lie elsewhere
COUNTS = {
    "GenImage": {
        ("stable_diffusion_v_1_4", 0): 2, ("stable_diffusion_v_1_4", 1): 1, ("Midjourney", 0): 1, ("Midjourney", 1): 1,
        ("BigGAN", 0): 1, ("BigGAN", 1): 1,
    },
    "DRCT-2M": {
        ("ldm-text2im-large-256", 0): 2, ("ldm-text2im-large-256", 1): 1, ("sdxl-turbo", 0): 2, ("sdxl-turbo", 1): 2,
    },
    "BFree-Online": {("bfree_online", 0): 3, ("bfree_online", 1): 1},
    "WildRF": {
        ("reddit", 0): 1, ("reddit", 1): 1, ("twitter", 0): 1, ("twitter", 1): 1, ("facebook", 0): 1,
        ("facebook", 1): 2,
    },
    "AIGIBench": {
        ("CommunityAI", 0): 1, ("CommunityAI", 1): 1, ("SocialRF", 0): 1, ("SocialRF", 1): 1, ("ProGAN", 0): 1,
        ("ProGAN", 1): 1,
    },
    "Chameleon": {("chameleon", 0): 2, ("chameleon", 1): 1},
    "CO-SPY-Bench": {
        ("mscoco/stabilityai@sdxl-turbo", 0): 1, ("mscoco/stabilityai@sdxl-turbo", 1): 2,
        ("cc3m/stabilityai@sdxl-turbo", 0): 1, ("cc3m/stabilityai@sdxl-turbo", 1): 1,
        ("cc3m/black-forest-labs@FLUX.1-dev", 0): 1, ("cc3m/black-forest-labs@FLUX.1-dev", 1): 1,
    },
    "CO-SPY-In-the-Wild": {
        ("civitai", 0): 2, ("civitai", 1): 1, ("instavibeai", 0): 1, ("instavibeai", 1): 1, ("lexica", 0): 1,
        ("lexica", 1): 1,
    },
    "AIGI-Now": {
        ("flux-krea/pixel", 0): 1, ("flux-krea/pixel", 1): 1, ("flux-krea/semantic", 0): 1,
        ("flux-krea/semantic", 1): 1,
        ("keling/semantic", 0): 1, ("keling/semantic", 1): 1,
    },
    "AIGCDetectBenchmark": {
        ("progan", 0): 2, ("progan", 1): 1, ("cyclegan", 0): 1, ("cyclegan", 1): 1, ("whichfaceisreal", 0): 1,
        ("whichfaceisreal", 1): 1,
    },
    "ForenSynths": {
        ("stylegan", 0): 1, ("stylegan", 1): 1, ("stylegan2", 0): 1, ("stylegan2", 1): 1, ("deepfake", 0): 1,
        ("deepfake", 1): 1,
    },
    "Synthbuster": {
        ("dalle2", 0): 2, ("dalle2", 1): 1, ("dalle3", 0): 2, ("dalle3", 1): 1, ("midjourney-v5", 0): 2,
        ("midjourney-v5", 1): 1,
    },
    "SynthWildX": {
        ("dalle3", 0): 2, ("dalle3", 1): 1, ("firefly", 0): 2, ("firefly", 1): 1, ("midjourney", 0): 2,
        ("midjourney", 1): 2,
    },
    "EvalGEN": {("FLUX", 1): 2, ("GoT", 1): 1},
    "DDA-COCO": {("sd21", 0): 2, ("sd21", 1): 2, ("sdxl", 0): 2, ("sdxl", 1): 2},
}  # fmt: skip


@pytest.fixture
def little():
    """A small picture of its own content for every number, as bytes."""

    def make(number: int, form: str = "PNG") -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form)
        return file.getvalue()

    return make


@pytest.fixture
def lay(tmp_path, little):
    """Lay out a tree of pictures: (name, paths) -> its folder; what begins with + lies beside it."""

    def make(name: str, *files: str):
        for number, file in enumerate(files or TREES[name], start=zlib.crc32(name.encode())):
            path = tmp_path / (file[1:] if file.startswith("+") else f"{name}/{file}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(little(number, "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG"))
        return tmp_path / name

    return make


@pytest.fixture
def packed(tmp_path, little):
    """Write a tar file of (name or TarInfo, bytes) members under a folder: -> the folder."""

    def make(name: str, *members, folder: str = "now"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as tar:
            for number, member in enumerate(members):
                info = tarfile.TarInfo(member) if isinstance(member, str) else member
                data = little(number) if info.isreg() else b""
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return tmp_path / folder

    return make


@pytest.fixture
def table(tmp_path, little):
    """A benchmark of one Parquet file with pictures and outlines, as X-AIGD has it: rows -> its folder."""

    def make(*rows: dict, name: str = "labeled_test-00000-of-00001.parquet"):
        plain = {"generator": "FLUX.1-dev", "uid": "000", "labels": [], "width": 8, "height": 8}
        rows = [plain | {"image": {"bytes": little(i), "path": f"{i}.png"}} | row for i, row in enumerate(rows)]
        (tmp_path / "xaigd" / "data").mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(tmp_path / "xaigd" / "data" / name)
        return tmp_path / "xaigd"

    return make


def counts(rows: pd.DataFrame) -> dict:
    usable = rows[(rows["reason"] == "") & (rows["label"] >= 0)]
    return dict(Counter(zip(usable["subset"], usable["label"], strict=True)))


def reasons(rows: pd.DataFrame) -> dict[str, str]:
    lost = rows[rows["reason"] != ""]
    return {os.path.basename(path): reason for path, reason in zip(lost["path"], lost["reason"], strict=True)}


def text(name: str, root, tmp_path) -> str:
    beside = [file[1:].split("/")[0] for file in TREES[name] if file.startswith("+")]
    return ":".join([name, str(root), *[str(tmp_path / folder) for folder in beside[:1]]])


def test_there_is_a_miniature_of_every_benchmark():
    assert set(TREES) == set(COUNTS) == set(LAYOUTS) - {"X-AIGD"}
    assert {key(name) for name in LAYOUTS} == set(published.BENCHMARKS)


@pytest.mark.parametrize("name", TREES)
def test_a_benchmark_has_the_subsets_and_classes_counted_by_hand(lay, tmp_path, name):
    rows = benchmarks.rows(text(name, lay(name), tmp_path))
    assert counts(rows) == COUNTS[name] and set(rows["benchmark"]) == {key(name)}
    assert {"path", "label", "subset", "generator", "benchmark", "reason"} <= set(rows)
    assert set(rows.loc[rows["reason"] != "", "label"]) <= {-1}


def test_x_aigd_gives_its_fakes_and_its_masks(table):
    square = {"label": "low-level-texture", "points": [[1.0, 1.0], [4.9, 1.0], [4.0, 4.0], [1.0, 4.0]]}
    bad = {"label": "high-level-semantics", "points": [[1.0, 1.0], [2.0, 2.0]]}
    root = table({"labels": [square]}, {"uid": "001", "labels": [bad]}, {"generator": "sd3", "labels": None})
    table({"uid": "777"}, name="labeled_train-00000-of-00001.parquet")
    rows = benchmarks.rows(f"X-AIGD:{root}")
    assert counts(rows) == {("FLUX.1-dev", 1): 2, ("sd3", 1): 1}
    assert "only what is unpacked" in reasons(rows)["labeled_train-00000-of-00001.parquet"]
    assert "fewer than three points" in reasons(rows)["001"] and "masks of artifacts" in reasons(rows)["masks"]
    picture = rows.loc[rows["path"].str.endswith("FLUX.1-dev/000.png"), "path"].item()
    mask = np.asarray(Image.open(shards.masks(picture)["low-level-texture"]))
    assert mask.shape == (8, 8) and set(np.unique(mask)) == {0, 255}
    assert mask[1:5, 1:5].all() and mask.sum() == 255 * 16


def test_tables_do_not_write_outside_their_folder(table, tmp_path):
    root = table({"generator": "../../.."}, {"uid": "a/b"}, {"uid": "ok", "labels": [{"label": "../x", "points": []}]})
    rows = benchmarks.rows(f"X-AIGD:{root}")
    assert counts(rows) == {("FLUX.1-dev", 1): 1}
    said = Counter(rows.loc[rows["reason"] != "", "reason"])
    assert said == {"its name leads out of the table": 2, "no mask for a category called '../x'": 1}


def test_tar_shards_are_read_like_the_folders_inside_them(packed):
    packed("train/a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg", "gpt4o/pixel/1_fake/2.json")
    root = packed("train/b.tar.gz", "keling/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg")
    rows = benchmarks.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("gpt4o/pixel", 0): 1, ("gpt4o/pixel", 1): 2, ("keling/pixel", 0): 1}
    assert all(path.startswith(str(paths.built())) for path in rows.loc[rows["reason"] == "", "path"])


def test_a_shard_is_unpacked_once_and_again_when_it_changes_or_was_interrupted(packed, monkeypatch):
    root = packed("a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg")
    opened, real = [], tarfile.open
    monkeypatch.setattr(tarfile, "open", lambda *args: opened.append(args) or real(*args))
    for _ in range(2):
        assert sum(counts(benchmarks.rows(f"AIGI-Now:{root}")).values()) == 2
    assert len(opened) == 1
    (shards.home(root) / "a.tar" / shards.TOLD).unlink()
    (shards.home(root) / ".part-a.tar" / "rest").mkdir(parents=True)
    assert sum(counts(benchmarks.rows(f"AIGI-Now:{root}")).values()) == 2 and len(opened) == 2
    monkeypatch.setattr(tarfile, "open", real)
    packed("a.tar", "gpt4o/pixel/0_real/1.jpg", "gpt4o/pixel/1_fake/2.jpg", "gpt4o/pixel/1_fake/3.jpg")
    assert sum(counts(benchmarks.rows(f"AIGI-Now:{root}")).values()) == 3


def test_no_member_of_an_archive_leaves_its_folder(packed, tmp_path):
    link, device = tarfile.TarInfo("g/1_fake/link.png"), tarfile.TarInfo("g/1_fake/pipe.png")
    link.type, link.linkname, device.type = tarfile.SYMTYPE, "/etc", tarfile.FIFOTYPE
    hard = tarfile.TarInfo("g/1_fake/hard.png")
    hard.type, hard.linkname = tarfile.LNKTYPE, "../../../../secret.png"
    names = ["../../../../out.png", str(tmp_path / "absolute.png"), "g/1_fake/../../../up.png", "g\\..\\back.png"]
    root = packed("a.tar", link, "g/1_fake/link.png/in.png", device, hard, *names, "g/1_fake/good.png")
    before = {path for path in tmp_path.rglob("*")}
    rows = benchmarks.rows(f"AIGI-Now:{root}")
    said = reasons(rows)
    assert counts(rows) == {("g", 1): 2}
    assert [said[name] for name in ("link.png", "pipe.png", "hard.png")] == ["a link or a device, not a file"] * 3
    outside = ["out.png", "absolute.png", "up.png", "g\\..\\back.png"]
    assert [said[name] for name in outside] == ["its path leads out of the archive"] * 4
    assert {path for path in tmp_path.rglob("*")} == before
    home = shards.home(root)
    assert {path.name for path in paths.built().rglob("*.png") if home not in path.parents}.isdisjoint(outside)


def test_a_member_that_is_there_twice_or_has_an_endless_name_does_not_stop_the_rest(packed):
    root = packed("a.tar", "g/1_fake/a.png", "g/1_fake/a.png", f"g/1_fake/{'x' * 300}.png", "g/0_real/b.png")
    rows = benchmarks.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("g", 0): 1, ("g", 1): 1}
    assert sum("cannot be written under its name" in reason for reason in rows["reason"]) == 2


@pytest.mark.parametrize("name,cut", [("a.tar", 700), ("a.tar", 1024), ("a.tar.gz", 60)])
def test_an_archive_that_is_cut_short_says_so(packed, name, cut):
    packed("whole.tar", "g/1_fake/a.png", "g/0_real/b.png")
    root = packed(name, "h/1_fake/c.png", "h/0_real/d.png")
    (root / name).write_bytes((root / name).read_bytes()[:cut])
    rows = benchmarks.rows(f"AIGI-Now:{root}")
    assert counts(rows).items() >= {("g", 0): 1, ("g", 1): 1}.items()
    assert "cut short or damaged" in reasons(rows)[name]


def test_folders_to_train_on_are_no_test(lay, tmp_path):
    for name, folder in (("GenImage", "train"), ("WildRF", "val"), ("DRCT-2M", "fake_rec_images")):
        assert "to train" in reasons(benchmarks.rows(text(name, lay(name), tmp_path)))[folder]


def test_the_category_train_is_no_folder_to_train_on(lay):
    rows = benchmarks.rows(
        f"ForenSynths:{lay('ForenSynths', 'test/progan/train/0_real/a.png', 'test/progan/1_fake/b.png')}"
    )
    assert counts(rows) == {("progan", 0): 1, ("progan", 1): 1} and not reasons(rows)


def test_archives_and_unfinished_downloads_are_listed(lay):
    root = lay("GenImage")
    for name in ("imagenet_glide.z01", "imagenet_glide.zip", "wukong.7z", "x.zip.part", "y.zip.001", "notes.txt"):
        (root / name).write_bytes(b"PK")
    said = reasons(benchmarks.rows(f"GenImage:{root}"))
    assert "only what is unpacked" in said["imagenet_glide.z01"] == said["imagenet_glide.zip"] == said["wukong.7z"]
    assert "only what is unpacked" in said["y.zip.001"] and "not been finished" in said["x.zip.part"]
    assert "notes.txt" not in said


def test_half_a_subset_is_told(lay):
    root = lay("GenImage", "ADM/val/nature/a.png", "glide/val/ai/b.png", "VQDM/val/ai/c.png", "VQDM/val/nature/d.png")
    rows = benchmarks.rows(f"GenImage:{root}")
    told = rows[rows["reason"].str.contains(" has no ")]
    assert dict(zip(told["subset"], told["reason"], strict=True)) == {
        "ADM": "ADM has no fakes: is all of it unpacked?",
        "glide": "glide has no real pictures: is all of it unpacked?",
    }
    assert len(counts(rows)) == 4 and set(told["label"]) == {-1}


def test_fakes_whose_reals_lie_elsewhere_say_where_and_load_without(lay):
    rows = benchmarks.rows(f"Synthbuster:{lay('Synthbuster')}")
    assert counts(rows) == {("dalle2", 1): 1, ("dalle3", 1): 1, ("midjourney-v5", 1): 1}
    assert rows["reason"].str.contains("RAISE-1k.*Synthbuster:DIR:REALS_DIR").sum() == 3
    assert not reasons(benchmarks.rows(f"EvalGEN:{lay('EvalGEN', 'FLUX/1_0.jpg')}"))


def test_fakes_among_the_reals_are_struck(lay, tmp_path):
    root = lay("Synthbuster", "dalle2/a.png", "+raise/b.png", "+raise/1_fake/c.png")
    rows = benchmarks.rows(f"Synthbuster:{root}:{tmp_path / 'raise'}")
    assert counts(rows) == {("dalle2", 0): 1, ("dalle2", 1): 1}
    assert reasons(rows) == {"c.png": "stands in a folder of the other class"}


def test_reals_of_a_collection_without_fakes_compare_with_nothing(lay, tmp_path):
    rows = benchmarks.rows(text("CO-SPY-Bench", lay("CO-SPY-Bench"), tmp_path))
    assert rows["reason"].str.contains("no fakes to compare sbu with").sum() == 1


def test_shared_reals_stand_once_in_each_subset_of_the_table(lay, tmp_path, small):
    rows = sources.collect(small(test=[text("DRCT-2M", lay("DRCT-2M"), tmp_path)]))
    usable = rows[(rows["reason"] == "") & (rows["label"] == 0)]
    assert len(usable) == 4 and not usable.duplicated(["subset", "image_id"]).any() and usable["path"].nunique() == 2


def test_all_benchmarks_together_make_a_test_table(lay, tmp_path, new_run, small):
    asked = [text(name, lay(name), tmp_path) for name in TREES]
    made = sets.test(new_run(), small(test=asked, test_images=0))
    made["subset"] = [name.removeprefix(f"{b}/") for name, b in zip(made["subset"], made["benchmark"], strict=True)]
    for name in TREES:
        assert counts(made[made["benchmark"] == key(name)]) == COUNTS[name]
    assert made["benchmark"].nunique() == len(TREES) and set(made["reason"]) == {""}


def test_neither_or_both_labels_and_loops_are_listed_and_the_rest_goes_on(lay):
    root = lay("GenImage", "ADM/val/ai/a.png", "ADM/val/nature/b.png", "ADM/loose.png", "ADM/ai/nature/both.png")
    (root / "ADM" / "val" / "again").symlink_to(root)
    rows = benchmarks.rows(f"GenImage:{root}")
    assert counts(rows) == {("ADM", 0): 1, ("ADM", 1): 1}
    said = reasons(rows)
    assert "no folder above" in said["loose.png"] and "both" in said["both.png"] and "link back" in said["again"]


def test_fakes_that_no_folder_names_are_listed(lay):
    assert (
        "no folder above" in reasons(benchmarks.rows(f"DRCT-2M:{lay('DRCT-2M', 'a/x.png', 'loose.png')}"))["loose.png"]
    )


def test_a_folder_that_does_not_open_is_listed(lay, monkeypatch):
    root = lay("WildRF")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("twitter"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    rows = benchmarks.rows(f"WildRF:{root}")
    assert "cannot be opened" in reasons(rows)["twitter"] and counts(rows)[("reddit", 0)] == 1


def test_names_that_are_no_utf_8_are_listed_and_can_be_stored(lay, tmp_path, small):
    root = lay("WildRF")
    for name in (b"na\xefve.jpg", "schön Ω\n.jpg".encode()):
        with open(os.fsencode(root / "WildRF/test/reddit/1_fake") + b"/" + name, "wb") as file:
            file.write((root / "WildRF/test/reddit/1_fake/d.jpg").read_bytes() + name)
    rows = sources.collect(small(test=[f"WildRF:{root}"]))
    rows.to_parquet(tmp_path / "rows.parquet")
    assert counts(rows)[("reddit", 1)] == 2 and reasons(rows)["na\\xefve.jpg"] == folders.UNKNOWN_NAME
    assert questions.there(small(test=[f"WildRF:{root}"]))


def test_a_tar_with_names_of_any_encoding_is_unpacked(packed):
    root = packed("a.tar", "g/1_fake/na\udcefve.png", "g/1_fake/Ω.png", "g/0_real/._b.png", ".unpacked.json/c.png")
    rows = benchmarks.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("g", 1): 1} and reasons(rows)["na\\xefve.png"] == folders.UNKNOWN_NAME
    assert counts(benchmarks.rows(f"AIGI-Now:{root}")) == {("g", 1): 1}


def test_a_number_is_no_label(lay):
    root = lay("AIGI-Now", "gpt4o/pixel/1_fake/0001/a.jpg", "gpt4o/pixel/0/b.jpg", "gpt4o/pixel/1_real/c.jpg")
    rows = benchmarks.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("gpt4o/pixel", 0): 1, ("gpt4o/pixel", 1): 2} and not reasons(rows)


def test_a_misspelt_generator_has_one_name(lay):
    root = lay("AIGI-Now", *[f"{name}/pix/{label}_x/a.jpg" for name in ("FLUX-kera", "FLUX-krea") for label in (0, 1)])
    assert counts(benchmarks.rows(f"AIGI-Now:{root}")) == {("flux-krea/pixel", 0): 2, ("flux-krea/pixel", 1): 2}


def test_a_list_beside_the_folders_is_compared_with_them(lay):
    root = lay("BFree-Online")
    lines = ["REAL/Ed7JvuVXsAUTp-j/img00400.jpg,REAL", "REAL/Ed7JvuVXsAUTp-j/img00401.jpg,FAKE", "FAKE/gone/i.jpg,FAKE"]
    (root / "BFree_viral_images.csv").write_text("\n".join(["filename,label", *lines]))
    rows = benchmarks.rows(f"BFree-Online:{root}")
    said = reasons(rows)
    assert "do not say the same" in said["img00401.jpg"] and "not there" in said["i.jpg"]
    assert counts(rows) == {("bfree_online", 0): 2, ("bfree_online", 1): 1}


def test_a_csv_list_gives_labels_and_subsets(lay, tmp_path, small):
    root = lay("pictures", "a.png", "b.png", "c.png", "d.png", "e.png")
    lines = ["a.png;Real;x", "b.png;1;x", "c.png;real;y", "c.png;fake;y", "d.png;maybe;y", "e.png;0;", "gone.png;1;x"]
    (root / "list.csv").write_text("\ufeff" + "\n".join(["Path;Label;Subset", *lines, lines[0]]))
    rows = sources.collect(small(test=[str(root / "list.csv")]))
    assert counts(rows) == {("x", 0): 1, ("x", 1): 1, ("list", 0): 1}
    said = reasons(rows)
    assert (
        "both real and fake" in said["c.png"]
        and "'maybe', neither" in said["d.png"]
        and "not there" in said["gone.png"]
    )
    assert set(rows["benchmark"]) == {"list"}


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "path,colour\na.png,red\n"])
def test_a_csv_without_the_columns_is_refused(tmp_path, content):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(Refused, match="no column for the .*: call one of its columns"):
        benchmarks.rows(str(tmp_path / "x.csv"))


def test_what_is_not_there_says_where_to_get_it(tmp_path, small):
    for name in LAYOUTS:
        with pytest.raises(Refused, match=f"^{name} is not at .*download from "):
            questions.there(small(test=[f"{name}:{tmp_path / 'nothing'}"]))
    (tmp_path / "Chameleon").mkdir()
    with pytest.raises(Refused, match="No picture of Chameleon .* on request"):
        benchmarks.rows(f"Chameleon:{tmp_path / 'Chameleon'}")
    (tmp_path / "Chameleon" / "Chameleon.zip").touch()
    with pytest.raises(Refused, match="an archive: only what is unpacked counts"):
        benchmarks.rows(f"Chameleon:{tmp_path / 'Chameleon'}")


def test_missing_reals_say_where_to_get_them(lay, tmp_path):
    for door in (benchmarks.rows, benchmarks.parts):
        with pytest.raises(Refused, match="real pictures of DRCT-2M are not at .*MSCOCO val2017"):
            door(f"DRCT-2M:{lay('DRCT-2M')}:{tmp_path / 'nothing'}")
    with pytest.raises(Refused, match="GenImage has its own real pictures"):
        benchmarks.rows(f"GenImage:{lay('GenImage')}:{tmp_path / 'coco'}")


def test_a_folder_to_train_on_is_refused(lay, tmp_path):
    forensic, fakes = lay("ForenSynths"), lay("DRCT-2M")
    for asked in (f"ForenSynths:{forensic / 'train'}", f"DRCT-2M:{fakes}:{tmp_path / 'coco' / 'train2017'}"):
        with pytest.raises(Refused, match="to train.* give the one above it"):
            benchmarks.rows(asked)


def test_names_are_forgiving_and_unknown_ones_are_refused(lay, tmp_path):
    root = lay("GenImage")
    assert benchmarks.split(f"genimage:{root}") == ("GenImage", [str(root)])
    assert benchmarks.split("drct2m:a:b") == ("DRCT-2M", ["a", "b"])
    assert benchmarks.split("data/raw/set") == ("", ["data/raw/set"])
    odd = tmp_path / "GenImage:mine"
    odd.mkdir()
    assert benchmarks.split(str(odd)) == ("", [str(odd)]) and benchmarks.split(f"WildRF:{odd}")[1] == [str(odd)]
    with pytest.raises(Refused, match="did you mean 'GenImage'"):
        benchmarks.split(f"GenImag:{root}")
    with pytest.raises(Refused, match="write GenImage:DIR"):
        benchmarks.split("GenImage:")


def test_all_folders_of_a_benchmark_belong_to_the_question(lay, tmp_path, small):
    asked = text("DRCT-2M", lay("DRCT-2M"), tmp_path)
    assert {str(tmp_path / "DRCT-2M"), str(tmp_path / "coco")} <= set(questions.there(small(test=[asked, "world"])))


@pytest.fixture
def reads(monkeypatch):
    """The files that decode.identify has read."""
    seen, identify = [], decode.identify
    monkeypatch.setattr(decode, "identify", lambda path: seen.append(os.path.basename(path)) or identify(path))
    return seen


def test_a_second_scan_opens_no_file(lay, reads):
    root = lay("WildRF")
    first = folders.identified(benchmarks.rows(f"WildRF:{root}"))
    assert sorted(reads) == ["c.jpg", "d.jpg", "e.jpg", "f.jpg", "g.jpg", "h.jpg", "i.jpg", "train", "val"]
    reads.clear()
    second = folders.identified(benchmarks.rows(f"WildRF:{root}"))
    pd.testing.assert_frame_equal(first, second)
    assert set(reads) <= {"train", "val"}


@pytest.mark.parametrize("longer,later", [(1, 0), (0, 1)])
def test_a_file_of_another_size_or_time_is_read_again(lay, reads, longer, later):
    root = lay("WildRF")
    first = folders.identified(benchmarks.rows(f"WildRF:{root}")).set_index("path")["image_id"]
    changed = root / "WildRF/test/reddit/0_real/c.jpg"
    facts = changed.stat()
    changed.write_bytes(changed.read_bytes()[:-1] + b"xx"[: 1 + longer])
    os.utime(changed, ns=(facts.st_atime_ns, facts.st_mtime_ns + later))
    reads.clear()
    second = folders.identified(benchmarks.rows(f"WildRF:{root}")).set_index("path")["image_id"]
    assert "c.jpg" in reads and "d.jpg" not in reads
    assert first.index[first != second].tolist() == [str(changed)]


def test_reals_that_several_subsets_share_are_read_once(lay, tmp_path, reads):
    folders.identified(benchmarks.rows(text("Synthbuster", lay("Synthbuster"), tmp_path)))
    assert Counter(reads)["r001d260dt.png"] == 1


def test_a_damaged_memory_is_no_memory(lay, reads):
    root = lay("WildRF")
    folders.identified(benchmarks.rows(f"WildRF:{root}"))
    place = memory.where(root)
    assert place.is_file()
    for damage in (b"", b"PAR1 and no more", json.dumps({"path": 1}).encode()):
        place.write_bytes(damage)
        reads.clear()
        rows = folders.identified(benchmarks.rows(f"WildRF:{root}"))
        assert "c.jpg" in reads and counts(rows) == COUNTS["WildRF"]
    for columns in (["path"], ["path", *memory.STAMP, *memory.FACTS]):
        pd.DataFrame([["x"] * len(columns)], columns=columns).to_parquet(place)
        assert counts(folders.identified(benchmarks.rows(f"WildRF:{root}"))) == COUNTS["WildRF"]


def test_what_could_not_be_read_is_tried_again(lay, reads):
    root = lay("WildRF")
    (root / "WildRF/test/reddit/0_real/empty.jpg").touch()
    for _ in range(2):
        rows = folders.identified(benchmarks.rows(f"WildRF:{root}"))
    assert Counter(reads)["empty.jpg"] == 2 and reasons(rows)["empty.jpg"] == "the file is empty"


def test_a_scan_that_is_killed_goes_on_where_it_last_wrote(lay, monkeypatch, reads):
    root = lay("WildRF")
    rows = benchmarks.rows(f"WildRF:{root}")
    monkeypatch.setattr(memory, "CHUNK", 3)
    real, left = memory._remember, iter([1])
    monkeypatch.setattr(memory, "_remember", lambda *args: real(*args) if next(left, 0) else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        folders.identified(rows)
    monkeypatch.setattr(memory, "_remember", real)
    reads.clear()
    folders.identified(rows)
    assert len(reads) == len(set(rows["path"])) - 3


def test_a_place_where_nothing_can_be_written_costs_only_the_memory(lay, monkeypatch, tmp_path):
    root = lay("WildRF")
    (tmp_path / "file").touch()
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "file"))
    assert counts(folders.identified(benchmarks.rows(f"WildRF:{root}"))) == COUNTS["WildRF"]
