"""`aligngemini data fetch unsplash`: the tables, then photographs in parallel, with a reason for each that is lost."""

import itertools

import pandas as pd
import pytest
from PIL import Image

from aligngemini.core import codes
from aligngemini.fetch import unsplash as unsplash_source
from aligngemini.images.loaders import folders, skips
from tests.fetch.conftest import jpeg, zipped


def test_photographs_lie_where_the_paper_recipe_looks_for_them(fetch, unsplash, root, served, capsys):
    assert fetch("unsplash", "--count", "6", "--width", "640") == codes.DONE
    assert "the terms of the Unsplash dataset" in capsys.readouterr().out
    rows = folders.scan(root / "unsplash")
    told = {"": 6, skips.HIDDEN: 2, skips.NOT_UNPACKED: 1}
    assert rows["reason"].value_counts().to_dict() == told and set(rows["label"]) == {-1}
    assert all("?w=640" in path for _, path, _ in served.asked if "cdn-of-photos" in path)
    assert fetch("unsplash", act="check") == codes.DONE


def test_more_photographs_are_added_and_none_fetched_twice(fetch, unsplash, root, served):
    assert fetch("unsplash", "--count", "4") == codes.DONE
    served.asked.clear()
    assert fetch("unsplash", "--count", "0") == codes.DONE
    assert len(served.got("cdn-of-photos")) == 6 and not served.got("/data/") and len(list(root.rglob("*.jpg"))) == 10


def test_lost_photographs_are_named_and_do_not_keep_the_others_from_coming(fetch, unsplash, served, root, capsys):
    served.status[f"photo-{unsplash[3]}"] = (404, -1)
    served.files[f"/cdn-of-photos/photo-{unsplash[5]}"] = b"<html>sign in</html>"
    served.status[f"photo-{unsplash[7]}"] = (503, 2)
    assert fetch("unsplash") == codes.FOUND
    said = capsys.readouterr().out
    assert "it is gone (HTTP 404)" in said and "not an image of a known format" in said and "8 of 9" in said
    table = pd.read_csv(root / "unsplash" / "left_out.csv")
    assert set(table["path"]) == {f"{unsplash[3]}.jpg", f"{unsplash[5]}.jpg"}
    served.status.clear()
    served.files[f"/cdn-of-photos/photo-{unsplash[5]}"] = jpeg(5)
    assert fetch("unsplash") == codes.DONE and not (root / "unsplash" / "left_out.csv").exists()


def test_what_the_cdn_has_no_more_does_not_keep_the_rest_from_being_complete(fetch, unsplash, served, capsys):
    served.status[f"photo-{unsplash[3]}"] = (404, -1)
    assert fetch("unsplash") == codes.FOUND and "unsplash: complete, 9 files" in capsys.readouterr().out
    assert fetch("unsplash", act="check") == codes.DONE


def test_a_kill_between_photographs_loses_none(fetch, unsplash, served, root, monkeypatch):
    def killed(items, *words):
        yield from itertools.islice(items, 3)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unsplash_source, "progress", killed)
        assert fetch("unsplash", "--workers", "1") == codes.STOPPED
    assert fetch("unsplash", act="check") == codes.FOUND
    served.asked.clear()
    assert fetch("unsplash") == codes.DONE and len(served.got("cdn-of-photos")) <= 7


def test_a_cdn_out_of_reach_is_one_sentence_and_not_thousands(fetch, unsplash, monkeypatch, capsys):
    monkeypatch.setattr(unsplash_source, "PATIENCE", 5)
    monkeypatch.setenv("ALIGNGEMINI_UNSPLASH_IMAGES", "http://127.0.0.1:9")
    assert fetch("unsplash") == codes.REFUSED
    assert "no photograph comes from http://127.0.0.1:9" in capsys.readouterr().err


def test_addresses_of_other_places_are_not_followed(fetch, unsplash, monkeypatch, served, root):
    table = "photo_id\tphoto_image_url\nx\thttps://evil.example/photo-x\n../y\thttps://images.unsplash.com/photo-y\n"
    served.files["/data/lite/latest"] = zipped({"photos.tsv000": table.encode()})
    monkeypatch.delenv("ALIGNGEMINI_UNSPLASH_IMAGES")
    assert fetch("unsplash") == codes.FOUND
    assert (root / "unsplash" / "left_out.csv").read_text().count("its address is not one of") == 1


def test_another_width_does_not_mix_with_the_first(fetch, unsplash, capsys):
    assert fetch("unsplash", "--count", "2") == codes.DONE
    assert fetch("unsplash", "--count", "2", "--width", "512") == codes.REFUSED
    assert "ask for --width 1024" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["unsplash/unsplash-research-dataset-lite-1.2.0.zip", "unsplash/photos.tsv000"])
def test_tables_that_were_put_there_by_hand_are_not_fetched(name, fetch, unsplash, served, root):
    whole = served.files.pop("/data/lite/latest")
    (root / "unsplash").mkdir(parents=True)
    table = f"photo_id\tphoto_image_url\n{unsplash[0]}\thttps://images.unsplash.com/photo-{unsplash[0]}\n"
    (root / name).write_bytes(whole if name.endswith("zip") else table.encode())
    assert fetch("unsplash") == codes.DONE and not served.got("/data/")


@pytest.mark.parametrize("files", [{"keywords.tsv000": b"x"}, {"photos.tsv000": b"photo_id\tother\n1\t2\n"}])
def test_a_zip_without_the_table_is_one_sentence(files, fetch, served, capsys):
    served.files["/data/lite/latest"] = zipped(files)
    assert fetch("unsplash") == codes.REFUSED
    assert "table of photos" in capsys.readouterr().err


def test_pictures_that_were_put_there_by_hand_stay_as_they_are(fetch, unsplash, root, served):
    (root / "unsplash").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(root / "unsplash" / "mine.png")
    assert fetch("unsplash") == codes.DONE and served.asked == []


@pytest.mark.parametrize("words", [["--count", "-1"], ["--width", "8"], ["--workers", "0"]])
def test_impossible_numbers_are_refused(words, fetch, unsplash, served):
    assert fetch("unsplash", *words) == codes.REFUSED and served.asked == []
