"""Models by their hub names: fetched into the cache, checked there, and loaded by the workbook's own loaders."""

import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest
from safetensors.numpy import load_file, save_file

from aligngemini.core import codes, paths
from aligngemini.fetch import bases

VLM, EXPERT, VAE = (bases.BASES[role].name for role in ("vlm", "expert", "vae"))
NEVER = ("pytorch_model.bin", "modeling.py", "weights.pt")  # what would run code when it is loaded
SCRIPT = """
import json, sys
from diffusers import AutoencoderKL
from huggingface_hub import constants
from aligngemini import cli
from aligngemini.expert import backbone
from aligngemini.images import autoencoder
from aligngemini.vlm import load
from aligngemini.core.params import Refused

blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
for folder in sys.argv[3:]:
    AutoencoderKL(block_out_channels=(4, 8), norm_num_groups=2, **blocks).save_pretrained(folder)
constants.DOWNLOAD_CHUNK_SIZE = 500  # a connection that breaks loses less than what these files have
assert cli.main(["data", "fetch", "vlm", "expert", "vae", "--root", sys.argv[1]]) == 0
LOADERS = {"vlm": load.load, "expert": backbone.load, "vae": autoencoder.load}
for role, name, offline in json.loads(sys.argv[2]):
    constants.HF_HUB_OFFLINE = offline
    try:
        model = LOADERS[role](name)
        print(json.dumps([name, type(getattr(model, "model", model)).__name__]))
    except Refused as refusal:
        print(json.dumps([name, str(refusal)]))
"""
KINDS = {"vlm": "Qwen2_5_VLForConditionalGeneration", "expert": "VisionTransformer", "vae": "AutoencoderKL"}


def _repository(served, name, folder, sharded=False):
    """Put a mini base on the hub, in the layout of a large one: sharded, and with files that must stay there."""
    home = served.hub / "models" / name
    home.mkdir(parents=True)
    for file in (paths.ROOT / "data" / "mini" / folder).iterdir():
        (home / file.name).write_bytes(file.read_bytes())
    for extra in NEVER:
        (home / extra).write_bytes(b"never")
    if sharded:
        _shard(home)
    return home


def _shard(home):
    weights = load_file(home / "model.safetensors")
    (home / "model.safetensors").unlink()
    index = {name: f"model-{place % 3 + 1:05}-of-00003.safetensors" for place, name in enumerate(weights)}
    for shard in sorted(set(index.values())):
        own = {name: value for name, value in weights.items() if index[name] == shard}
        save_file(own, home / shard, metadata={"format": "pt"})
    size = sum(value.nbytes for value in weights.values())
    told = {"metadata": {"total_size": size}, "weight_map": index}
    (home / "model.safetensors.index.json").write_text(json.dumps(told))


@pytest.fixture
def vlm(served):
    return _repository(served, VLM, "vlm", sharded=True)


def _cached(tmp_path, name):
    return {p.name for p in (tmp_path / "cache").glob(f"models--{name.replace('/', '--')}/snapshots/*/**/*")}


def test_only_what_a_loader_reads_comes_into_the_cache(fetch, vlm, tmp_path, capsys):
    assert fetch("vlm", act="check") == codes.FOUND and "is not in the hub's cache" in capsys.readouterr().out
    assert fetch("vlm") == codes.DONE
    assert "licence apache-2.0" in (said := capsys.readouterr()).err and "vlm: complete" in said.out
    assert _cached(tmp_path, VLM) == {path.name for path in vlm.iterdir()} - {"README.md", *NEVER}
    assert fetch("vlm", act="check") == codes.DONE


def test_an_interrupted_fetch_keeps_the_shards_that_are_whole(fetch, vlm, served, capsys):
    served.status["/resolve/.*00003-of"] = (404, 1)
    assert fetch("vlm") == codes.REFUSED and fetch("vlm", act="check") == codes.FOUND
    assert "incomplete" in capsys.readouterr().out
    whole = {path for how, path, _ in served.asked if how == "GET" and "/cdn/" in path}
    served.asked.clear()
    assert fetch("vlm") == codes.DONE and not whole & {path for _, path, _ in served.asked}


def test_a_damaged_file_of_the_cache_is_found_and_comes_back(fetch, vlm, tmp_path, capsys):
    assert fetch("vlm") == codes.DONE
    blob = next((tmp_path / "cache").rglob("*00002-of-00003.safetensors")).resolve()
    blob.write_bytes(bytes(blob.stat().st_size))
    assert fetch("vlm", act="check") == codes.FOUND
    assert "model-00002-of-00003.safetensors: its checksum is another" in capsys.readouterr().out
    assert fetch("vlm") == codes.DONE and fetch("vlm", act="check") == codes.DONE


def test_the_autoencoder_is_fetched_alone(fetch, served, tmp_path):
    home = _repository(served, VAE, "vlm")
    for folder in ("vae", "unet"):
        (home / folder).mkdir()
        for name in ("config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"):
            (home / folder / name).write_bytes(b"{}" + folder.encode())
    assert fetch("vae") == codes.DONE
    assert _cached(tmp_path, VAE) == {"vae", "config.json", "diffusion_pytorch_model.safetensors"}


def test_another_model_takes_the_place_of_the_recipe_s(fetch, served, tmp_path):
    _repository(served, "somebody/backbone", "expert")
    assert fetch("expert:somebody/backbone") == codes.DONE and fetch("expert", act="check") == codes.FOUND
    assert _cached(tmp_path, "somebody/backbone") == {"config.json", "model.safetensors"}
    assert fetch("expert:somebody/backbone", act="check") == codes.DONE


def test_a_revision_is_fetched_when_it_is_named(fetch, served, tmp_path):
    _repository(served, "somebody/backbone", "expert")
    assert fetch("expert:somebody/backbone@v2") == codes.DONE
    assert any(path.endswith("/revision/v2") for _, path, _ in served.asked)
    assert (tmp_path / "cache" / "models--somebody--backbone" / "refs" / "v2").read_text() == served.commit
    assert fetch("expert:somebody/backbone@v2", act="check") == codes.DONE
    assert fetch("expert:somebody/backbone", act="check") == codes.FOUND


def test_weights_that_could_run_code_are_refused(fetch, vlm, capsys):
    for shard in vlm.glob("*.safetensors*"):
        shard.unlink()
    assert fetch("vlm") == codes.REFUSED and "no weights as safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("words, why", [(["vlm:gone/model"], "nothing of that name"), (["coca"], "mean 'coco'?")])
def test_a_name_that_is_not_there_is_one_sentence(words, why, fetch, served, capsys):
    assert fetch(*words) == codes.REFUSED
    said = capsys.readouterr().err
    assert why in said and len(said.strip().splitlines()) == 1


def _load(served, tmp_path, asked, *autoencoders):
    """Fetch, then let the workbook's loaders load [role, name, offline]: name -> kind, or refusal.

    A process of their own does it, which takes the server for the hub as a user's would take a mirror.
    """
    known = {"HF_ENDPOINT": served.url, "HF_HUB_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(paths.ROOT)}
    words = [sys.executable, "-c", SCRIPT, str(tmp_path / "root"), json.dumps(asked), *map(str, autoencoders)]
    told = subprocess.run(words, env=os.environ | known, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    return dict(json.loads(line) for line in told.stdout.splitlines() if line.startswith("["))


def test_the_loaders_load_hub_names_offline_too_and_say_in_one_sentence_why_they_cannot(served, tmp_path, vlm):
    hub = served.hub / "models"
    shutil.copytree(vlm, hub / "mirror" / "vlm")
    for name in (EXPERT, "mirror/expert"):
        _repository(served, name, "expert")
    served.status |= {"/gated/": (403, -1), "/private/": (401, -1)}
    served.cut |= {"model-00002-of": 10_000, "mirror/vae/.*safetensors": 1000}  # one for fetch, one for a loader
    words = {"gated": "it is gated", "private": "private or gone", "gone": "nothing of that name"}
    here = [(role, base.name, True) for role, base in bases.BASES.items()]
    there = [(role, f"{owner}/{role}", False) for owner in ("mirror", *words) for role in bases.BASES]
    asked = [*here, ("vlm", "never/fetched", True), *there]
    said = _load(served, tmp_path, asked, hub / VAE / "vae", hub / "mirror" / "vae" / "vae")
    assert all(said[base.name] == said[f"mirror/{role}"] == KINDS[role] for role, base in bases.BASES.items())
    assert {"bytes=10000-", "bytes=1000-"} <= set(served.got("/cdn/")) and not served.cut
    assert "HF_HUB_OFFLINE" in said["never/fetched"] and "aligngemini data fetch" in said["never/fetched"]
    for owner, role in itertools.product(words, bases.BASES):
        assert words[owner] in said[f"{owner}/{role}"] and said[f"{owner}/{role}"].count(". ") == 0


def test_a_cache_of_the_hub_that_cannot_be_written_to_is_refused(fetch, vlm, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert fetch("vlm") == codes.REFUSED
    said = capsys.readouterr().err
    assert "cannot be written to (Not a directory): choose another place with HF_HOME" in said
