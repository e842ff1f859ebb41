"""What lies in the folder of recipes: parameters and settings of each scale, and studies, all checked."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aligngemini.core import params, paths, reading, stages
from aligngemini.core.params import Refused, shown
from aligngemini.core.stages import STAGES, Stage

VARIED = tuple(name for name in STAGES if name != stages.ANALYSIS)  # 05 sees all points of a grid
TABLES = ("balanced accuracy", "AUROC", "probes", "rules", "found", "grades")  # what the section of a study may show
SETTINGS = {"study": str, "minutes": dict, "memory": int, "fetch": dict}  # what plan.yaml may hold


@dataclass(frozen=True)
class Study:
    """A question, the values to try (notebook -> parameter -> list of values), the design in words, and which of TABLES
    answer.
    """

    name: str
    question: str
    grid: dict[str, dict[str, list]]
    design: str = ""
    tables: Sequence[str] = ("balanced accuracy", "probes", "rules")

    @property
    def varied(self) -> set[str]:
        """The parameters of which the grid has several values."""
        return {name for axes in self.grid.values() for name, values in axes.items() if len(values) > 1}


def folder() -> Path:
    """Return the folder of recipes: one folder per scale, and `studies`."""
    return paths.notebooks() / "recipes"


def recipe(scale: str, stage: Stage) -> dict[str, Any]:
    """Return the parameters that the recipe of `stage` at `scale` gives; none if there is no recipe."""
    path = folder() / scale / f"{stage.name}.yaml"
    given = reading.mapping(path, paths.short(path)) if os.path.lexists(path) else {}
    _check_names(given, params.names(stage.params), paths.short(path))
    if given.get("scale", scale) != scale:
        found = shown(given["scale"])
        raise Refused(f"{paths.short(path)} says scale {found} but lies in {scale}: correct one of them")
    return given


def settings(scale: str) -> dict[str, Any]:
    """Return what plan.yaml of `scale` says: study (a name or ""), minutes (notebook -> expected), memory (GB that
    one notebook takes on a CPU, 0 if it does not say) and fetch (option of `data fetch` -> number)."""
    scales = [path.parent.name for path in sorted(folder().glob("*/plan.yaml"))]
    if scale not in scales:
        raise Refused(f"there is no scale {shown(scale)} in {paths.short(folder())}: choose {' or '.join(scales)}")
    path = folder() / scale / "plan.yaml"
    for file in path.parent.glob("*.yaml"):
        if file != path and file.stem not in STAGES:
            raise Refused(f"{paths.short(file)} is the recipe of no notebook: name it {' or '.join(STAGES)}")
    return {"study": "", "minutes": {}, "memory": 0, "fetch": {}} | _content(path, SETTINGS)


def studies() -> list[str]:
    """Return the names of all studies, sorted."""
    return sorted(path.stem for path in (folder() / "studies").glob("*.yaml"))


def study(name: str) -> Study:
    """Return the study called `name`; no name is a study without question and grid."""
    if not name:
        return Study("", "", {})
    if name not in studies():
        every = " or ".join(studies()) or "none, the folder is empty"
        raise Refused(f"there is no study {shown(name)}: choose {every}")
    path = folder() / "studies" / f"{name}.yaml"
    content = _content(path, {"question": str, "grid": dict, "design": str, "tables": list})
    if not {"question", "grid"} <= set(content):
        raise Refused(f"{paths.short(path)} needs question, a sentence, and grid: the values to try")
    for table in content.get("tables", []):
        if table not in TABLES:
            raise params.unknown(str(table), list(TABLES), paths.short(path), "table")
    for stage, axes in content["grid"].items():
        _check_axes(paths.short(path), stage, axes)
    return Study(name, **content)


def points(axes: dict[str, list]) -> list[dict[str, Any]]:
    """Return the points of a grid, the last axis fastest; one empty point for no axes."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _check_axes(path: str, stage: str, axes: Any) -> None:
    if stage not in VARIED:
        raise Refused(f"{path}: a grid may vary {', '.join(VARIED)}, not {shown(stage)}")
    if not isinstance(axes, dict):
        raise Refused(f"{path}: {stage} needs lines `parameter: list of values`, got {shown(axes)}")
    _check_names(axes, params.names(STAGES[stage].params), f"{path}: {stage}")
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise Refused(f"{path}: {stage} needs a list of values for {name}, such as [1, 2], got {shown(values)}")


def _content(path: Path, kinds: dict[str, type]) -> dict[str, Any]:
    content = reading.mapping(path, paths.short(path))
    _check_names(content, list(kinds), paths.short(path))
    for key, value in content.items():
        if not isinstance(value, kinds[key]):
            raise Refused(f"{paths.short(path)}: {key} must be a {kinds[key].__name__}, got {shown(value)}")
    return content


def _check_names(mapping: dict[str, Any], valid: list[str], where: str) -> None:
    if wrong := next((name for name in mapping if name not in valid), None):
        raise params.unknown(wrong, valid, where)
