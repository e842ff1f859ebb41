"""Scores of a file are looked up by what an image is, or by where it lies, and never stand for other pixels."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.branches import registry, scoring
from aligngemini.branches.scores_file import ScoresFile, read
from aligngemini.core.params import Refused
from aligngemini.images.header import Unreadable

RGB = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def images(tmp_path):
    """An image table of four grey files."""
    paths = [tmp_path / "images" / f"{i}.png" for i in range(4)]
    paths[0].parent.mkdir()
    for i, path in enumerate(paths):
        Image.new("RGB", (8, 8), (20 * i,) * 3).save(path)
    ids = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return pd.DataFrame({"image_id": ids, "path": list(map(str, paths)), "reason": ""})


@pytest.fixture
def branch(tmp_path):
    """The branch that a table of scores becomes, by way of notebook 04's folder; `name` is that of its file."""

    def made(table, name="mine.csv"):
        file = tmp_path / name
        table.to_parquet(file) if file.suffix == ".parquet" else table.to_csv(file, index=False)
        facts = ScoresFile.fit(str(file), None, tmp_path / "branches" / file.stem)
        file.unlink()
        return ScoresFile.load(facts, tmp_path / "branches" / file.stem, registry.own_name(str(file)))

    return made


def scored(images, branch):
    return scoring.table(images, branch, "", 2)


@pytest.mark.parametrize("name", ["mine.csv", "Mine.parquet"])
@pytest.mark.parametrize("key", ["image_id", "path"])
def test_images_have_the_scores_that_a_file_gives_their_content_or_path(images, branch, name, key):
    table = images[[key]].assign(score=[0.0, 0.25, 0.5, 1.0], more="x")
    found = scored(images, branch(table, name))
    assert found.score.tolist() == [0, 0.25, 0.5, 1] and (found.branch == "mine").all()


def test_paths_may_be_relative_to_the_folder_of_the_file_or_lead_over_links(images, branch, tmp_path):
    os.symlink(tmp_path / "images", tmp_path / "linked")
    names = ["images/0.png", "./images/../images/1.png", "linked/2.png", str(tmp_path / "linked" / "3.png")]
    found = scored(images, branch(pd.DataFrame({"path": names, "score": [0.1, 0.2, 0.3, 0.4]})))
    assert found.score.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_a_name_that_is_no_utf_8_is_found(tmp_path, branch):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:
        Image.fromarray(RGB).save(file, "PNG")
    (tmp_path / "mine.csv").write_bytes(b"path;score\ncaf\xe9.png;0.5\n")
    assert read(tmp_path / "mine.csv").path.tolist() == [f"{tmp_path}/caf\\xe9.png"]
    (tmp_path / "mine.csv").unlink()
    found = branch(pd.DataFrame({"path": ["caf\\xe9.png"], "score": [0.5]}))
    assert found.prepare(RGB, f"{tmp_path}/caf\\xe9.png") == 0.5


def test_an_image_that_is_not_in_the_file_loses_this_score_alone(images, branch):
    found = scored(images, branch(images[["image_id"]].assign(score=0.5).drop(2)))
    assert found.reason[2] == "it is not in the file of scores, which knows images by image_id"
    assert found.score.notna().tolist() == [True, True, False, True]


def test_an_image_whose_pixels_were_changed_has_no_score_of_the_file(images, branch):
    mine = branch(images[["path"]].assign(score=0.5))
    assert mine.prepare(RGB, images.path[0]) == 0.5
    with pytest.raises(Unreadable, match="its pixels were changed"):
        mine.prepare(RGB, None)
    with pytest.raises(Unreadable, match="knows images by path"):
        mine.prepare(RGB, Image.fromarray(RGB))


def test_bytes_are_known_by_their_content(images, branch):
    mine = branch(images[["image_id"]].assign(score=[0.0, 0.1, 0.2, 0.3]))
    with open(images.path[3], "rb") as file:
        assert mine.prepare(RGB, file.read()) == 0.3


def test_its_identity_is_that_of_its_scores(images, branch):
    table = images[["image_id"]].assign(score=0.5)
    first, other = branch(table).identity(), branch(table.assign(score=0.6)).identity()
    assert first == branch(table, "renamed.parquet").identity() and first["scores"] != other["scores"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paths,score\na.png,0.5\n", "no column image_id or path: is 'paths' meant"),
        ("path,scores\na.png,0.5\n", "no column score: is 'scores' meant"),
        ("a,b\n1,2\n", "no column image_id or path: it has a, b"),
        ("path,p_fake\na.png,0.5\n", "no column score: is 'p_fake' meant.*it has path, p_fake; rename it to score"),
        ("path,AI prob\na.png,0.5\n", "is 'ai prob' meant.*rename it to score"),
        ("path,x\na.png,0.5\n", "no column score: it has path, x; rename the one that is meant to score"),
        (",".join(f"c{i}" for i in range(3000)) + "\n", r"it has c0, c1, .* \.\.\.; rename"),
        ("path;score\na.png;0.5\nb.png;0,5\n", "b.png' has a score with a decimal comma: write points"),
        ("path,score\na.png,0,5\nb.png,0,6\n", "more fields than columns: write scores with decimal points"),
        ("path,score\na.png,1\nb.png,0,6\n", "with decimal points"),
        ("path,score\na.png,0.5\nb.png,1.5\n", r"b.png' has no score in \[0, 1\].*1 such row"),
        ("path,score\na.png,\n", r"no score in \[0, 1\]"),
        ("path,score\na.png,nan\n", r"no score in \[0, 1\]"),
        ("path,score\na.png,fake\n", r"no score in \[0, 1\]"),
        ("path,score\na.png,0.5\n./a.png,0.6\n", "a.png' is listed twice"),
        ("path,score\na.png,0.5\n,0.6\n,0.7\n", r"row 2 has no path, which names its image: fill it in \(2 such"),
        ("image_id,score\n0123,0.5\n", "'0123' is no image_id"),
        ("", "cannot be read as scores"),
        ("path,score\n\"a.png,0.5\n", "cannot be read as scores"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_with_the_first_row(tmp_path, text, words):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(Refused, match=words):
        ScoresFile.fit(str(tmp_path / "mine.csv"), None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_that_is_listed_twice_with_one_score_counts_once(tmp_path):
    (tmp_path / "mine.csv").write_text("Path, Score\na.png, 0.5\n./a.png, 0.5\n")
    assert len(read(tmp_path / "mine.csv")) == 1


@pytest.mark.parametrize("content", [b"", b"PAR1 not at all", None])
def test_a_damaged_or_absent_table_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "scores.parquet").write_bytes(content)
    with pytest.raises(Refused, match="cannot be read as scores"):
        ScoresFile.load({}, tmp_path, "mine")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("runs/My Detector-2.csv", "my_detector_2"), ("vlm.csv", "file_vlm"), ("scores.parquet", "file_scores"),
        ("fused.csv", "file_fused"), ("2024.csv", "file_2024"), ("é.csv", "e"), ("画.csv", "file"),
        ("vlm_1.csv", "file_vlm_1"), ("vlm_a.csv", "vlm_a"),
    ],
)  # fmt: skip
def test_a_branch_is_called_by_its_file_unless_that_name_is_taken(file, name):
    assert registry.own_name(file) == name


def test_no_registered_branch_has_the_name_of_a_rule_or_of_another_column():
    assert not registry.KINDS.keys() & {*registry.TAKEN}
    assert registry.own_name("or_budget.csv") == "file_or_budget"


def test_several_runs_of_a_kind_are_titled_by_number():
    assert [registry.title(name) for name in ("vlm", "vlm_1", "expert_12")] == ["VLM", "VLM 1", "expert 12"]
    assert [registry.called(name) for name in ("vlm", "vlm_2", "mine_2")] == ["the VLM", "VLM 2", "mine_2"]
