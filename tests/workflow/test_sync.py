"""`make sync`: what is in git is what it would write, and it writes what the dataclasses say."""

import dataclasses
from types import SimpleNamespace

import yaml

from aligngemini.core import paths, recipes
from aligngemini.core.stages import STAGES
from aligngemini.fusion.params import FusionParams
from aligngemini.workflow import sync


def test_cells_and_recipes_in_git_are_what_it_writes():
    for stage in STAGES.values():
        assert paths.notebook(stage.name).read_text(encoding="utf-8") == sync.notebook(stage)
        assert (recipes.folder() / "mini" / f"{stage.name}.yaml").read_text(encoding="utf-8") == sync.recipe(stage)


def test_a_changed_default_reaches_cell_and_recipe():
    @dataclasses.dataclass(frozen=True)
    class Other(FusionParams):
        resamples: int = dataclasses.field(
            default=500, metadata=FusionParams.__dataclass_fields__["resamples"].metadata
        )

    stage = SimpleNamespace(name="04_fusion", params=Other)
    assert "resamples: int = 500  #" in sync.notebook(stage)
    assert yaml.safe_load(sync.recipe(stage))["resamples"] == 500
