"""The command `aligngemini detect`: its words, and what it answers. Heavy libraries are loaded when it acts."""

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import Any

from .core import cluster, paths
from .core.codes import ANEW, CONTINUES, DONE, FAILED, FOUND
from .core.manifest import room_on_disk
from .core.params import Refused, shown
from .images import filenames

EPILOG = """Exit code 3: done, but an image could not be judged (texts and hidden files are no images).
Every file of a folder is a row, with verdict and scores, or with the reason why it is no readable image.
Texts and hidden files come last. Hidden folders are skipped. A hidden file is read only if it is given by name."""

WORDS = {0: "real", 1: "fake"}


def add(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    detect = commands.add_parser("detect", help="score images with all branches of a detector", epilog=EPILOG)
    detect.add_argument("paths", nargs="*", metavar="PATH", help="images or folders; with --to also shards, addresses")
    detect.add_argument(
        "--run", default="", help="run of notebook 04, or shipped (default: newest of the largest scale)"
    )
    detect.add_argument(
        "--self-check", action="store_true", help="score the shipped images and compare with the known answers"
    )
    detect.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    form = detect.add_mutually_exclusive_group()
    form.add_argument("--csv", metavar="FILE", help="write the table to a file")
    form.add_argument("--json", action="store_true", help="print one JSON object per image")
    form.add_argument("--to", metavar="DIR", help="write Parquet files part by part: for millions of images")
    cluster.add_options(detect)
    detect.add_argument("--explain", action="store_true", help="add a reason in words, from a branch that gives one")
    detect.add_argument("--cascade", action="store_true", help="ask slow branches only where they can change a verdict")
    detect.set_defaults(act=act, stopped=f"{ANEW}, with --to DIR it continues where it was")


def act(args: argparse.Namespace) -> int:
    """Judge images, or those with known answers; 3 if one could not be judged. Raises Refused, DiskFull."""
    if args.self_check:
        return _self_check()
    if not args.paths:
        raise Refused("give images or folders to judge, or --self-check")
    paths.set_outputs(args.outputs)
    return _table(args) if args.to is None else _stream(args)


def _table(args: argparse.Namespace) -> int:
    """Judge images into one table."""
    if args.executor != "local":
        raise Refused("--executor ray belongs to --to DIR: parts are what is judged side by side")
    if missing := [path for path in args.paths if not os.path.lexists(path)]:
        raise Refused(f"there is no image or folder {shown(missing[0])}: check the path")
    file = paths.writable_file(args.csv, "--csv") if args.csv is not None else None
    print("loading the detector ...", file=sys.stderr, flush=True)  # a sign of life: the libraries take seconds
    from .images.loaders import skips

    if file and file.is_file() and not skips.reason(file):
        raise Refused(f"--csv would write over the image {shown(args.csv)}: give another file for the table")
    detector, images = _loaded(args.run), [filenames.spelled(path) for path in args.paths]
    explainer = detector.explainer if args.explain else None  # refuses before anything is scored
    table = detector(images, cascade=args.cascade)
    if explainer:
        table["explanation"] = detector.explain(images)
        if words := _silence(explainer, table):
            print(words, file=sys.stderr)
    if file:
        _write(table, file, args.csv)
    else:
        _print(table, args.json)
    scored = table[table.filter(like="_score").notna().any(axis=1)]  # a text is unlike nothing
    for remark in filter(None, [args.cascade and detector.savings(table), detector.remark(scored)]):
        print(remark, file=sys.stderr)
    return FOUND if len(skips.lost(table)) else DONE


def _write(table: Any, file: Path, name: str) -> None:
    """Write the table of a detector as CSV, and say what it holds."""
    with room_on_disk(file, "--csv"):
        table.to_csv(file, index=False)
    counts = [f"{(table['verdict'] == verdict).sum()} {word}" for verdict, word in WORDS.items()]
    lost = table["verdict"].isna().sum()
    print(f"{len(table)} files: {', '.join(counts)}, {lost} not judged; written to {name}", file=sys.stderr)


def _print(table: Any, as_json: bool) -> None:
    """Print the table of a detector, without the columns that say nothing, or all of it as JSON."""
    if as_json:
        return print(table.to_json(orient="records", lines=True, force_ascii=False), end="")
    names, words = table["image"].map(filenames.printable), table["verdict"].map(WORDS).fillna("")
    said = table.assign(image=names, verdict=words).round(4)
    print(said.loc[:, (said != "").any()].to_string(index=False))


def _loaded(run: str) -> Any:
    """Load a Detector; garbage is looked for neither meanwhile nor later in what was loaded, a million objects."""
    gc.disable()
    try:
        from .detector import Detector

        return Detector.found(run)
    finally:
        gc.freeze()
        gc.enable()


def _stream(args: argparse.Namespace) -> int:
    """Judge whatever number of images into a folder of parts."""
    if args.explain:
        raise Refused("--explain explains images one by one: leave it out, or leave out --to")
    args.stopped = CONTINUES
    folder = paths.writable(args.to, "--to")
    nodes = cluster.asked(args)
    detector = _loaded(args.run)
    from .stream import run

    counts = run.judge(detector, args.paths, folder, args.run, args.cascade, nodes)
    lost = counts.pop("lost", 0)
    words = [f"{counts[verdict]} {word}" for verdict, word in WORDS.items()]
    total = f"{counts.total()} files: {', '.join(words)}, {counts[None]} not judged"
    print(f"{total}; written to {paths.short(folder)}", file=sys.stderr)
    return FOUND if lost else DONE


def _silence(explainer: Any, table: Any) -> str:
    """Why images of a table have no reason, "" where they have one, or none could be given."""
    from .fusion import outside

    if count := outside.of(table["outside"], explainer.name).sum():
        why = f"the {explainer.name} branch was trained on nothing like them, so its reasons would mean nothing"
        return f"no reason for {count} of {len(table)} images: {why}"
    if table["explanation"].any():
        return ""
    verdicts_alone = explainer.objective == "dpo"  # the others train sentences, too
    why = ": objective dpo teaches it verdicts alone, dpo+sft also reasons" if verdicts_alone else ""
    return f"the {explainer.name} branch gave no reason{why}"


def _self_check() -> int:
    from . import self_check

    table = self_check.check()
    print(table.round(4).to_string(index=False))
    print("all as known" if table.agrees.all() else "some scores are off: another version, or a damaged file")
    return DONE if table.agrees.all() else FAILED
