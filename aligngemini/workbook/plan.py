"""Plans: recipes and a study's grid become an ordered list of notebooks to run, all parameters checked."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aligngemini.workbook import params, paths, stages
from aligngemini.workbook.params import Params, Refused
from aligngemini.workbook.stages import STAGES, Stage

VARIED = (stages.VLM, stages.EXPERT, stages.FUSION)  # 01 comes before the grid, 05 sees all of it


@dataclass(frozen=True)
class Item:
    """One stage at one point of the grid. `given`: its parameters that are not defaults, `asked`: those
    of them that the command line named.
    """

    stage: Stage
    point: dict[str, Any]
    given: dict[str, Any]
    asked: dict[str, Any]

    @property
    def label(self) -> str:
        """Its notebook and point, e.g. "02_vlm_dpo, supervision mixed"."""
        return ", ".join([self.stage.name, *(f"{name} {value}" for name, value in self.point.items())])

    def values(self, made: dict[str, list[str]]) -> dict[str, Any]:
        """Return its parameters, defaults left out; `made`: notebook -> names of its runs.

        A selector that is not given stands for all runs if it is a list, else for the first.
        """
        chain = {}
        for name, (upstream, default) in stages.selectors(self.stage.params()).items():
            if made.get(upstream):
                chain[name] = made[upstream] if isinstance(default, list) else made[upstream][0]
        return chain | self.given

    def cfg(self, made: dict[str, list[str]]) -> Params:
        """Return its parameters as the stage's dataclass; raises `Refused`."""
        return params.build(self.stage.params, self.values(made), where=self.stage.name)


@dataclass(frozen=True)
class Plan:
    """What one command runs: `items` in order, of which only those from `first` to `last` are executed."""

    scale: str
    study: str
    question: str
    items: list[Item]
    first: str
    last: str
    minutes: dict[str, float]

    @property
    def mine(self) -> list[Item]:
        """The items that are executed."""
        return [item for item in self.items if self.runs(item)]

    def runs(self, item: Item) -> bool:
        """Tell whether `item` is executed; otherwise a complete run of it is looked up."""
        return self.first <= item.stage.name <= self.last


def make(
    scale: str, study: str = "", options: list[tuple[str, str]] | None = None, first: str = "", only: str = ""
) -> Plan:
    """Return the plan of a `scale`; options are (name, text) as typed, for every stage that has the name.

    `first`, `only`: a stage's number or name. Raises `Refused` for anything that no stage could run with.
    """
    if first and only:
        raise Refused("give --from or --only, not both: --only runs one notebook, --from it and all after it")
    settings = _settings(scale)
    study = study or settings["study"]
    question, grid = _study(study)
    start = stages.find(only or first).name if only or first else next(iter(STAGES))
    end = stages.find(only).name if only else list(STAGES)[-1]
    asked = _asked(options or [], end)
    items = [item for stage in STAGES.values() for item in _items(stage, scale, grid, asked[stage.name])]
    plan = Plan(scale, study, question, items, start, end, settings["minutes"])
    for item in plan.items:
        _check(item)
    return plan


def _check(item: Item) -> None:
    try:
        item.cfg({})
    except Refused as refusal:
        raise Refused(f"{item.label}: {refusal}") from refusal


def _items(stage: Stage, scale: str, grid: dict[str, dict[str, list]], asked: dict[str, Any]) -> list[Item]:
    """Return the stage at every point of its grid; points that the command line makes equal become one."""
    axes = grid.get(stage.name, {})
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    recipe = _recipe(scale, stage)
    items: list[Item] = []
    for point in points:
        point |= {name: value for name, value in asked.items() if name in point}
        given = {"scale": scale} | recipe | point | asked
        if all(given != item.given for item in items):
            items.append(Item(stage, point, given, asked))
    return items


def _asked(options: list[tuple[str, str]], end: str) -> dict[str, dict[str, Any]]:
    """Return stage -> parameters from the command line; each must have a say in what is run."""
    found: dict[str, dict[str, Any]] = {name: {} for name in STAGES}
    for name, text in options:
        having = [stage for stage in STAGES.values() if name in params.names(stage.params)]
        if not having:
            every = sorted({known for stage in STAGES.values() for known in params.names(stage.params)})
            raise params.unknown(name, every, "the workbook")
        if name == "scale":
            raise Refused("scale is chosen with --scale: it decides which recipes are read")
        if all(stage.name > end for stage in having):
            raise Refused(f"{name} belongs to {having[0].name}, which this command does not run: leave it out")
        for stage in having:
            found[stage.name][name] = params.parse(stage.params, name, text)
    return found


def _recipe(scale: str, stage: Stage) -> dict[str, Any]:
    path = recipes() / scale / f"{stage.name}.yaml"
    recipe = _yaml(path) if path.is_file() else {}
    for name in recipe:
        if name not in params.names(stage.params):
            raise params.unknown(name, params.names(stage.params), paths.short(path))
    if recipe.get("scale", scale) != scale:
        raise Refused(f"{paths.short(path)} says scale {recipe['scale']!r} but lies in {scale}: correct one of them")
    return recipe


def recipes() -> Path:
    """Return the folder of recipes: one folder per scale, and `studies`."""
    return paths.notebooks() / "recipes"


def _settings(scale: str) -> dict[str, Any]:
    scales = [path.parent.name for path in sorted(recipes().glob("*/plan.yaml"))]
    if scale not in scales:
        raise Refused(f"there is no scale {scale!r} in {paths.short(recipes())}: choose {' or '.join(scales)}")
    path = recipes() / scale / "plan.yaml"
    for file in path.parent.glob("*.yaml"):
        if file != path and file.stem not in STAGES:
            raise Refused(f"{paths.short(file)} is the recipe of no notebook: name it {' or '.join(STAGES)}")
    return {"study": "", "minutes": {}} | _keys(path, {"study": str, "minutes": dict})


def _study(name: str) -> tuple[str, dict[str, dict[str, list]]]:
    """Return the question and the grid of a study; no name means no grid."""
    if not name:
        return "", {}
    studies = sorted(path.stem for path in (recipes() / "studies").glob("*.yaml"))
    if name not in studies:
        raise Refused(f"there is no study {name!r}: choose {' or '.join(studies) or 'none, the folder is empty'}")
    path = recipes() / "studies" / f"{name}.yaml"
    study = _keys(path, {"question": str, "grid": dict})
    if set(study) != {"question", "grid"}:
        raise Refused(f"{paths.short(path)} needs question, a sentence, and grid: the values to try")
    for stage, axes in study["grid"].items():
        _check_axes(paths.short(path), stage, axes)
    return study["question"], study["grid"]


def _check_axes(path: str, stage: str, axes: Any) -> None:
    if stage not in VARIED:
        raise Refused(f"{path}: a grid may vary {', '.join(VARIED)}, not {stage!r}")
    if not isinstance(axes, dict):
        raise Refused(f"{path}: {stage} needs lines `parameter: list of values`, got {axes!r}")
    for name, values in axes.items():
        if name not in params.names(STAGES[stage].params):
            raise params.unknown(name, params.names(STAGES[stage].params), f"{path}: {stage}")
        if not isinstance(values, list) or not values:
            raise Refused(f"{path}: {stage} needs a list of values for {name}, such as [1, 2], got {values!r}")


def _keys(path: Path, kinds: dict[str, type]) -> dict[str, Any]:
    content = _yaml(path)
    for key, value in content.items():
        if key not in kinds:
            raise params.unknown(str(key), list(kinds), paths.short(path))
        if not isinstance(value, kinds[key]):
            raise Refused(f"{paths.short(path)}: {key} must be a {kinds[key].__name__}, got {value!r}")
    return content


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise Refused(f"{paths.short(path)} is not YAML: {str(error).splitlines()[-1].strip()}") from error
    if not isinstance(content, dict):
        raise Refused(f"{paths.short(path)} must hold lines `name: value`, got {type(content).__name__}")
    return content
