"""Running a plan: every stage is answered by a complete run, reused if there is one, else executed."""

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from aligngemini.core import atomic, manifest, paths, reading, redaction, run_spec, runs, saved_runs, stages
from aligngemini.core.manifest import DiskFull
from aligngemini.core.params import Params, Refused
from aligngemini.core.progress import FILE, spell
from aligngemini.core.run_spec import RunSpec
from aligngemini.core.saved_runs import SavedRun
from aligngemini.workflow import checks, kernel, scratch, status, tasks
from aligngemini.workflow.executors import Local
from aligngemini.workflow.plan import Item, Plan
from aligngemini.workflow.tasks import Task
from aligngemini.workflow.terminal import Failed

_looking = threading.Lock()  # one thread at a time reads and checks complete runs


class StageRefused(Refused):
    """A notebook refused its parameters or inputs while it ran; the text is that of `Failed`."""


def run(plans: list[Plan], force: bool = False, executor: Local | None = None) -> list[list[SavedRun]]:
    """Answer all items of the plans, one after another if no `executor` runs more; return the runs of each plan in
    order, those only looked up included.

    Raises `Refused` before anything starts if a notebook or an upstream run is missing. A notebook that does not become
    complete stops what stands on it. When all others have ended this raises `Failed`, `StageRefused` or `DiskFull`:
    running again continues there.
    """
    executor = executor or Local()
    try:
        executor.prepare(sum(len(plan.mine) for plan in plans))
        for check in (check for plan in plans for check in checks.quick(plan)):
            check.run()  # what would fail hours later: notebooks, models, folders, runs that are not there, no login
        every = tasks.make(plans)
        for task in every:
            if not task.plan.runs(task.item):
                task.answers = _existing(task)
        _work([task for task in every if task.answers is None], force, executor)
    finally:
        executor.end()
    return [[answer for task in every if task.plan is plan for answer in task.answers or []] for plan in plans]


def _work(waiting: list[Task], force: bool, executor: Local) -> None:
    """Complete the tasks, each as soon as it is ready and one of the places of the executor is free."""
    jobs = executor.jobs
    running: dict[Future[SavedRun], Task] = {}
    failures: list[Exception] = []

    def left() -> float:
        return tasks.left([*running.values(), *waiting], jobs)

    with kernel.threads(jobs) as pool:
        while waiting or running:
            ready = [each for each in waiting if each.ready][: jobs - len(running)]
            beside = len(running) + len(ready)
            for task in ready:
                waiting.remove(task)
                task.beside = beside
                task.place = min(set(range(jobs)) - {each.place for each in running.values()})
                running[pool.submit(_answer, task, force, executor, left)] = task
            ended = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
            task = running.pop(ended)
            try:
                task.end(ended.result(), waiting)
            except (Refused, Failed, DiskFull) as failure:
                failures.append(failure)
                full = isinstance(failure, DiskFull)  # no other would have room either
                waiting = [] if full else [each for each in waiting if not each.stands_on(task)]
                if waiting or running:
                    status.say(f"{task.title}: failed, the others go on")
    if failures:
        raise _joined(failures)


def _joined(failures: list[Exception]) -> Exception:
    """Return one failure that says what all do, a refusal if all are; of a full disk one sentence is enough."""
    full = [each for each in failures if isinstance(each, DiskFull)]
    failures = [each for each in failures if each not in full[1:]]
    if len(failures) == 1:
        return failures[0]
    kind = StageRefused if all(isinstance(each, Refused) for each in failures) else Failed
    return kind("\n".join(map(str, failures)))


def _existing(task: Task) -> list[SavedRun]:
    """Return the complete run of a stage that is not executed: that of these very parameters, else the latest like it.

    There may be none if nothing that is executed needs it, or the command line names other runs.
    """
    plan, item = task.plan, task.item
    needed = any(each.needs(item, plan.items) for each in plan.mine)
    try:
        cfg = item.cfg(task.made)
        run = _exact(item.stage.name, cfg) or _latest(plan, item, cfg)
    except Refused:
        if needed:
            raise
        return []
    if needed:
        print(f"{task.title}: standing on {paths.short(run.folder)}{_other(run, cfg, plan)}", flush=True)
    return [run]


def _other(run: SavedRun, cfg: Params, plan: Plan) -> str:
    """Say which parameters of a run are not those of the plan. Left out are those that select runs, and those that the
    command line says of stages that are executed."""
    apart = {each.field for each in stages.selectors(cfg)} | _said_of_executed(plan)
    values = {name: value for name, value in cfg.model_dump().items() if name not in apart}
    differing = [name for name, value in values.items() if run.params.get(name, value) != value]
    words = [f"{name} {run.params[name]} where this command says {values[name]}" for name in differing]
    return f", which was made with {', '.join(words)}" if words else ""


def _said_of_executed(plan: Plan) -> set[str]:
    """The parameters that the command line names for stages that are executed."""
    return {name for each in plan.mine for name in each.asked}


def _exact(notebook: str, cfg: Params) -> SavedRun | None:
    try:
        return saved_runs.load(notebook, run_spec.make(notebook, cfg).name)
    except Refused:
        return None


def _latest(plan: Plan, item: Item, cfg: Params) -> SavedRun:
    """Return the latest run like `item`. What the command line says of stages that are executed is not asked of it:
    `--from 03 -p epochs 2` speaks of 03, though 02 has epochs, too."""
    alike = [name for name in item.asked if name not in _said_of_executed(plan)]
    wanted = {name: getattr(cfg, name) for name in ["seed", *item.point, *alike]}
    return saved_runs.latest(item.stage.name, {"scale": plan.scale} | wanted)


def _answer(task: Task, force: bool, executor: Local, left: Callable[[], float]) -> SavedRun:
    """Return the complete run of a task, executed if there is none; `left`: the seconds that all will take."""
    with _looking:
        asked = run_spec.make(task.item.stage.name, task.item.cfg(task.made))
        if asked.home.exists() and not force:
            run = saved_runs.load(asked.notebook, asked.name)  # refuses a damaged one
            if (asked.home / "notebook.ipynb").is_file():
                status.say(f"{task.title}: reused, {paths.short(asked.home)}")
                return run
        paths.writable(asked.home.parent)
    task.began = time.monotonic()
    with scratch.folder(executor.scratch) as folder:
        task.progress = folder / "progress.json"
        with status.shown(lambda: status.line(task.title, task.elapsed, left(), task.progress), task.place):
            _execute(task, asked, force, executor)
    status.say(f"{task.title}: complete in {spell(task.elapsed)}, {paths.short(asked.home)}")
    return saved_runs.named(asked.notebook, asked.name)


def _execute(task: Task, asked: RunSpec, force: bool, executor: Local) -> None:
    """Run the notebook beside its progress, then put it into its run; a failed one goes to where the work stopped."""
    executed = task.progress.with_name("notebook.ipynb")
    environment = {FILE: str(task.progress), "ALIGNGEMINI_OUTPUTS": str(paths.outputs())}
    environment[runs.FORCE] = asked.name if force else ""
    environment |= executor.variables(task.place, task.beside)
    given = paths.notebook(asked.notebook), executed, task.item.values(task.made), environment
    try:
        with manifest.room_on_disk(asked.home, temporary=executed.parent.parent):
            try:
                executor.execute(*given)
            finally:
                redaction.hide(executed)
            _settle(asked, executed)
    except DiskFull:
        raise
    except Exception as error:
        raise _failure(task.title, asked, executed, error) from error


def _settle(asked: RunSpec, executed: Path) -> None:
    if not asked.home.exists():
        raise RuntimeError(
            f"the notebook ended, but run {asked.name} is not complete: it does not call run.finish, or while it ran "
            "code was changed or a newer run came that it calls latest"
        )
    with atomic.replacing(asked.home / "notebook.ipynb") as part:
        shutil.move(executed, part)  # perhaps from another disk: it is copied
    (asked.home / "failed.ipynb").unlink(missing_ok=True)


def _failure(title: str, asked: RunSpec, executed: Path, error: Exception) -> Exception:
    """Return what to raise for `error`, whose text is shown without secrets."""
    name, text = getattr(error, "ename", type(error).__name__), str(getattr(error, "evalue", error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    secrets = redaction.of_notebook(reading.known(paths.notebook(asked.notebook)))
    reason = redaction.hidden(f"{name}: {lines[-1].rstrip('.')}" if lines else name, secrets)
    if isinstance(error, kernel.Died):  # a sentence already
        reason = text
    kept = runs.mark_failed(asked, reason, executed) if executed.exists() else executed
    where = f" The executed notebook is {paths.short(kept)}." if kept != executed else ""
    sentence = f"{title} failed: {reason}.{where} Mend the cause and run the same command again: it continues there."
    return {"Refused": StageRefused, "DiskFull": DiskFull}.get(name, Failed)(sentence)
