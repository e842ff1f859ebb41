"""What a plan needs to be there before it starts: a list of checks, each of which refuses or is content."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from aligngemini.core import hub, paths, run_spec, saved_runs, stages
from aligngemini.core.params import Refused

from .plan import Plan


class Check(NamedTuple):
    """One thing that a notebook needs; `run` raises `Refused` where it is not there, and may return a text, a note."""

    notebook: str
    what: str
    run: Callable[[], object]


def quick(plan: Plan) -> Iterator[Check]:
    """Give the checks that take no time: notebooks, folders, models on this disk, runs that are named, a login."""
    executed = {item.stage.name for item in plan.mine}
    for item in plan.mine:
        name, cfg = item.stage.name, item.cfg({})
        yield Check(name, "notebook", partial(_notebook, name))
        for each in run_spec.named(cfg):
            yield Check(name, f"{each.field} {each.text}", each.paths)
        for each in run_spec.branches(cfg):
            if each.kind.file:
                yield Check(name, f"scores {each.rest}", partial(lambda one: one.kind.load().check(one.rest), each))
        for each in stages.selectors(cfg):
            if each.field in item.asked and each.notebook not in executed:
                load = partial(saved_runs.load, each.notebook, each.text, plan.scale)
                yield Check(name, f"{each.field} {each.text}", load)
        if repository := getattr(cfg, "push_to_hub", ""):
            yield Check(name, f"push_to_hub {repository}", partial(hub.check, repository))


def _notebook(name: str) -> None:
    if not paths.notebook(name).is_file():
        raise Refused(f"there is no notebook {paths.notebook(name)}: work from a checkout")
