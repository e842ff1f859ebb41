"""Plans: recipes and a study's grid become an ordered list of notebooks to run, all parameters checked."""

from dataclasses import dataclass
from typing import Any

from aligngemini.branches import branch_runs
from aligngemini.branches.registry import KINDS
from aligngemini.core import params, recipes, records, stages
from aligngemini.core.params import Params, Refused
from aligngemini.core.recipes import Study
from aligngemini.core.stages import STAGES, Stage


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

    def asks(self, notebook: str) -> list[str] | None:
        """Return the selectors of runs of `notebook` that the command line gives it, [] if it stands on none of them;
        None where it stands on some, and the command line does not say which.
        """
        found = [each for each in stages.selectors(self.cfg({})) if each.notebook == notebook]
        return [each.text for each in found] if all(each.field in self.asked for each in found) else None

    def values(self, made: dict[str, list[str]]) -> dict[str, Any]:
        """Return its parameters, defaults left out; `made`: notebook -> names of its runs.

        A selector that is not given stands for the first run, a list of branches for the first of each kind or for
        all. Where a recipe says "latest ...", the first of these runs that fits is meant, whatever else lies in the
        outputs.
        """
        values = dict(self.given)
        for name, rules in params.rules(self.stage.params).items():
            runs = made.get(rules.get("upstream", ""))
            if runs and name not in self.asked:
                text = self.given.get(name)
                values[name] = runs[0] if text is None else records.fitting(rules["upstream"], text, runs)
            if rules.get("branches") and name not in self.asked:
                values |= self._branches(name, rules["branches"], made)
        return values

    def _branches(self, name: str, which: str, made: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return the value of a list of branches, by the name of its field; {} for the default."""
        if name in self.given:
            return {name: [_branch(text, made) for text in self.given[name]]}
        kinds = [kind for kind in KINDS.values() if made.get(kind.notebook)]
        count = None if which == "every" else 1
        found = [text for kind in kinds for text in branch_runs.texts(kind, made[kind.notebook][:count])]
        others = [
            text for text in getattr(self.stage.params(), name) if text.split()[0] not in [kind.name for kind in kinds]
        ]
        return {name: [*found, *others]} if found else {}

    def cfg(self, made: dict[str, list[str]]) -> Params:
        """Return its parameters as the stage's class; raises `Refused`."""
        return params.build(self.stage.params, self.values(made), where=self.stage.name)


def _branch(text: str, made: dict[str, list[str]]) -> str:
    """Return a text of a recipe's `branch_runs` with the first run of `made` that fits in place of "latest ..."."""
    word, rest = branch_runs.split(text)
    runs = made.get(KINDS[word].notebook) if word in KINDS else None
    return f"{word} {records.fitting(KINDS[word].notebook, rest, runs)}" if runs else text


@dataclass(frozen=True)
class Plan:
    """What one command runs: `items` in order, of which only those from `first` to `last` are executed."""

    scale: str
    study: str
    question: str
    items: list[Item]
    first: Stage
    last: Stage
    minutes: dict[str, float]

    @property
    def mine(self) -> list[Item]:
        """The items that are executed."""
        return [item for item in self.items if self.runs(item)]

    def runs(self, item: Item) -> bool:
        """Tell whether `item` is executed; otherwise a complete run of it is looked up."""
        return self.first.place <= item.stage.place <= self.last.place


def make(
    scale: str,
    study: str = "",
    options: list[tuple[str, str]] | None = None,
    first: str = "",
    only: str = "",
    data: dict[str, Any] | None = None,
) -> Plan:
    """Return the plan of a `scale`; options are (name, text) as typed, for every stage that has the name.

    `first`, `only`: a stage's number or name. `data`: the one point of notebook 01 at which a study that varies it
    is run. Raises `Refused` for anything that no stage could run with.
    """
    if first and only:
        raise Refused("give --from or --only, not both: --only runs one notebook, --from it and all after it")
    settings = recipes.settings(scale)
    asked_study = recipes.study(study or settings["study"])
    grid = _at(asked_study, data)
    start = stages.find(only or first) if only or first else next(iter(STAGES.values()))
    end = stages.find(only) if only else list(STAGES.values())[-1]
    asked = _asked(options or [], end)
    items = [item for stage in STAGES.values() for item in _items(stage, scale, grid, asked[stage.name])]
    plan = Plan(scale, asked_study.name, asked_study.question, items, start, end, settings["minutes"])
    for item in plan.items:
        _check(item)
    return plan


def _at(study: Study, data: dict[str, Any] | None) -> dict[str, dict[str, list]]:
    """Return the grid of `study` at one point of notebook 01: all later notebooks stand on one data run."""
    if data is None and study.grid.get(stages.DATA):
        raise Refused(f"study {study.name} varies {stages.DATA}: use `aligngemini sweep {study.name}`")
    return study.grid | {stages.DATA: {name: [value] for name, value in (data or {}).items()}}


def _check(item: Item) -> None:
    try:
        item.cfg({})
    except Refused as refusal:
        raise Refused(f"{item.label}: {refusal}") from refusal


def _items(stage: Stage, scale: str, grid: dict[str, dict[str, list]], asked: dict[str, Any]) -> list[Item]:
    """Return the stage at every point of its grid; points that the command line makes equal become one."""
    recipe = recipes.recipe(scale, stage)
    items: list[Item] = []
    for point in recipes.points(grid.get(stage.name, {})):
        point |= {name: value for name, value in asked.items() if name in point}
        given = {"scale": scale} | recipe | point | asked
        if all(given != item.given for item in items):
            items.append(Item(stage, point, given, asked))
    return items


def _asked(options: list[tuple[str, str]], end: Stage) -> dict[str, dict[str, Any]]:
    """Return stage -> parameters from the command line; each must have a say in what is run."""
    found: dict[str, dict[str, Any]] = {name: {} for name in STAGES}
    for name, text in options:
        having = [stage for stage in STAGES.values() if name in params.names(stage.params)]
        if not having:
            every = sorted({known for stage in STAGES.values() for known in params.names(stage.params)})
            raise params.unknown(name, every, "the workbook")
        if name == "scale":
            raise Refused("scale is chosen with --scale: it decides which recipes are read")
        if all(stage.place > end.place for stage in having):
            raise Refused(f"{name} belongs to {having[0].name}, which this command does not run: leave it out")
        for stage in having:
            found[stage.name][name] = params.parse(stage.params, name, text)
    return found
