"""Processor time of the cells of a notebook with the mini recipe, in one process.

`OMP_NUM_THREADS=1 python -m tests.benchmarks.notebook_cells 02_vlm_dpo [NAME=VALUE ...]`: in a project whose outputs
hold the runs that it stands on, and not its own, which would be used again. Values are YAML.
"""

import sys
import time

import yaml

from aligngemini.core import paths
from tests import cells

SHOWN = 0.3  # seconds; shorter cells count in the sum alone


def main(notebook: str, *given: str) -> None:
    recipe = yaml.safe_load((paths.notebooks() / "recipes" / "mini" / f"{notebook}.yaml").read_text()) or {}
    changes = dict(each.split("=", 1) for each in given)
    values = recipe | {name: yaml.safe_load(value) for name, value in changes.items()}
    book = cells.given(paths.notebook(notebook), values)
    names = {"In": [cell.source for cell in book.cells if cell.cell_type == "code"]}
    spent = []
    for source in names["In"]:
        begun = time.process_time()
        exec(source, names)
        spent.append((time.process_time() - begun, source.strip().partition("\n")[0]))
    for seconds, line in spent:
        if seconds > SHOWN:
            print(f"{seconds:7.2f} s  {line[:80]}")
    print(f"{sum(seconds for seconds, _ in spent):7.2f} s  all cells of {notebook}")


if __name__ == "__main__":
    main(*sys.argv[1:])
