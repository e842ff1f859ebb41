"""The models that the recipes of a scale name, brought into the hub's cache for machines without a network."""

import re
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from aligngemini.core import models, paths, recipes, stages
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress, say

from . import hub, record

WEIGHTS = r"(?:diffusion_pytorch_)?model(-\d+-of-\d+)?\.safetensors(\.index\.json)?"
# Beside the weights: configurations, tokenizer files, templates. Never .bin, .pt or .py: they could run code.
BESIDE = r"[^/]+\.(json|txt|jinja|model)"


@dataclass(frozen=True)
class Base:
    """One model: the stage and parameter of the recipe that name it, and the subfolder that it may be in."""

    stage: str
    parameter: str
    subfolder: str = ""
    beside: str = BESIDE
    given: str = ""  # a hub name instead of the recipe's, owner/name or owner/name@revision
    scale: str = "paper"
    RIGHTS = ""  # on its card, when the hub is asked

    @property
    def name(self) -> str:
        return self.given.partition("@")[0] or self._recipe().get(self.parameter, "")

    @property
    def revision(self) -> str:
        return self.given.partition("@")[2] if self.given else self._recipe().get(f"{self.parameter}_revision", "")

    def offer(self, root: Path, args: Namespace) -> record.Offer:
        """What the hub says of the needed files, if it gives them out to this user. Raises Refused."""
        source = self._repository()
        files = self.needed(list(source.sizes))
        hub.allowed(source, files[0])
        size = sum(source.sizes[name] for name in files)
        return record.Offer(self.name, size, source.licence)

    def fetch(self, root: Path, args: Namespace) -> dict[str, str]:
        """Fetch the needed files alone; nothing is ever left out. Raises Refused."""
        if not paths.resolve(self.name).is_dir():
            source = self._repository()
            say(f"{self.name}: licence {source.licence}, as its card says (a summary, not legal advice)")
            hub.cached(source, self.needed(list(source.sizes)))
        return {}

    def needed(self, names: list[str]) -> list[str]:
        """Of the files of a repository those that a loader reads. Raises Refused where none are safetensors."""
        inside = bool(self.subfolder) and f"{self.subfolder}/config.json" in names
        top = f"{self.subfolder}/" if inside else ""
        own = [name for name in names if name.startswith(top) and "/" not in name.removeprefix(top)]
        weights = [name for name in own if re.fullmatch(WEIGHTS, name.removeprefix(top))]
        if not any(name.endswith(".safetensors") for name in weights):
            raise Refused(f"{self.name} offers no weights as safetensors, and others are not loaded: choose another")
        return weights + [n for n in own if n not in weights and re.fullmatch(self.beside, n.removeprefix(top))]

    def check(self, root: Path, quick: bool) -> record.State:
        """The state of the cache: what the index of weights names, and every file against its digest."""
        folder = paths.resolve(self.name)
        if not folder.is_dir():
            options = {"revision": self.revision} if self.revision else {}
            tops = [f"{self.subfolder}/"] * bool(self.subfolder) + [""]
            configs = [try_to_load_from_cache(self.name, f"{top}config.json", **options) for top in tops]
            folder = next((Path(place).parent for place in configs if isinstance(place, str)), None)
        if folder is None:
            return record.State(record.MISSING, f"{self.name} is not in the hub's cache")
        reasons = {name: _damage(folder / name, quick) for name in progress(_files(folder), f"checking {self.name}")}
        return record.of_files(reasons, f" in {paths.short(folder)}")

    def _repository(self) -> hub.Repository:
        return hub.repository(models.where(self.name, "model"), revision=self.revision)

    def _recipe(self) -> dict:
        return recipes.recipe(self.scale, stages.STAGES[self.stage])


BASES = {
    "vlm": Base(stages.VLM, "base"),
    "expert": Base(stages.EXPERT, "base", beside=r"config\.json"),
    "vae": Base(stages.DATA, "vae", "vae", beside=r"config\.json"),
}


def _files(folder: Path) -> list[str]:
    """The needed files of a folder in hub format, there or not."""
    there = {path.name for path in folder.iterdir() if path.is_file()}
    weights = {name for name in there if re.fullmatch(WEIGHTS, name)} or {"model.safetensors"}
    for index in (name for name in weights if name.endswith(models.INDEX)):
        weights = set(models.shards(folder / index))
    return sorted(weights | {name for name in there if re.fullmatch(BESIDE, name)})


def _damage(path: Path, quick: bool) -> str:
    """The cache names a file's bytes by their digest; a file of another place has none to be compared with."""
    if not path.is_file():
        return "missing"
    blob = path.resolve()
    if quick or blob.parent.name != "blobs" or record.digest(blob, blob.name) == blob.name:
        return ""
    return "its checksum is another"
