"""The words probe: it hears a difference in meaning, and none where both classes show the same."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.mini import bases, lessons
from aligngemini.vlm import description_probe, load


def rows(tmp_path, colour) -> pd.DataFrame:
    """Forty pairs of plain pictures; `colour(i, label)` paints them."""
    made = []
    for i in range(40):
        for label in (0, 1):
            path = tmp_path / f"{i}_{label}.png"
            Image.fromarray(np.full((112, 112, 3), colour(i, label), np.uint8)).save(path)
            made.append({"path": str(path), "label": label, "pair_id": f"p{i}", "reason": ""})
    return pd.DataFrame(made)


def says(vlm, pictures):
    return ["a dark thing" if np.asarray(p).mean() < 128 else "a bright thing" for p in pictures]


def test_words_betray_a_label_only_where_the_pictures_show_different_things(tmp_path, monkeypatch):
    monkeypatch.setattr(description_probe, "describe", says)
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    told = rows(tmp_path / "a", lambda i, label: 200 if label else 50)
    same = rows(tmp_path / "b", lambda i, label: (200 if i % 2 else 50) + label)
    assert description_probe.description_auroc(None, told) == 1.0
    assert description_probe.description_auroc(None, same) == pytest.approx(0.5, abs=0.1)


def test_the_probe_asks_as_the_bases_were_asked():
    assert description_probe.DESCRIBE == lessons.DESCRIBE


def test_a_base_describes_in_its_own_words():
    vlm = load.load(str(bases.FOLDERS["vlm"]))
    said = description_probe.describe(vlm, [Image.new("RGB", (112, 112), (120, 170, 226))] * 2)
    assert len(said) == 2 and said[0] == said[1] and len(said[0].split()) > 3


def test_a_picture_without_a_description_is_told_and_leaves_the_others(tmp_path, monkeypatch, capsys):
    def shy(vlm, pictures):
        if any(np.asarray(p).mean() == 51 for p in pictures):
            raise RuntimeError("speechless")
        return says(vlm, pictures)

    monkeypatch.setattr(description_probe, "describe", shy)
    told = rows(tmp_path, lambda i, label: 200 if label else 50 + (i == 3))
    Image.new("RGB", (300, 1)).save(told.path[20])
    assert description_probe.description_auroc(None, told) == 1.0
    said = capsys.readouterr().err
    assert f"{told.path[6]}, it fails (RuntimeError: speechless)" in said and f"{told.path[20]}, the VLM cannot" in said
