"""Anybody's detector: a classifier in transformers' format, or a function."""

import numpy as np
import pytest
import torch

from aligngemini.branches import options
from aligngemini.core.params import Refused
from aligngemini.peers.own import Callable, Classifier


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A folder with a tiny random image classifier, as the hub has them."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    labels = {0: "human", 1: "Artificial"}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = ViTConfig(
        image_size=32, patch_size=16, id2label=labels, label2id={v: k for k, v in labels.items()}, **sizes
    )
    folder = tmp_path_factory.mktemp("classifier")
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_classifier_scores_by_its_label_of_fakes(classifier, tmp_path):
    facts = Classifier.fit(f"model={classifier}", None, tmp_path)
    branch = Classifier.load(facts, tmp_path, "mine")
    images = [np.random.default_rng(i).integers(0, 256, (40 + i, 50, 3), np.uint8) for i in range(3)]
    scores = branch.p_fake([branch.prepare(rgb) for rgb in images])
    assert scores.shape == (3,) and ((scores > 0) & (scores < 1)).all() and branch.fake == 1
    other = Classifier(options.read("classifier", f"{classifier} fake=human"), "other")
    np.testing.assert_allclose(other.p_fake([other.prepare(rgb) for rgb in images]), 1 - scores, atol=1e-6)


def test_a_classifier_whose_labels_do_not_say_what_is_fake_is_refused(classifier):
    with pytest.raises(Refused, match="has the labels human, Artificial: say with fake=LABEL"):
        Classifier(options.read("classifier", f"{classifier} fake=cat"), "mine")


def test_weights_that_are_no_safetensors_are_refused(classifier, tmp_path):
    for file in classifier.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(Refused):
        Classifier(options.read("classifier", f"{tmp_path}"), "mine")


def test_a_function_of_the_working_folder_scores(tmp_path, monkeypatch):
    (tmp_path / "my_detector_of_brightness.py").write_text(
        "def score(images):\n    return [image.mean() / 255 for image in images]\n"
    )
    monkeypatch.chdir(tmp_path)
    facts = Callable.fit("my_detector_of_brightness:score", None, tmp_path)
    branch = Callable.load(facts, tmp_path, "brightness")
    views = [branch.prepare(np.full((4, 5, 3), value, np.uint8)) for value in (0, 51)]
    np.testing.assert_allclose(branch.p_fake(views), [0, 0.2])
    assert branch.identity()["file"]


@pytest.mark.parametrize("text", ["no_module_of_this_name:score", "math:score"])
def test_a_function_that_is_not_there_is_refused(text, tmp_path):
    with pytest.raises(Refused, match="cannot be loaded"):
        Callable.fit(text, None, tmp_path)


@pytest.mark.parametrize("text", ["score", "a:b:c", "a b:c", "os.system('x'):y"])
def test_what_names_no_function_is_refused(text):
    with pytest.raises(Refused):
        options.read("callable", f"function={text!r}")
