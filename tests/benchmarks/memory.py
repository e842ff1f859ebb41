"""Peak memory must grow neither with the number of pictures nor with their size.

`python tests/benchmarks/memory.py [FEW] [MANY]` benches folders of so many pictures with the shipped detector, and then
judges and benches PHOTOGRAPHS files of SMALL and of LARGE megapixels, each in a process of its own, and prints the peak
resident memory of both in MB, and their ratio.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from aligngemini.images import scene_images
from aligngemini.images.params import DataParams

CLI = [sys.executable, "-m", "aligngemini.cli"]
BENCH = [*CLI, "bench", "--run", "shipped", "--protocol", "native", "--benchmark"]
DETECT = [*CLI, "detect", "--run", "shipped"]
PHOTOGRAPHS, SMALL, LARGE = 64, 0.5, 24


def lay(root: Path, count: int) -> Path:
    """Draw `count` pictures, half of them called fake."""
    for place, violated in (("0_real", False), ("1_fake", True)):
        folder = root / str(count) / place
        folder.mkdir(parents=True)
        for i in range(count // 2):
            scene_images.scene_file((i, violated), str(folder), DataParams(), "benchmark", "m")
    return root / str(count)


def photographs(root: Path, megapixels: float) -> Path:
    """Write PHOTOGRAPHS JPEG files of so many megapixels, small on the disk, half of them called fake."""
    width = int((megapixels * 4e6 / 3) ** 0.5)
    tile = np.random.default_rng(0).integers(0, 256, (width // 64, width // 48, 3), np.uint8)
    image = Image.fromarray(tile).resize((width, width * 3 // 4), Image.Resampling.NEAREST)
    for i in range(PHOTOGRAPHS):
        image.paste((i, 20 * i % 256, 99), (0, 0, 64, 64))
        path = root / f"{megapixels}mp" / ("0_real", "1_fake")[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=80)
    return root / f"{megapixels}mp"


def peak(command: list[str], root: Path) -> float:
    """MB that a command on `root` took at its highest."""
    home = {"ALIGNGEMINI_BUILT": f"{root}/built", "ALIGNGEMINI_OUTPUTS": f"{root}/outputs"}
    worker = subprocess.Popen([*command, str(root)], env=os.environ | home, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(worker.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} {root} ended with {status}")
    return usage.ru_maxrss / (1 if sys.platform == "linux" else 1024) / 1024


def told(what: str, names: tuple, peaks: list[float]) -> None:
    print(f"{what}: {names[0]} {peaks[0]:,.0f} MB, {names[1]} {peaks[1]:,.0f} MB, ratio {peaks[1] / peaks[0]:.2f}")


def main(few: int, many: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        counts = (few, many)
        told("bench, pictures", counts, [peak(BENCH, lay(Path(folder), count)) for count in counts])
        sizes = (SMALL, LARGE)
        roots = [photographs(Path(folder), size) for size in sizes]
        for name, command in (("detect", DETECT), ("bench", BENCH)):
            told(f"{name}, megapixels", sizes, [peak(command, root) for root in roots])


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(200, 3000)[len(given) :])
