"""Cells in a real kernel, as in JupyterLab: what a cell shows is what the run keeps, also when it was changed."""

import json
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from aligngemini.core import runs, stages
from aligngemini.images.params import DataParams
from aligngemini.workflow import kernel, kernel_manager
from tests import cells

SETUP = f"""\
import pandas as pd
from aligngemini.images.params import DataParams
from aligngemini.core import params, runs
cfg = params.read(DataParams, globals())
run = runs.start("{stages.DATA}", cfg)"""
FUNCTION = "double = lambda rows: rows.assign(n=2 * rows.n)"
TABLE = 'table = run.compute("table.parquet", double, pd.DataFrame({"n": [1, 2]}))\ntable'
TOTAL = 'run.save("total.json", {"total": int(table.n.sum())})'
FINISH = 'run.finish({"rows": len(table)})'


class Lab:
    """A notebook in a kernel; its cells may be changed and run again in any order."""

    def __init__(self, little, cfg):
        sources = [cells.parameters(DataParams), f"scale, vae = {cfg.scale!r}, {cfg.vae!r}"]
        self.sources = [*sources, SETUP, FUNCTION, TABLE, TOTAL, FINISH]
        self.little, self.cells = little, [nbformat.v4.new_code_cell(source) for source in self.sources]

    def __enter__(self):
        from nbclient import NotebookClient

        self.sockets = tempfile.TemporaryDirectory()  # short, as the names of sockets must be
        self.client = NotebookClient(
            nbformat.v4.new_notebook(cells=self.cells),
            kernel_manager_class=kernel_manager.of(
                Path(self.sockets.name), self.little.environment, None, [].append, kernel.stopping
            ),
            startup_timeout=kernel.START_SECONDS,
        )
        self.kernel = self.client.setup_kernel()
        self.kernel.__enter__()
        return self

    def __exit__(self, *error):
        self.kernel.__exit__(*error)
        self.sockets.cleanup()

    def run(self, *places: int) -> str:
        """Run the cells at these places, of FUNCTION, TABLE, TOTAL and FINISH (0 to 3); return what they say."""
        said = []
        for place in (0, 1, 2, *(each + 3 for each in places)):
            cell = self.client.execute_cell(self.cells[place], place)
            if place > 2:
                said += [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]
        return "\n".join(said)

    def change(self, place: int, old: str, new: str) -> None:
        assert old in self.cells[place + 3].source
        self.cells[place + 3].source = self.cells[place + 3].source.replace(old, new)


def kept(little, pattern: str):
    (folder,) = (little.outputs / stages.DATA).glob(pattern)
    return pd.read_parquet(folder / "table.parquet").n.tolist(), json.loads((folder / "total.json").read_text())


@pytest.fixture
def lab(little):
    from tests import small

    return Lab(little, small.data(little))


def test_a_cell_that_is_changed_and_run_again_keeps_what_it_shows(lab, little):
    with lab:
        said = lab.run(0, 1, 2)
        assert "table.parquet: made\n" in said and "total.json: made\n" in said and "1  4" in said
        assert kept(little, ".*.partial") == ([2, 4], {"total": 6})
        said = lab.run(0, 1, 2)
        assert "table.parquet: reused" in said and "total.json: reused" in said
        lab.change(1, "[1, 2]", "[1, 5]")
        said = lab.run(1, 2)
        assert "table.parquet: made again: its cell or what it is given has changed" in said and "1  10" in said
        assert "total.json: made\n" in said and kept(little, ".*.partial") == ([2, 10], {"total": 12})
        lab.change(0, "2 * rows.n", "3 * rows.n")
        said = lab.run(0, 1, 2)
        assert "made again" in said and "1  15" in said and kept(little, ".*.partial") == ([3, 15], {"total": 18})
    with lab:
        said = lab.run(0, 1, 2, 3)
        assert "table.parquet: reused" in said and "total.json: reused" in said and "1  15" in said
    assert kept(little, "[!.]*") == ([3, 15], {"total": 18})


def test_a_complete_run_opened_again_shows_what_it_keeps_or_refuses(lab, little):
    from nbclient.exceptions import CellExecutionError

    with lab:
        lab.run(0, 1, 2, 3)
        assert "reused" in lab.run(0, 1, 2, 3)
        lab.change(1, "[1, 2]", "[1, 5]")
        with pytest.raises(CellExecutionError, match="is complete and holds another table.parquet: run with --force"):
            lab.run(1)
    assert kept(little, "[!.]*") == ([2, 4], {"total": 6}) and len(runs.all()) == 1
