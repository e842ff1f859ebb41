"""The five notebooks' parameters: valid by default, readable by papermill, impossible values refused."""

import nbformat
import papermill
import pytest

from aligngemini.analysis.params import AnalysisParams
from aligngemini.core import params, stages
from aligngemini.core.params import Refused
from aligngemini.expert.params import ExpertParams
from aligngemini.fusion.params import FusionParams
from aligngemini.images.params import DataParams
from aligngemini.vlm.params import VLMParams
from tests import cells

CLASSES = [stage.params for stage in stages.STAGES.values()]


@pytest.mark.parametrize("cls", CLASSES)
def test_papermill_shows_the_main_parameters_with_type_and_help(cls, tmp_path):
    tagged = nbformat.v4.new_code_cell(cells.parameters(cls), metadata={"tags": ["parameters"]})
    book = nbformat.v4.new_notebook(cells=[tagged])
    book.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(book, tmp_path / "book.ipynb")
    seen = papermill.inspect_notebook(tmp_path / "book.ipynb")
    main = params.main_names(cls)
    assert list(seen) == [*main, params.ADVANCED] and len(main) < 11
    for name in main:
        field = cls.model_fields[name]
        assert seen[name]["help"] == field.description
        assert seen[name]["inferred_type_name"] == params.spell(field.annotation)


@pytest.mark.parametrize(
    ("cls", "values", "words"),
    [
        (DataParams, {"train_images": 2401}, "even"),
        (DataParams, {"image_size": 100}, "multiple of 28"),
        (DataParams, {"degrade_jpeg": [70, 30]}, "lower first"),
        (DataParams, {"degrade_jpeg": [0, 30]}, "at least 1"),
        (DataParams, {"degrade_scale": [0.0, 0.5]}, "above 0"),
        (DataParams, {"plausible": "photos"}, "both"),
        (DataParams, {"test_images": 0}, "no end"),
        (DataParams, {"train_images": 0}, "no end"),
        (VLMParams, {"supervision": "pixels"}, "'pixel'"),
        (VLMParams, {"lora_dropout": 1.5}, "at most 1"),
        (VLMParams, {"epochs": 0}, "above 0"),
        (ExpertParams, {"crop": 100}, "multiple of 14"),
        (ExpertParams, {"jpeg_probability": -0.1}, "at least 0"),
        (FusionParams, {"rule": "xor"}, "'or'"),
        (FusionParams, {"confidence": 1.0}, "at most 0.999"),
        (FusionParams, {"branch_runs": ["vml latest"]}, "did you mean 'vlm'"),
        (FusionParams, {"branch_runs": ["latest supervision:semantic"]}, "there is no branch .latest."),
        (FusionParams, {"branch_runs": ["VLM latest"]}, "did you mean 'vlm'"),
        (FusionParams, {"branch_runs": ["vlm latest", " "]}, "begin with one of vlm, expert"),
        (FusionParams, {"branch_runs": "null"}, "write a list in brackets, such as"),
        (FusionParams, {"branch_runs": None}, "write a list in brackets, such as"),
        (FusionParams, {"branch_runs": ["vlm"]}, 'write "vlm latest"'),
        (FusionParams, {"branch_runs": ["vlm latest", "scores"]}, "needs a file"),
        (FusionParams, {"branch_runs": ["vlm latest", "frequency x"]}, "stands alone"),
        (FusionParams, {"branch_runs": ["frequency", "scores a.csv"]}, "must name a run"),
        (FusionParams, {"branch_runs": ["vlm latest", "frequency", "frequency"]}, "called frequency"),
        (FusionParams, {"branch_runs": ["vlm latest", "scores a/x.csv", "scores b/x.parquet"]}, "called x"),
        (FusionParams, {"fixed_thresholds": [0.1, 0.2, 0.3]}, "each of the 2"),
        (FusionParams, {"fixed_thresholds": [1.5]}, "at most 1"),
        (AnalysisParams, {"vlm_runs": ["latest"]}, "no parameter 'vlm_runs': did you mean 'branch_runs'"),
        (AnalysisParams, {"branch_runs": []}, "empty"),
        (AnalysisParams, {"seed": -1}, "at least 0"),
    ],
)
def test_impossible_values_are_refused(cls, values, words):
    with pytest.raises(Refused, match=words):
        params.build(cls, values)


@pytest.mark.parametrize("text", ["03", "3", "03_expert_lora"])
def test_a_stage_is_found_by_number_or_name(text):
    assert stages.find(text).name == stages.EXPERT


@pytest.mark.parametrize("text", ["7", "expert", "", "0"])
def test_other_stages_are_refused(text):
    with pytest.raises(Refused, match="01_data_construction"):
        stages.find(text)


def needs(cfg) -> dict[str, tuple[str, str]]:
    return {each.label: (each.notebook, each.text) for each in stages.selectors(cfg)}


def test_needs_are_labelled_after_their_parameters():
    assert needs(DataParams()) == {}
    assert needs(VLMParams()) == {"data": (stages.DATA, "latest")}
    labels = list(needs(AnalysisParams()))
    assert labels == ["fusion", "vlm 1", "vlm 2", "expert 1", "expert 2"]
    mixed = FusionParams(branch_runs=["scores my scores.csv", "expert 0123", "vlm latest seed:1", "frequency"])
    spaced = FusionParams(branch_runs=["scores\tmy scores.csv", "expert  0123", " vlm\nlatest seed:1 ", "frequency"])
    assert needs(spaced) == needs(mixed)
    assert needs(mixed) == {"expert": (stages.EXPERT, "0123"), "vlm": (stages.VLM, "latest seed:1")}
