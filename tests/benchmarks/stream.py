"""Peak memory of `detect --to` for a number of small images: `python tests/benchmarks/stream.py tar 100000`."""

import io
import resource
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from aligngemini.branches.frequency import RINGS, Frequency
from aligngemini.branches.options import Options
from aligngemini.detector import Detector
from aligngemini.fusion.rules import Fusion
from aligngemini.stream import run

SIDE, DIFFERENT, OF_SHARD, OF_FOLDER = 32, 200, 5000, 1000


def files():
    """PNG files of noise."""
    rng = np.random.default_rng(0)
    for _ in range(DIFFERENT):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(file, "PNG", compress_level=1)
        yield file.getvalue()


def write(form: str, count: int, home: Path) -> Path:
    """Write images as a "folder" of folders, or as shards, "tar"."""
    data = list(files())
    home.mkdir()
    for first in range(0, count, OF_SHARD if form == "tar" else OF_FOLDER):
        last = min(count, first + (OF_SHARD if form == "tar" else OF_FOLDER))
        if form == "folder":
            (home / f"{first:06}").mkdir()
            for at in range(first, last):
                (home / f"{first:06}" / f"{at:06}.png").write_bytes(data[at % DIFFERENT])
            continue
        with tarfile.open(home / f"{first:06}.tar", "w") as tar:
            for at in range(first, last):
                member = tarfile.TarInfo(f"{at:06}.png")
                member.size = len(data[at % DIFFERENT])
                tar.addfile(member, io.BytesIO(data[at % DIFFERENT]))
    return home


def main(form: str, count: int) -> None:
    detector = Detector([Frequency(Options(), "frequency", [0.1] * (RINGS - 1), 0.0)], Fusion("or", (0.5,)))
    with tempfile.TemporaryDirectory() as folder:
        images, out = write(form, count, Path(folder) / "images"), Path(folder) / "out"
        began, processor = time.monotonic(), time.process_time()
        run.judge(detector, [str(images)], out)
        seconds, busy = time.monotonic() - began, time.process_time() - processor
        size = sum(file.stat().st_size for file in out.rglob("*.parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{form}, {count} images: peak {peak:.0f} MB, {seconds:.0f} s ({busy:.1f} s of processor)")
    print(f"{size / count:.0f} bytes each in the list and the parts")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
