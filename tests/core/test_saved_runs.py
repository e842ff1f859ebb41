"""Saved runs: which folder they are looked for in."""

from aligngemini.core import saved_runs, stages
from tests import small


def test_runs_of_another_folder_are_listed_only_if_it_is_named(little):
    run = small.made(stages.DATA, small.data(little))
    (little.outputs / "exercises").mkdir()
    run.folder.parent.rename(little.outputs / "exercises" / stages.DATA)
    assert saved_runs.complete(stages.DATA) == []
    assert [each.name for each in saved_runs.complete(stages.DATA, little.outputs / "exercises")] == [run.name]
