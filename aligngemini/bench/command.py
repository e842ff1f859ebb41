"""The command `aligngemini bench`: its words, its output, its exit codes. Heavy libraries are loaded when it acts."""

import argparse
from typing import Any

from aligngemini.core import paths
from aligngemini.core.codes import DONE, FOUND

FILES = ("scores.*", "results.*", "measures.*", "left_out.*", "published.*", "against.*", "robustness.*", "bench.json")
HELP = (
    "score a benchmark under named protocols; exit code 3: done, but a picture, an archive or an unfinished download"
    " was left out (texts and hidden files are counted, too, and are no loss)"
)


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    bench = commands.add_parser("bench", help=HELP, description=HELP)
    bench.add_argument("--benchmark", required=True, help="a name such as GenImage, a labelled folder or a CSV list")
    bench.add_argument("--root", default="", metavar="DIR", help="where a benchmark called by name lies")
    bench.add_argument("--reals", default="", metavar="DIR", help="where its real pictures lie, if elsewhere")
    bench.add_argument("--run", default="", help="run of notebook 04, or shipped (default: latest, else shipped)")
    bench.add_argument("--against", default="", metavar="RUN", help="another run, compared on the same pictures")
    bench.add_argument(
        "--protocol",
        default="native,aligned,published",
        help="of native, aligned (or aligned:SIDE, px; 256) and published, parted by commas (default: all)",
    )
    bench.add_argument("--sample", type=int, default=0, metavar="N", help="pictures per class and subset (0: all)")
    harm = bench.add_mutually_exclusive_group()
    harm.add_argument("--robustness", action="store_true", help="severity curves under the first protocol")
    harm.add_argument("--perturb", metavar="NAMES", help="the same for some perturbations, such as jpeg,blur")
    bench.add_argument("--out", metavar="DIR", help="folder of the tables (default: bench/<benchmark> in the outputs)")
    bench.add_argument("--outputs", metavar="DIR", help="folder of the runs (default: outputs)")
    bench.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Run the benchmark and print its tables; 0, or 3 if a picture was left out. Raises Refused, DiskFull."""
    paths.set_outputs(args.outputs)
    home = paths.writable(args.out or paths.outputs() / "bench", "--out", *FILES)
    from aligngemini.detector import Detector
    from aligngemini.images import perturb, protocols
    from aligngemini.images.filenames import spelled
    from aligngemini.images.loaders import skips

    from . import pictures, run

    asked = protocols.named(args.protocol)
    harm = perturb.named(args.perturb) if args.perturb is not None else list(perturb.PERTURBATIONS) * args.robustness
    found = pictures.find(args.benchmark, args.root, args.reals, args.sample)
    folder = home if args.out else paths.writable(home / found.name, "--out", *FILES)
    told = {name: spelled(value) if isinstance(value, str) else value for name, value in vars(args).items()}
    told.pop("act")
    other = Detector.found(args.against) if args.against else None
    answer = run.run(Detector.found(args.run), found, asked, harm, folder, told, other)
    _print(answer, found, args.sample)
    return FOUND if len(skips.lost(answer.left_out)) else DONE


def _print(answer: Any, found: Any, sample: int) -> None:
    """Everything that was counted, widest picture first."""
    from aligngemini.analysis import published

    from . import compare_runs, results, robustness

    few = f", at most {sample} of each class and subset" if sample else ""
    print(f"{found.name}: {found.rows['image_id'].nunique()} pictures{few}\n")
    print(results.shown(answer.measured).to_string(index=False))
    if answer.empty:
        print("\n" + "\n".join(answer.empty))
    if answer.published is not None:
        beside = published.shown(answer.published).drop(columns=["benchmark", "how", "doubt"])
        print(f"\npublished by others, on all pictures\n{beside.to_string(index=False)}")
    if answer.paired is not None:
        print(f"\nminus {compare_runs.THEIRS}, on the pictures that both judged; p after Holm")
        print(compare_runs.shown(answer.paired).to_string(index=False))
    if answer.curves is not None:
        print(f"\nunder perturbations\n{robustness.shown(answer.curves).to_string(index=False)}")
    if len(answer.left_out):
        print(f"\nleft out\n{results.reasons(answer.left_out).to_string(index=False)}")
    print(f"\nwritten to {paths.short(answer.folder)}")
