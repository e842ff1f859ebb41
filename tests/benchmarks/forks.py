"""What a kernel takes to start and to run the imports of each notebook: one of a new Python, and one that is forked.

`OMP_NUM_THREADS=1 python tests/benchmarks/forks.py`; processor time of the kernel's process.
"""

import tempfile
from pathlib import Path

import nbformat

from aligngemini.core import paths, stages
from aligngemini.workflow import forks, kernel

TELL = "import resource\ntold = resource.getrusage(resource.RUSAGE_SELF)\nprint(told.ru_utime + told.ru_stime)"


def seconds(imports: str, server: forks.Server | None, folder: Path) -> float:
    """Processor time of a kernel, s, when it has run the cell `imports`."""
    given, done = folder / "given.ipynb", folder / "done.ipynb"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in (imports, TELL)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), given)
    kernel.execute(given, done, {}, {"OMP_NUM_THREADS": "1"}, server)
    return float(nbformat.read(done, 4).cells[-1].outputs[0]["text"])


def main() -> None:
    """Print both times for each notebook."""
    server = forks.Server()
    with tempfile.TemporaryDirectory() as folder:
        for name in stages.STAGES:
            cells = nbformat.read(paths.notebook(name), 4).cells
            imports = next(cell.source for cell in cells if "\nfrom aligngemini." in cell.source)
            new, forked = (seconds(imports, each, Path(folder)) for each in (None, server))
            print(f"{name}: {new:.2f} s, forked {forked:.2f} s")
    server.end()


if __name__ == "__main__":
    main()
