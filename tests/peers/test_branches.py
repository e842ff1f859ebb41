"""Each peer is made from a data run, comes back from its folder, and scores in [0, 1]."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from aligngemini.branches import branch_runs, options, registry, scoring
from aligngemini.core import reading
from aligngemini.core.params import Refused
from aligngemini.fusion import members
from aligngemini.images import decode, table
from aligngemini.peers import comparison, frozen, mirror
from aligngemini.peers.calibrated import LEAST
from aligngemini.peers.invariance import ContrastiveBlur, Minder, Rigid
from aligngemini.scores import metrics
from tests import model_card

SMALL = {
    "effort": "epochs=0.5 crop=56",
    "mirror": "epochs=0.5 crop=56 slots=32",
    "gamma": "epochs=0.5 crop=56",
    "memory": "slots=32",
    "rigid": "noise=0.02 draws=2",
}
PEERS = {name: kind for name, kind in registry.KINDS.items() if kind.options.startswith("aligngemini.peers")}
KINDS = [name for name, kind in PEERS.items() if "peers.own:" not in kind.code]


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The folder of a peer by its kind and options, made once."""

    @cache
    def make(kind, text=""):
        out = tmp_path_factory.mktemp(kind)
        members.fit(kind, text, data, tmp_path_factory.mktemp("checkpoints"), out)
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mirror, "STEPS", 40)
        yield make


def load(kind, folder):
    return registry.kind(kind).load().load(reading.json(folder / members.FACTS), folder, "mine")


@pytest.fixture
def made(trained):
    """A peer by its kind and options, made and loaded again."""
    return lambda kind, text="": load(kind, trained(kind, text))


@pytest.mark.parametrize("kind", ["effort", "mirror", "gamma"])
def test_the_code_on_the_card_of_a_trained_peer_judges_as_the_peer_does(data, trained, kind):
    folder = trained(kind, SMALL[kind])
    branch, picture = load(kind, folder), images(data).path[0]
    assert f"# {registry.title(kind)}\n" in (folder / "README.md").read_text()
    assert model_card.answer(folder, picture) == branch.p_fake([branch.prepare(decode.read(picture).rgb)])


def test_mirror_and_what_remains_of_it_learn_one_memory(made, data, monkeypatch):
    first = made("memory", "slots=40").known.slots
    monkeypatch.setattr(mirror, "STEPS", 0)  # another memory would show
    assert torch.equal(made("mirror", "slots=40 crop=112 epochs=0.1").expert.model.memory.slots.cpu(), first)


@pytest.mark.parametrize("token", [True, False])
def test_mirrors_head_sees_the_class_token_only_where_that_is_asked_for(made, token):
    network = made("mirror", f"{SMALL['mirror']} epochs=0.1 token={token}".replace("epochs=0.5 ", "")).expert.model
    width = network.model.num_features
    assert network.head.in_features == 256 + 64 + token * width
    assert all(network.state_dict()[f"{part}.weight"].any() for part in ("head", "perplexity", "residual.0"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("probe", "pixel"), ("probe train=semantic", "semantic"), ("probe union", "union"), ("probe data/x", ""),
     ("rigid", "pixel"), ("vlm latest", "semantic"), ("scores x.csv", "")],
)  # fmt: skip
def test_a_peer_is_titled_by_the_images_that_it_was_made_from(text, wanted):
    assert branch_runs.read([text], runs=False)[0].supervision == wanted


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


def test_blurring_and_sharpening_leave_a_bright_plain_image_as_it_is():
    bright = np.full((1, 112, 112, 3), 200, np.uint8)
    assert ContrastiveBlur(options.read("blur", ""), "x", []).statistic(bright) == pytest.approx(0, abs=1e-5)


def test_peers_share_what_they_measure_of_an_image(monkeypatch):
    model, looks = frozen.load("data/mini/expert"), []
    monkeypatch.setattr(
        model, "expert", SimpleNamespace(features=lambda x: (looks.append(len(x)) or x.flatten(1).float(), x))
    )
    crops = np.random.default_rng(5).integers(0, 256, (4, 14, 14, 3), np.uint8)
    first, again = model.class_tokens(crops), model.class_tokens(crops[::-1])
    np.testing.assert_array_equal(first, again[::-1])
    assert looks == [4], "the second peer finds all of them known"
    model.class_tokens(np.concatenate([crops[:1], crops[:1] + 1]))
    assert looks == [4, 2], "a batch with one new image is computed as a whole"


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


def test_a_statistic_that_is_the_same_for_all_images_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Rigid, "statistic", lambda self, images: np.zeros(len(images)))
    with pytest.raises(Refused, match="whose statistics differ; [0-9]+ were measured"):
        registry.kind("rigid").load().fit("", data, tmp_path)
