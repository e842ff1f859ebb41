"""Tasks: the items of plans on their way, what each waits for, and when all will be done."""

import heapq
import itertools
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aligngemini.core import reading
from aligngemini.core.saved_runs import SavedRun
from aligngemini.workflow import status
from aligngemini.workflow.plan import Item, Plan


@dataclass(eq=False)
class Task:
    """One item of a plan. `before`: the tasks whose runs decide its parameters. `seconds`: how long it may take.

    `answers` are its complete runs, at most one, and None until it is complete. `began` and `progress` (the file where
    its notebook says how far it is) are set when it is executed. `place`: which of the notebooks that run at once it
    is, `beside`: how many ran when it began.
    """

    plan: Plan
    item: Item
    title: str
    before: list["Task"]
    answers: list[SavedRun] | None = None
    seconds: float = 0.0
    began: float = 0.0
    progress: Path = Path()
    place: int = 0
    beside: int = 1

    @property
    def ready(self) -> bool:
        """Whether all that it waits for is complete."""
        return all(each.answers is not None for each in self.before)

    @property
    def made(self) -> dict[str, list[str]]:
        """Notebook -> names of the runs that it can stand on."""
        found: dict[str, list[str]] = {}
        for each in self.before:
            found.setdefault(each.item.stage.name, []).extend(run.name for run in each.answers or [])
        return found

    def stands_on(self, other: "Task") -> bool:
        """Tell whether it waits for `other`, directly or not."""
        return any(each is other or each.stands_on(other) for each in self.before)

    @property
    def elapsed(self) -> float:
        """The seconds that it has been executed, 0 before."""
        return time.monotonic() - self.began if self.began else 0.0

    def left(self) -> float:
        """Return the seconds it still takes: those that are expected, or what its notebook says."""
        return max(self.seconds - self.elapsed, reading.known(self.progress).get("left") or 0.0)

    def end(self, run: SavedRun, waiting: list["Task"]) -> None:
        """Note the complete run; what waits of the same notebook is expected to take as long as it took to execute."""
        self.answers = [run]
        for each in waiting if self.began else []:
            if each.item.stage == self.item.stage:
                each.seconds = self.elapsed


def make(plans: list[Plan]) -> list[Task]:
    """Return the tasks of all plans, which are of one scale, in order; those that are executed are numbered."""
    tasks: list[Task] = []
    numbers, count = itertools.count(1), sum(len(plan.mine) for plan in plans)
    expected = cache(lambda notebook: status.expected(notebook, plans[0].scale, plans[0].minutes))
    for plan in plans:
        for item in plan.items:
            label = ", ".join(filter(None, [plan.part, item.label]))
            title = f"[{next(numbers)}/{count}] {label}" if plan.runs(item) else label
            before = [each for each in tasks if each.plan is plan and each.item.stage.name in item.reads]
            tasks.append(Task(plan, item, title, before, seconds=expected(item.stage.name)))
    return tasks


def left(tasks: list[Task], jobs: int) -> float:
    """Return the seconds until all `tasks`, the running ones first, are done, `jobs` at once."""
    free, ends = [0.0] * jobs, dict[Task, float]()
    for task in tasks:
        begins = max([heapq.heappop(free), *(ends.get(each, 0.0) for each in task.before)])
        ends[task] = begins + task.left()
        heapq.heappush(free, ends[task])
    return max(ends.values(), default=0.0)
