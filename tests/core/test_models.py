"""Models in folders: one that is damaged is refused before a library sees it, with the file's name and what to do."""

import json
import os
import shutil

import pytest

from aligngemini.core import models, paths, run_spec
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.expert import backbone
from aligngemini.expert.params import ExpertParams
from aligngemini.images import autoencoder
from aligngemini.vlm import load
from aligngemini.vlm.params import VLMParams

MINI = paths.ROOT / "data" / "mini"
LOADERS = {"vlm": load.load, "expert": backbone.load, "vae/kl": autoencoder.load}
FILES = [
    ("vlm", "config.json"),
    ("vlm", "tokenizer.json"),
    ("vlm", "processor_config.json"),
    ("vlm", "chat_template.jinja"),
    ("vlm", "model.safetensors"),
    ("expert", "config.json"),
    ("expert", "model.safetensors"),
    ("vae/kl", "config.json"),
    ("vae/kl", "diffusion_pytorch_model.safetensors"),
]


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path):
    path.write_bytes(b"")


def _noise(path):
    path.write_bytes(b"\xff\x00\x81" * 100)


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _endless(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def _nowhere(path):
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("damage", [_cut, _empty, _noise, _pipe, _endless, _nowhere])
@pytest.mark.parametrize(("base", "name"), FILES)
def test_a_damaged_file_of_a_base_is_refused_by_its_name(base, name, damage, tmp_path):
    if damage is _cut and name.endswith(".jinja"):
        pytest.skip("half a template is text, and may be a template")
    folder = shutil.copytree(MINI / base, tmp_path / "base")
    damage(folder / name)
    with pytest.raises(Refused, match=f"is damaged: {name} .*; copy or fetch it again") as refusal:
        LOADERS[base](str(folder))
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"model_type": 3}', '{"architecture": []}'])
@pytest.mark.parametrize("base", LOADERS)
def test_a_configuration_that_says_nothing_is_refused(base, content, tmp_path):
    folder = shutil.copytree(MINI / base, tmp_path / "base")
    (folder / "config.json").write_text(content)
    with pytest.raises(Refused, match="base|autoencoder"):
        LOADERS[base](str(folder))


def test_half_a_template_is_refused_when_the_base_is_loaded(tmp_path):
    folder = shutil.copytree(MINI / "vlm", tmp_path / "base")
    (folder / "chat_template.jinja").write_text("{% for message in messages %}{{ message.")
    with pytest.raises(Refused, match="VLM base .* cannot be loaded: .* the folder is complete, and for this use.$"):
        load.load(str(folder))


def test_weights_that_do_not_fit_are_told_with_the_first_that_does_not(tmp_path):
    folder = shutil.copytree(MINI / "expert", tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    config["model_args"]["embed_dim"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(Refused, match=r"VisionTransformer: size mismatch for \w+"):
        backbone.load(str(folder))


def test_what_a_model_of_the_hub_needs_is_not_said_of_a_folder(tmp_path):
    error = ValueError("no such thing")
    for base, advice in ((str(tmp_path), "folder is complete"), ("someone/model", "data check --scale SCALE` tells")):
        assert advice in str(models.unloadable(base, "VLM base", error))


def test_a_damaged_base_is_refused_before_anything_is_asked_of_it(little):
    folder = shutil.copytree(MINI / "expert", little.root / "base")
    _cut(folder / "model.safetensors")
    with pytest.raises(Refused, match="model.safetensors cannot be read"):
        run_spec.sources(ExpertParams(base=str(folder)))


@pytest.mark.parametrize("base", LOADERS)
def test_a_base_without_weights_is_refused_before_a_run(base, tmp_path):
    folder = shutil.copytree(MINI / base, tmp_path / "base", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(Refused, match="is incomplete: it has no weights .*; copy or fetch it again"):
        run_spec.sources(ExpertParams(base=str(folder)))


def test_weights_in_another_format_are_not_called_missing(tmp_path):
    folder = shutil.copytree(MINI / "expert", tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Refused, match="weights in pytorch_model.bin alone, .*; save them as safetensors"):
        run_spec.sources(ExpertParams(base=str(folder)))


def test_a_base_is_refused_by_the_name_of_the_part_that_its_index_names_and_that_is_not_there(tmp_path):
    folder = shutil.copytree(MINI / "vlm", tmp_path / "base")
    names = {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / f"model{models.INDEX}").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(Refused, match="is incomplete: model-00002-of-00002.safetensors is missing"):
        run_spec.sources(VLMParams(base=str(folder)))


def test_a_full_memory_is_not_taken_for_a_damaged_base(tmp_path):
    with pytest.raises(MemoryError), models.loading(str(tmp_path), "base"):
        raise MemoryError


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"vlm": 1}', b"\xff", '{"vlm": {"base": "x", "why": 1}}', "[" * 10**5]
)
def test_a_shipped_detector_that_does_not_say_what_it_is_made_of_is_refused(content, tmp_path):
    folder = shutil.copytree(MINI / "detector", tmp_path / "detector")
    (folder / "detector.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Refused, match="detector"):
        Detector.load(folder)


@pytest.mark.parametrize("damage", [_cut, _empty, _noise])
@pytest.mark.parametrize("name", ["vlm/adapter_model.safetensors", "expert/adapter_config.json", "expert/facts.json"])
def test_a_damaged_adapter_of_a_shipped_detector_is_refused(name, damage, tmp_path):
    folder = shutil.copytree(MINI / "detector", tmp_path / "detector")
    damage(folder / name)
    with pytest.raises(Refused, match="damaged"):
        Detector.load(folder)
