"""Degradation curves rank the fakes of every subset against the real images that the subsets share."""

import pandas as pd

from aligngemini.peers import curves


def images():
    """Ten real images in two subsets, and ten fakes of each."""
    rows = [(f"real{i}", 0, subset) for subset in ("semantic", "pixel") for i in range(10)]
    rows += [(f"{subset}{i}", 1, subset) for subset in ("semantic", "pixel") for i in range(10)]
    return pd.DataFrame(rows, columns=["image_id", "label", "subset"]).assign(reason="", path="x")


def test_shared_real_images_count_in_every_subset():
    chosen = curves.sample(images(), 9)
    assert chosen.groupby(["subset", "label"]).size().tolist() == [3, 3, 3, 3]
    assert chosen[chosen.label == 0].image_id.nunique() == 3, "the same ones in both subsets"


def test_auroc_is_the_mean_over_all_subsets():
    chosen = curves.sample(images(), 30)
    ids = chosen.image_id.drop_duplicates()
    scores = pd.DataFrame({"image_id": ids, "score": ids.str.startswith("pixel").astype(float)})
    found = curves.table(scores.assign(branch="expert", perturbation="none", severity=0.0), chosen)
    assert found.auroc.tolist() == [0.75], "one half on meaning, one on pixels"
