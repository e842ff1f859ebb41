"""Running a plan: every stage is answered by a complete run, reused if there is one, else executed."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from aligngemini.core import hub, manifest, paths, questions, records, redaction, runs
from aligngemini.core.manifest import DiskFull
from aligngemini.core.params import Params, Refused
from aligngemini.core.progress import FILE, spell
from aligngemini.core.questions import Question
from aligngemini.workflow import kernel
from aligngemini.workflow.plan import Item, Plan
from aligngemini.workflow.status import Status, expected


class Failed(RuntimeError):
    """A stage stopped with an error: the text says which, why, where its notebook is, what to do next."""


class StageRefused(Refused):
    """A notebook refused its parameters or inputs while it ran; the text is that of `Failed`."""


@dataclass(frozen=True)
class Answer:
    """A stage that is complete. `reused`: it was before the command began; `executed`: by this command."""

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
        if item.stage.place > plan.last.place:
            break
        found = [_answer(plan, item, made, force, after)] if plan.runs(item) else _stand_on(plan, item, made)
        for answer in found:
            made.setdefault(answer.notebook, []).append(answer.name)
        answers += found
    return answers


def check(plan: Plan) -> None:
    """Refuse in the first second what would fail hours later: notebooks, models, folders not there, no login."""
    for item in plan.mine:
        if not paths.notebook(item.stage.name).is_file():
            raise Refused(f"there is no notebook {paths.notebook(item.stage.name)}: work from a checkout")
        cfg = item.cfg({})
        questions.there(cfg)
        for each in questions.branches(cfg):
            if each.kind.file:
                each.kind.load().check(each.rest)
        hub.check(getattr(cfg, "push_to_hub", ""))


def _stand_on(plan: Plan, item: Item, made: dict[str, list[str]]) -> list[Answer]:
    """Return the runs that stand for a stage not executed: those that the command line names, else what is there.

    What nothing that is executed stands on itself may be missing: it is only looked up to be named.
    """
    notebook = item.stage.name
    chosen = [texts for each in plan.mine if (texts := each.asks(notebook)) != []]
    if not chosen or None in chosen:
        try:
            return [_look_up(plan, item, made)]
        except Refused:
            if chosen:
                raise
            return []
    named = {records.pick(notebook, text, plan.scale).name: None for texts in chosen for text in texts}
    fresh = [name for name in named if name not in made.get(notebook, [])]
    return [_standing(notebook, Answer(notebook, name, executed=False)) for name in fresh]


def _standing(label: str, answer: Answer) -> Answer:
    print(f"{label}: standing on {paths.short(answer.folder)}", flush=True)
    return answer


def _look_up(plan: Plan, item: Item, made: dict[str, list[str]]) -> Answer:
    """Return the run of this very question, else the latest like it."""
    cfg = item.cfg(made)
    name = _exact(item.stage.name, cfg)
    if name is None:
        name = _latest(plan, item, cfg)
    return _standing(item.label, Answer(item.stage.name, name, executed=False))


def _latest(plan: Plan, item: Item, cfg: Params) -> str:
    """Return the latest run like `item`; if there is none with what the command line asks of the stages that are
    executed, the latest without that: `--from 03 -p epochs 2` speaks of 03, though 02 has epochs, too."""
    usual = {"scale": plan.scale, "seed": cfg.seed}
    wanted = usual | {key: getattr(cfg, key) for key in item.point | item.asked}
    executed = {name for each in plan.mine for name in each.asked if name not in item.point and name not in usual}
    fewer = {key: value for key, value in wanted.items() if key not in executed}
    try:
        return records.latest(item.stage.name, wanted).name
    except Refused:
        if fewer == wanted:
            raise
        return records.latest(item.stage.name, fewer).name


def _exact(notebook: str, cfg: Params) -> str | None:
    try:
        asked = questions.question(notebook, cfg)
        return records.pick(notebook, asked.name).name
    except Refused:
        return None


def _answer(plan: Plan, item: Item, made: dict[str, list[str]], force: bool, after: float) -> Answer:
    asked = questions.question(item.stage.name, item.cfg(made))
    place = plan.mine.index(item) + 1
    title = f"[{place}/{len(plan.mine)}] {item.label}"
    if asked.home.exists() and not force:
        records.pick(asked.notebook, asked.name)  # refuses a damaged one
        if (asked.home / "notebook.ipynb").is_file():
            print(f"{title}: reused, {paths.short(asked.home)}", flush=True)
            return Answer(asked.notebook, asked.name, executed=False)
    times = [expected(later.stage.name, plan.scale, plan.minutes) for later in plan.mine[place - 1 :]]
    _sweep(paths.writable(asked.home.parent))
    with Status(title, times[0], sum(times[1:]) + after, _mine(asked, "json")) as status:
        _execute(title, asked, item.values(made), force)
    print(f"{title}: complete in {spell(status.seconds)}, {paths.short(asked.home)}", flush=True)
    return Answer(asked.notebook, asked.name, executed=True)


def _execute(title: str, asked: Question, values: dict[str, Any], force: bool) -> None:
    """Run the notebook beside its run, then put it inside; a failed one goes to where the work stopped."""
    executed = _mine(asked, "ipynb")
    tell = {FILE: str(_mine(asked, "json")), "ALIGNGEMINI_OUTPUTS": str(paths.outputs())}
    tell |= {runs.FORCE: asked.name if force else ""}
    try:
        with manifest.room_on_disk(executed):
            executed.parent.mkdir(parents=True, exist_ok=True)
            try:
                kernel.execute(paths.notebook(asked.notebook), executed, values, tell)
            finally:
                redaction.hide(executed)
            _settle(asked, executed)
    except (DiskFull, KeyboardInterrupt):
        executed.unlink(missing_ok=True)
        raise
    except Exception as error:
        raise _failure(title, asked, executed, error) from error


def _settle(asked: Question, executed: Path) -> None:
    if not asked.home.exists():
        raise RuntimeError(
            f"the notebook ended, but run {asked.name} is not complete: it does not call run.finish, "
            "or code was changed while it ran"
        )
    executed.replace(asked.home / "notebook.ipynb")
    (asked.home / "failed.ipynb").unlink(missing_ok=True)


def _failure(title: str, asked: Question, executed: Path, error: Exception) -> Exception:
    reason = _reason(error)
    kept = runs.mark_failed(asked, reason, executed) if executed.exists() else None
    where = f" The executed notebook is {paths.short(kept)}." if kept else ""
    sentence = f"{title} failed: {reason}.{where} Mend the cause and run the same command again: it continues there."
    return StageRefused(sentence) if getattr(error, "ename", "") == "Refused" else Failed(sentence)


def _reason(error: Exception) -> str:
    """Return the last line of an error, without secrets; how a kernel died is a sentence already."""
    if isinstance(error, kernel.Died):
        return str(error)
    name, text = getattr(error, "ename", type(error).__name__), str(getattr(error, "evalue", error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return redaction.hidden(f"{name}: {lines[-1].rstrip('.')}" if lines else name)


def _mine(asked: Question, suffix: str) -> Path:
    """Return a path beside the run that no other process uses: two may execute the same notebook at once."""
    return asked.home.with_name(f".{asked.name}.{os.getpid()}.{suffix}")


def _sweep(folder: Path) -> None:
    """Delete what killed runners left beside the runs."""
    for path in [*folder.glob(".*.*.ipynb"), *folder.glob(".*.*.json")]:
        owner = path.name.split(".")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            path.unlink(missing_ok=True)
