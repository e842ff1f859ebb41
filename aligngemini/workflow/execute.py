"""Running a plan: every stage is answered by a complete run, reused if there is one, else executed."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from aligngemini.core import hub, manifest, paths, redaction, run_spec, runs, saved_runs, stages
from aligngemini.core.manifest import DiskFull
from aligngemini.core.params import Params, Refused
from aligngemini.core.progress import FILE, spell
from aligngemini.core.run_spec import RunSpec
from aligngemini.workflow import kernel, status
from aligngemini.workflow.plan import Item, Plan


class Failed(RuntimeError):
    """A stage stopped with an error: the text says which, why, where its notebook is, what to do next."""


class StageRefused(Refused):
    """A notebook refused its parameters or inputs while it ran; the text is that of `Failed`."""


class Answer(NamedTuple):
    """A stage that is complete. `executed`: by this command; otherwise it was before."""

    notebook: str
    name: str
    executed: bool

    @property
    def folder(self) -> Path:
        """The folder of its run."""
        return paths.outputs() / self.notebook / self.name


def run(plan: Plan, force: bool = False, after: float = 0.0) -> list[Answer]:
    """Answer all items of `plan` in order and return the answers, those only looked up included.

    `after`: seconds expected for what comes after the plan, counted in the time left.

    Raises `Refused` before anything starts if a notebook or an upstream run is missing, `Failed`,
    `StageRefused` or `DiskFull` for the first stage that does not become complete: running again continues
    there.
    """
    check(plan)
    made: dict[str, list[str]] = {}
    answers = []
    for item in plan.items:
        found = [_answer(plan, item, made, force, after)] if plan.runs(item) else _existing(plan, item, made)
        answers += found
        made.setdefault(item.stage.name, []).extend(answer.name for answer in found)
    return answers


def check(plan: Plan) -> None:
    """Refuse in the first second what would fail hours later: notebooks, models, folders, runs not there, no login."""
    executed = {item.stage.name for item in plan.mine}
    for item in plan.mine:
        if not paths.notebook(item.stage.name).is_file():
            raise Refused(f"there is no notebook {paths.notebook(item.stage.name)}: work from a checkout")
        cfg = item.cfg({})
        run_spec.sources(cfg)
        for each in run_spec.branches(cfg):
            if each.kind.file:
                each.kind.load().check(each.rest)
        for each in stages.selectors(cfg):
            if each.field in item.asked and each.notebook not in executed:
                saved_runs.load(each.notebook, each.text, plan.scale)
        hub.check(getattr(cfg, "push_to_hub", ""))


def _existing(plan: Plan, item: Item, made: dict[str, list[str]]) -> list[Answer]:
    """Return the complete run of a stage that is not executed: that of these very parameters, else the latest like it.

    There may be none if nothing that is executed needs it, or the command line names other runs.
    """
    if item.stage.place > plan.last.place:
        return []
    needed = any(each.needs(item.stage.name) for each in plan.mine)
    try:
        cfg = item.cfg(made)
        answer = Answer(item.stage.name, _exact(item.stage.name, cfg) or _latest(plan, item, cfg), executed=False)
    except Refused:
        if needed:
            raise
        return []
    if needed:
        print(f"{item.label}: standing on {paths.short(answer.folder)}", flush=True)
    return [answer]


def _exact(notebook: str, cfg: Params) -> str | None:
    try:
        return saved_runs.load(notebook, run_spec.make(notebook, cfg).name).name
    except Refused:
        return None


def _latest(plan: Plan, item: Item, cfg: Params) -> str:
    """Return the latest run like `item`. What the command line says of stages that are executed is not asked of it:
    `--from 03 -p epochs 2` speaks of 03, though 02 has epochs, too."""
    executed = {name for each in plan.mine for name in each.asked}
    alike = [name for name in item.asked if name not in executed]
    wanted = {name: getattr(cfg, name) for name in ["seed", *item.point, *alike]}
    return saved_runs.latest(item.stage.name, {"scale": plan.scale} | wanted).name


def _answer(plan: Plan, item: Item, made: dict[str, list[str]], force: bool, after: float) -> Answer:
    """Return the complete run of an item, executed if there is none."""
    asked = run_spec.make(item.stage.name, item.cfg(made))
    place = plan.mine.index(item) + 1
    title = f"[{place}/{len(plan.mine)}] {item.label}"
    if asked.home.exists() and not force:
        saved_runs.load(asked.notebook, asked.name)  # refuses a damaged one
        if (asked.home / "notebook.ipynb").is_file():
            print(f"{title}: reused, {paths.short(asked.home)}", flush=True)
            return Answer(asked.notebook, asked.name, executed=False)
    seconds = [status.expected(each.stage.name, plan.scale, plan.minutes) for each in plan.mine[place - 1 :]]
    paths.writable(asked.home.parent)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aligngemini-") as folder:
        progress = Path(folder) / "progress.json"
        with status.shown(title, seconds[0], sum(seconds[1:]) + after, progress):
            _execute(title, asked, item.values(made), force, progress)
    print(f"{title}: complete in {spell(time.monotonic() - began)}, {paths.short(asked.home)}", flush=True)
    return Answer(asked.notebook, asked.name, executed=True)


def _execute(title: str, asked: RunSpec, values: dict[str, Any], force: bool, progress: Path) -> None:
    """Run the notebook beside `progress`, then put it into its run; a failed one goes to where the work stopped."""
    executed = progress.with_name("notebook.ipynb")
    environment = {FILE: str(progress), "ALIGNGEMINI_OUTPUTS": str(paths.outputs())}
    environment[runs.FORCE] = asked.name if force else ""
    try:
        with manifest.room_on_disk(asked.home):
            try:
                kernel.execute(paths.notebook(asked.notebook), executed, values, environment)
            finally:
                redaction.hide(executed)
            _settle(asked, executed)
    except DiskFull:
        raise
    except Exception as error:
        raise _failure(title, asked, executed, error) from error


def _settle(asked: RunSpec, executed: Path) -> None:
    if not asked.home.exists():
        raise RuntimeError(
            f"the notebook ended, but run {asked.name} is not complete: it does not call run.finish, "
            "or code was changed while it ran"
        )
    shutil.move(executed, asked.home / "notebook.ipynb")
    (asked.home / "failed.ipynb").unlink(missing_ok=True)


def _failure(title: str, asked: RunSpec, executed: Path, error: Exception) -> Exception:
    """Return what to raise for `error`, whose text is shown without secrets."""
    name, text = getattr(error, "ename", type(error).__name__), str(getattr(error, "evalue", error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = redaction.hidden(f"{name}: {lines[-1].rstrip('.')}" if lines else name)
    if isinstance(error, kernel.Died):  # a sentence already
        reason = text
    kept = runs.mark_failed(asked, reason, executed) if executed.exists() else executed
    where = f" The executed notebook is {paths.short(kept)}." if kept != executed else ""
    sentence = f"{title} failed: {reason}.{where} Mend the cause and run the same command again: it continues there."
    return StageRefused(sentence) if name == "Refused" else Failed(sentence)
