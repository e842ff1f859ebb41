"""Plans: recipes and a study's grid become an ordered list of notebooks to run, all parameters checked."""

from dataclasses import dataclass
from typing import Any

from aligngemini.branches import branch_runs
from aligngemini.branches.registry import KINDS
from aligngemini.core import params, recipes, saved_runs, stages
from aligngemini.core.params import Params, Refused
from aligngemini.core.stages import STAGES, Stage

ALL = "all stages"  # what concerns no single notebook


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

    @property
    def selector(self) -> str:
        """The "latest name:value ..." of the run that it makes: its seed, its point, what was asked for."""
        cfg = self.cfg({})
        values = {name: str(getattr(cfg, name)) for name in ("scale", "seed", *self.point, *self.asked)}
        # Blanks part the conditions, so that a value with one is none.
        plain = [f"{name}:{value}" for name, value in values.items() if not any(map(str.isspace, value))]
        return " ".join(["latest", *plain])

    def needs(self, other: "Item", items: list["Item"]) -> bool:
        """Tell whether it stands on the run of `other`, one of the `items` of its plan, without being told to."""
        promised: dict[str, list[str]] = {}
        for each in items:
            promised.setdefault(each.stage.name, []).append(each.selector)
        chosen = (each for each in stages.selectors(self.cfg(promised)) if each.field not in self.asked)
        return any((each.notebook, each.text) == (other.stage.name, other.selector) for each in chosen)

    @property
    def reads(self) -> set[str]:
        """The notebooks whose runs decide its parameters: `values` looks for no others."""
        rules = params.rules(self.stage.params).values()
        joined = [kind.notebook for kind in KINDS.values() if any("branches" in each for each in rules)]
        return {each.get("upstream", "") for each in rules}.union(joined)

    def values(self, made: dict[str, list[str]]) -> dict[str, Any]:
        """Return its parameters, defaults left out; `made`: notebook -> names of its runs.

        A selector that is not given stands for the first run, a list of branches for the first of each kind or for
        all. Where a recipe says "latest ...", the first of these runs that fits is meant, whatever else lies in the
        outputs.
        """
        values = dict(self.given)
        for name, rules in params.rules(self.stage.params).items():
            upstream, given = rules.get("upstream", ""), self.given.get(name)
            if name in self.asked:
                continue
            if made.get(upstream):
                values[name] = _first(upstream, "latest" if given is None else given, made)
            if rules.get("branches") and given is not None:
                values[name] = [_branch(text, made) for text in given]
            elif rules.get("branches") and (runs := _runs(rules["branches"], made)):
                kinds = [text.split()[0] for text in runs]
                default = getattr(self.stage.params(), name)
                values[name] = [*runs, *(text for text in default if text.split()[0] not in kinds)]
        return values

    def cfg(self, made: dict[str, list[str]]) -> Params:
        """Return its parameters as the stage's class; raises `Refused`."""
        return params.build(self.stage.params, self.values(made), where=self.stage.name)


def _first(notebook: str, selector: str, made: dict[str, list[str]]) -> str:
    """Return the first run of `made` that a selector "latest ..." fits, else the selector."""
    runs = made.get(notebook)
    return saved_runs.fitting(notebook, selector, runs) if runs else selector


def _branch(text: str, made: dict[str, list[str]]) -> str:
    """Return a text of a recipe's list of branches with a run of `made` in place of "latest ..."."""
    word, rest = branch_runs.split(text)
    return f"{word} {_first(KINDS[word].notebook, rest, made)}" if word in KINDS and rest else text


def _runs(which: str, made: dict[str, list[str]]) -> list[str]:
    """Return the runs of `made` for a list of branches that nobody gave: "every" one, or the "first" of each kind."""
    count = None if which == "every" else 1
    return [f"{kind.name} {run}" for kind in KINDS.values() for run in made.get(kind.notebook, [])[:count]]


@dataclass(frozen=True)
class Plan:
    """What one command runs: `items` in order, of which only those from the stage `first` on are executed.

    `memory`: gigabytes that one notebook takes, 0 if nobody knows. `part`: which part of a sweep it is.
    """

    scale: str
    study: str
    question: str
    items: list[Item]
    first: Stage
    minutes: dict[str, float]
    memory: float = 0
    part: str = ""

    @property
    def mine(self) -> list[Item]:
        """The items that are executed."""
        return [item for item in self.items if self.runs(item)]

    def runs(self, item: Item) -> bool:
        """Tell whether `item` is executed; otherwise a complete run of it is looked up."""
        return self.first.place <= item.stage.place


def make(
    scale: str,
    study: str = "",
    options: list[tuple[str, str]] | None = None,
    first: str = "",
    only: str = "",
    data: dict[str, Any] | None = None,
    problems: list[tuple[str, str]] | None = None,
) -> Plan:
    """Return the plan of a `scale`; options are (name, text) as typed, for every stage that has the name, or for
    one: "02.base".

    `first`, `only`: a stage's number or name. `data`: the one point of notebook 01 at which a study that varies it
    is run. Raises `Refused` for anything that no stage could run with; where `problems` is given, what is wrong with
    the parameters is added to it (notebook or ALL, sentence), and the plan goes on without that stage or option.
    """
    if first and only:
        raise Refused("give --from or --only, not both: --only runs one notebook, --from it and all after it")
    settings = recipes.settings(scale)
    asked_study = recipes.study(study or settings["study"])
    if data is None and asked_study.grid.get(stages.DATA):
        name = asked_study.name
        raise Refused(f"study {name} varies {stages.DATA}: use `aligngemini sweep {name}`")
    # All later notebooks stand on one data run.
    grid = asked_study.grid | {stages.DATA: {name: [value] for name, value in (data or {}).items()}}
    start = stages.find(only or first) if only or first else next(iter(STAGES.values()))
    usual = [stage for stage in STAGES.values() if not stage.asked or stage == start]
    end = stages.find(only) if only else usual[-1]
    asked = _asked(options or [], end, problems)
    items: list[Item] = []
    for stage in usual[: usual.index(end) + 1]:
        try:
            items += _items(stage, scale, grid.get(stage.name, {}), asked[stage.name])
        except BadStage as refusal:
            if problems is None:
                raise
            problems += [(stage.name, sentence) for sentence in refusal.sentences]
    return Plan(scale, asked_study.name, asked_study.question, items, start, settings["minutes"], settings["memory"])


class BadStage(Refused):
    """The parameters of a stage are refused; `sentences` are all that is wrong with them, the text is the first."""

    def __init__(self, label: str, sentences: list[str]) -> None:
        super().__init__(": ".join(filter(None, [label, sentences[0]])))
        self.sentences = sentences


def _items(stage: Stage, scale: str, axes: dict[str, list], asked: dict[str, Any]) -> list[Item]:
    """Return the stage at every point of its grid; points that the command line makes equal become one."""
    try:
        recipe = recipes.recipe(scale, stage)
    except Refused as refusal:
        raise BadStage("", [str(refusal)]) from refusal
    items: list[Item] = []
    for point in recipes.points(axes):
        point |= {name: value for name, value in asked.items() if name in point}
        item = Item(stage, point, {"scale": scale} | recipe | point | asked, asked)
        if wrong := _wrong(item):
            raise BadStage(item.label, wrong)
        if item not in items:
            items.append(item)
    return items


def _wrong(item: Item) -> list[str]:
    """All that is wrong with the parameters of an item."""
    try:
        return params.problems(item.stage.params, item.values({}), item.stage.name)
    except Refused as refusal:
        return [str(refusal)]


def _asked(
    options: list[tuple[str, str]], end: Stage, problems: list[tuple[str, str]] | None
) -> dict[str, dict[str, Any]]:
    """Return stage -> parameters from the command line; each must have a say in what is run. See `make`."""
    found: dict[str, dict[str, Any]] = {name: {} for name in STAGES}
    for option, text in options:
        number, _, name = option.rpartition(".")  # "02.base": of that notebook alone
        try:
            for stage in _having(name, end, number):
                found[stage.name][name] = params.parse(stage.params, name, text)
        except Refused as refusal:
            if problems is None:
                raise
            problems.append((ALL, str(refusal)))
    return found


def is_shared(name: str) -> bool:
    """Tell whether several notebooks have a parameter, such as `base`: a run of all would set it in each of them."""
    return sum(name in params.names(stage.params) for stage in STAGES.values()) > 1


def _having(name: str, end: Stage, number: str = "") -> list[Stage]:
    """Return the stages that have a parameter, of all or the one with that number; raises `Refused` where the command
    line cannot set it.
    """
    among = [stages.find(number)] if number else list(STAGES.values())
    having = [stage for stage in among if name in params.names(stage.params)]
    if not having:
        every = sorted({known for stage in among for known in params.names(stage.params)})
        raise params.unknown(name, every, among[0].name if number else "the workbook")
    if name == "scale":
        raise Refused("scale is chosen with --scale: it decides which recipes are read")
    if all(stage.place > end.place for stage in having):
        raise Refused(f"{name} belongs to {having[0].name}, which this command does not run: leave it out")
    return having
