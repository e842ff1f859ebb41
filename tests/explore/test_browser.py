"""The explorer of notebook 04 in JupyterLab, in a real browser, by the keyboard alone; skipped where there is none."""

import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from aligngemini.core import paths, stages
from aligngemini.explore import drawn

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.timeout(900),
]
PATIENCE = 240_000  # ms: a busy machine is no failure


@pytest.fixture
def lab(runs, tmp_path):
    """The address of a JupyterLab whose only notebook holds the imports and the explorer of notebook 04."""
    book = nbformat.read(paths.notebook(stages.FUSION), as_version=4)
    sources = [cell.source for cell in book.cells if cell.cell_type == "code"]
    (imported,) = re.findall(r"^from aligngemini\.explore import fusion as explorer$", "\n".join(sources), re.M)
    run = f"import pathlib\nrun = pathlib.Path({str(runs[0])!r})"
    cells = [imported, run, next(source for source in sources if source.startswith("explorer.fusion("))]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=book.metadata)
    nbformat.write(made, tmp_path / "a.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (
        f"--no-browser --port={port} --IdentityProvider.token= --ServerApp.root_dir={tmp_path} --allow-root".split()
    )
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", *options], stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/api", server)
        yield f"http://127.0.0.1:{port}/lab/tree/a.ipynb?reset"
    finally:
        server.terminate()
        server.wait(60)


def _wait(address, server):
    for _ in range(PATIENCE // 500):
        assert server.poll() is None, "JupyterLab did not start"
        try:
            return urllib.request.urlopen(address)
        except OSError:
            time.sleep(0.5)
    raise AssertionError("JupyterLab does not answer")


def test_the_keyboard_moves_a_threshold_and_the_numbers_follow(lab):
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.goto(lab, wait_until="domcontentloaded")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.get_by_text("| Idle").wait_for()  # what is run before the kernel is there is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        answer = page.locator(".jp-OutputArea [role=status]").first
        typed = page.get_by_role("spinbutton", name="VLM, 0 to 1")
        opened = answer.inner_text()
        assert typed.input_value() == "0.4"  # the browser rounds the slider, and the threshold stays
        page.get_by_role("slider").first.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        api.expect(typed).not_to_have_value("0.4", timeout=PATIENCE)
        api.expect(answer).not_to_have_text(opened, timeout=PATIENCE)
        api.expect(typed).to_have_value(re.compile(r"^0\.(49|50)"), timeout=PATIENCE)  # twenty steps of 0.02 log-odds
        typed.fill("0.4")
        typed.press("Enter")
        api.expect(answer).to_contain_text(opened.splitlines()[0], timeout=PATIENCE)
        plane, reset = page.get_by_role("img", name="Scores of VLM"), page.get_by_role("button", name="reset")
        places = [each.bounding_box() for each in (plane, reset, answer)]
        assert max(box["y"] + box["height"] for box in places) - min(box["y"] for box in places) < 560
        if importlib.util.find_spec("ipyevents"):
            _drag_and_click(page, plane, typed)
        page.set_viewport_size({"width": 700, "height": 900})
        for box in (plane.bounding_box(), reset.bounding_box()):
            assert box["x"] >= 0 and box["x"] + box["width"] <= 700
        browser.close()


def _drag_and_click(page, plane, typed):
    """The mouse pulls the line of the VLM's threshold, .4, to the right, and opens the image of a mark."""
    box = plane.bounding_box()
    scale, line = box["width"] / drawn.WIDTH, drawn._across(0.4)
    page.mouse.move(box["x"] + line * scale, box["y"] + 100)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + (line + 5 * step) * scale, box["y"] + 100)
        page.wait_for_timeout(100)
    page.mouse.up()
    api.expect(typed).not_to_have_value("0.4", timeout=PATIENCE)
    assert float(typed.input_value()) > 0.4
    mark = re.search(
        r"M([\d.]+),([\d.]+)", plane.locator("path[fill=none][stroke='var(--real)']").first.get_attribute("d")
    )
    x, y = (float(place) for place in mark.groups())
    page.mouse.click(box["x"] + x * scale, box["y"] + (y + 3) * scale)
    api.expect(page.get_by_role("combobox", name="open")).not_to_have_value("no image", timeout=PATIENCE)
