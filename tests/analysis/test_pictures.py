"""Contact sheets carry their pictures, lose none silently, and trust no text."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.analysis import pairs, pictures
from aligngemini.images import degrade


def shown(html):
    return [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r"data:image/\w+;base64,([^\"]+)", html.data)
    ]


def test_a_small_picture_is_enlarged_losslessly(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (image,) = shown(pictures.sheet(pd.DataFrame({"path": [str(tmp_path / "a.png")], "image_id": ["a"]}), side=90))
    assert image.size == (90, 60)
    assert np.array_equal(np.asarray(image)[1::3, 1::3], rgb)


def test_a_large_picture_is_reduced(tmp_path):
    Image.new("RGB", (1200, 600), "red").save(tmp_path / "b.png")
    html = pictures.sheet(pd.DataFrame({"path": [str(tmp_path / "b.png")], "image_id": ["b"]}))
    assert shown(html)[0].size == (168, 84) and len(html.data) < 8000


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_what_cannot_be_shown_leaves_a_card(tmp_path, content):
    path = tmp_path / "c.png"
    if content is not None:
        path.write_bytes(content)
    html = pictures.sheet(pd.DataFrame({"path": [str(path)], "image_id": ["the c"]})).data
    assert "not shown" in html and "the c" in html


def test_captions_are_text_not_markup(tmp_path):
    html = pictures.sheet(pd.DataFrame({"path": ["<b>.png"], "image_id": ["<script>alert(1)</script>"]})).data
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_flips_name_truth_scores_and_who_is_right(verdicts):
    rows = pairs.flips(verdicts).head(2)
    html = pictures.flips(rows, 2)
    assert len(shown(html)) == 2
    row = rows.iloc[0]
    assert f"VLM, mixed: {['real', 'fake'][row.other_verdict]} ({row.other_score:.2f})" in html.data
    assert f"right: {row.right}" in html.data


def test_flips_show_one_image_of_a_scene_and_as_many_scenes_of_each_model(verdicts):
    rows = pairs.flips(verdicts)
    assert len(shown(pictures.flips(rows, 3))) == 3 * rows.model.nunique()
    assert len(shown(pictures.flips(rows.assign(pair_id="one"), 3))) == rows.drop_duplicates(["pure", "other"]).shape[0]


@pytest.mark.parametrize(
    ("label", "axis", "family", "said"),
    [(0, "none", "", "real"), (1, "unknown", "", "fake"), (1, "semantic", "shadow", "fake, semantic, shadow")],
)
def test_a_fake_of_which_nothing_more_is_known_is_a_fake(label, axis, family, said):
    assert pictures.truth(pd.Series({"label": label, "axis": axis, "family": family})) == said


def test_a_small_jpeg_is_shown_as_it_is_unless_it_carries_more_than_a_picture(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (100, 112, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    Image.fromarray(rgb).save(tmp_path / "plain.jpg")
    Image.fromarray(rgb).save(tmp_path / "told.jpg", exif=exif)
    for name, same in (("plain.jpg", True), ("told.jpg", False)):
        path = tmp_path / name
        html = pictures.sheet(pd.DataFrame({"path": [str(path)], "image_id": ["a"]})).data
        assert (base64.b64encode(path.read_bytes()).decode() in html) == same and "where it was" not in html


def test_the_two_kinds_of_fakes_stand_beside_their_twin_and_their_photograph(verdicts):
    paired = verdicts.assign(pair_id=verdicts.image_id.str[-5:], remark="The dog has five legs.")
    real, semantic, pixel = pictures.kinds(paired).data.split("<h3>")[1:]
    assert [part.count("<img") for part in (real, semantic, pixel)] == [2, 4, 4]
    assert semantic.index("its real twin") < semantic.index("semantic fake<") and "what is wrong: count" in semantic
    assert "what is wrong: count. The dog has five legs." in semantic
    assert pixel.count("<figcaption>its photograph") == 2 and "what is wrong" not in pixel
    alone = pictures.kinds(verdicts[verdicts["axis"] != "pixel"]).data
    assert alone.count("<img") == 4 and "Pixel fakes" not in alone


def test_pairs_and_strips(tmp_path):
    for name, colour in (("l", "red"), ("r", "blue")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{name}.png")
    frame = pd.DataFrame({"left": [str(tmp_path / "l.png")], "right": [str(tmp_path / "r.png")], "kind": ["ball"]})
    html = pictures.pairs(frame, "left", "right", "kind", ("camera", "decoded"))
    assert [image.getpixel((0, 0)) for image in shown(html)] == [(255, 0, 0), (0, 0, 255)]
    assert all(word in html.data for word in ("camera", "decoded", "ball"))
    strip = pictures.strip([np.zeros((8, 8, 3), np.uint8)] * 3, ["one", "two", "three"])
    assert len(shown(strip)) == 3 and "three" in strip.data
    assert "No pictures" in pictures.sheet(frame.head(0)).data


def test_traces_and_what_the_chain_leaves_of_them_are_pictures_with_names():
    rng = np.random.default_rng(0)
    left = rng.integers(0, 255, (32, 48, 3), dtype=np.uint8)
    right = degrade.blur(left, 1)
    page = pictures.traces(left, right, ("photograph", "reconstruction")).data
    assert page.count("<img") == 7 and "photograph, spectrum" in page and "difference × 8" in page
    ranges = {"scale": [0.4, 0.6], "noise": [4, 8], "blur": [1, 1], "jpeg": [40, 60]}
    page = pictures.chain(left, right, ranges).data
    assert page.count("<img") == 3 * 6
    assert all(f">{step}<" in page for step in ("nothing", "scale 0.5", "noise 6", "blur 1", "jpeg 50", "all of them"))
