"""Each peer is made from a data run, comes back from its folder, and scores in [0, 1]."""

import numpy as np
import pytest

from aligngemini.branches import options, registry, scoring
from aligngemini.core import reading
from aligngemini.core.params import Refused
from aligngemini.fusion import members
from aligngemini.images import table
from aligngemini.peers import comparison
from aligngemini.peers.calibrated import LEAST
from aligngemini.peers.invariance import ContrastiveBlur, Minder, Rigid
from aligngemini.scores import metrics

SMALL = {
    "effort": "epochs=0.5 crop=56",
    "mirror": "epochs=0.5 crop=56 slots=32",
    "gamma": "epochs=0.5 crop=56",
    "memory": "slots=32",
    "rigid": "noise=0.02 draws=2",
}
KINDS = [name for name, kind in registry.KINDS.items() if kind.options and "peers.own:" not in kind.code]


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A peer by its kind and options, made and loaded again."""

    def make(kind, text=""):
        out = tmp_path_factory.mktemp(kind)
        members.fit(kind, text, data, tmp_path_factory.mktemp("checkpoints"), out)
        return registry.kind(kind).load().load(reading.json(out / members.FACTS), out, "mine")

    return make


def images(data):
    return table.load(data.path("pixel.parquet"))


@pytest.mark.parametrize("kind", KINDS)
def test_it_scores_every_image_whatever_the_batch(made, data, kind):
    branch, rows = made(kind, SMALL.get(kind, "")), images(data)
    before = branch.identity()
    found = scoring.table(rows, branch, "pixel", 8)
    assert found.score.between(0, 1).all() and found.score.nunique() > len(rows) / 2
    again = scoring.table(rows.iloc[::-1], branch, "pixel", 5).iloc[::-1].reset_index(drop=True)
    np.testing.assert_allclose(again.score, found.score, atol=1e-5)
    assert branch.identity() == before and branch.name == "mine"


@pytest.mark.parametrize("kind", ["reconstruction", "self_reference"])
def test_what_an_autoencoder_shows_tells_its_own_reconstructions_apart(made, data, kind):
    rows = images(data)
    found = scoring.table(rows, made(kind), "pixel", 8)
    assert metrics.auroc(rows.label, found.score) > 0.9


@pytest.mark.parametrize("kind", ["rigid", "blur", "minder", "reconstruction"])
def test_a_calibrated_threshold_flags_about_one_real_training_image_in_twenty(made, data, kind):
    rows = images(data).query("label == 0")
    found = scoring.table(rows, made(kind), "pixel", 8)
    share = (found.score > registry.kind(kind).load().threshold).mean()
    assert 0 < share <= 0.1 and found.score.median() == pytest.approx(0.5, abs=0.05)


def test_the_other_direction_turns_the_ranking_round(made, data):
    rows = images(data)
    high, low = (scoring.table(rows, made("rigid", f"direction={side}"), "pixel", 8).score for side in ("high", "low"))
    np.testing.assert_allclose(high, 1 - low)


def test_minder_is_the_smaller_of_the_noise_and_the_blur_distance():
    given = options.read("minder", "draws=2")
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    parts = [each(given, "x", []).statistic(crops) for each in (Rigid, ContrastiveBlur)]
    np.testing.assert_array_equal(Minder(given, "x", []).statistic(crops), np.minimum(*parts))


def test_a_peer_named_like_a_branch_of_the_fusion_is_refused_with_the_way_out():
    with pytest.raises(Refused, match="rigid is a branch of fusion_run: leave it out or give it another name"):
        comparison.chosen(["frequency", "rigid"], ["vlm", "rigid"])
    again = comparison.chosen(["frequency", "rigid name=twin"], ["vlm", "rigid"])
    assert [each.name for each in again] == ["frequency", "twin"]


def test_too_few_real_images_are_refused(data, tmp_path):
    rows = images(data).query("label == 0").head(LEAST - 1)
    rows.to_parquet(tmp_path / "pixel.parquet", index=False)
    few = type(data)(path=tmp_path.joinpath, seed=0)
    with pytest.raises(Refused, match=f"needs {LEAST} real training images"):
        registry.kind("rigid").load().fit("", few, tmp_path)
