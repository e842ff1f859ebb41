"""A scale at true size without a download: `python -m tests.true_size laptop FOLDER`.

The models of its recipes are built with random weights in the layout of the hub and served, with pictures of noise, by
the loopback server. Then the commands that a user would type fetch them, check them and run every stage for a few steps
on this computer. What comes out means nothing; that it comes out is the point.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import diffusers
import timm
import torch
from timm.models._hub import save_for_hf
from transformers import AutoConfig, AutoModelForImageTextToText

from aligngemini.core import recipes, stages
from aligngemini.fetch import echo4o, held_out
from aligngemini.rehearse import models, processors
from tests.fetch.conftest import jpeg, tarred, zipped
from tests.fetch.loopback import Loopback, _digests

PICTURES = held_out.COUNT + 30  # of each source
FEW = {"train_images": 8, "pixel_pairs": 4, "validation_images": 4, "joint_images": 2, "test_images": 2}
FEW |= {"explain_images": 1, "workers": 1, "epochs": 1.0, "score_batch_size": 2, "gradient_accumulation": 1}
OF_A_GPU = {"colab": {"quantise": "", "precision": "bfloat16"}}  # what its recipes leave to a GPU


def serve(scale: str, folder: Path) -> Loopback:
    """The server of all that the scale names."""
    server = Loopback(folder / "hub")
    names = {name: recipes.recipe(scale, stages.STAGES[name]) for name in (stages.DATA, stages.VLM, stages.EXPERT)}
    home = server.hub / "models"
    _vlm(names[stages.VLM]["base"], home)
    _expert(names[stages.EXPERT]["base"], home)
    _vae(names[stages.DATA]["vae"], home)
    pictures = [jpeg(seed, side=480) for seed in range(2 * PICTURES)]
    ids = [f"photo-{number}" for number in range(PICTURES)]
    lines = [f"{name}\thttps://images.unsplash.com/{name}" for name in ids]
    table = "\n".join(["photo_id\tphoto_image_url", *lines]) + "\n"
    server.files["/data/lite/latest"] = zipped({"photos.csv000": table.encode()})
    server.files |= {f"/photos/{name}": data for name, data in zip(ids, pictures, strict=False)}
    shard = server.hub / "datasets" / echo4o.REPO / echo4o.TOP / "images"
    shard.mkdir(parents=True)
    (shard.parent / "conflict.jsonl").write_text("{}\n")
    files = {f"0-5000/{number}.jpg": data for number, data in enumerate(pictures[PICTURES:])}
    (shard / "0-5000.tar.gz").write_bytes(tarred(files))
    for file in server.hub.rglob("*.safetensors"):
        _digests(file, file.stat().st_mtime_ns)  # now, so that no client waits for it
    return server


def _vlm(base: str, home: Path) -> None:
    """A VLM of the published sizes behind the processor of its family, whose words are those of the mini one."""
    sizes = models.KNOWN[base]
    processor = processors.of(sizes["model_type"])
    config = AutoConfig.for_model(**sizes | processors.ids(processor))
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(home / base, max_shard_size="2GB")
    processor.save_pretrained(home / base)


def _expert(base: str, home: Path) -> None:
    name = base.rpartition("/")[2].partition(".")[0]
    (home / base).mkdir(parents=True)
    save_for_hf(timm.create_model(name, num_classes=0), home / base, safe_serialization=True)


def _vae(base: str, home: Path) -> None:
    """An autoencoder of the published sizes; with torch's own random weights the biases would decide, and all pictures
    come back alike."""
    sizes = models.KNOWN[base]
    model = getattr(diffusers, sizes["_class_name"]).from_config(sizes)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.kaiming_normal_(weight, nonlinearity="linear")
        elif name.endswith("bias"):
            torch.nn.init.zeros_(weight)
    model.save_pretrained(home / base)


def main(scale: str, folder: Path) -> None:
    """Serve, then type what a user would."""
    torch.manual_seed(0)
    server, root = serve(scale, folder), folder / "raw"
    places = {"HF_ENDPOINT": server.url, "HF_HUB_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    places |= {"ALIGNGEMINI_UNSPLASH": f"{server.url}/data", "ALIGNGEMINI_UNSPLASH_IMAGES": f"{server.url}/photos"}
    few = FEW | {"plausible": root / "unsplash", "implausible": root / "echo4o", "photos": root / "unsplash"}
    few |= {"test": f"[{root / 'held_out.csv'}]"} | OF_A_GPU.get(scale, {})
    given = [word for name, value in few.items() for word in ("-p", name, str(value))]
    run = ["run", "--scale", scale, "--outputs", str(folder / "outputs"), *given]
    fetch = ["data", "fetch", "--scale", scale, "--root", str(root)]
    for words in ([*fetch, "--dry"], fetch, [*run, "--dry"], run):
        print(f"$ aligngemini {' '.join(words)}", flush=True)
        began = time.monotonic()
        code = subprocess.run([sys.executable, "-m", "aligngemini.cli", *words], env=os.environ | places).returncode
        print(f"exit code {code} after {time.monotonic() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute())
