"""Executed notebooks as Markdown, with their images as files, to be read on a page without running: `make pages`.

Figures are drawn by kaleido, which needs chromium or Chrome.
"""

import base64
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import plotly.io as pio
from nbconvert import MarkdownExporter
from nbconvert.writers import FilesWriter

from aligngemini.analysis import report
from aligngemini.core import paths, saved_runs, stages
from aligngemini.core.saved_runs import SavedRun

IMAGE = re.compile(r"data:image/(png|jpeg);base64,([\w+/=]+)")
# what pages of Markdown do not show
BARE = re.compile(r"<style.*?</style>| (?:style|class|id|tabindex)=\"[^\"]*\"", re.DOTALL)
WIDTH = 960  # px of a figure
EXPLORER = "A widget stands here: open the notebook in JupyterLab to use it."


def write(run: SavedRun, folder: Path) -> Path:
    """Write the executed notebook of a complete run as `<notebook>.md` to `folder`; return the page.

    Its images lie beside it, in place of those of an earlier run. Raises OSError.
    """
    notebook = report.executed(run)
    images: dict[str, bytes] = {}
    for place, cell in enumerate(notebook.cells):
        for number, output in enumerate(cell.get("outputs", [])):
            if "data" in output:
                output["data"] = _shown(output["data"], f"{run.notebook}/{place}-{number}", images)
    shutil.rmtree(folder / run.notebook, ignore_errors=True)
    text, resources = MarkdownExporter().from_notebook_node(notebook)
    resources["outputs"] = resources.get("outputs", {}) | images
    return Path(FilesWriter(build_directory=str(folder)).write(text, resources, notebook_name=run.notebook))


def _shown(data: dict[str, Any], name: str, images: dict[str, bytes]) -> dict[str, Any]:
    """One kind of an output, as a page of Markdown can show it; what images it has are added to `images`."""
    if report.WIDGET in data:
        return {"text/plain": EXPLORER}
    if report.PLOTLY in data:
        figure = {part: data[report.PLOTLY].get(part) for part in ("data", "layout")}
        height = int((figure["layout"] or {}).get("height") or 450)
        images[f"{name}.png"] = pio.to_image(figure, "png", width=WIDTH, height=height, validate=False)
        return {"text/html": f'<img src="{name}.png" width="{WIDTH}">'}
    if "text/html" not in data:
        return data

    def moved(found: re.Match) -> str:
        file = f"{name}-{len(images)}.{found[1]}"
        images[file] = base64.b64decode(found[2])
        return file

    return {"text/html": BARE.sub("", IMAGE.sub(moved, data["text/html"]))}


if __name__ == "__main__":
    import kaleido  # of the extra `pages`

    kaleido.start_sync_server()
    last = saved_runs.load(stages.ANALYSIS, "latest", "mini")
    first = {each.notebook: each for each in reversed([*last.below, last])}  # of two runs the pure one
    for each in first.values():
        print(paths.short(write(each, Path(sys.argv[1]))))
