"""CSV lists, alone and beside the folders of a benchmark."""

import pytest

from aligngemini.images import sources
from aligngemini.images.places import benchmarks
from aligngemini.workbook.params import Refused
from tests.images.miniatures import counts, reasons


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
