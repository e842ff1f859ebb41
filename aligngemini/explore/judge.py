"""Notebook 04: try it on images of one's own. Which branch objects, why, and where the evidence of the expert lies."""

from functools import lru_cache

import ipywidgets
import numpy as np
import pandas as pd
from IPython.display import HTML
from PIL import Image

from aligngemini.analysis import pictures
from aligngemini.branches import registry
from aligngemini.branches.branch import Branch
from aligngemini.core import stages, values
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.core.seeds import generator
from aligngemini.detector import Detector
from aligngemini.explore import show
from aligngemini.explore.degradation import detector
from aligngemini.explore.given import Given, source
from aligngemini.images import decode
from aligngemini.images.header import Unreadable
from aligngemini.images.table import load
from aligngemini.peers import frozen
from aligngemini.peers.evidence import covered, evidence, squares

SQUARES = 8  # along each side of a crop
DELETED, DRAWS = 6, 8  # squares that are deleted together, and random choices of as many
MOST, KNOWN, ALIKE, SIDE, BATCH = 6, 600, 6, 224, 32  # images judged, known images compared, those shown; px


def picture(run) -> HTML:
    """Return the verdict on one pixel fake of the test: the static page above the explorer."""
    fused = values.read(run.path("fused.parquet"), maker=stages.FUSION)
    fakes = fused[(fused.axis == "pixel") & (fused.verdict == 1).fillna(False)]
    return HTML(page(run, [fakes.path.iloc[0]]) if len(fakes) else "No pixel fake of the test is found.")


def judge(run) -> ipywidgets.Widget:
    """Return the explorer: images by upload or path, the verdict on each, where the evidence of a branch that looks at
    a crop lies, and on request the training and test images most like it. Nothing is saved.
    """
    given, shown, found = Given(several=True), ipywidgets.HTML(show.said("No image yet.")), ipywidgets.HTML()
    alike = ipywidgets.Button(
        description="similar known images", tooltip="find the training and test images most like the first"
    )
    alike.layout = ipywidgets.Layout(width="190px", margin="2px 0 2px 92px")

    def show_verdicts(_=None) -> None:
        if given.value:
            found.value, shown.value = "", page(run, [source(each) for each in given.value])

    def show_alike(_=None) -> None:
        if given.value:
            found.value = similar(run, source(given.value[0]))

    given.observe(show_verdicts, "value")
    alike.on_click(show_alike)
    return ipywidgets.VBox([given, alike, found, shown])


def page(run, sources: list) -> str:
    """HTML of the verdicts on paths, folders or bytes: the first MOST with their evidence."""
    judging = detector(run)
    try:
        rows = judging(sources)
    except Refused as refusal:  # a folder without an image
        return show.said(str(refusal))
    places = sources if isinstance(sources[0], bytes) else rows.image
    parts = [_card(judging, rows.loc[[place]], places[place]) for place in rows.head(MOST).index]
    left = f"<p>{len(rows) - MOST} further images are not shown; aligngemini detect judges folders.</p>"
    return "".join(parts) + (left if len(rows) > MOST else "")


def _card(judging: Detector, row: pd.DataFrame, where) -> str:
    """An image, what the branches say of it, and where the evidence of the first that looks at a crop lies."""
    looks, more, shown = next((each for each in judging.branches if each.crop), None), [judging.remark(row)], {}
    try:
        rgb = decode.read(where).rgb
        more += [f"In words: {text}" for text in _reason(judging, rgb) if text]
        shown["the image"] = rgb
        if looks:
            shown["evidence: red speaks for fake"], line = evidence_of(looks, rgb)
            more.append(f"{registry.title(looks.name)}: {line}")
    except (Unreadable, OSError) as error:
        more = [f"It cannot be shown: {error}"]
    images = pictures.strip(shown.values(), shown, SIDE).data if shown else ""
    return images + show.verdict(row.iloc[0], judging.names, judging.fusion.thresholds, more)


def _reason(judging: Detector, rgb: np.ndarray) -> list[str]:
    """The reason of a branch that gives one, of pixels that were read: to read a large file once more takes long."""
    explains = any(hasattr(each, "explain") for each in judging.branches)
    return judging.explain([Image.fromarray(rgb)]) if explains else []


def evidence_of(branch: Branch, rgb: np.ndarray) -> tuple[np.ndarray, str]:
    """What a branch sees of uint8 [H, W, 3], red where its evidence for fake lies, and a line on what deleting that
    evidence does.
    """
    view = branch.prepare(rgb)
    side = max(1, view.shape[0] // SQUARES)
    heat = evidence(branch, view, side)
    red = np.kron(np.clip(heat / max(np.abs(heat).max(), 1e-9), 0, 1), np.ones((side, side)))[..., None] * 0.7
    shown = (view[: red.shape[0], : red.shape[1]] * (1 - red) + np.array([213, 0, 0]) * red).astype(np.uint8)
    whole, top, others = branch.p_fake([view])[0], *deleted(branch, view, heat, side)
    line = f"p(fake) is {whole:.3f}; without the {DELETED} squares of most evidence it is {top:.3f}, "
    return shown, f"{line}without {DELETED} random ones {others:.3f}"


def deleted(branch: Branch, view: np.ndarray, heat: np.ndarray, side: int) -> tuple[float, float]:
    """p(fake) without the squares of most evidence, and the mean of it without as many random ones."""
    rng, count = generator("deleted", view.shape[0]), min(DELETED, heat.size)
    order = np.argsort(heat.ravel())[::-1]
    chosen = [order[:count], *(rng.choice(heat.size, count, replace=False) for _ in range(DRAWS))]
    every = squares(view.shape, side)
    scores = branch.p_fake([covered(view, [every[place] for place in each]) for each in chosen])
    return float(scores[0]), float(np.mean(scores[1:]))


def similar(run, where) -> str:
    """HTML of the training and test images most like an image, by the cosine of features of the frozen base of the
    first branch that looks at a crop.
    """
    looks = next((each for each in detector(run).branches if each.crop and "base" in getattr(each, "base", {})), None)
    if looks is None:
        return "<p>No branch of this run has a base whose features can be compared.</p>"
    try:
        rgb = decode.read(where).rgb
    except (Unreadable, OSError) as error:
        return show.said(f"Nothing is compared with it: {error}")
    features, images = known(run, looks)
    own = _features(looks, [rgb])
    nearest = np.argsort(features @ own[0])[::-1][:ALIKE]
    rows = images.iloc[nearest].assign(cosine=(features @ own[0])[nearest])
    sheet = pictures.sheet(rows, lambda row: f"{row.split}: {pictures.truth(row)}\ncosine {row.cosine:.2f}", 112).data
    return f"<p>The most similar of {len(images)} training and test images:</p>{sheet}"


@lru_cache(maxsize=1)
def known(run, branch: Branch) -> tuple[np.ndarray, pd.DataFrame]:
    """Features float64 [n, d] of at most KNOWN images, drawn from a seed, and their rows: of the training parts of both
    pure sets and of the test.
    """
    rows = pd.concat([load(run.data.path(f"{name}.parquet")) for name in ("semantic", "pixel", "test")])
    rows = rows[rows.split.isin(("train", "test")) & (rows.reason == "")].drop_duplicates("image_id")
    rows = rows.sample(min(KNOWN, len(rows)), random_state=0).reset_index(drop=True)
    steps = [rows.path[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    made = [
        _features(branch, [decode.read(path).rgb for path in paths])
        for paths in progress(steps, "comparing", each=BATCH)
    ]
    return np.concatenate(made), rows


def _features(branch: Branch, images: list[np.ndarray]) -> np.ndarray:
    """Unit features float64 [n, d] of what the branch looks at of images, by its base alone."""
    base = frozen.load(branch.base["base"], branch.base["revision"])
    return base.class_tokens(np.stack([branch.prepare(rgb) for rgb in images]))
