"""The explorer of notebook 04 in JupyterLab and a real browser, filmed while a threshold is dragged: `make pages`."""

import io
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image
from playwright import sync_api as api

from aligngemini.core import paths, saved_runs, stages
from aligngemini.explore import drawn

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 240_000  # ms: a busy machine is no failure
FRAME, STEPS, PULL = 400, 14, 8  # ms that a frame is shown; places of the mouse, and what lies between them, px


def notebook(run: str, path: Path) -> None:
    """Write a notebook of the imports and the explorer of notebook 04, over what the code `run` names."""
    book = nbformat.read(paths.notebook(stages.FUSION), as_version=4)
    sources = [cell.source for cell in book.cells if cell.cell_type == "code"]
    (imported,) = re.findall(r"^from aligngemini\.explore import fusion as explorer$", "\n".join(sources), re.M)
    cells = [imported, run, next(source for source in sources if source.startswith("explorer.fusion("))]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=book.metadata)
    nbformat.write(made, path)


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --port={port} --IdentityProvider.token= --ServerApp.root_dir={folder} --allow-root"
    log = (folder / "log").open("w")
    server = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", *options.split()], stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/api", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def _wait(address: str, server: subprocess.Popen) -> None:
    for _ in range(PATIENCE // 500):
        assert server.poll() is None, "JupyterLab did not start"
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("JupyterLab does not answer")


@contextmanager
def opened(
    address: str, name: str, width: int = 1280, height: int = 720, waits: tuple[str, str] = ("img", "Scores of")
) -> Iterator[Any]:
    """A page of the browser in which all cells of a notebook are run; `waits`: role and name of what comes last."""
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/lab/tree/{name}?reset", wait_until="domcontentloaded")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.get_by_text("| Idle").wait_for()  # what is run before the kernel is there is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.get_by_role(waits[0], name=waits[1]).first.wait_for()
        yield page
        browser.close()


def pull(page: Any, line: float, steps: int = STEPS) -> Iterator[None]:
    """Drag the threshold line at the score `line` of the first branch to the left, step by step."""
    box = page.get_by_role("img", name="Scores of").bounding_box()
    scale = box["width"] / drawn.WIDTH
    page.mouse.move(box["x"] + drawn.across(line) * scale, box["y"] + 100)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(box["x"] + (drawn.across(line) - PULL * step) * scale, box["y"] + 100)
        page.wait_for_timeout(FRAME)
        yield
    page.mouse.up()


def film(run: Any, path: Path) -> None:
    """Write an animated WebP of the explorer over a run of notebook 04, while its first threshold is dragged."""
    with tempfile.TemporaryDirectory() as place:
        named = f"from aligngemini.core import paths, runs\npaths.set_outputs({str(paths.outputs())!r})\n"
        notebook(named + f"run = runs.load({run.notebook!r}, {run.name!r})", Path(place) / "a.ipynb")
        with lab(Path(place)) as address, opened(address, "a.ipynb", 1280, 1000) as page:
            page.add_style_tag(content=".Toastify { display: none }")  # news of JupyterLab
            plane = page.get_by_role("img", name="Scores of")
            plane.scroll_into_view_if_needed()
            area = page.locator(".jp-OutputArea-output", has=plane).bounding_box()
            clip = area | {"height": min(680, 980 - area["y"])}
            frames = [page.screenshot(clip=clip)]
            line = run.manifest["results"][f"{_first(run)}_threshold"]
            frames += [page.screenshot(clip=clip) for _ in pull(page, line)]
    first, *rest = [Image.open(io.BytesIO(frame)).convert("RGB") for frame in frames]
    first.save(path, "WEBP", save_all=True, append_images=rest, duration=FRAME, loop=0, quality=60, method=6)


def _first(run: Any) -> str:
    """The name of the first branch of a run."""
    from aligngemini.fusion import description

    return description.read(run.folder).branches[0].name


if __name__ == "__main__":
    film(saved_runs.load(stages.FUSION, "latest", "mini"), Path(sys.argv[1]))
