"""Judge a stream into a folder of Parquet parts, here or on a cluster; a killed command continues within a part."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from aligngemini.core import atomic, fingerprint, json_file, manifest, paths, reading, redaction, values
from aligngemini.core.cluster import Cluster
from aligngemini.core.copies import Copies
from aligngemini.core.params import Refused, shown
from aligngemini.core.progress import Meter
from aligngemini.detector import Detector, of_process
from aligngemini.images.loaders import skips

from . import items, listing

LIST, FACTS = "list.parquet", "stream.json"


def judge(
    detector: Detector, sources: list[str], folder: Path, run: str = "", cascade: bool = False,
    nodes: Cluster | None = None,
) -> Counter:  # fmt: skip
    """Judge all images of `sources` into part-00000.parquet, … of `folder`: the columns of Detector.__call__.

    On a cluster every process loads the detector of `run` once; the folder is the same on all nodes. Returns how many
    images have each verdict (None: none), and "lost". Raises Refused where the folder holds another stream, DiskFull.
    """
    local = [each for each in sources if listing.REMOTE not in each]
    if inside := [each for each in local if folder.resolve().is_relative_to(Path(each).resolve())]:
        raise Refused(f"{paths.short(folder)} lies in {shown(inside[0])}, which is judged: give another --to")
    with _alone(folder):
        _prepare(detector, sources, folder, cascade)
        numbers = range(listing.count(folder / LIST))
        missing = [number for number in numbers if not _whole(_file(folder, number))]
        before = len(numbers) - len(missing)
        meter = Meter("judging parts", len(numbers), before)
        for done, _ in enumerate(_judged(detector, missing, folder, run, cascade, nodes, sources), before + 1):
            meter.update(done)
        meter.close()
        return sum((_counted(_file(folder, number)) for number in numbers), Counter())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a folder into which another command judges."""
    with manifest.room_on_disk(folder, "--to"):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise Refused(
            f"another command judges into {paths.short(folder)}: wait for it, or give another --to"
        ) from error


def _prepare(detector: Detector, sources: list[str], folder: Path, cascade: bool) -> None:
    """Write what the stream is and the list of its images, or check that they are the same as before."""
    models = [branch.identity() for branch in detector.branches]
    places = [each if listing.REMOTE in each else str(Path(each).absolute()) for each in sources]
    facts = {
        "sources": [redaction.public(each) if listing.REMOTE in each else each for each in places],
        "detector": fingerprint.digest(json_file.plain([models, detector.fusion.as_dict(), detector.names])),
        "cascade": cascade,
    }
    before = reading.known(folder / FACTS)
    if different := [name for name in facts if before and before.get(name) != facts[name]]:
        raise Refused(f"{paths.short(folder)} holds a stream of other {' and '.join(different)}: give another --to")
    if before and _whole(folder / LIST):
        return
    if any(folder.glob("part-*")):  # nobody knows of which images
        raise Refused(f"{paths.short(folder)} holds parts, but {FACTS} or {LIST} is damaged: give another --to")
    with manifest.room_on_disk(folder, "--to"):
        listing.write(places, folder / LIST)
        json_file.write(folder / FACTS, facts)


def _judged(
    detector: Detector,
    numbers: list[int],
    folder: Path,
    run: str,
    cascade: bool,
    nodes: Cluster | None,
    sources: list[str],
) -> Iterator[int]:
    """Parts as they are done, here or on the nodes of a cluster."""
    if nodes:
        yield from nodes.each(partial(_part_there, number, run, folder, cascade, sources) for number in numbers)
        return
    with _copies(cascade) as copies:
        for number in numbers:
            yield part(detector, folder, number, cascade, sources, copies)


def _part_there(number: int, run: str, folder: Path, cascade: bool, sources: list[str]) -> int:
    """`part`, on a node of a cluster."""
    with _copies(cascade) as copies:
        return part(of_process(run), folder, number, cascade, sources, copies)


def _copies(cascade: bool) -> Copies:
    """Models on as many devices as a chunk can have batches; a cascade asks one branch after the other, on one."""
    return Copies(1 if cascade else items.IMAGES)


def part(detector: Detector, folder: Path, number: int, cascade: bool, sources: Sequence[str], copies: Copies) -> int:
    """Judge one part and return its number: its pieces are kept as they come, and become the part when all are there.

    Pieces are always cut at the same places, so that a part is the same to the last bit however often it was
    interrupted. `copies` keeps the models that are copied to further GPUs. Raises DiskFull.
    """
    target = _file(folder, number)
    pieces, files = target.with_suffix(""), []
    atomic.clear(pieces)
    with manifest.room_on_disk(folder, "--to"):
        for at, chunk in enumerate(items.chunks(listing.part(folder / LIST, number), sources)):
            files.append(pieces / f"{at:05}.parquet")
            if not _whole(files[-1]):
                values.write(files[-1], detector.judged(items.fetched(chunk), cascade=cascade, label="", copies=copies))
        values.write(target, pd.concat([pd.read_parquet(file) for file in files], ignore_index=True))
    atomic.remove(pieces)
    return number


def _whole(file: Path) -> bool:
    """Whether a Parquet file is there and has its end."""
    try:
        pq.read_metadata(file)
    except (OSError, pa.ArrowException):
        return False
    return True


def _file(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05}.parquet"


def _counted(file: Path) -> Counter:
    """The images of a part by verdict, None without one; "lost": those that could not be judged."""
    table = pd.read_parquet(file, columns=["verdict", "reason"])
    verdicts = Counter(None if pd.isna(verdict) else int(verdict) for verdict in table["verdict"])
    return verdicts + Counter(lost=len(skips.lost(table)))
