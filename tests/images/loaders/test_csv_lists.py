"""CSV lists, alone and beside the folders of a benchmark."""

import os
import re

import pytest

from aligngemini.core.params import Refused
from aligngemini.images import sources
from aligngemini.images.loaders import benchmark_rows
from tests.images.conftest import few
from tests.images.miniatures import counts, reasons


def test_a_list_beside_the_folders_is_compared_with_them(lay):
    root = lay("BFree-Online")
    lines = ["REAL/Ed7JvuVXsAUTp-j/img00400.jpg,REAL", "REAL/Ed7JvuVXsAUTp-j/img00401.jpg,FAKE", "FAKE/gone/i.jpg,FAKE"]
    (root / "BFree_viral_images.csv").write_text("\n".join(["filename,label", *lines]))
    rows = benchmark_rows.rows(f"BFree-Online:{root}")
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


def test_rows_of_a_list_that_name_no_file_stay_with_a_reason(lay):
    root = lay("pictures", "a.png")
    (root / "list.csv").write_text("path,label\na.png,0\n,0\n,1\n")
    rows = sources.collect(few(test=[str(root / "list.csv")]))
    assert rows["reason"].tolist() == ["", *["its row names no file"] * 2] and rows["label"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("text", ['[{"path": "a.png", "label": 0}]', '{"path": "a.png", "label": 0}\n'])
def test_json_is_named_as_no_list(text, tmp_path):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(Refused, match="list.json is JSON, not a list: save a list as CSV"):
        benchmark_rows.rows(str(tmp_path / "list.json"))


def test_who_names_the_label_column_is_told_which_number_is_which(tmp_path):
    (tmp_path / "x.csv").write_text("path,is_real\na.png,1\n")
    with pytest.raises(Refused, match=r"no column for the label \(0 real, 1 fake\) of a picture"):
        benchmark_rows.rows(str(tmp_path / "x.csv"))


def test_a_list_of_very_many_columns_is_refused_in_a_short_sentence(tmp_path):
    (tmp_path / "x.csv").write_text(",".join(f"c{i}" for i in range(3000)) + "\n" + "1," * 3000)
    with pytest.raises(Refused, match=r"it has c0, c1, .* \.\.\.\)") as refusal:
        benchmark_rows.rows(str(tmp_path / "x.csv"))
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "path,colour\na.png,red\n"])
def test_a_csv_without_the_columns_is_refused(tmp_path, content):
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(Refused, match="no column for the .*: call one of its columns"):
        benchmark_rows.rows(str(tmp_path / "x.csv"))


@pytest.fixture
def listed(lay):
    """Write a list beside four pictures and read it: -> (label by name, reason by name)."""
    root = lay("pics", "a 1.png", "a 2.png", "b 1.png", "ü.png")

    def read(text, name="list.csv", encoding="utf-8"):
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        rows = sources.collect(few(test=[str(root / name)]))
        good = rows[rows["reason"] == ""]
        return {
            os.path.basename(path): label for path, label in zip(good["path"], good["label"], strict=True)
        }, reasons(rows)

    return read


BOTH = {"a 1.png": 0, "a 2.png": 1}


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na 1.png,0\na 2.png,1\n",
        "path;label\r\na 1.png;0\r\na 2.png;1\r\n",
        "path\tlabel\ra 1.png\t0\ra 2.png\t1\r",
        "path|label\na 1.png|0\na 2.png|1\n",
        'path, label\n"a 1.png", 0\n"a 2.png", 1\n',
        'path label\n"a 1.png" 0\n"a 2.png"  1\n',
        "PATH,LABEL\n.\\a 1.png,0\n./a 2.png,1\n",
        "# made by hand\n\nsep=;\npath;label\n\na 1.png;0\n;\na 2.png;1\n",
        "sep=\n\n# words\npath,label\na 1.png,0\na 2.png,1\n",
        ",path,label\n0,a 1.png,0\n1,a 2.png,1\n",
        "image,is_fake\na 1.png,False\na 2.png,True\n",
        "path,label\na 1.png,human\na 2.png,AI-generated\n",
        "path,label\na 1.png,0_real\na 2.png,1_fake\n",
        "path,label,caption\na 1.png,0,cats, two of them\na 2.png,1,a dog\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_are_read_as_people_write_them(listed, text, encoding):
    assert listed(text, encoding=encoding) == (BOTH, {})


def test_a_listed_name_that_is_no_utf_8_is_read(listed, tmp_path):
    os.rename(tmp_path / "pics" / "b 1.png", os.fsencode(tmp_path / "pics") + b"/\xe9.png")
    assert listed(b"path,label\n\xe9.png,0\na 1.png,1\n") == ({"\\xe9.png": 0, "a 1.png": 1}, {})


def test_a_line_that_cannot_count_says_why(listed):
    good, said = listed("\n".join(["path,label", "a 1.png,0", "a 2.png,1", "b,1.png,0", "gone.png,1", "x.png,maybe"]))
    assert good == BOTH and "'1.png', neither" in said["b"] and "'maybe', neither" in said["x.png"]
    assert "not there" in said["gone.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "lists no picture"),
        (b"\xff\xfe", "lists no picture"),
        (b"# words\n", "lists no picture"),
        (b"path,label\n", "lists no picture"),
        (b"a 1.png,0\na 2.png,1\n", "has no header: .* such as path,label"),
        (b"a 1.png 0\n", "has no header: .* such as path label"),
        (b"PK\3\4" + bytes(30), "is an archive"),
        (b"PAR1" + bytes(30), "is an archive, a workbook or a Parquet table"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "is an image, not a list"),
        (b"file,kind\na 1.png,cat\n", r"no column for the label .* \(it has file, kind\)"),
        (b'path,label\n"a 1.png,0\na 2.png,1\n', "close every quotation mark"),
        (b"path,label,Label\na 1.png,0,1\n", "two columns called label"),
    ],
)
def test_what_is_no_list_is_refused_with_the_true_reason(listed, text, said):
    with pytest.raises(Refused, match=said) as refusal:
        listed(text)
    assert "no column for the path" not in str(refusal.value)


def test_the_header_that_is_advised_is_accepted(listed):
    for text in ("a 1.png,0\na 2.png,1\n", '"a 1.png" 0\n"a 2.png" 1\n', "a 1.png\t0\na 2.png\t1\n"):
        with pytest.raises(Refused) as refusal:
            listed(text)
        header = re.search(r"such as (.*)\.$", str(refusal.value))[1]
        assert listed(f"{header}\n{text}") == (BOTH, {})
