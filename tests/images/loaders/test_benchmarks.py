"""Benchmarks: each in a miniature of its true layout, counted by hand, and every trap that they set."""

import os

import pandas as pd
import pytest

from aligngemini.analysis import published
from aligngemini.core import run_spec
from aligngemini.core.params import Refused
from aligngemini.images import decode, sets, sources
from aligngemini.images.loaders import benchmark_rows, benchmarks, skips
from aligngemini.images.loaders.benchmarks import LAYOUTS, key
from tests.images.miniatures import COUNTS, TREES, counts, reasons, text


def test_there_is_a_miniature_of_every_benchmark():
    assert set(TREES) == set(COUNTS) == set(LAYOUTS) - {"X-AIGD"}
    assert {key(name) for name in LAYOUTS} == set(published.BENCHMARKS)


@pytest.mark.parametrize("name", TREES)
def test_a_benchmark_has_the_subsets_and_classes_counted_by_hand(lay, tmp_path, name):
    rows = benchmark_rows.rows(text(name, lay(name), tmp_path))
    assert counts(rows) == COUNTS[name] and set(rows["benchmark"]) == {key(name)}
    assert {"path", "label", "subset", "generator", "benchmark", "reason"} <= set(rows)
    assert set(rows.loc[rows["reason"] != "", "label"]) <= {-1}


def test_folders_to_train_on_are_no_test(lay, tmp_path):
    for name, folder in (("GenImage", "train"), ("WildRF", "val"), ("DRCT-2M", "fake_rec_images")):
        assert "to train" in reasons(benchmark_rows.rows(text(name, lay(name), tmp_path)))[folder]


def test_the_category_train_is_no_folder_to_train_on(lay):
    listing = lay("ForenSynths", "test/progan/train/0_real/a.png", "test/progan/1_fake/b.png")
    rows = benchmark_rows.rows(f"ForenSynths:{listing}")
    assert counts(rows) == {("progan", 0): 1, ("progan", 1): 1} and not reasons(rows)


def test_archives_and_unfinished_downloads_are_listed(lay):
    root = lay("GenImage")
    for name in ("imagenet_glide.z01", "imagenet_glide.zip", "wukong.7z", "x.zip.part", "y.zip.001", "notes.txt"):
        (root / name).write_bytes(b"PK")
    said = reasons(benchmark_rows.rows(f"GenImage:{root}"))
    assert "only what is unpacked" in said["imagenet_glide.z01"] == said["imagenet_glide.zip"] == said["wukong.7z"]
    assert "only what is unpacked" in said["y.zip.001"] and "not been finished" in said["x.zip.part"]
    assert said["notes.txt"] == skips.TEXT


def test_half_a_subset_is_told(lay):
    root = lay("GenImage", "ADM/val/nature/a.png", "glide/val/ai/b.png", "VQDM/val/ai/c.png", "VQDM/val/nature/d.png")
    rows = benchmark_rows.rows(f"GenImage:{root}")
    told = rows[rows["reason"].str.contains(" has no ")]
    assert dict(zip(told["subset"], told["reason"], strict=True)) == {
        "ADM": "ADM has no fakes: is all of it unpacked?",
        "glide": "glide has no real pictures: is all of it unpacked?",
    }
    assert len(counts(rows)) == 4 and set(told["label"]) == {-1}


def test_fakes_whose_reals_lie_elsewhere_say_where_and_load_without(lay):
    rows = benchmark_rows.rows(f"Synthbuster:{lay('Synthbuster')}")
    assert counts(rows) == {("dalle2", 1): 1, ("dalle3", 1): 1, ("midjourney-v5", 1): 1}
    assert rows["reason"].str.contains("RAISE-1k.*Synthbuster:DIR:REALS_DIR").sum() == 3
    assert not reasons(benchmark_rows.rows(f"EvalGEN:{lay('EvalGEN', 'FLUX/1_0.jpg')}"))


def test_fakes_among_the_reals_are_struck(lay, tmp_path):
    root = lay("Synthbuster", "dalle2/a.png", "+raise/b.png", "+raise/1_fake/c.png")
    rows = benchmark_rows.rows(f"Synthbuster:{root}:{tmp_path / 'raise'}")
    assert counts(rows) == {("dalle2", 0): 1, ("dalle2", 1): 1}
    assert reasons(rows) == {"c.png": "stands in a folder of the other class"}


def test_reals_of_a_collection_without_fakes_compare_with_nothing(lay, tmp_path):
    rows = benchmark_rows.rows(text("CO-SPY-Bench", lay("CO-SPY-Bench"), tmp_path))
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
    rows = benchmark_rows.rows(f"GenImage:{root}")
    assert counts(rows) == {("ADM", 0): 1, ("ADM", 1): 1}
    said = reasons(rows)
    assert "no folder above" in said["loose.png"] and "both" in said["both.png"] and "link back" in said["again"]


def test_fakes_that_no_folder_names_are_listed(lay):
    rows = benchmark_rows.rows(f"DRCT-2M:{lay('DRCT-2M', 'a/x.png', 'loose.png')}")
    assert "no folder above" in reasons(rows)["loose.png"]


def test_a_folder_that_does_not_open_is_listed(lay, lock):
    root = lay("WildRF")
    lock("twitter")
    rows = benchmark_rows.rows(f"WildRF:{root}")
    assert "cannot be opened" in reasons(rows)["twitter"] and counts(rows)[("reddit", 0)] == 1


def test_names_that_are_no_utf_8_count_and_can_be_stored(lay, tmp_path, small):
    root = lay("WildRF")
    for name in (b"na\xefve.jpg", "schön Ω\n.jpg".encode()):
        with open(os.fsencode(root / "WildRF/test/reddit/1_fake") + b"/" + name, "wb") as file:
            file.write((root / "WildRF/test/reddit/1_fake/d.jpg").read_bytes() + name)
    rows = sources.collect(small(test=[f"WildRF:{root}"]))
    rows.to_parquet(tmp_path / "rows.parquet")
    assert counts(rows)[("reddit", 1)] == 3 and not {"na\\xefve.jpg", "schön Ω\n.jpg"} & set(reasons(rows))
    stored = pd.read_parquet(tmp_path / "rows.parquet")
    assert all(
        decode.identify(row.path)["image_id"] == row.image_id for row in stored[stored.image_id != ""].itertuples()
    )
    assert run_spec.sources(small(test=[f"WildRF:{root}"]))


def test_a_number_is_no_label(lay):
    root = lay("AIGI-Now", "gpt4o/pixel/1_fake/0001/a.jpg", "gpt4o/pixel/0/b.jpg", "gpt4o/pixel/1_real/c.jpg")
    rows = benchmark_rows.rows(f"AIGI-Now:{root}")
    assert counts(rows) == {("gpt4o/pixel", 0): 1, ("gpt4o/pixel", 1): 2} and not reasons(rows)


def test_copies_of_one_picture_are_resampled_together(lay, small, new_run):
    rows = sets.test(new_run(), small(test=[f"RR-Dataset:{lay('RR-Dataset')}"], test_images=0))
    real, fake = (rows[rows["label"] == label].groupby("pair_id")["subset"].agg(set) for label in (0, 1))
    assert list(real) == [{"original", "transfer", "redigital"}] and sorted(map(len, fake)) == [1, 3]
    posted = benchmark_rows.rows(f"BFree-Online:{lay('BFree-Online')}")
    assert sorted(posted.groupby("pair_id").size()) == [1, 1, 2]


def test_the_folders_that_the_authors_of_rr_dataset_describe_are_read_too(lay):
    root = lay("RR-Dataset", "original/real_images/real_1.png", "original/ai_images/Politics_1.png")
    assert counts(benchmark_rows.rows(f"RR-Dataset:{root}")) == {("original", 0): 1, ("original", 1): 1}


def test_a_misspelt_generator_has_one_name(lay):
    root = lay("AIGI-Now", *[f"{name}/pix/{label}_x/a.jpg" for name in ("FLUX-kera", "FLUX-krea") for label in (0, 1)])
    assert counts(benchmark_rows.rows(f"AIGI-Now:{root}")) == {("flux-krea/pixel", 0): 2, ("flux-krea/pixel", 1): 2}


def test_what_is_not_there_says_where_to_get_it(tmp_path, small):
    for name in LAYOUTS:
        with pytest.raises(Refused, match=f"^{name} is not at .*download from "):
            run_spec.sources(small(test=[f"{name}:{tmp_path / 'nothing'}"]))
    (tmp_path / "Chameleon").mkdir()
    with pytest.raises(Refused, match="No picture of Chameleon .* on request"):
        benchmark_rows.rows(f"Chameleon:{tmp_path / 'Chameleon'}")
    (tmp_path / "Chameleon" / "Chameleon.zip").touch()
    with pytest.raises(Refused, match="an archive: only what is unpacked counts"):
        benchmark_rows.rows(f"Chameleon:{tmp_path / 'Chameleon'}")


def test_missing_reals_say_where_to_get_them(lay, tmp_path):
    for door in (benchmark_rows.rows, benchmark_rows.parts):
        with pytest.raises(Refused, match="real pictures of DRCT-2M are not at .*MSCOCO val2017"):
            door(f"DRCT-2M:{lay('DRCT-2M')}:{tmp_path / 'nothing'}")
    with pytest.raises(Refused, match="GenImage has its own real pictures"):
        benchmark_rows.rows(f"GenImage:{lay('GenImage')}:{tmp_path / 'coco'}")


def test_a_folder_to_train_on_is_refused(lay, tmp_path):
    forensic, fakes = lay("ForenSynths"), lay("DRCT-2M")
    for asked in (f"ForenSynths:{forensic / 'train'}", f"DRCT-2M:{fakes}:{tmp_path / 'coco' / 'train2017'}"):
        with pytest.raises(Refused, match="to train.* give the one above it"):
            benchmark_rows.rows(asked)


def test_names_are_forgiving_and_unknown_ones_are_refused(lay, tmp_path):
    root = lay("GenImage")
    assert benchmark_rows.split(f"genimage:{root}") == ("GenImage", [str(root)])
    assert benchmark_rows.split("drct2m:a:b") == ("DRCT-2M", ["a", "b"])
    assert benchmark_rows.split("data/raw/set") == ("", ["data/raw/set"])
    odd = tmp_path / "GenImage:mine"
    odd.mkdir()
    assert benchmark_rows.split(str(odd)) == ("", [str(odd)]) and benchmark_rows.split(f"WildRF:{odd}")[1] == [str(odd)]
    with pytest.raises(Refused, match="did you mean 'GenImage'"):
        benchmark_rows.split(f"GenImag:{root}")
    with pytest.raises(Refused, match="write GenImage:DIR"):
        benchmark_rows.split("GenImage:")


def test_all_folders_of_a_benchmark_belong_to_the_question(lay, tmp_path, small):
    asked = text("DRCT-2M", lay("DRCT-2M"), tmp_path)
    assert {str(tmp_path / "DRCT-2M"), str(tmp_path / "coco")} <= set(run_spec.sources(small(test=[asked, "world"])))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"alias": ["mine"]}, "Mine: Layout has no parameter 'alias': did you mean 'aliases'"),
        ({"passed": 3}, r"Mine: passed must be a list\[str\], got 3"),
        ({"depth": "two"}, "Mine: depth must be an int, got 'two'"),
        (["a"], r"Mine: it must hold lines `name: value`, got \['a'\]"),
    ],
)
def test_lines_of_benchmarks_yaml_that_say_nothing_are_refused_by_name(facts, words):
    with pytest.raises(Refused, match=words):
        benchmarks.layout("Mine", facts)
