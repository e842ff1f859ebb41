"""How a run is shown: in a notebook, in one line, and by the computer that it was made on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from aligngemini.core import paths
from aligngemini.core.progress import spell

SHOWN = ("numpy", "pandas", "torch", "transformers", "trl", "peft", "timm", "diffusers")


class RunText:
    """The part of a run that puts its manifest into words; see `saved_runs.SavedRun`."""

    folder: Path
    notebook: str
    name: str
    scale: str
    seed: int
    manifest: dict[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """Folder, status, seed, versions and git state, columns `what` and `value`."""
        environment, inputs = self.manifest["environment"], self.manifest["question"]["inputs"].values()
        git, versions = environment["git"], environment["packages"]
        changed = " and changes" if git.get("dirty") else ""
        rows = {
            "folder": paths.short(self.folder),
            "status": self.manifest["run"]["status"],
            "scale": self.scale,
            "seed": str(self.seed),
            "stands on": ", ".join(f"{entry['notebook']}/{entry['run']}" for entry in inputs),
            "python": environment.get("python", "unknown"),
            "packages": ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions),
            "commit": f"{str(git['commit'])[:12]}{changed}" if git.get("commit") else "unknown",
        }
        return pd.DataFrame({"what": list(rows), "value": list(rows.values())})

    def summary(self) -> str:
        """Versions, machine and time of a complete run in one line, such as `Python 3.12.1, torch 2.8.0 · 8 processors
        · made in 12:30`. The time is that of the last attempt.
        """
        environment, seconds = self.manifest["environment"], self.manifest["run"].get("seconds", 0)
        packages = environment["packages"]
        versions = [f"{name} {packages[name]}" for name in ("torch", "transformers") if name in packages]
        python = f"Python {environment.get('python', 'unknown')}"
        return f"{', '.join([python, *versions])} · {self.computer} · made in {spell(seconds)}"

    @property
    def computer(self) -> str:
        """The accelerator that this run was made on, or how many processors: "8 processors"."""
        environment = self.manifest["environment"]
        processors = (environment.get("machine") or {}).get("processors", "unknown")
        return environment.get("accelerator") or f"{processors} processors"

    @property
    def ahead(self) -> str:
        """What to say of a run that was finished at a time that has not come yet, "" for any other."""
        finished = self.manifest["run"]["finished"]
        if finished <= datetime.now(UTC).isoformat():
            return ""
        return (
            f"the clock was set back: run {self.name} of {self.notebook} was finished at {finished}, so it stays the "
            "latest until then; set the clock, or name the run that you mean"
        )

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return self.table.to_html(index=False, header=False, border=0)

    def __repr__(self) -> str:
        return f"Run({self.notebook}/{self.name}, {self.manifest['run']['status']})"
