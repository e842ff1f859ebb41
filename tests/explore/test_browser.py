"""The explorer of notebook 04 in JupyterLab, in a real browser, by keyboard and mouse; skipped where there is none."""

import importlib.util
import re

import pytest

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from aligngemini.explore import drawn  # noqa: E402
from tests.explore import film  # noqa: E402

pytestmark = [
    pytest.mark.skipif(film.CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
PATIENCE = film.PATIENCE


@pytest.fixture
def page(runs, tmp_path):
    """A page of JupyterLab whose only notebook holds the imports and the explorer of notebook 04, all cells run."""
    film.notebook(f"import pathlib\nrun = pathlib.Path({str(runs[0])!r})", tmp_path / "a.ipynb")
    with film.lab(tmp_path) as address, film.opened(address, "a.ipynb") as page:
        yield page


def test_keyboard_and_mouse_move_a_threshold_and_the_numbers_follow(page):
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


def _drag_and_click(page, plane, typed):
    """The mouse pulls the line of the VLM's threshold, .4, to the left, and opens the image of a mark."""
    for _ in film.pull(page, 0.4, steps=6):
        pass
    api.expect(typed).not_to_have_value("0.4", timeout=PATIENCE)
    assert float(typed.input_value()) < 0.4
    reals = plane.locator("path[fill=none][stroke='var(--real)']").first.get_attribute("d")
    x, y = map(float, re.search(r"M([\d.]+),([\d.]+)", reals).groups())
    box = plane.bounding_box()
    scale = box["width"] / drawn.WIDTH
    page.mouse.click(box["x"] + (x + 3) * scale, box["y"] + y * scale)
    chosen = page.get_by_role("combobox", name="open").locator("option:checked")
    api.expect(chosen).to_contain_text("image", timeout=PATIENCE)
    api.expect(chosen).not_to_have_text("no image", timeout=PATIENCE)
