"""A scale at true size without a download: `python -m tests.true_size laptop FOLDER`, with `01 03` behind it for these
notebooks alone, in their pure form; a later call goes on in the same folder.

The models of its recipes are built with random weights in the layout of the hub and served, with pictures of noise, by
the loopback server. Then the commands that a user would type fetch them, check them and run every stage for a few steps
on this computer. What comes out means nothing; that it comes out is the point.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import diffusers
import timm
import torch
from timm.models._hub import save_for_hf
from transformers import AutoConfig, AutoModelForImageTextToText

from aligngemini.core import params, recipes, stages
from aligngemini.fetch import echo4o, held_out
from aligngemini.rehearse import models, processors
from tests.fetch.conftest import jpeg, tarred, zipped
from tests.fetch.content import sha256
from tests.fetch.loopback import Loopback

PICTURES = held_out.COUNT + 30  # of each source
FEW = {"train_images": 8, "pixel_pairs": 4, "validation_images": 4, "joint_images": 2, "test_images": 2}
FEW |= {"explain_images": 1, "workers": 1, "epochs": 1.0, "score_batch_size": 2, "gradient_accumulation": 1}
WORDS = 8  # one token in so many ends an answer: random weights would go on to the last one that is allowed
PURE = {"02": {"supervision": "semantic"}, "03": {"supervision": "pixel"}}
# What its recipes leave to a GPU, and fewer images yet: a processor takes half a minute for each verdict.
COLAB = {"quantise": "", "precision": "bfloat16", "train_images": 4, "pixel_pairs": 2, "validation_images": 2}
COLAB |= {"joint_images": 1, "score_batch_size": 4, "batch_size": 1, "epochs": 0.5}  # two pairs, two updates
CHANGES = {"colab": COLAB}


def serve(scale: str, folder: Path) -> Loopback:
    """The server of all that the scale names."""
    server = Loopback(folder / "hub")
    names = {name: recipes.recipe(scale, stages.STAGES[name]) for name in (stages.DATA, stages.VLM, stages.EXPERT)}
    home = server.hub / "models"
    bases = names[stages.VLM]["base"], names[stages.EXPERT]["base"], names[stages.DATA]["vae"]
    for make, base in zip((_vlm, _expert, _vae), bases, strict=True):
        if not (home / base).exists():
            build(make, base, home, folder)
    pictures = [jpeg(seed, side=480) for seed in range(2 * PICTURES)]
    ids = [f"photo-{number}" for number in range(PICTURES)]
    lines = [f"{name}\thttps://images.unsplash.com/{name}" for name in ids]
    table = "\n".join(["photo_id\tphoto_image_url", *lines]) + "\n"
    server.files["/data/lite/latest"] = zipped({"photos.csv000": table.encode()})
    server.files |= {f"/photos/{name}": data for name, data in zip(ids, pictures, strict=False)}
    shard = server.hub / "datasets" / echo4o.REPO / echo4o.TOP / "images"
    shard.mkdir(parents=True, exist_ok=True)
    (shard.parent / "conflict.jsonl").write_text("{}\n")
    files = {f"0-5000/{number}.jpg": data for number, data in enumerate(pictures[PICTURES:])}
    if not (shard / "0-5000.tar.gz").exists():  # one made later would be another file
        (shard / "0-5000.tar.gz").write_bytes(tarred(files))
    for file in server.hub.rglob("*.safetensors"):
        sha256(file)  # now, so that no client waits for it
    return server


def build(make: Callable[[str, Path], None], base: str, home: Path, folder: Path) -> None:
    """Have a folder `home / base` made by `make(base, home)`, in a process of its own: on Linux a command's peak of
    memory would begin with the highest of the process that starts it.
    """
    (home / base).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            apart.submit(_seeded, make, base, Path(unfinished)).result()
        (Path(unfinished) / base).rename(home / base)


def _seeded(make: Callable[[str, Path], None], base: str, home: Path) -> None:
    torch.manual_seed(0)
    make(base, home)


def _vlm(base: str, home: Path) -> None:
    """A VLM of the published sizes behind the processor of its family, whose words are those of the mini one."""
    sizes = models.KNOWN[base]
    processor, ids = processors.of(sizes["model_type"])
    config = AutoConfig.for_model(**sizes | ids)
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    ends = range(0, model.get_output_embeddings().out_features, WORDS)
    model.generation_config.eos_token_id = [processor.tokenizer.eos_token_id, *ends]
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


def commands(scale: str, root: Path, outputs: Path, notebooks: list[str]) -> list[list[str]]:
    """What a user types, after `aligngemini`: for the whole scale, or for some `notebooks` ("01", "03")."""
    few = FEW | {"plausible": root / "unsplash", "implausible": root / "echo4o", "photos": root / "unsplash"}
    few |= {"test": f"[{root / 'held_out.csv'}]"} | CHANGES.get(scale, {})
    fetch, run = ["data", "fetch", "--scale", scale, "--root", str(root)], ["run", "--scale", scale]
    run += ["--outputs", str(outputs)]
    whole = [*run, *_options(few, stages.ANALYSIS)]
    one = {number: _options(few | PURE.get(number, {}), stages.find(number).name) for number in notebooks}
    some = [[*run, "--only", number, *options] for number, options in one.items()]
    return [[*fetch, "--dry"], fetch, [*whole, "--dry"], *(some or [whole])]


def _options(values: dict[str, object], last: str) -> list[str]:
    """The values as options for notebooks up to `last`: no other has a say in what is run."""
    known = {name for stage in stages.STAGES.values() if stage.name <= last for name in params.names(stage.params)}
    return [word for name, value in values.items() if name in known for word in ("-p", name, str(value))]


def main(scale: str, folder: Path, notebooks: list[str]) -> None:
    """Serve, then type what a user would."""
    folder.mkdir(parents=True, exist_ok=True)
    server = serve(scale, folder)
    places = {"HF_ENDPOINT": server.url, "HF_HUB_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    places |= {"ALIGNGEMINI_UNSPLASH": f"{server.url}/data", "ALIGNGEMINI_UNSPLASH_IMAGES": f"{server.url}/photos"}
    for words in commands(scale, folder / "raw", folder / "outputs", notebooks):
        print(f"$ aligngemini {' '.join(words)}", flush=True)
        process = subprocess.Popen([sys.executable, "-m", "aligngemini.cli", *words], env=os.environ | places)
        _, status, used = os.wait4(process.pid, 0)  # also the time of its processes, and the memory of its largest
        code, seconds = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        print(f"exit code {code}, {seconds:.0f} s of processor time, peak {used.ru_maxrss / 1e6:.1f} GB\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute(), sys.argv[3:])
