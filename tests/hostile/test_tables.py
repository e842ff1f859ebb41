"""Hostile tables, lists and files of scores: read or refused in a sentence, and nothing outside a folder is touched."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aligngemini.branches import scores_file
from aligngemini.core import caches, values
from aligngemini.core.params import Refused
from aligngemini.fetch import record
from aligngemini.images import table as image_table
from aligngemini.images.header import Unreadable
from aligngemini.images.loaders import archives, csv_lists
from aligngemini.scores import table as score_table
from aligngemini.stream import items
from aligngemini.stream.listing import Entry
from tests.hostile import examples

ID = "ab" * 32
IMAGE = {"image_id": ID, "path": "a.png", "label": 0, "axis": "none", "split": "test", "subset": "x"}
TABLES = {
    "images": image_table.frame([IMAGE, IMAGE | {"image_id": "cd" * 32, "label": 1, "axis": "both"}]).to_dict("list"),
    "scores": score_table.make([ID, "cd" * 32], [0.5, float("nan")], "vlm", "pure", ["", "why"]).to_dict("list"),
    "others": {"path": ["a.png", "b.png"], "score": [0.1, 0.9]},
    "fetched": {"path": ["a.png", "sub/b.png"], "bytes": [3, 4], "crc32": [1, 2]},
    "packed": {
        "image": [{"bytes": b"\x89PNG", "path": "a.png"}, {"bytes": b"", "path": None}], "generator": ["g", "../g"],
        "uid": ["1", "a/b"],
        "labels": [[{"label": "l", "points": [[1.0, 1.0], [4.0, 1.0], [4.0, 4.0]]}], None], "width": [8, 8],
        "height": [8, 8],
    },
}  # fmt: skip
CELLS = [
    None, "", 0, 1, -1, 2**62, 0.5, 2.0, float("nan"), float("inf"), True, b"\xff", "../../x", "/etc/passwd", "a\0b",
    ".", "x" * 300, [1],
    {"bytes": b"x", "path": "../x"}, {"a": 1}, np.datetime64("2020-01-01"), [[1.0]], [[float("nan"), 1.0]] * 3,
    ["a"], pd.Timestamp(0),
]  # fmt: skip


@st.composite
def tables(draw, *names: str) -> bytes:
    """A Parquet file like one of TABLES with columns missing, renamed or of other values, perhaps damaged."""
    columns = {name: list(cells) for name, cells in TABLES[draw(st.sampled_from(names))].items()}
    for name in draw(st.lists(st.sampled_from(list(columns)), max_size=2, unique=True)):
        how, cell = draw(st.integers(0, 4)), draw(st.sampled_from(CELLS))
        if how == 0:
            del columns[name]
        elif how == 1:
            columns[draw(st.sampled_from(["Score", "x", "", name.upper()]))] = columns.pop(name)
        elif how == 2:
            columns[name][draw(st.integers(0, 1))] = cell
        else:
            columns[name] = [cell, cell]
    rows = draw(st.sampled_from([2, 2, 2, 0]))
    try:
        parts = pa.table({name: pa.array(cells[:rows], from_pandas=False) for name, cells in columns.items()})
    except (pa.ArrowException, TypeError):  # cells that no column holds side by side
        parts = pa.table({name: pa.array([str(cell) for cell in cells[:rows]]) for name, cells in columns.items()})
    file = io.BytesIO()
    pq.write_table(parts, file)
    return draw(examples.damaged([file.getvalue()])) if draw(st.integers(0, 3)) == 0 else file.getvalue()


def _may_refuse(function, *given):
    """What `function` gives, or None where it refuses in a sentence."""
    try:
        return function(*given)
    except Refused as error:
        assert str(error)
        return None


@pytest.mark.filterwarnings("ignore")
@examples.tried(60)
@given(data=tables("images", "scores", "others"))
def test_any_parquet_is_a_table_of_images_or_scores_or_refused(tmp_path, data):
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with examples.bounded():
        _may_refuse(values.read, path)
        images, scores = _may_refuse(image_table.load, path), _may_refuse(score_table.load, path)
        others = _may_refuse(scores_file.read, path)
        assert caches.read(path) is None
    assert images is None or set(images["label"]) <= {0, 1}
    assert all(table is None or table["score"].dropna().between(0, 1).all() for table in (scores, others))


@examples.tried(60)
@given(data=tables("fetched"), quick=st.booleans())
def test_the_record_of_a_fetched_folder_names_nothing_outside_it(data, quick):
    with tempfile.TemporaryDirectory() as place:
        Path(place, "x").write_text("kept")
        folder = Path(place, "deep", "images")
        folder.mkdir(parents=True)
        (folder / record.FILE).write_bytes(data)
        with examples.bounded():
            assert record.state(folder, quick).word in (
                record.COMPLETE,
                record.INCOMPLETE,
                record.CORRUPT,
                record.MISSING,
            )
            record.cleared(folder)
        assert Path(place, "x").read_text() == "kept" and Path("/etc/passwd").exists()


@pytest.mark.filterwarnings("ignore")
@examples.tried(60)
@given(data=tables("packed", "packed", "images"))
def test_images_in_tables_are_unpacked_below_their_folder_or_have_a_reason(data):
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIGNGEMINI_BUILT", f"{place}/built")
        pack = Path(place, "data", "a.parquet")
        pack.parent.mkdir()
        pack.write_bytes(data)
        before = examples.tree(Path(place))
        with examples.bounded():
            _, refused = archives.unpacked(pack, pack.parent)
            pairs = [pair for chunk in items.chunks([Entry(str(pack), "parquet")]) for pair in chunk]
        assert all(reason for _, reason in refused)
        assert all(isinstance(image, bytes | Unreadable) for _, image in pairs)
        outside = {
            name: content for name, content in examples.tree(Path(place)).items() if not name.startswith("built")
        }
        assert outside == before


LINES = [
    "path,label", "filename;typ", "image_id,score", "path,score", "path\tlabel", "a.png,1", "b.png,real",
    ID + ",0.5", "a.png,nan", "a.png,1e999",
    '"a.png,1', 'a"b.png,"x', "../../x.png,fake", "/etc/passwd,0", "a.png,0,5", "a.png,\x00", "\ufeffpath,label",
    "sep=;", "#", "", ",",
    "x" * 140000 + ",1", "a\u2028b.png,1", "a.png,", "path,path", "label", "a.png,-1", "a.png,１",
]  # fmt: skip
LISTS = st.lists(st.sampled_from(LINES), max_size=6).map("\n".join)
ENCODED = st.tuples(LISTS, st.sampled_from(["utf-8", "utf-16", "utf-32", "latin-1"])).map(
    lambda x: x[0].encode(x[1], "replace")
)


@pytest.mark.filterwarnings("ignore")
@examples.tried(60)
@given(data=st.one_of(ENCODED, ENCODED.flatmap(lambda data: examples.damaged([data])), st.binary(max_size=60)))
def test_any_list_of_images_or_scores_is_read_or_refused(tmp_path, data):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with examples.bounded():
        rows, scores = _may_refuse(csv_lists.rows, path), _may_refuse(scores_file.read, path)
    assert rows is None or ((rows["label"] < 0) == (rows["reason"] != "")).all()
    assert scores is None or scores["score"].between(0, 1).all()


def _parquet(path: Path, /, **columns) -> Path:
    """A Parquet file of columns."""
    pq.write_table(pa.table(columns), path)
    return path


WRONG = {
    "a label that is a list": {"label": [[1], [0]]},
    "a path that is a number": {"path": [1, 2]},
    "no subset and a split that is a list": {"split": [["a"], ["b"]]},
    "a label that is no whole number": {"label": ["real", "fake"]},
}


@pytest.mark.parametrize("what", WRONG)
def test_an_image_table_of_other_types_is_refused(tmp_path, what):
    with pytest.raises(Refused):
        image_table.load(_parquet(tmp_path / "a.parquet", **TABLES["images"] | WRONG[what]))


def test_a_score_table_that_is_damaged_or_of_other_types_is_refused(tmp_path):
    with pytest.raises(Refused, match="is not a readable table"):
        score_table.load(_parquet(tmp_path / "a.parquet", **TABLES["scores"] | {"score": ["high", "low"]}))
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(Refused, match="is not a readable table"):
        score_table.load(tmp_path / "a.parquet")


def test_scores_without_an_image_or_with_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(Refused, match="has no path, which names its image"):
        scores_file.read(_parquet(tmp_path / "a.parquet", path=["a.png", None], score=[0.1, 0.2]))
    with pytest.raises(Refused, match="two columns called 'score'"):
        scores_file.read(_parquet(tmp_path / "b.parquet", path=["a.png"], score=[0.1], Score=[0.2]))


def test_a_list_whose_header_is_no_utf_8_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\x80path,label\na.png,1\n")
    with pytest.raises(Refused, match="has no column for the path"):
        csv_lists.rows(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\0b", "."])
def test_a_record_that_names_what_is_outside_its_folder_deletes_nothing(tmp_path, name):
    (tmp_path / "x").write_text("kept")
    folder = tmp_path / "images"
    folder.mkdir()
    _parquet(folder / record.FILE, path=[name], bytes=[1], crc32=[1])
    assert not record.cleared(folder) and record.state(folder, quick=False).word == record.MISSING
    assert (tmp_path / "x").read_text() == "kept"


def test_a_table_of_images_in_other_types_is_said_to_be_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNGEMINI_BUILT", str(tmp_path / "built"))
    (tmp_path / "data").mkdir()
    pack = _parquet(tmp_path / "data" / "a.parquet", **TABLES["packed"] | {"labels": [["x"], ["y"]]})
    assert "damaged" in archives.unpacked(pack, pack.parent)[1][0][1]
