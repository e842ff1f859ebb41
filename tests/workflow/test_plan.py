"""Plans: recipes, study and command line become the stages to run, and nonsense is refused at once."""

import pytest

from aligngemini.core import params, paths, recipes, stages
from aligngemini.core.params import Refused
from aligngemini.workflow import plan

SHIPPED = sorted(path.parent.name for path in (paths.ROOT / "notebooks" / "recipes").glob("*/plan.yaml"))


def _labels(made):
    return [item.label for item in made.mine]


def test_the_default_plan_goes_from_data_to_analysis(little):
    assert _labels(plan.make("tiny")) == [
        "01_data_construction",
        "02_vlm_dpo, supervision semantic",
        "02_vlm_dpo, supervision mixed",
        "03_expert_lora, supervision pixel",
        "03_expert_lora, supervision mixed",
        "04_fusion",
        "05_analysis",
    ]


def test_the_fusion_stands_on_the_first_points_and_the_analysis_on_all(little):
    made = plan.make("tiny")
    names = {stages.DATA: ["d"], stages.VLM: ["v1", "v2"], stages.EXPERT: ["e1", "e2"], stages.FUSION: ["f"]}
    fusion, analysis = (item.cfg(names) for item in made.items[-2:])
    assert fusion.branch_runs == ["vlm v1", "expert e1"]
    assert (analysis.fusion_run, analysis.branch_runs) == ("f", ["vlm v1", "vlm v2", "expert e1", "expert e2"])


MADE = {stages.DATA: ["d"], stages.VLM: ["v1", "v2"], stages.EXPERT: ["e1"], stages.FUSION: ["f"]}


def test_branches_that_the_command_line_names_stay_as_they_are(little):
    made = plan.make("tiny", options=[("branch_runs", '["vlm latest", "frequency"]')])
    assert {tuple(item.cfg(MADE).branch_runs) for item in made.items[-2:]} == {("vlm latest", "frequency")}


def test_a_kind_without_a_run_of_the_plan_stays_as_the_default_has_it(little):
    fusion = plan.make("tiny").items[-2]
    assert fusion.cfg({stages.VLM: ["v1", "v2"]}).branch_runs == ["vlm v1", "expert latest supervision:pixel"]
    assert "branch_runs" not in fusion.values({})


def test_a_recipe_s_branches_keep_their_order_and_those_without_a_run(little, monkeypatch):
    monkeypatch.setattr(plan.saved_runs, "fitting", lambda notebook, text, runs: runs[-1])
    little.recipe("tiny/04_fusion", {"branch_runs": ["frequency", "expert latest", "vlm latest supervision:mixed"]})
    fusion = plan.make("tiny").items[-2]
    assert fusion.cfg(MADE).branch_runs == ["frequency", "expert e1", "vlm v2"]
    assert fusion.cfg({}).branch_runs == ["frequency", "expert latest", "vlm latest supervision:mixed"]


def test_a_run_that_the_command_line_names_is_not_looked_for(little):
    default, named = (
        plan.make("tiny", options=options).items[-2]
        for options in ([], [("branch_runs", "[vlm 0123, vlm latest supervision:mixed, scores a.csv]")])
    )
    _, vlm, mixed, expert, *_, analysis = items = plan.make("tiny").items
    assert [default.needs(each, items) for each in items] == [each in (vlm, expert) for each in items]
    assert analysis.needs(mixed, items) and not any(named.needs(each, items) for each in items)


def test_recipes_give_way_to_the_grid_and_both_to_the_command_line(little):
    little.recipe("tiny/02_vlm_dpo", {"beta": 0.1, "lora_rank": 4, "base": "owner/name"})
    items = plan.make("tiny", options=[("beta", "0.2"), ("seed", "7")]).items
    vlm = items[1].cfg({})
    assert (vlm.beta, vlm.lora_rank, vlm.seed, vlm.scale) == (0.2, 4, 7, "tiny")
    assert {item.cfg({}).seed for item in items} == {7}


def test_a_number_before_a_dot_aims_a_parameter_at_one_notebook(little):
    made = plan.make("tiny", options=[("base", "data/mini/vlm"), ("03.base", "data/mini/expert")])
    asked = {item.stage.name: item.asked for item in made.items}
    assert asked["02_vlm_dpo"] == {"base": "data/mini/vlm"}
    assert asked["03_expert_lora"] == {"base": "data/mini/expert"}
    for name, told in {"07.base": "there is no stage '07'", "04.base": "04_fusion has no parameter 'base'"}.items():
        with pytest.raises(Refused, match=told):
            plan.make("tiny", options=[(name, "data/mini/vlm")])
    with pytest.raises(Refused, match="belongs to 03_expert_lora, which this command does not run"):
        plan.make("tiny", only="02", options=[("03.base", "data/mini/expert")])


def test_points_that_the_command_line_makes_equal_become_one(little):
    made = plan.make("tiny", options=[("supervision", "mixed")])
    assert _labels(made)[1:3] == ["02_vlm_dpo, supervision mixed", "03_expert_lora, supervision mixed"]


def test_a_given_selector_is_kept(little):
    made = plan.make("tiny", options=[("data_run", "000000000001")])
    assert made.items[1].cfg({stages.DATA: ["d"]}).data_run == "000000000001"


@pytest.mark.parametrize(
    ("words", "labels"),
    [({"first": "04"}, ["04_fusion", "05_analysis"]), ({"only": "4"}, ["04_fusion"])],
)
def test_from_and_only_choose_the_stages_that_run(little, words, labels):
    assert _labels(plan.make("tiny", **words)) == labels


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"options": [("learning_rat", "1")]}, "did you mean 'learning_rate'"),
        ({"options": [("learning_rate", "fast")]}, "02_vlm_dpo, supervision semantic: learning_rate must be a float"),
        ({"options": [("supervision", "mixt")]}, "did you mean 'mixed'"),
        ({"options": [("seed", "x")]}, "must be an int"),
        ({"options": [("scale", "paper")]}, "--scale"),
        ({"options": [("rule", "and")], "only": "02"}, "does not run"),
        ({"options": [("vlm_run", "latest")]}, "no parameter 'vlm_run': did you mean"),
        ({"options": [("branch_runs", "[expret latest]")]}, "04_fusion: .*did you mean 'expert'"),
        ({"only": "09"}, "no stage '09'"),
        ({"only": "02", "first": "02"}, "not both"),
        ({"study": "nothing"}, "mixed_against_pure"),
    ],
)
def test_nonsense_on_the_command_line_is_refused(little, words, told):
    with pytest.raises(Refused, match=told):
        plan.make("tiny", **words)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("tiny/02_vlm_dpo", {"bete": 0.1}, "02_vlm_dpo.yaml has no parameter 'bete': did you mean 'beta'"),
        ("tiny/05_analysis", {"resamples": "5e3"}, "resamples must be an int"),
        (
            "tiny/04_fusion",
            {"expert_threshold": 0.4},
            "04_fusion.yaml has no parameter .*: did you mean .fixed_thresholds",
        ),
        ("tiny/05_analysis", {"vlm_runs": ["latest"]}, "no parameter 'vlm_runs': did you mean 'branch_runs'"),
        ("tiny/02_vlm_dpo", {"scale": "paper"}, "lies in tiny"),
        ("tiny/02_vlm", {}, "recipe of no notebook"),
        ("tiny/plan", {"studie": "x"}, "did you mean 'study'"),
        ("tiny/plan", {"study": 1}, "must be a str"),
        ("tiny/02_vlm_dpo", ["beta"], "name: value"),
        (
            "studies/mixed_against_pure",
            {"question": "?", "grid": {"05_analysis": {"seed": [1]}}},
            "vary",
        ),
        ("studies/mixed_against_pure", {"question": "?", "grid": {"02_vlm_dpo": {"bete": [1]}}}, "'beta'"),
        (
            "studies/mixed_against_pure",
            {"question": "?", "grid": {"02_vlm_dpo": {"beta": 1}}},
            "list of values",
        ),
        ("studies/mixed_against_pure", {"question": "?", "grid": {"02_vlm_dpo": ["beta"]}}, "list of values"),
        ("studies/mixed_against_pure", {"grid": {}}, "needs question"),
    ],
)
def test_a_bad_recipe_or_study_is_refused_by_file_and_name(little, name, content, told):
    little.recipe(name, content)
    with pytest.raises(Refused, match=told):
        plan.make("tiny")


def test_a_recipe_that_is_no_yaml_is_refused(little):
    (recipes.folder() / "tiny" / "02_vlm_dpo.yaml").write_text("beta: [1")
    with pytest.raises(Refused, match="is not YAML"):
        plan.make("tiny")


def test_an_unknown_scale_is_refused_with_those_there_are(little):
    with pytest.raises(Refused, match="choose tiny"):
        plan.make("huge")


@pytest.mark.parametrize("scale", SHIPPED)
def test_the_shipped_recipes_make_a_plan_with_expected_minutes(scale, monkeypatch):
    monkeypatch.delenv("ALIGNGEMINI_NOTEBOOKS", raising=False)
    made = plan.make(scale)
    assert len(made.items) >= len(stages.STAGES)
    assert set(made.minutes) <= set(stages.STAGES)
    assert all(minutes > 0 for minutes in made.minutes.values())


def test_mini_and_smoke_are_shipped():
    assert {"mini", "smoke"} <= set(SHIPPED)


def test_values_leave_defaults_out_so_that_the_executed_notebook_shows_what_was_chosen(little):
    item = plan.make("tiny").items[1]
    assert set(item.values({})) == {"scale", "base", "supervision"}
    assert params.build(item.stage.params, item.values({})) == item.cfg({})
