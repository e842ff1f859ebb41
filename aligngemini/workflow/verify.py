"""The command `aligngemini verify`: whether a run and all that it stands on are what they were."""

import argparse
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from aligngemini.core import paths
from aligngemini.core.codes import DONE, FOUND
from aligngemini.core.params import Refused

if TYPE_CHECKING:  # pandas takes long to load, and every command reads this file
    from aligngemini.core.saved_runs import SavedRun

HELP = "hash a run anew, with the runs, data, models and code that it stands on; exit code 3: something has changed"


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    verify = commands.add_parser("verify", help=HELP, description=HELP)
    verify.add_argument("run", metavar="RUN", help="a run's name or its beginning, latest, or a run's folder")
    verify.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    verify.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Print one line for each thing that no longer matches; return 0, or 3 if there are any. Raises Refused."""
    from aligngemini.workflow import locate

    paths.set_outputs(args.outputs)
    run = locate.run(args.run, *locate.EVERY, check=False)
    below, lines = lineage(run)
    lines += told((each, line) for each in below for line in [*outputs(each), *origins(each)])
    print("\n".join(lines) if lines else f"nothing has changed: {_names(below)}")
    return FOUND if lines else DONE


def told(found: Iterable[tuple["SavedRun", str]]) -> list[str]:
    """A line for each sentence, after the name of its run; one on several runs stands before their names."""
    runs: dict[str, list[SavedRun]] = {}
    for run, line in found:
        runs.setdefault(line, []).append(run)
    wrapped = textwrap.TextWrapper(120, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False).fill
    return [f"{_names(of)}: {line}" if len(of) == 1 else f"{line}\n{wrapped(_names(of))}" for line, of in runs.items()]


def _names(runs: list["SavedRun"]) -> str:
    return ", ".join(f"{run.notebook}/{run.name}" for run in runs)


def lineage(run: "SavedRun") -> tuple[list["SavedRun"], list[str]]:
    """The runs that `run` stands on and itself, each after those that it stands on, damaged or not; and one line for
    each that is missing.
    """
    from aligngemini.core import saved_runs

    found: dict[str, SavedRun] = {}
    lines, waiting = [], [run]
    while waiting:
        each = waiting.pop()
        found[f"{each.notebook}/{each.name}"] = each
        for entry in each.manifest["question"]["inputs"].values():
            if f"{entry['notebook']}/{entry['run']}" in found:
                continue
            try:
                waiting.append(saved_runs.named(entry["notebook"], entry["run"]))
            except Refused as refusal:
                lines.append(f"{each.notebook}/{each.name}: {refusal}")
    return [found[name] for name in sorted(found)], list(dict.fromkeys(lines))


def outputs(run: "SavedRun") -> Iterator[str]:
    """Yield which files of `run` are not those that it was completed with, each with what to do."""
    from aligngemini.core import commands, manifest, verified

    if not manifest.sealed(run.manifest):
        yield f"its manifest is not the one that it was completed with: delete {paths.short(run.folder)}, make it anew"
        return
    again = commands.make(run.notebook, run.params, "--force")
    for problem in verified.problems(run.folder, run.manifest["files"], again=True):
        yield f"{problem}: make it again with `{again}`"


def origins(run: "SavedRun") -> Iterator[str]:
    """Yield what `run` was made from and would not be made from now: data, models, number formats, branches, code."""
    from aligngemini.core import params, run_spec, stages, verified

    asked = run.manifest["question"]
    for problem in verified.sources(asked.get("sources", {})):
        yield f"{problem}: put back what it was, or run again, which makes a run of another name"
    yield from _hub_models(run)
    try:
        here = run_spec.here(run.notebook, params.build(stages.find(run.notebook).params, run.params, run.notebook))
    except Refused as refusal:
        yield f"its parameters mean nothing to this code ({refusal}): {_checkout(run)}"
        return
    for name in [name for name, value in here.items() if asked.get(name) != value]:
        if name == "numbers":
            formats = [_spelt(kinds) for kinds in (here[name], asked.get(name))]
            yield "number formats: {} here, {} in the run: use a machine and a version like its own".format(*formats)
        else:
            yield f"the {name} that decided its results has changed: {_checkout(run)}"


def _spelt(formats: dict | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (formats or {}).items()) or "none recorded"


def _checkout(run: "SavedRun") -> str:
    git = run.manifest["environment"]["git"]
    changes = " (with changes that were not committed)" if git.get("dirty") else ""
    commit = git.get("commit")
    return f"`git checkout {commit[:12]}` has it{changes}" if commit else "use the version that it was made with"


def _hub_models(run: "SavedRun") -> Iterator[str]:
    """Yield which of its models from the hub are not in the cache as the hub gave them."""
    from aligngemini.core import models
    from aligngemini.fetch import bases, record

    for model in [each for each in run.models.values() if isinstance(each, dict) and each.get("name")]:
        name, revision = model["name"], model.get("revision", "")
        if not models.on_hub(name):
            continue
        base = bases.Base(run.notebook, "base", "vae", given=f"{name}@{revision}")
        state = base.check(paths.ROOT, quick=False)
        if state.word != record.COMPLETE:
            yield f"the model {name} is {state.word} ({state.detail}): fetch it again"
