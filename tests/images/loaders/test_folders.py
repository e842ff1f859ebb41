"""Scanning: every layout of the field, hostile trees included, in the same order every time."""

import os
import subprocess

import pytest

from aligngemini.core import reading
from aligngemini.core.params import Refused
from aligngemini.images.loaders import folders, scan_cache, skips


@pytest.fixture
def tree(tmp_path, picture, saved):
    """Write one small image (each with its own content) for every path."""

    def make(*names: str):
        for seed, name in enumerate(names):
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(saved(picture(16, 16, seed), "PNG"))
        return tmp_path / "set"

    return make


def found(rows, *columns):
    return [tuple(row[c] for c in columns) for row in rows.to_dict("records")]


def names(rows, root):
    return [os.path.relpath(path, root) for path in rows["path"]]


def test_a_plain_tree_has_no_labels(tree):
    root = tree("b/2.JPG", "a/1.png", "3.jpeg")
    rows = folders.scan(root)
    assert names(rows, root) == ["3.jpeg", "a/1.png", "b/2.JPG"]
    assert set(rows["label"]) == {-1} and set(rows["reason"]) == {""}


@pytest.mark.parametrize("real,fake", [("0_real", "1_fake"), ("real", "fake"), ("nature", "ai"), ("REAL", "FAKE")])
def test_labels_come_from_the_folders_above(tree, real, fake):
    root = tree(f"gpt4o/{real}/a.png", f"gpt4o/{fake}/deep/er/b.png")
    rows = folders.scan(root)
    assert found(rows, "label", "subset", "generator", "benchmark") == sorted(
        [(0, "gpt4o", "gpt4o", "set"), (1, "gpt4o", "gpt4o", "set")], key=lambda row: (real, fake)[row[0]]
    )


@pytest.mark.parametrize(
    "name,subset",
    [
        ("0_real/a.png", "set"),
        ("test/reddit/0_real/a.png", "reddit"),
        ("stable_diffusion_v_1_4/imagenet_ai_0419_sdv4/val/nature/a.png", "stable_diffusion_v_1_4"),
        ("progan/airplane/0_real/a.png", "progan"),
        ("gpt4o/pixel/0_real/a.png", "gpt4o/pixel"),
        ("REAL/source17/img00001.jpg", "source17"),
    ],
)
def test_subsets_of_the_known_layouts(tree, name, subset):
    assert folders.scan(tree(name))["subset"].tolist() == [subset]


def test_files_without_or_with_two_labels_are_listed_with_the_reason(tree):
    rows = folders.scan(tree("g/0_real/a.png", "g/b.png", "g/real/1_fake/c.png"))
    reasons = dict(zip(rows["path"].str[-5], rows["reason"], strict=True))
    assert reasons["a"] == "" and "no folder" in reasons["b"] and "both" in reasons["c"]
    assert rows.loc[rows["reason"] != "", "label"].tolist() == [-1, -1]


def test_litter_and_texts_are_listed_and_not_tried(tree):
    root = tree("a.png", ".hidden.png", ".cache/b.png", "__MACOSX/._a.png", "Thumbs.db")
    (root / "notes.txt").write_text("two cats, caf\xe9", encoding="latin-1")
    (root / "x.json").write_text('{"prompt": "two cats"}', encoding="utf-16")
    rows = folders.scan(root)
    said = dict(zip(names(rows, root), rows["reason"], strict=True))
    assert said.pop("a.png") == "" and said.pop("notes.txt") == said.pop("x.json") == skips.TEXT
    assert said == dict.fromkeys([".hidden.png", ".cache", "__MACOSX", "Thumbs.db"], skips.HIDDEN)
    assert skips.lost(rows).empty and set(rows["subset"]) == {"set", ""}


def test_the_bytes_decide_and_every_file_is_accounted_for(tree):
    root = tree("real.jpg", "nosuffix")
    (root / "page.jpg").write_text("<html>")
    (root / "zero.png").touch()
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "self.png").symlink_to(root / "self.png")
    rows = scan_cache.added(folders.scan(root))
    by_name = {os.path.basename(row["path"]): row for row in rows.to_dict("records")}
    assert by_name["real.jpg"]["format"] == by_name["nosuffix"]["format"] == "PNG"
    assert "not an image" in by_name["page.jpg"]["reason"] and "empty" in by_name["zero.png"]["reason"]
    assert "not there" in by_name["gone.png"]["reason"] and "cannot be read" in by_name["self.png"]["reason"]


def test_loops_end_and_shared_folders_count_for_each(tree, tmp_path):
    root = tree("one/1_fake/a.png", "two/1_fake/b.png")
    (tmp_path / "reals").mkdir()
    (tmp_path / "reals" / "r.png").write_bytes((root / "one/1_fake/a.png").read_bytes())
    for name in ("one", "two"):
        (root / name / "0_real").symlink_to(tmp_path / "reals")
    (root / "one" / "loop").symlink_to(root)
    (tmp_path / "reals" / "back").symlink_to(tmp_path / "reals")
    rows = folders.scan(root)
    images = rows[rows["reason"] == ""]
    assert found(images, "label", "subset") == [(0, "one"), (1, "one"), (0, "two"), (1, "two")]
    assert set(rows["reason"]) == {"", skips.LOOP} and skips.lost(rows).empty


def test_links_that_cross_are_walked_in_bounded_time(tree, tmp_path):
    root = tree("start/a.png")
    for number in range(24):
        (tmp_path / f"d{number}").mkdir()
        for name in "ab":
            (tmp_path / f"d{number}" / name).symlink_to(tmp_path / f"d{number + 1}")
    (tmp_path / "d24").mkdir()
    (tmp_path / "d24" / "deep.png").write_bytes((root / "start/a.png").read_bytes())
    (root / "in").symlink_to(tmp_path / "d0")
    listed = folders.files(root)
    assert [path.name for path, reason in listed if not reason] == ["deep.png", "deep.png", "a.png"]
    assert {reason for _, reason in listed} == {"", "a link to a folder that is already listed"} and len(listed) < 100


def test_what_lies_there_itself_is_walked_before_links_to_it(tree, tmp_path):
    root = tree("a/1_fake/a.png", "z/1_fake/b.png")
    (tmp_path / "reals").mkdir()
    (tmp_path / "reals" / "r.png").write_bytes((root / "a/1_fake/a.png").read_bytes())
    (root / "z" / "0_real").symlink_to(tmp_path / "reals")
    (root / "a" / "link").symlink_to(root / "z")
    reasons = {os.path.relpath(path, root): reason for path, reason in folders.files(root)}
    assert reasons["z/0_real/r.png"] == reasons["a/link/1_fake/b.png"] == ""
    assert "already listed" in reasons["a/link/0_real"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no such file system here")
def test_the_kernels_file_systems_are_not_entered(tree):
    root = tree("a.png")
    (root / "fds").symlink_to("/proc/self")
    reasons = {path.name: reason for path, reason in folders.files(root)}
    assert reasons["a.png"] == "" and "operating system" in reasons["fds"] and len(reasons) == 2


def test_a_set_whose_own_folder_cannot_be_opened_is_refused_with_the_reason(tree, lock):
    root = tree("a.png")
    lock(root.name)
    with pytest.raises(Refused, match="no image under .*the folder cannot be opened"):
        folders.scan(root, labelled=True)


def test_a_folder_that_cannot_be_opened_is_listed(tree, lock):
    root = tree("a.png", "locked/b.png")
    lock("locked")
    rows = folders.scan(root)
    assert "cannot be opened" in rows.loc[rows["path"].str.endswith("locked"), "reason"].item()


def test_missing_empty_and_unlabelled_folders_are_refused(tree, tmp_path):
    with pytest.raises(Refused, match="There is no folder"):
        folders.scan(tmp_path / "nothing")
    (tmp_path / "bare").mkdir()
    with pytest.raises(Refused, match="no image under"):
        folders.scan(tmp_path / "bare")
    with pytest.raises(Refused, match="0_real and 1_fake"):
        folders.scan(tree("a.png"), labelled=True)


def test_files_lists_images_whatever_their_folders_are_called(tree):
    root = tree("0_real/a.png", "b.png")
    assert [(path.name, reason) for path, reason in folders.files(root)] == [("a.png", ""), ("b.png", "")]


def test_every_file_of_a_folder_comes_back(tree):
    root = tree("0_real/a.png", "1_fake/b.jpg_large", "1_fake/c", "1_fake/d.PGM", "0_real/e.txt", "0_real/f.zip")
    (root / "0_real" / "g.zip").write_bytes(b"PK\3\4")
    (root / "0_real" / "h.png.crdownload").write_bytes(b"\x89PNG")
    (root / "README").write_text("pictures of cats")
    os.mkfifo(root / "1_fake" / "pipe")
    rows = scan_cache.added(folders.scan(root))
    said = {os.path.basename(row["path"]): row["reason"] for row in rows.to_dict("records")}
    assert [name for name, reason in said.items() if not reason] == [
        "a.png",
        "e.txt",
        "f.zip",
        "b.jpg_large",
        "c",
        "d.PGM",
    ]
    assert said["g.zip"] == skips.NOT_UNPACKED and said["h.png.crdownload"] == skips.PARTIAL
    assert said["README"] == skips.TEXT and said["pipe"] == "not a regular file" and len(said) == 10
    assert rows.loc[rows["reason"] == skips.TEXT, ["subset", "label"]].to_numpy().tolist() == [["", -1]]


def test_names_that_are_no_utf_8_are_read_and_spelled_for_tables(tree, tmp_path):
    root = tree("1_fake/a.png")
    strange = os.fsencode(root) + b"/caf\xe9/0_real"
    os.makedirs(strange)
    for name in (b"caf\xe9.png", b"caf\\xe9.png"):
        with open(strange + b"/" + name, "wb") as file:
            file.write((root / "1_fake/a.png").read_bytes() + name)
    rows = scan_cache.added(folders.scan(root))
    rows.to_parquet(tmp_path / "rows.parquet")
    assert set(rows["reason"]) == {""} and rows["image_id"].nunique() == 3
    assert rows["path"].str.endswith("/caf\\xe9/0_real/caf\\xe9.png").sum() == 1 and "caf\\xe9" in set(rows["subset"])
    inner = scan_cache.added(folders.scan(os.fsdecode(os.path.dirname(strange))))
    assert set(inner["reason"]) == {""} and set(inner["benchmark"]) == {"caf\\xe9"}


def test_a_folder_without_images_is_refused_with_what_is_there(tree):
    root = tree("a.png")
    (root / "a.png").write_text("")
    (root / "a.png").rename(root / "pictures.zip")
    (root / "a.txt").write_text("words")
    for ask in (folders.scan, folders.files):
        with pytest.raises(Refused, match="no image under .*pictures.zip: an archive"):
            ask(root)


def test_texts_and_hidden_files_stand_last_where_a_folder_is_judged(tree):
    root = tree("b.png", ".hidden.png", "c/d.png")
    (root / "a.txt").write_text("words")
    (root / "b.png").rename(root / "b.zip")
    (root / "c" / "e.zip").write_bytes(b"PK\3\4")
    assert [(path.name, reason) for path, reason in folders.files(root)] == [
        ("b.zip", ""),
        ("d.png", ""),
        ("e.zip", skips.NOT_UNPACKED),
        (".hidden.png", skips.HIDDEN),
        ("a.txt", skips.TEXT),
    ]


def test_trees_of_any_depth_are_walked(tmp_path, saved, picture):
    root, start = tmp_path / "deep", os.getcwd()
    root.mkdir()
    try:
        os.chdir(root)
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        with open("a.png", "wb") as file:
            file.write(saved(picture(16, 16), "PNG"))
    finally:
        os.chdir(start)
    rows = folders.scan(root)
    subprocess.run(["rm", "-rf", str(root)], check=True)  # deeper than shutil removes
    assert rows["reason"].tolist() == [""] and rows["path"].str.count("/d").item() == 1200 + str(root).count("/d")


def test_a_file_of_a_known_suffix_is_not_opened_by_the_walk(tree, monkeypatch):
    root = tree("a.png", "b.jpeg")
    monkeypatch.setattr(reading, "start", lambda path, count: pytest.fail(f"{path} was opened"))
    assert len(folders.scan(root)) == 2


def test_one_file_by_two_links_is_two_rows(tree):
    root = tree("a.png")
    (root / "b.png").hardlink_to(root / "a.png")
    (root / "c.png").symlink_to(root / "a.png")
    rows = scan_cache.added(folders.scan(root))
    assert len(rows) == 3 and rows["image_id"].nunique() == 1
