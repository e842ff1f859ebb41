"""A run as it lies on the disk: its folder, and what its manifest says."""

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.core import paths
from aligngemini.core.progress import spell

SHOWN = ("numpy", "pandas", "torch", "transformers", "trl", "peft", "timm", "diffusers")


class Answer:
    """A folder that answers a question, in the making or complete.

    It has `folder`, `notebook`, `name` (12 hex digits), `params` (dict), `seed`, `scale` and `manifest`.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder, self.manifest = folder, record
        self.notebook: str = record["run"]["notebook"]
        self.name: str = record["run"]["name"]
        self.params: dict[str, Any] = record["question"]["params"]
        self.seed: int = self.params["seed"]
        self.scale: str = self.params["scale"]

    @property
    def complete(self) -> bool:
        """Whether the answer is there; the verbs of a complete run only read."""
        return self.manifest["run"]["status"] == "complete"

    @property
    def results(self) -> dict[str, Any]:
        """The figures given to `finish`; empty before."""
        return self.manifest["results"]

    @property
    def models(self) -> dict[str, Any]:
        """The models given to `finish`; empty before."""
        return self.manifest["models"]

    @property
    def made(self) -> dict[str, str]:
        """The keys of what is computed: name -> what `keys.of` gave. What is there under a name is whole."""
        return self.manifest.get("made", {})

    def path(self, *parts: str) -> Path:
        """Return the path of a file or folder of this run."""
        return self.folder.joinpath(*parts)

    @property
    def checkpoints(self) -> Path:
        """A folder for trainers' checkpoints; it survives a kill, and `finish` deletes it."""
        folder = self.folder / "checkpoints"
        if not self.complete:
            folder.mkdir(exist_ok=True)
        return folder

    @property
    def table(self) -> pd.DataFrame:
        """Folder, status, seed, versions and git state, columns `what` and `value`."""
        environment, run = self.manifest["environment"], self.manifest["run"]
        git = environment["git"]
        versions = environment["packages"]
        packages = [f"{name} {versions[name]}" for name in SHOWN if name in versions]
        inputs = self.manifest["question"]["inputs"].values()
        changed = " and changes" if git["dirty"] else ""
        commit = f"{git['commit'][:12]}{changed}" if git["commit"] else "unknown"
        rows = {
            "folder": paths.short(self.folder),
            "status": run["status"],
            "scale": self.scale,
            "seed": str(self.seed),
            "stands on": ", ".join(f"{entry['notebook']}/{entry['run']}" for entry in inputs),
            "python": environment["python"],
            "packages": ", ".join(packages),
            "commit": commit,
        }
        return pd.DataFrame({"what": list(rows), "value": list(rows.values())})

    def summary(self) -> str:
        """Versions, machine and time of a complete run in one line, such as `Python 3.12.1, torch 2.8.0 · 8 processors
        · made in 12:30`. The time is that of the last attempt.
        """
        environment, seconds = self.manifest["environment"], self.manifest["run"].get("seconds", 0)
        packages = environment["packages"]
        versions = [f"{name} {packages[name]}" for name in ("torch", "transformers") if name in packages]
        machine = environment.get("accelerator") or f"{environment['machine']['processors']} processors"
        return f"{', '.join(['Python ' + environment['python'], *versions])} · {machine} · made in {spell(seconds)}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in self.table.itertuples(index=False)
        )
        return f"<table>{rows}</table>"

    def __repr__(self) -> str:
        return f"Run({self.notebook}/{self.name}, {self.manifest['run']['status']})"
