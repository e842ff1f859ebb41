"""How often an executed notebook is written, and that its end always is."""

import time

import nbformat
import pytest
from papermill import engines
from papermill.exceptions import PapermillExecutionError

from aligngemini.workflow import kernel

CELLS = 12


def executed(folder, last: str, monkeypatch):
    """The notebook that CELLS quick cells and a `last` one leave, and how often it was written."""
    sources = [*(f"print({place})" for place in range(CELLS)), last]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "given.ipynb")
    write, times = engines.write_ipynb, []
    monkeypatch.setattr(engines, "write_ipynb", lambda *given: times.append(write(*given)))
    try:
        kernel.execute(folder / "given.ipynb", folder / "done.ipynb", {}, {})
    finally:
        done = nbformat.read(folder / "done.ipynb", 4)
    return done, len(times)


def test_quick_cells_are_written_together_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("aligngemini.workflow.engine.PAUSE", 60)
    done, times = executed(tmp_path, "print('end')", monkeypatch)
    assert times == 2, "at the beginning and at the end"
    assert [cell.outputs[0].text.strip() for cell in done.cells] == [*map(str, range(CELLS)), "end"]
    assert done.metadata.papermill.end_time and done.cells[-1].metadata.papermill.status == "completed"


def test_a_notebook_that_fails_is_written_with_its_error(tmp_path, monkeypatch):
    monkeypatch.setattr("aligngemini.workflow.engine.PAUSE", 60)
    with pytest.raises(PapermillExecutionError):
        executed(tmp_path, "1 / 0", monkeypatch)
    done = nbformat.read(tmp_path / "done.ipynb", 4)
    errors = [output for cell in done.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert errors[0].ename == "ZeroDivisionError" and done.metadata.papermill.exception


def test_a_kernel_looks_for_no_garbage_at_its_end_and_its_notebook_shows_nothing_of_that(tmp_path, monkeypatch):
    note = f"open({str(tmp_path / 'frozen')!r}, 'w').write(str(gc.get_freeze_count()))"
    hook = f"import atexit, gc\natexit.register(lambda: {note})\n"
    (tmp_path / "sitecustomize.py").write_text(hook)  # registered first, so that it is called last
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done, _ = executed(tmp_path, "print(len(In), In[1])", monkeypatch)
    assert done.cells[-1].outputs[0].text.split() == [str(CELLS + 2), "print(0)"]
    written, ends = tmp_path / "frozen", time.monotonic() + 30  # the kernel may end after its manager has turned away
    while not (written.exists() and written.read_text()) and time.monotonic() < ends:
        time.sleep(0.1)
    assert int(written.read_text()) > 10_000
