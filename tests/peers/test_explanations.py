"""Explanations are held against what the world knows to be true."""

import pandas as pd

from aligngemini.images import table
from aligngemini.peers import explanations
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
