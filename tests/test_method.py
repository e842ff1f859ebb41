"""The page on the method says of every value of the paper recipe what it is and whose."""

import re

import pytest
import yaml

from aligngemini.core import params, paths, recipes, stages

PAGE = (paths.ROOT / "docs/method.md").read_text(encoding="utf-8")
WHOSE = {"paper", "DDA code", "attributed code", "second-hand", "ours"}
PUBLISHED = {  # of arXiv 2512.06746
    "02_vlm_dpo": {"beta": 0.05, "learning_rate": 1e-6, "lora_rank": 16, "objective": "dpo"},
    "03_expert_lora": {"learning_rate": 1e-4, "lora_rank": 8},
    "04_fusion": {"rule": "or"},
}


def _rows(notebook: str) -> dict[str, tuple[str, str]]:
    """Parameter -> value and whose, of the section of a notebook."""
    section = next(part for part in PAGE.split("\n## ") if part.startswith(tuple(TITLES)) and notebook[:2] in part[:30])
    cells = re.findall(r"^\| `(\w+)` \| `(.+?)` \| ([\w -]+) \| ", section, re.MULTILINE)
    assert len(cells) == section.count("\n| `")
    return {name: (value, whose) for name, value, whose in cells}


TITLES = ("Data", "VLM", "Expert", "Fusion")


@pytest.mark.parametrize("notebook", [stages.DATA, stages.VLM, stages.EXPERT, stages.FUSION])
def test_every_value_of_the_paper_recipe_stands_on_the_page_with_whose_it_is(notebook):
    recipe, rows = recipes.recipe("paper", stages.STAGES[notebook]), _rows(notebook)
    assert list(rows) == [name for name in recipe if name != "scale"]
    form = stages.STAGES[notebook].params
    for name, (value, whose) in rows.items():
        assert params.parse(form, name, value) == recipe[name], name
        assert whose in WHOSE
    assert all(
        rows[name][1] == "paper" and recipe[name] == value for name, value in PUBLISHED.get(notebook, {}).items()
    )


@pytest.mark.parametrize("scale", ["laptop", "colab"])
@pytest.mark.parametrize("notebook", [stages.DATA, stages.VLM, stages.EXPERT, stages.FUSION])
def test_a_value_of_the_smaller_scales_is_that_of_the_paper_recipe_or_is_said_to_be_ours(scale, notebook):
    text = (recipes.folder() / scale / f"{notebook}.yaml").read_text(encoding="utf-8")
    paper, other = recipes.recipe("paper", stages.STAGES[notebook]), yaml.safe_load(text)
    assert set(paper) - set(other) <= {"workers"} and "published" in text
    if {name for name in other if other[name] != paper.get(name)} - {"scale"}:
        assert "ours" in text
