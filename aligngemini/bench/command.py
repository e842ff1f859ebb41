"""The command `aligngemini bench`: its words, its output, its exit codes. Heavy libraries are loaded when it acts."""

import argparse
from typing import Any

from aligngemini.core import cluster, paths
from aligngemini.core.codes import CONTINUES, DONE, FOUND

FILES = ("scores.*", "results.*", "measures.*", "left_out.*", "published.*", "against.*", "robustness.*", "bench.json")
HELP = (
    "score a benchmark under named protocols; exit code 3: done, but an image, an archive or an unfinished download"
    " was left out (texts and hidden files are counted and are no loss)"
)
HIDDEN = ["benchmark", "how", "doubt"]  # columns that are written and not printed


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    bench = commands.add_parser("bench", help=HELP, description=HELP)
    bench.add_argument("--benchmark", required=True, help="a name such as GenImage, a labelled folder or a CSV list")
    bench.add_argument("--root", default="", metavar="DIR", help="folder of a benchmark that is given by name")
    bench.add_argument("--reals", default="", metavar="DIR", help="folder of its real images, if they are elsewhere")
    bench.add_argument(
        "--run", default="", help="run of notebook 04, or shipped (default: newest of the largest scale)"
    )
    bench.add_argument("--against", default="", metavar="RUN", help="another run to compare with, on the same images")
    bench.add_argument(
        "--protocol",
        default="native,aligned,published",
        help="comma-separated list of native, aligned (or aligned:SIDE, default 256 px) and published (default: all)",
    )
    bench.add_argument("--sample", type=int, default=0, metavar="N", help="images per class and subset (0: all)")
    harm = bench.add_mutually_exclusive_group()
    harm.add_argument("--robustness", action="store_true", help="compute severity curves under the first protocol")
    harm.add_argument("--perturb", metavar="NAMES", help="compute them for some perturbations, such as jpeg,blur")
    bench.add_argument("--out", metavar="DIR", help="folder of the tables (default: bench/<benchmark> in the outputs)")
    bench.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    cluster.add_options(bench)
    bench.set_defaults(act=act, stopped=CONTINUES)


def act(args: argparse.Namespace) -> int:
    """Run the benchmark and print its tables; 0, or 3 if a picture was left out. Raises Refused, DiskFull."""
    paths.set_outputs(args.outputs)
    home = paths.writable(paths.outputs() / "bench" if args.out is None else args.out, "--out", *FILES)
    from aligngemini.detector import Detector
    from aligngemini.images import perturb, protocols
    from aligngemini.images.loaders import skips

    from . import benchmark, run
    from .verdicts import View

    declared = protocols.named(args.protocol)
    harm = perturb.named(args.perturb) if args.perturb is not None else list(perturb.PERTURBATIONS) * args.robustness
    views = [View(protocol) for protocol in declared]
    views += [View(declared[0], name, value) for name in harm for value in perturb.PERTURBATIONS[name].severities]
    images = benchmark.find(args.benchmark, args.root, args.reals, args.sample)
    folder = home if args.out is not None else paths.writable(home / images.name, "--out", *FILES)
    other = Detector.found(args.against) if args.against else None
    runs, nodes = (args.run, args.against), cluster.asked(args)
    answer = run.run(Detector.found(args.run), images, views, folder, other, runs, nodes)
    few = f", at most {args.sample} of each class and subset" if args.sample else ""
    print(f"{images.name}: {images.rows['image_id'].nunique()} pictures{few}")
    for table in answer.tables.values():
        if len(table.rows):
            print(f"\n{table.heading}\n{table.shown.drop(columns=HIDDEN, errors='ignore').to_string(index=False)}")
    print("\n".join(["", *answer.notes, f"written to {paths.short(folder)}"]))
    return FOUND if len(skips.lost(answer.tables["left_out"].rows)) else DONE
