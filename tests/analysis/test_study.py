"""The section of a study: what was asked, what made it, and the tables that answer."""

import json

import pandas as pd
import pytest

from aligngemini.analysis import seeds, study
from aligngemini.core import paths, recipes
from aligngemini.core.params import Refused
from tests.workflow import sync

ASKED = recipes.Study("little", "Is it so?", {"02_vlm_dpo": {}}, "Two are compared.", ["balanced accuracy", "found"])


@pytest.fixture
def tables():
    """Two seeds of one model on two benchmarks, and who finds which fakes."""
    places = [("world", "semantic", "balanced accuracy", 0.8), ("degraded", "semantic", "balanced accuracy", 0.7)]
    rows = [("VLM", *place, seed) for seed in (0, 1) for place in [*places, ("world", "semantic", "AUROC", 0.9)]]
    columns = ["model", "benchmark", "subset", "metric", "value", "seed"]
    found = [("world", "pixel", by, share, seed) for seed in (0, 1) for by, share in (("VLM", 0.1), ("no branch", 0.9))]
    return {
        "table": seeds.spread(pd.DataFrame(rows, columns=columns), columns[:4]),
        "found": seeds.spread(
            pd.DataFrame(found, columns=["benchmark", "fakes", "found by", "value", "seed"]),
            ["benchmark", "fakes", "found by"],
        ),
    }


def test_a_section_says_question_design_command_and_versions_and_shows_the_tables_asked_for(tables, tmp_path, run_of):
    made = run_of(
        "02_vlm_dpo", environment={"packages": {"torch": "9.9"}, "git": {"commit": "abcdef123", "dirty": True}}
    )
    folder = study.write(tmp_path / "little" / "tiny", ASKED, "aligngemini sweep little", [made], tables)
    section = (folder / "table.md").read_text()
    assert section.startswith(
        "## little\n\n**Question.** Is it so?\n\n**Design.** Two are compared.\n\n`aligngemini sweep"
    )
    assert "Finished on 2026-01-01 with" in section and "(commit abcdef1 with changes), torch 9.9." in section
    assert (
        "Balanced accuracy, degraded:\n\n| model | semantic |\n| --- | --- |\n| VLM | 0.70 [0.70, 0.70] |\n" in section
    )
    assert "| world | pixel | 0.10 [0.10, 0.10] | 0.90 [0.90, 0.90] |\n" in section and "AUROC" not in section
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "table.parquet"), tables["table"])
    assert len(pd.read_csv(folder / "found.csv")) == 2
    assert json.loads((folder / "study.json").read_text())["command"] == "aligngemini sweep little"


def test_a_table_without_rows_is_left_out(tables):
    asked = recipes.Study("little", "?", {}, tables=["balanced accuracy", "found"])
    assert len(list(study.shown(asked, tables | {"found": tables["found"].head(0)}))) == 2


def test_every_shipped_study_has_a_design_and_tables_that_there_are():
    every = [recipes.study(name) for name in recipes.studies()]
    assert len(every) > 10 and all(each.design.endswith(".") for each in every)
    assert set(study.FORMS) < set(recipes.TABLES) and {name for each in every for name in each.tables} == set(
        recipes.TABLES
    )


def test_an_unknown_table_is_refused_with_the_nearest_name(tmp_path, monkeypatch):
    folder = tmp_path / "recipes" / "studies"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("question: Is it so?\ngrid: {}\ntables: [ruls]\n")
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path)
    with pytest.raises(Refused, match="has no table 'ruls': did you mean 'rules'"):
        recipes.study("mine")


def test_the_page_in_git_is_what_sync_writes():
    page = sync.STUDIES.read_text(encoding="utf-8")
    assert page == sync.studies(page)


def test_the_page_of_studies_follows_the_recipes_and_keeps_the_answers():
    page = "# Studies\n\nWords.\n\n## alignment\n\n**Question.** Old?\n\nMeasured: 0.9.\n\n### What it says\n\nYes.\n"
    made = sync.studies(page)
    asked = recipes.study("alignment")
    assert made.startswith(
        f"# Studies\n\nWords.\n\n{study.head(asked)}Measured: 0.9.\n\n### What it says\n\nYes.\n\n## amount"
    )
    assert "Old?" not in made and made.count("Not measured yet.") == len(recipes.studies()) - 1
    assert sync.studies(made) == made
