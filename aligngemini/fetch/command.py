"""The command `aligngemini data`: fetch sources, and check what lies on the disk."""

import argparse
import sys
from pathlib import Path
from typing import Any

from aligngemini.core import paths
from aligngemini.core.codes import CONTINUES, DONE, FOUND, REFUSED
from aligngemini.core.params import Refused

COMPLETE = "complete"  # as in record.State
NAMES = {
    "coco": "COCO train2017, photographs of the pixel set: 118,287, 19 GB as a zip",
    "echo4o": "Echo-4o-Image, surreal fakes of the semantic set: shards of 5,000 from the hub",
    "unsplash": "Unsplash Lite, photographs of the semantic set: tables, then pictures from the CDN",
    "held_out": "a list of 200 pictures of unsplash and of echo4o each, which only test",
    "vlm": "the VLM of the recipes, into the hub's cache; vlm:OWNER/NAME takes another, such as a labeller, and "
    "vlm:OWNER/NAME@REVISION one of its revisions",
    "expert": "the expert's backbone, likewise",
    "vae": "the autoencoder alone, likewise",
    "lite0": "the expert's backbone of the photo recipe, out of an installed package",
}
EPILOG = """environment: HF_ENDPOINT, HF_TOKEN and HF_HOME (mirror, token and cache of the hub), ALIGNGEMINI_COCO
(instead of https://s3.amazonaws.com/images.cocodataset.org), ALIGNGEMINI_UNSPLASH (instead of
https://unsplash.com/data), ALIGNGEMINI_UNSPLASH_IMAGES (instead of https://images.unsplash.com). exit code: 0
complete, 3 done but something was left out or is missing, 1 failed, 2 refused, 130 stopped. The same command continues
where it stopped."""


def add(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    data = commands.add_parser("data", help="fetch the published data and models, and check them")
    acts = data.add_subparsers(required=True, metavar="fetch|check")
    description = "; ".join(f"{name}: {what}" for name, what in NAMES.items())
    fetch = acts.add_parser("fetch", help="download sources", description=description, epilog=EPILOG)
    fetch.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    fetch.add_argument("--shards", type=int, metavar="N", help="number of shards of echo4o (default: 2; 0: all)")
    fetch.add_argument(
        "--count", type=int, metavar="N", help="number of photographs of unsplash (default: 6000; 0: all)"
    )
    fetch.add_argument("--width", type=int, metavar="PX", help="width of the photographs of unsplash (default: 1024)")
    fetch.add_argument("--dry", action="store_true", help="only show sizes and licences")
    fetch.add_argument(
        "--workers", type=int, default=8, metavar="N", help="number of parallel downloads of images (default: 8)"
    )
    fetch.add_argument("--discard", action="store_true", help="delete archives once they are unpacked")
    fetch.add_argument("--again", action="store_true", help="also fetch if the folder already has images of yours")
    check = acts.add_parser("check", help="say what is complete, incomplete, corrupt or missing", epilog=EPILOG)
    check.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    check.add_argument("--quick", action="store_true", help="check names and sizes only")
    for parser, act in ((fetch, _fetch), (check, _check)):
        parser.add_argument(
            "--scale", default="", help="all that the recipes of a scale name, in their numbers: laptop, colab or paper"
        )
        parser.add_argument("--root", default="", metavar="DIR", help="folder of the data sets (default: data/raw)")
        parser.set_defaults(act=act)
    fetch.set_defaults(stopped=CONTINUES)


def _fetch(args: argparse.Namespace) -> int:
    """Fetch each source; one that refuses does not keep the others from coming."""
    from huggingface_hub.utils import logging

    from aligngemini.core.manifest import room_on_disk

    logging.set_verbosity_error()  # what fails is said in one sentence
    from . import offers

    sources = _sources(args)
    vars(args).update(offers.counts(args.scale, args))
    _bounds(args)
    root, worst = paths.writable(_root(args), "--root"), DONE
    if args.scale or args.dry:
        offered = offers.table(sources, root, args)
        print(offers.text(offered), flush=True)
        if problems := list(filter(None, offered.problem)):
            raise Refused(f"{problems[0]}. What is known of sizes stands in data/README.md")
    for name, source in ({} if args.dry else sources).items():
        try:
            with room_on_disk(root, "--root"):
                worst = max(worst, _fetched(name, source, root, args), key=[DONE, FOUND, REFUSED].index)
        except Refused as refusal:
            print(f"aligngemini: {refusal}", file=sys.stderr, flush=True)
            worst = REFUSED
    return worst


def _fetched(name: str, source: Any, root: Path, args: argparse.Namespace) -> int:
    from filelock import FileLock, Timeout

    if source.RIGHTS:
        print(f"{name}: {source.RIGHTS} (a summary, not legal advice)", flush=True)
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / f".{name}.lock", timeout=0):
            return _report(name, source, source.fetch(root, args), root)
    except Timeout as error:
        raise Refused(f"another process fetches {name}: wait for it") from error


def _report(name: str, source: Any, reasons: dict[str, str], root: Path) -> int:
    """Write what was left out, and say how far the source is now."""
    import pandas as pd

    left_out = pd.Series({path: reason for path, reason in reasons.items() if reason}, name="reason", dtype=object)
    table = root / name / "left_out.csv"
    table.unlink(missing_ok=True)
    state = source.check(root, quick=True)
    print(f"{name}: {state.word}, {state.detail}", flush=True)
    if left_out.empty:
        return DONE if state.word == COMPLETE else FOUND
    left_out.to_csv(table, index_label="path")
    print(f"\nleft out\n{left_out.value_counts().to_string()}\n\nwritten to {paths.short(table)}", flush=True)
    return FOUND


def _check(args: argparse.Namespace) -> int:
    import pandas as pd

    root, rows = _root(args), []
    for name, source in _sources(args, usual="paper").items():
        state = source.check(root, args.quick)
        given = next((text for text in args.names if text.partition(":")[0] == name), name)
        options = [f" --{option} {value}" for option in ("scale", "root") if (value := getattr(args, option))]
        again = f"aligngemini data fetch {given}{''.join(options)}"
        rows.append([name, state.word, state.detail, "" if state.word == COMPLETE else again])
    print(pd.DataFrame(rows, columns=["source", "state", "files", "next"]).to_string(index=False))
    return DONE if all(row[1] == COMPLETE for row in rows) else FOUND


def _sources(args: argparse.Namespace, usual: str = "") -> dict[str, Any]:
    """The sources that are asked for by name, else those of the scale, else of the `usual` one."""
    from . import offers

    if not (args.names or args.scale or usual):
        raise Refused(f"give --scale, or some of {', '.join(NAMES)}")
    return offers.chosen(args.names or offers.needed(args.scale or usual), args.scale or "paper")


def _root(args: argparse.Namespace) -> Path:
    return Path(args.root).absolute() if args.root else paths.resolve("data/raw")


def _bounds(args: argparse.Namespace) -> None:
    for name, least in {"shards": 0, "count": 0, "width": 64, "workers": 1}.items():
        if getattr(args, name) < least:
            raise Refused(f"--{name} must be at least {least}, got {getattr(args, name)}")
