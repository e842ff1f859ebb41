"""The explorers in JupyterLab, in a real browser, by keyboard and mouse; skipped where there is none."""

import importlib.util
import re

import nbformat
import pytest

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from aligngemini.core import paths  # noqa: E402
from aligngemini.detector import SHIPPED  # noqa: E402
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
    for _ in range(3):  # a plane that is drawn anew under the mouse lets the line go
        for _ in film.pull(page, 0.4, steps=6):
            pass
        page.wait_for_timeout(5_000)
        if typed.input_value() != "0.4":
            break
    assert float(typed.input_value()) < 0.4
    reals = plane.locator("path[fill=none][stroke='var(--real)']").first.get_attribute("d")
    x, y = map(float, re.search(r"M([\d.]+),([\d.]+)", reals).groups())
    box = plane.bounding_box()
    scale = box["width"] / drawn.WIDTH
    page.mouse.click(box["x"] + (x + 3) * scale, box["y"] + y * scale)
    chosen = page.get_by_role("combobox", name="open").locator("option:checked")
    api.expect(chosen).to_contain_text("image", timeout=PATIENCE)
    api.expect(chosen).not_to_have_text("no image", timeout=PATIENCE)


OTHERS = """\
import pathlib
from types import SimpleNamespace
from aligngemini.detector import Detector
from aligngemini.explore import degradation, judge, supervision
from aligngemini.analysis import style
from tests.small import CHAIN
style.use()
folder = pathlib.Path({fusion!r})
run = SimpleNamespace(folder=folder, path=folder.joinpath, data=SimpleNamespace(params=CHAIN))
degradation.detector = judge.detector = lambda run: Detector.load()"""


@pytest.fixture
def others(runs, tmp_path, monkeypatch):
    """A page of JupyterLab with the explorers of supervision, degradation and own images, all cells run."""
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT))
    cells = [OTHERS.format(fusion=str(runs[0])), f"supervision.supervision(pathlib.Path({str(runs[1])!r}))"]
    cells += ["degradation.degradation(run)", "judge.judge(run)"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "b.ipynb")
    last = ("button", "similar known images")
    with film.lab(tmp_path) as address, film.opened(address, "b.ipynb", 1280, 2400, last) as page:
        yield page


def test_supervision_degradation_and_own_images_answer_keyboard_and_mouse(others):
    bars = others.locator(".js-plotly-plot").first
    api.expect(bars.get_by_text("expert, pixel")).to_have_count(0, timeout=PATIENCE)
    others.get_by_role("button", name="expert", exact=True).click()
    api.expect(bars.get_by_text("expert, pixel").first).to_be_visible(timeout=PATIENCE)
    flipped = others.locator(".pictures img").first
    flipped.click()
    assert flipped.evaluate("image => image.getBoundingClientRect().width > 2 * image.offsetWidth"), "it is enlarged"

    def slider(name):
        return others.locator(".widget-slider", has_text=name).get_by_role("slider")

    slider("all four").focus()
    others.keyboard.press("End")
    answer = others.locator(".jp-OutputArea-output", has=others.locator(".widget-slider"))
    api.expect(answer).to_contain_text(re.compile("real|fake"), timeout=PATIENCE)
    api.expect(slider("JPEG")).to_have_attribute("aria-valuenow", re.compile("^50"), timeout=PATIENCE)
    typed = others.get_by_role("spinbutton", name="JPEG quality")
    api.expect(typed).to_have_value("50", timeout=PATIENCE)
    typed.fill("80")
    typed.press("Enter")
    api.expect(slider("JPEG")).to_have_attribute("aria-valuenow", re.compile("^80"), timeout=PATIENCE)

    bars_light = bars.evaluate("each => getComputedStyle(each).filter")
    others.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert (bars_light, bars.evaluate("each => getComputedStyle(each).filter")[:6]) == ("none", "invert"), "dark theme"

    typed = others.get_by_role("textbox", name="or a path").last
    typed.fill(str(SHIPPED / "known/4_pixel.jpg"))
    typed.press("Enter")
    judged = others.locator(".jp-OutputArea-output", has_text="similar known images")
    api.expect(judged).to_contain_text("p(fake) is", timeout=PATIENCE)
    assert judged.get_by_role("img").count() >= 2, "the image, and where the evidence lies"
