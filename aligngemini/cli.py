"""The command `aligngemini`: run notebooks, list and compare runs, score, audit and bench images, fetch data."""

import argparse
import difflib
import json
import os
import signal
import sys
from typing import Any

from aligngemini import __version__, detect
from aligngemini.analysis import command as report
from aligngemini.audit import command as audit
from aligngemini.bench import command as bench
from aligngemini.core import cluster, paths, redaction
from aligngemini.core.codes import ANEW, CONTINUES, DONE, FAILED, REFUSED, STOPPED
from aligngemini.core.params import Refused, shown
from aligngemini.core.stages import ANALYSIS
from aligngemini.fetch import command as data
from aligngemini.mini import command as mini
from aligngemini.rehearse import command as rehearse
from aligngemini.teach import command as teach
from aligngemini.workflow import compare, reproduce, terminal, verify

LAB = "the notebooks in JupyterLab: make lab"


class Parser(argparse.ArgumentParser):
    """A parser that names the nearest option where one is unknown."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        known, unknown = super().parse_known_args(args, namespace)
        for word in [word for word in unknown if word.startswith("-")]:
            if os.path.lexists(word):
                self.error(f"{shown(word)} looks like an option: write {shown('./' + word)} for the file of that name")
            if near := difflib.get_close_matches(word.split("=")[0], self._option_string_actions, 1):
                self.error(f"there is no option {shown(word)}: did you mean {near[0]}?")
        return known, unknown


def main(words: list[str] | None = None) -> int:
    """Run the command line `words`; return 0 if all is complete, 1 failed, 2 refused, 130 stopped.

    `detect`, `audit`, `bench`, `compare`, `data`, `verify` and `reproduce` return 3 if they are done and have
    something to tell, or left something out. Without `words` it is the command line of this process.
    """
    code = _ended(words)
    if words is None:
        terminal.end(code)
    return code


def _ended(words: list[str] | None) -> int:
    """Run the command line and print how it ended; return its exit code."""
    from aligngemini.core.manifest import DiskFull, no_space

    terminal.prepare()
    args = _parser().parse_args(words)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number in [number for number, handler in before.items() if handler != signal.SIG_IGN]:  # as nohup sets it
        signal.signal(number, signal.default_int_handler)
    try:
        code = args.act(args) or DONE
        sys.stdout.flush()  # what cannot be printed is noticed here, not when Python ends
        return code
    except Refused as refusal:
        return _complain(str(refusal), REFUSED)
    except (terminal.Failed, DiskFull) as failure:
        return _complain(str(failure), FAILED)
    except KeyboardInterrupt:
        return _complain(f"stopped; {getattr(args, 'stopped', ANEW)}", STOPPED)
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        terminal.abandon()
        return FAILED
    except Exception as error:
        if not no_space(error):
            return _complain(terminal.unforeseen(error), FAILED)
        terminal.abandon()
        return _complain(f"no space left for {getattr(error, 'filename', '') or 'what is printed'}", FAILED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(sentence: str, code: int) -> int:
    print(f"aligngemini: {redaction.hidden(sentence)}", file=sys.stderr, flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="aligngemini", description=__doc__)
    parser.add_argument("--version", action="version", version=f"aligngemini {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_workflow(commands)
    for room in (report, compare, verify, reproduce, detect, audit, bench, data, rehearse, mini, teach):
        room.add(commands)
    return parser


def _add_workflow(commands: Any) -> None:
    """Add the commands that start notebooks and list what came of it."""
    run = commands.add_parser("run", help="run the notebooks, reusing what is complete")
    sweep = commands.add_parser("sweep", help="run a study for several seeds and gather one table")
    runs = commands.add_parser("runs", help="list the runs, the newest last")
    sweep.add_argument("study", metavar="STUDY", help="a file of notebooks/recipes/studies, such as alignment")
    for each in (run, sweep):
        each.add_argument("--scale", default="mini", help="folder of recipes, such as mini (default) or smoke")
        words = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}
        each.add_argument("-p", **words, help="set a parameter of any notebook; 02.NAME: of 02 alone")
        each.add_argument("--jobs", default="", metavar="N", help="notebooks at once (default: by processors and GPUs)")
        each.add_argument("--print-commands", action="store_true", help="print papermill lines, for Slurm or xargs")
        each.set_defaults(stopped=CONTINUES)
        cluster.add_options(each)
    for each, act in ((run, _run), (sweep, _sweep), (runs, _runs)):
        each.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
        each.set_defaults(act=act)
    run.add_argument("--from", dest="first", default="", metavar="STAGE", help="start with this stage: 03")
    run.add_argument("--only", default="", metavar="STAGE", help="run only this stage: 02")
    run.add_argument("--seed", help="seed of all notebooks")
    run.add_argument("--force", action="store_true", help="run completed stages again")
    run.add_argument("--dry", action="store_true", help="check all that the stages need, and start none")
    run.add_argument("--study", default="", metavar="NAME", help="study whose grid is run (default: that of the scale)")
    run.add_argument("--help-params", metavar="STAGE", help="list the parameters of a notebook: 03")
    sweep.add_argument("--seeds", default="0,1,2", help="comma-separated seeds (default: 0,1,2)")
    runs.add_argument("--prune", action="store_true", help="say which runs that were killed or failed would be deleted")
    runs.add_argument("--newest", type=int, metavar="N", help="with --prune: complete runs except the N newest, too")
    runs.add_argument("--keep", action="append", default=[], metavar="RUN", help="with --prune: a run that stays")
    runs.add_argument("--yes", action="store_true", help="with --prune: delete them")
    runs.add_argument("--long", action="store_true", help="also say what each run stands on, and where its report is")
    runs.add_argument("--json", action="store_true", help="print the whole manifests")


def _run(args: argparse.Namespace) -> int | None:
    from aligngemini.core import commands, parameter_table, stages
    from aligngemini.workflow import execute, executors, lines, plan

    if args.help_params is not None:
        print(parameter_table.text(stages.find(args.help_params).params))
        return DONE
    paths.set_outputs(args.outputs)
    options = [tuple(pair) for pair in args.p] + ([("seed", args.seed)] if args.seed is not None else [])
    if args.dry:
        return _dry(args, options)
    made = plan.make(args.scale, args.study, options, args.first, args.only)
    if args.print_commands:
        print(lines.text([made]))
        return DONE
    if made.question:
        print(f"study {made.study}: {made.question}", flush=True)
    last = execute.run([made], args.force, executors.asked(args, [made]))[0][-1]
    if last.notebook == ANALYSIS:
        from aligngemini.analysis import answers

        print(f"\n{answers.headline(last.folder)}\n\nreport: {paths.short(last.folder / 'report.html')}")
        print(f"next: open it in a browser, or {LAB}")
    else:
        alone = args.only and any(plan.is_shared(name) for name, _ in options if name != "seed")
        ends = alone or stages.STAGES[last.notebook].asked  # no command goes on from there
        onward = LAB if ends else commands.onward(args.scale, args.study, options)
        print(f"next: {onward}, or look into {paths.short(last.folder)}")


def _dry(args: argparse.Namespace, options: list[tuple[str, str]]) -> int:
    from aligngemini.workflow import dry, plan, share

    problems: list[tuple[str, str]] = []
    made = plan.make(args.scale, args.study, options, args.first, args.only, problems=problems)
    if args.jobs and made.mine:
        share.jobs(args.jobs, [made])
    rows = dry.table(made, problems)
    print(dry.text(rows))
    return REFUSED if (rows.state == dry.MISSING).any() else DONE


def _sweep(args: argparse.Namespace) -> None:
    from aligngemini.core import commands
    from aligngemini.workflow import executors, lines, sweep

    paths.set_outputs(args.outputs)
    options = [tuple(pair) for pair in args.p]
    study, parts = sweep.make(args.scale, args.study, _numbers(args.seeds), options)
    plans = [part.plan for part in parts]
    if args.print_commands:
        return print(lines.text(plans))
    print(f"study {study.name}: {study.question}", flush=True)
    home = paths.outputs() / "studies" / study.name / args.scale
    paths.writable(home, "--outputs", "table.*", "*.csv")
    made = sweep.run(parts, executors.asked(args, plans))
    from aligngemini.analysis import study as page

    tables = page.gather(study, made)
    folder = page.write(home, study, commands.sweep(args.scale, study.name, args.seeds, options), made, tables)
    for caption, table in page.shown(study, tables):
        print(f"\n{caption}\n{table.to_string(index=False)}")
    print(f"\n{page.NOTE}\ntable: {paths.short(folder / 'table.md')}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise Refused(f"--seeds takes comma-separated whole numbers, such as 0,1,2, not {shown(text)}") from error


def _runs(args: argparse.Namespace) -> None:
    from aligngemini.core import runs
    from aligngemini.workflow import listing, prune

    paths.set_outputs(args.outputs)
    if args.prune:
        return print(prune.command(args.newest, args.keep, args.yes))
    if args.newest is not None or args.keep or args.yes:
        raise Refused("--newest, --keep and --yes belong to --prune: add it")
    found = runs.all()
    print(json.dumps(found, indent=1, ensure_ascii=False) if args.json else listing.text(found, args.long))


if __name__ == "__main__":
    sys.exit(main())
