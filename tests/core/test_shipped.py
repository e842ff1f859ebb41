"""Models that come with the project are compared with their digests when they are opened."""

import json
import shutil

import pytest

from aligngemini.core import adapters, models, shipped
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from tests.core.test_verified import flip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project whose own models are one base and one adapter, recorded."""
    for name, file in (
        ("vlm", "model.safetensors"),
        ("vae/kl", "model.safetensors"),
        ("detector/vlm", adapters.WEIGHTS),
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / file).write_bytes(bytes(1000))
        for other in ("config.json", "adapter_config.json", "facts.json", "card.json", "chat.jinja", "README.md"):
            (tmp_path / name / other).write_text('{"scale": 16}')
    (tmp_path / "detector" / "detector.json").write_text('{"thresholds": [0.5, 0.5]}')
    monkeypatch.setattr(shipped, "HOME", tmp_path)
    for name in ("vlm", "vae/kl", "detector"):
        shipped.record(tmp_path / name)
    return tmp_path


def test_every_file_that_decides_and_is_shipped_is_as_it_was_recorded():
    listed = shipped._listed()
    files = [path for path in shipped.HOME.rglob("*") if path.is_file() and "known" not in path.parts]
    names = {path.relative_to(shipped.HOME).as_posix() for path in files}
    there = {name for name in names if not name.endswith(("README.md", "card.json", shipped.LIST))}
    assert set(listed) == there and len(there) == 38
    assert listed == {name: shipped.manifest.entry(shipped.HOME, name) for name in there}


def test_a_base_whose_weights_changed_is_refused_by_name_with_the_way_out(home):
    assert models.where(str(home / "vlm"), "VLM base") == str(home / "vlm")
    flip(home / "vlm" / "model.safetensors")
    with pytest.raises(Refused, match="The VLM base .* damaged: model.safetensors has changed.*git checkout"):
        models.where(str(home / "vlm"), "VLM base")
    models.where(str(home / "vae" / "kl"), "autoencoder")


def test_the_shipped_detector_s_adapter_is_refused_when_it_changed(home):
    (home / "detector" / "vlm" / adapters.WEIGHTS).write_bytes(b"short")
    with pytest.raises(Refused, match=f"The adapter .* damaged: {adapters.WEIGHTS} has 5 bytes instead of 1000"):
        adapters.put(None, home / "detector" / "vlm")


@pytest.mark.parametrize("name", ["config.json", "chat.jinja"])
def test_a_base_whose_settings_changed_is_refused_by_name(home, name):
    flip(home / "vlm" / name)
    with pytest.raises(Refused, match=f"The VLM base .* damaged: {name} has changed.*git checkout"):
        models.where(str(home / "vlm"), "VLM base")


@pytest.mark.parametrize("name", ["adapter_config.json", "facts.json"])
def test_a_shipped_adapter_whose_settings_changed_is_refused_by_name(home, name):
    flip(home / "detector" / "vlm" / name)
    with pytest.raises(Refused, match=f"The adapter .* damaged: {name} has changed.*git checkout"):
        adapters.put(None, home / "detector" / "vlm")


def test_a_shipped_detector_whose_thresholds_changed_is_refused_by_name(home):
    (home / "detector" / "detector.json").write_text(json.dumps({"thresholds": [0.5, 0.9]}))
    with pytest.raises(Refused, match="The detector .* damaged: detector.json has changed.*git checkout"):
        Detector.load(home / "detector")


def test_weights_made_anew_are_recorded_and_the_others_stay(home):
    before = shipped._listed()
    flip(home / "vlm" / "model.safetensors")
    shipped.record(home / "vlm")
    models.where(str(home / "vlm"), "VLM base")
    changed = {name for name, entry in shipped._listed().items() if entry != before[name]}
    assert changed == {"vlm/model.safetensors"}


def test_a_copy_elsewhere_may_be_changed_and_a_card_too(home, tmp_path_factory):
    copied = shutil.copytree(home / "vlm", tmp_path_factory.mktemp("elsewhere") / "vlm")
    flip(copied / "model.safetensors")
    assert models.where(str(copied), "VLM base") == str(copied)
    for card in ("README.md", "card.json"):
        (home / "vlm" / card).write_text("another")
    models.where(str(home / "vlm"), "VLM base")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"vlm/model.safetensors": 3}'])
def test_a_list_that_cannot_be_read_compares_nothing(home, text):
    (home / shipped.LIST).write_text(text)
    models.where(str(home / "vlm"), "VLM base")
