"""Content alone tells two galleries apart when they are pooled, and not between images that show the same."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini.branches import options, registry, scoring
from aligngemini.core import reading
from aligngemini.fusion import members
from aligngemini.images import sources
from aligngemini.images.params import DataParams
from aligngemini.peers import comparison
from aligngemini.peers.probe import Probe

KEY = 200, 0.95, 0


def gallery(folder, bright, dark, seed):
    """So many bright and dark pictures of noise, which are the two things that there are to show."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for place, middle in enumerate([190] * bright + [60] * dark):
        rgb = np.clip(rng.normal(middle, 20, (112, 112, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(rgb).save(folder / f"{place:02}.png")


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """A probe that was fitted on galleries of which the fake one is bright, and its scores of two unseen ones."""
    home = tmp_path_factory.mktemp("galleries")
    for name, seed in (("seen", 0), ("unseen", 2)):
        gallery(home / name / "0_real", 6, 24, seed)
        gallery(home / name / "1_fake", 24, 6, seed + 1)
    out = home / "probe"
    out.mkdir()
    members.fit("probe", f"train={home / 'seen'}", None, home / "checkpoints", out)
    probe = registry.kind("probe").load().load(reading.json(out / members.FACTS), out, "probe")
    rows = sources.collect(DataParams(test=[str(home / "unseen")]))
    scores = scoring.table(rows, probe, "", 16).set_index("image_id").score
    return rows.assign(probe_score=rows.image_id.map(scores)), probe


def test_a_gallery_probe_is_far_better_on_pooled_galleries_than_on_matched_content(probed):
    found = comparison.matched(probed[0], ["probe"], probed[1], *KEY).iloc[0]
    assert found.detector == "linear probe" and found.pooled > 0.75 and found.pairs > 8
    assert found.matched_low <= 0.5 <= found.matched_high < found.pooled + 0.2
    assert found.pooled_low < found.pooled < found.pooled_high


def test_pictures_are_matched_with_what_shows_the_same(probed):
    rows, probe = probed
    bright = {row.image_id: np.asarray(Image.open(row.path)).mean() > 125 for row in rows.itertuples()}
    found = comparison.pairs(rows, probe)
    label = rows.set_index("image_id").label
    assert (label[found.real] == 0).all() and (label[found.fake] == 1).all()
    assert (found.real.map(bright) == found.fake.map(bright)).all() and found.fake.is_unique


def test_twins_are_matched_by_their_pair_and_within_their_subset():
    columns = ["image_id", "label", "subset", "pair_id", "mine_score"]
    rows = [("a", 0, "s", "p", 0.1), ("b", 1, "s", "p", 0.2), ("c", 1, "s", "q", 0.9), ("a", 0, "t", "p", 0.1)]
    joined = pd.DataFrame([*rows, ("d", 0, "s", "q", 0.95)], columns=columns)
    probe = Probe(options.read("probe", ""), "content", [], 0.0)
    found = comparison.matched(joined, ["mine"], probe, *KEY).iloc[0]
    assert (found.pairs, found.matched, found.pooled) == (2, 0.5, 0.5)
    tied = comparison.matched(joined.assign(mine_score=0.0), ["mine"], probe, *KEY).iloc[0]
    assert tied.matched == 0.5 and tied.matched_low < 0.5 < tied.matched_high
    none = comparison.matched(joined.assign(pair_id="").query("label == 1"), ["mine"], probe, *KEY).iloc[0]
    assert none.pairs == 0 and np.isnan(none.matched)
