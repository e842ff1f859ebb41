"""A table that leaves the workbook keeps its numbers, and is valid where it arrives."""

import numpy as np
import pandas as pd
import pytest

from aligngemini.analysis import export, tables


@pytest.fixture(scope="module")
def aligned(verdicts):
    return tables.alignment(verdicts, resamples=50)


@pytest.fixture
def rows():
    return pd.DataFrame({"my_model": ["a_b 50% & c", "[x] | #1"], "value": ["0.93 [0.90, 0.95]", "-"], "n": [120, 7]})


def test_csv_comes_back_digit_by_digit(aligned, tmp_path):
    path = export.write(aligned, tmp_path / "new")[0]
    back = pd.read_csv(path, keep_default_na=False, na_values={"auroc_low": "", "auroc_high": ""}, dtype={"run": str})
    pd.testing.assert_frame_equal(back, aligned, check_exact=True, check_dtype=False)


def test_all_three_files_are_written_and_show_two_decimals(aligned, tmp_path):
    paths = export.write(aligned, tmp_path)
    assert [path.name for path in paths] == ["results.csv", "results.md", "results.tex"]
    row = aligned.iloc[0]
    assert f"| {row.title} | {row.value:.2f} [{row.low:.2f}, {row.high:.2f}] |" in paths[1].read_text()
    assert f"{row.title} & {row.value:.2f} [{row.low:.2f}, {row.high:.2f}] &" in paths[2].read_text()


def test_latex_is_escaped_and_ruled(rows):
    text = export.latex(rows)
    assert r"a\_b 50\% \& c & 0.93 [0.90, 0.95] & 120 \\" in text and r"my\_model & value & n \\" in text
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{llr}"))
    assert "\n{}[x]" in text and r"\#1" in text  # a bracket that starts a row is no distance


def test_markdown_keeps_its_columns(rows):
    lines = export.markdown(rows).splitlines()
    assert lines[0] == "| my_model | value | n |" and lines[3] == r"| [x] \| #1 | - | 7 |"
    assert np.unique([line.replace(r"\|", "").count("|") for line in lines]).tolist() == [4]


def test_names_of_folders_break_no_markdown_table():
    lines = export.markdown(pd.DataFrame({"a|b": ["one\ntwo"]})).splitlines()
    assert lines == [r"| a\|b |", "| --- |", "| one two |"]


def test_labels_of_rows_are_named(aligned):
    assert list(export.wide(aligned)) == ["model", "semantic", "pixel", "both", "mean"]
    more = pd.concat([aligned, aligned.assign(benchmark="web")])
    assert list(export.wide(more))[:3] == ["benchmark", "subset", "VLM, semantic"]
    many = pd.concat([aligned.assign(subset=aligned.subset + str(i)) for i in range(3)])
    assert list(export.wide(many))[:2] == ["subset", "VLM, semantic"]
