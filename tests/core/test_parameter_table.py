"""The table of all parameters: in a notebook, and as text for a terminal."""

import pytest

from aligngemini import cli
from aligngemini.core import parameter_table, stages
from aligngemini.expert.params import ExpertParams


def test_every_parameter_has_a_row_with_its_value_and_help_the_main_ones_first():
    config = ExpertParams(crop=84)
    table = parameter_table.rows(config).set_index("parameter")
    assert set(table.index) == set(ExpertParams.model_fields)
    assert table.value["crop"] == 84 and table.type["chain"] == "list[str]" and (table.help.str.len() > 5).all()
    places = table.place.tolist()
    assert places == sorted(places, key=["cell", "advanced"].index)


def test_choices_that_the_help_does_not_name_are_listed():
    text = parameter_table.text(ExpertParams)
    assert "kinds of blur to sample from (one of 'gaussian', 'gaussian 3'" in text
    assert text.count("'faithful', 'fixed'") == 0


def test_a_notebook_shows_the_table_folded_with_the_number_of_changes_and_escaped():
    page = parameter_table.show(ExpertParams(base="<b>", crop=84)).data
    assert page.startswith("<details><summary>All 41 parameters, 2 changed</summary>")
    assert "&lt;b&gt;" in page and "<b>" not in page


@pytest.mark.parametrize("stage", stages.STAGES)
def test_the_command_line_lists_the_parameters_of_a_notebook(stage, capsys):
    assert cli.main(["run", "--help-params", stage[:2]]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("scale: str = 'mini'")
    assert all(f"\n{name}: " in f"\n{printed}" for name in stages.STAGES[stage].params.model_fields)
