"""The audit of a folder against the obvious way: every cue opens and decodes every file for itself, in one thread.

`python tests/benchmarks/audit.py [FILES] [SIDE]` prints files per minute of a first audit, of a second one, and of the
obvious way without its guessing, by the clock and by processor time (on two idle cores, twice that rate is the most).
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from aligngemini.audit import cues, duplicates, file_facts, pixel_statistics, report
from aligngemini.images import decode, protocols


def lay(root: Path, files: int, side: int) -> None:
    """Write JPEGs of `side` px, half of them called real: coarse shapes with grain."""
    rng = np.random.default_rng(0)
    for number in range(files):
        folder = root / ("0_real", "1_fake")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype(int)
        rgb = (smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(rgb).save(folder / f"{number}.jpg", quality=85)


def obvious(root: Path) -> None:
    """Ten passes over the files; the pixel probe sees as many as the audit lets it see."""
    files = sorted(map(str, root.rglob("*.jpg")))
    facts = [lambda path, name=name: getattr(decode.read(path), name) for name in ("format", "width", "height")]
    facts += [lambda path: decode.read(path).jpeg_quality, decode.identify]
    facts += [
        lambda path, name=name: file_facts.metadata(Path(path).read_bytes())[name]
        for name in ("camera", "c2pa", "texts")
    ]
    facts += [
        lambda path: protocols.constant(decode.read(path).rgb),
        lambda path: duplicates.thumbnails(decode.read(path).rgb),
    ]
    for cue in facts:
        [cue(path) for path in files]
    [pixel_statistics.describe(decode.read(path).rgb) for path in files[: cues.PROBED]]


def rates(work, files: int) -> tuple[float, float]:
    """Files per minute by the clock, and per minute of processor time."""
    clock, busy = time.perf_counter(), time.process_time()
    work()
    return tuple(
        60 * files / (now - begun) for now, begun in ((time.perf_counter(), clock), (time.process_time(), busy))
    )


def main(files: int, side: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        os.environ["ALIGNGEMINI_BUILT"] = str(Path(folder) / "built")
        lay(root, files, side)
        ways = {"first audit": lambda: report.audit(str(root)), "second audit": lambda: report.audit(str(root))}
        ways["obvious"] = lambda: obvious(root)
        found = {name: rates(way, files) for name, way in ways.items()}
    for name, (clock, busy) in found.items():
        print(f"{name}: {clock:,.0f} files/min, {busy:,.0f} per processor minute")
    ratio = [ours / plain for ours, plain in zip(found["first audit"], found["obvious"], strict=True)]
    print(f"ratio {ratio[0]:.1f} by the clock, {ratio[1]:.1f} by processor time")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(2000, 128)[len(given) :])
