"""Explanations are held against what the world knows to be true."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image

from aligngemini.images import table
from aligngemini.images.loaders.archives import MASKS
from aligngemini.peers import evidence, explanations
from aligngemini.world import world


def test_only_twins_with_sentences_are_asked_about():
    rows = [
        {"image_id": f"{pair}{label}", "path": "x", "label": label, "axis": ("none", "semantic")[label],
         "pair_id": pair, "remark": remark.format(("four", "two")[label]), "split": "test", "subset": "semantic"}
        for pair, remark in (("a", "The dog has {} legs."), ("b", "The grain of {} cameras."))
        for label in (0, 1)
    ]  # fmt: skip
    found = explanations.sample(table.frame(rows), 5)
    assert found.image_id.tolist() == ["a0", "a1"]
    assert found.twin.tolist() == ["The dog has two legs.", "The dog has four legs."]


def test_shares_are_counted_by_model_and_truth():
    rows = pd.DataFrame({"label": [0, 0, 1], "outcome": [explanations.TRUE, explanations.NONE, explanations.FALSE]})
    counted = explanations.table([("VLM", rows.assign(prefers=[True, False, True]))]).set_index("image")
    assert counted.loc["plausible", explanations.TRUE] == 0.5 and counted.loc["violated", explanations.FALSE] == 1
    assert counted["prefers the true one"].tolist() == [0.5, 1.0]


def test_the_shipped_model_prefers_what_is_true_to_what_is_true_of_the_twin(tmp_path):
    from PIL import Image

    from aligngemini.detector import Detector

    rows = []
    for i in range(8):
        for label in (0, 1):
            drawn = world.draw(0, "said", i, bool(label))
            path = tmp_path / f"{i}{label}.png"
            Image.fromarray(drawn.rgb).save(path)
            rows.append({"path": str(path), "label": label, "remark": drawn.remark, "pair_id": i})
    frame = pd.DataFrame(rows)
    frame["twin"] = frame.remark.to_numpy().reshape(-1, 2)[:, ::-1].ravel()
    vlm = next(each for each in Detector.load().branches if each.name == "vlm")
    found = explanations.explained(vlm, frame)
    assert found.prefers.mean() > 0.6
    assert set(found.outcome) <= {explanations.TRUE, explanations.FALSE, explanations.OTHER, explanations.NONE}


def test_explanations_are_held_against_the_categories_that_people_outlined(tmp_path):
    told = {
        "0": "The letters are illegible.",
        "1": "A finger is missing.",
        "2": "It looks nice.",
        "3": "The light is odd.",
    }
    outlined = {"0": ["low-level-symbol"], "1": ["low-level-texture"], "2": ["low-level-symbol"], "3": []}
    for name, categories in outlined.items():
        for file in (
            tmp_path / "FLUX" / f"{name}.png",
            *(tmp_path / MASKS / "FLUX" / name / f"{c}.png" for c in categories),
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (32, 32), 10 * int(name)).save(file)
    branch = SimpleNamespace(prepare=lambda rgb: rgb, explain=lambda views, fake: [told[str(views[0].max() // 10)]])
    images = pd.DataFrame({"path": [str(tmp_path / "FLUX" / f"{name}.png") for name in told]})
    found = explanations.on_labels(branch, images)
    assert found.named.tolist() == [["low-level-symbol"], ["high-level-semantics"], [], []]
    assert found.hit[:2].tolist() == [1, 0] and found.chance[:2].tolist() == [pytest.approx(2 / 3), 0]
    assert found.hit[2:].isna().all() and "no category" in found.reason[2] and "outlined" in found.reason[3]
    summary = evidence.summary(found).set_index("measure")
    assert summary.loc["hit less chance", "value"] == pytest.approx(1 / 6) and set(summary.n) == {2}
    assert "auroc" not in summary.index


def test_the_words_for_text_and_for_texture_are_told_apart():
    named = {each: [name for name, words in explanations.CATEGORIES.items() if re.search(rf"\b({words})\b", each)]
             for each in ("text", "texture", "the outlines", "significant")}  # fmt: skip
    assert [*named.values()] == [["low-level-symbol"], ["low-level-texture"], ["low-level-edge_shape"], []]
