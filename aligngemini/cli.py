"""The command `aligngemini`: run the notebooks, list their runs, judge, audit and bench pictures, fetch data."""

import argparse
import json
import os
import signal
import sys
from typing import Any

from aligngemini import __version__
from aligngemini.bench import command as bench
from aligngemini.fetch import command as data
from aligngemini.hygiene import command as audit
from aligngemini.mini import bases
from aligngemini.rehearse import command as rehearse
from aligngemini.workbook import paths, redaction, streams, unforeseen
from aligngemini.workbook.codes import DONE, FAILED, REFUSED, STOPPED
from aligngemini.workbook.names import ANALYSIS
from aligngemini.workbook.params import Refused, shown

EPILOG = """Every file of a folder is a row: with verdict and scores, or with the reason why it is no image that can be
read; texts and hidden files stand last. Hidden folders are not entered, and hidden files are read only where they are
named themselves."""


def main(words: list[str] | None = None) -> int:
    """Run the command line `words`; return 0 if all is complete, 1 failed, 2 refused, 130 stopped.

    `audit`, `bench` and `data` return 3 if they are done and have found something to tell, or left something out.
    """
    from aligngemini.workbook.execute import Failed
    from aligngemini.workbook.manifest import DiskFull, no_space

    streams.prepare()
    args = _parser().parse_args(words)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        code = args.act(args) or DONE
        sys.stdout.flush()  # what cannot be printed is noticed here, not when Python ends
        return code
    except Refused as refusal:
        return _complain(str(refusal), REFUSED)
    except (Failed, DiskFull) as failure:
        return _complain(str(failure), FAILED)
    except KeyboardInterrupt:
        return _complain("stopped; the same command continues where it was", STOPPED)
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        streams.abandon()
        return FAILED
    except Exception as error:
        if not no_space(error):
            return _complain(unforeseen.told(error), FAILED)
        streams.abandon()
        return _complain(f"no space left for {getattr(error, 'filename', '') or 'what is printed'}", FAILED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _complain(sentence: str, code: int) -> int:
    print(f"aligngemini: {redaction.hidden(sentence)}", file=sys.stderr, flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aligngemini", description=__doc__)
    parser.add_argument("--version", action="version", version=f"aligngemini {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_run(commands)
    _add_sweep(commands)
    _add_runs(commands)
    _add_detect(commands)
    audit.add(commands)
    bench.add(commands)
    data.add(commands)
    rehearse.add(commands)
    _add_mini(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="run notebooks 01 to 05, reusing what is complete")
    run.add_argument("--scale", default="mini", help="a folder of recipes, such as mini (default) or smoke")
    run.add_argument("--from", dest="first", default="", metavar="STAGE", help="begin with this one: 03")
    run.add_argument("--only", default="", metavar="STAGE", help="run this one alone: 02")
    run.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter of any stage"
    )
    run.add_argument("--seed", help="seed of all stages")
    run.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    run.add_argument("--force", action="store_true", help="answer anew what is complete")
    run.add_argument("--study", default="", metavar="NAME", help="grid of re-runs (default: that of the scale)")
    run.set_defaults(act=_run)


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser("sweep", help="run a study for several seeds and gather one table")
    sweep.add_argument("study", metavar="STUDY", help="a file of notebooks/recipes/studies, such as alignment")
    sweep.add_argument("--scale", default="mini", help="a folder of recipes, such as mini (default) or smoke")
    sweep.add_argument("--seeds", default="0,1,2", help="seeds, parted by commas (default: 0,1,2)")
    sweep.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter of any stage"
    )
    sweep.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    sweep.set_defaults(act=_sweep)


def _add_runs(commands: Any) -> None:
    runs = commands.add_parser("runs", help="list the runs, the newest last")
    runs.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    runs.add_argument("--json", action="store_true", help="print the whole manifests")
    runs.set_defaults(act=_runs)


def _add_detect(commands: Any) -> None:
    detect = commands.add_parser("detect", help="judge pictures with both branches", epilog=EPILOG)
    detect.add_argument("paths", nargs="*", metavar="PATH", help="pictures or folders of pictures")
    detect.add_argument("--run", default="", help="run of notebook 04, or shipped (default: latest, else shipped)")
    detect.add_argument("--self-check", action="store_true", help="score the shipped pictures with known answers")
    detect.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    form = detect.add_mutually_exclusive_group()
    form.add_argument("--csv", metavar="FILE", help="write the table to a file")
    form.add_argument("--json", action="store_true", help="print one JSON object per picture")
    detect.add_argument("--explain", action="store_true", help="add the VLM's reason, in words")
    detect.set_defaults(act=_detect)


def _add_mini(commands: Any) -> None:
    mini = commands.add_parser("mini", help="the small world's models").add_subparsers(required=True)
    pretrain = mini.add_parser("pretrain", help="make the models that data/mini ships, from nothing")
    pretrain.add_argument("--only", default="", choices=list(bases.FOLDERS), help="one of them")
    pretrain.add_argument("--out", default="data/mini", metavar="DIR", help="where to (default: data/mini)")
    pretrain.add_argument("--steps", type=int, default=0, help="fewer steps, for a trial")
    pretrain.add_argument("--seed", type=int, default=0, help="seed of its draws")
    pretrain.set_defaults(act=_pretrain)
    pack = mini.add_parser("pack", help="make the shipped detector and its known answers from a run of notebook 04")
    pack.add_argument("--run", default="latest", help="run of notebook 04 (default: latest)")
    pack.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    pack.set_defaults(act=_pack)


def _run(args: argparse.Namespace) -> int:
    from aligngemini.workbook import commands, execute, plan

    paths.set_outputs(args.outputs)
    options = [tuple(pair) for pair in args.p] + ([("seed", args.seed)] if args.seed is not None else [])
    made = plan.make(args.scale, args.study, options, args.first, args.only)
    if made.question:
        print(f"study {made.study}: {made.question}", flush=True)
    answers = execute.run(made, force=args.force)
    if answers[-1].notebook == ANALYSIS:
        _conclude(answers)
    else:
        onward = commands.onward(args.scale, args.study, options)
        print(f"next: {onward}, or look into {paths.short(answers[-1].folder)}")
    return DONE


def _sweep(args: argparse.Namespace) -> None:
    from aligngemini.workbook import sweep

    paths.set_outputs(args.outputs)
    options = [tuple(pair) for pair in args.p]
    study, parts = sweep.make(args.scale, args.study, _numbers(args.seeds), options)
    print(f"study {study.name}: {study.question}", flush=True)
    paths.writable(sweep.home(study.name, args.scale), "--outputs", "table.*", "probes.csv")
    made = sweep.run(parts)
    from aligngemini.analysis import purity, seeds
    from aligngemini.analysis import study as page

    table, probes = seeds.gather(made), purity.gather(made)
    folder = page.write(sweep.home(study.name, args.scale), study, args.scale, made, table, probes)
    print(f"\n{seeds.shown(table).to_string(index=False)}\n\n{page.NOTE}\ntable: {paths.short(folder / 'table.md')}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise Refused(f"--seeds takes whole numbers parted by commas, such as 0,1,2, not {shown(text)}") from error


def _conclude(answers: list[Any]) -> None:
    """Write the report of all runs into that of notebook 05, and show the headline."""
    from aligngemini.analysis import report, tables
    from aligngemini.workbook import manifest

    last = answers[-1].folder
    page = last / "report.html"
    if any(answer.executed for answer in answers) or not page.is_file():
        paths.writable(last, "--outputs", page.name)
        with manifest.room_on_disk(last):
            report.build([answer.folder for answer in answers], page)
    print(f"\n{tables.headline(last)}\n")
    print(f"report: {paths.short(page)}\nnext: open it in a browser, or the notebooks in JupyterLab: make lab")


def _runs(args: argparse.Namespace) -> None:
    from aligngemini.workbook import listing, runs

    paths.set_outputs(args.outputs)
    found = runs.all()
    print(json.dumps(found, indent=1, ensure_ascii=False) if args.json else listing.text(found))


def _detect(args: argparse.Namespace) -> int:
    from aligngemini.images import filenames
    from aligngemini.workbook.manifest import room_on_disk

    if args.self_check:
        return _self_check()
    if not args.paths:
        raise Refused("give pictures or folders to judge, or --self-check")
    paths.set_outputs(args.outputs)
    missing = [path for path in args.paths if not os.path.lexists(path)]
    if missing:
        raise Refused(f"there is no picture or folder {shown(missing[0])}: check the path")
    file = paths.writable_file(args.csv, "--csv") if args.csv else None
    from aligngemini.detector import Detector

    detector = Detector.found(args.run)
    table = detector([filenames.spelled(path) for path in args.paths])
    if args.explain:
        table["explanation"] = ""
        readable = (table["reason"] == "") | table["reason"].str.startswith("expert: ")  # what the VLM has judged
        table.loc[readable, "explanation"] = detector.explain(list(table.loc[readable, "image"]))
    if file:
        with room_on_disk(file, "--csv"):
            table.to_csv(file, index=False)
    elif args.json:
        print(table.to_json(orient="records", lines=True, force_ascii=False), end="")
    else:
        printable = table.assign(image=table["image"].map(filenames.printable))
        print(printable.round(4).to_string(index=False))
    return DONE


def _self_check() -> int:
    from aligngemini import known

    found = known.check()
    print(found.round(4).to_string(index=False))
    print("all as known" if found.agrees.all() else "some scores are off: another version, or a damaged file")
    return DONE if found.agrees.all() else FAILED


def _pretrain(args: argparse.Namespace) -> None:
    paths.writable(paths.resolve(args.out), "--out")
    from aligngemini.mini import pretrain

    pretrain.main(args.only, args.out, args.steps, args.seed)


def _pack(args: argparse.Namespace) -> None:
    from aligngemini import known

    paths.set_outputs(args.outputs)
    print(f"packed: {paths.short(known.pack(args.run))}")


if __name__ == "__main__":
    sys.exit(main())
