"""Sweeps: a study over seeds becomes runs that are made once, and one table."""

import json
from collections import Counter

import pandas as pd
import pytest
import yaml

from aligngemini.core import paths, stages
from aligngemini.core.params import Refused
from aligngemini.workflow import plan, sweep
from aligngemini.world import kinds, scenes

DATA = """\
from aligngemini.images import table
rows = [
    {"image_id": f"{cfg.seed}{label}{i}", "path": "x.png", "label": label, "axis": ("none", "semantic")[label]}
    | {"subset": "semantic", "benchmark": "world", "split": "test"}
    for label in (0, 1) for i in range(4)
]
run.save("test.parquet", table.frame(rows))
draw("first.json")
run.finish({"images": 8})"""
# Of four fakes the semantic model finds all; the mixed one finds two with seed 0 and none with seed 1.
VLM = """\
from aligngemini.images import table
from aligngemini.scores import table as scores
test = table.load(run.inputs["data"].path("test.parquet"))
found = 4 if cfg.supervision == "semantic" else 2 - 2 * cfg.seed
score = [0.9 if label and name[-1] < str(found) else 0.1 for label, name in zip(test.label, test.image_id)]
told = scores.make(test.image_id, score, "vlm", cfg.supervision)
run.save("scores.parquet", told)
draw("first.json")
run.finish({"threshold": 0.5})"""
SHIPPED = sorted(path.stem for path in (paths.ROOT / "notebooks" / "recipes" / "studies").glob("*.yaml"))


@pytest.fixture
def swept(little, inline):
    """The little workbook with a study of two supervisions of the VLM."""
    little.write(stages.DATA, DATA)
    little.write(stages.VLM, VLM)
    little.recipe("studies/two", {"question": "Which?", "grid": {stages.VLM: {"supervision": ["semantic", "mixed"]}}})
    return little


def test_a_sweep_makes_each_run_once_and_gathers_means_and_intervals(swept):
    code, said = swept.run("sweep", "two", "--scale", "tiny", "--seeds", "0,1")
    assert code == 0, said
    assert "study two: Which?" in said and "[6/6] seed 1, 02_vlm_dpo, supervision mixed: complete" in said
    folder = swept.outputs / "studies" / "two" / "tiny"
    table = pd.read_parquet(folder / "table.parquet")
    rows = table[(table.subset == "semantic") & (table.metric == "balanced accuracy")]
    rows = rows.set_index(["supervision", "against"])
    mixed = rows.loc[("mixed", "")]
    assert (mixed["seed 0"], mixed["seed 1"], mixed["mean"], mixed["n"]) == (0.75, 0.5, 0.625, 2)
    assert (mixed["low"], mixed["high"]) == (0, 1)  # two seeds so far apart tell nothing
    change = rows.loc[("mixed", "VLM, semantic")]
    assert (change["seed 0"], change["seed 1"], change["mean"]) == (-0.25, -0.5, -0.375)
    assert len(json.loads((folder / "study.json").read_text())["runs"]) == 6
    before = swept.log()
    assert Counter(line.split()[0] for line in before) == {stages.DATA: 2, stages.VLM: 4}
    code, said = swept.run("sweep", "two", "--scale", "tiny", "--seeds", "0,1")
    assert code == 0 and said.count("reused") == 6 and swept.log() == before


def test_a_recipe_that_says_latest_means_the_run_of_its_own_part(swept):
    """A sweep's first part, reused, once lent its place to the last data run there was: another seed's."""
    swept.recipe(f"tiny/{stages.VLM}", {"data_run": "latest", "base": "owner/name"})
    assert swept.run("sweep", "two", "--scale", "tiny", "--seeds", "0,1")[0] == 0
    told = [json.loads(path.read_text()) for path in swept.outputs.glob(f"{stages.VLM}/*/manifest.json")]
    data = {path.parent.name: json.loads(path.read_text()) for path in swept.outputs.glob("01*/*/manifest.json")}
    pairs = [(each["question"]["params"]["seed"], each["question"]["params"]["data_run"]) for each in told]
    assert all(data[run]["question"]["params"]["seed"] == seed for seed, run in pairs) and len(pairs) == 4
    code, said = swept.run("sweep", "two", "--scale", "tiny", "--seeds", "0")
    assert code == 0 and said.count("reused") == 3, said


def test_notebooks_that_the_grid_does_not_name_are_left_out(swept):
    _, (part,) = sweep.make("tiny", "two", [3])
    assert [item.stage.name for item in part.plan.items] == [stages.DATA, stages.VLM, stages.VLM]
    assert {item.cfg({}).seed for item in part.plan.items} == {3}


def test_every_seed_meets_every_point_of_notebook_01(swept):
    grid = {stages.DATA: {"held_out": [["dog"], ["shadow", "boat"]]}, stages.VLM: {"supervision": ["semantic"]}}
    swept.recipe("studies/folds", {"question": "Which?", "grid": grid})
    study, parts = sweep.make("tiny", "folds", [0, 1])
    assert [part.plan.part for part in parts] == [
        f"seed {seed}, held_out {words}" for seed in (0, 1) for words in ("dog", "shadow boat")
    ]
    assert parts[1].plan.items[0].cfg({}).held_out == ["shadow", "boat"] and study.question == "Which?"
    with pytest.raises(Refused, match="aligngemini sweep folds"):
        plan.make("tiny", "folds")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("two", "--seeds", "0,x"), "whole numbers"),
        (("two", "--seeds", "1,1"), "each of them once"),
        (("two", "-p", "seed", "1"), "--seeds"),
        (("two", "-p", "betta", "1"), "did you mean 'beta'"),
        (("twoo",), "there is no study 'twoo'"),
        (("joined",), "must name 03_expert_lora, too"),
        (("folds",), "did you mean 'shadow'"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(swept, words, told):
    swept.recipe("studies/joined", {"question": "?", "grid": {stages.VLM: {}, stages.FUSION: {"rule": ["or"]}}})
    grid = {stages.DATA: {"held_out": [["shadw"]]}, stages.VLM: {}}
    swept.recipe("studies/folds", {"question": "?", "grid": grid})
    code, said = swept.run("sweep", *words, "--scale", "tiny")
    assert code == 2 and told in said and not swept.log()


@pytest.mark.parametrize("study", SHIPPED)
def test_the_shipped_studies_ask_a_question_of_every_seed(study, monkeypatch):
    monkeypatch.delenv("ALIGNGEMINI_NOTEBOOKS", raising=False)
    asked, parts = sweep.make("mini", study, [0, 1, 2])
    assert asked.question.endswith("?") and len({part.plan.part for part in parts}) == len(parts) >= 3


def test_the_folds_withhold_every_violation_once_and_leave_scenes_for_each():
    path = paths.ROOT / "notebooks" / "recipes" / "studies" / "withheld.yaml"
    folds = yaml.safe_load(path.read_text())["grid"][stages.DATA]["held_out"]
    every = Counter(name for fold in folds for name in fold)
    assert every.total() == len(every) and set(scenes.FAMILIES) <= set(every) <= {*scenes.FAMILIES, *kinds.KINDS}
    assert all(len(set(fold) & set(kinds.KINDS)) >= 3 for fold in folds)
