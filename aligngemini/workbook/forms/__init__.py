"""The five forms, a file for each notebook: what it may be asked, with defaults, help and what is refused."""

from aligngemini.workbook.forms.analysis import AnalysisParams
from aligngemini.workbook.forms.data import WORLD, DataParams
from aligngemini.workbook.forms.expert import ExpertParams
from aligngemini.workbook.forms.fusion import FusionParams
from aligngemini.workbook.forms.vlm import VLMParams

__all__ = ["WORLD", "AnalysisParams", "DataParams", "ExpertParams", "FusionParams", "VLMParams"]
