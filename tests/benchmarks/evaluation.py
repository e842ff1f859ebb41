"""Both branches over files of the small world, in batches, against one picture at a time.

`python tests/benchmarks/evaluation.py [PICTURES]` prints pictures per second of both ways in one run, and their ratio.
"""

import sys
import tempfile
import time
from pathlib import Path

from aligngemini.detector import Detector
from aligngemini.images import scene_images
from aligngemini.images.params import DataParams


def rate(detector: Detector, files: list[str], batch: int) -> float:
    """Pictures per second from file to verdict."""
    begun = time.perf_counter()
    detector(files, batch_size=batch)
    return len(files) / (time.perf_counter() - begun)


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pictures").mkdir()
        items = [(i, bool(i % 2)) for i in range(count)]
        fixed = (f"{folder}/pictures", DataParams(), "benchmark", "evaluation")
        rows = [scene_images.scene_file(item, *fixed) for item in items]
        files, detector = [row["path"] for row in rows], Detector.load()
        detector(files[:4])
        ours, plain = rate(detector, files, 64), rate(detector, files[: max(1, count // 8)], 1)
        print(f"batches {ours:.1f}/s, one at a time {plain:.1f}/s, ratio {ours / plain:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
