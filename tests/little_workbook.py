"""A little workbook: five short notebooks with the real parameters, run by the real papermill."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import nbformat
import pytest
import yaml
from safetensors.numpy import save_file

from aligngemini import cli
from aligngemini.core import paths, runs, stages
from aligngemini.workflow import forks, kernel, share
from tests import cells, signals

SETUP = """\
import json, os, random, time
from pathlib import Path
import numpy as np
from aligngemini.core import params, progress, runs, stages
cfg = params.read(stages.STAGES["{notebook}"].params, globals())
run = runs.start("{notebook}", cfg)
run"""
DRAW = """\
def draw(name):
    value = [random.random(), float(np.random.rand())]
    with (Path(os.environ["LITTLE_LOG"])).open("a") as log:
        log.write("{notebook} " + name + "\\n")
    run.compute(name, lambda: [random.random(), float(np.random.rand())])"""
BODY = """\
draw("first.json")
for _ in progress.progress(range(int(os.environ.get("LITTLE_SLEEP", 0)) * 10), "sleeping"):
    time.sleep(0.1)
draw("second.json")"""
FINISH = """\
numbers = [json.loads(run.path(name).read_text()) for name in ("first.json", "second.json")]
run.finish({"numbers": numbers, "pid": os.getpid()})"""


@dataclass
class Little:
    """The temporary workbook: its folders and the ways to run it."""

    root: Path
    environment: dict[str, str]
    started: list[subprocess.Popen] = field(default_factory=list)

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    def write(self, notebook: str, *steps: str, parameters: str | None = None) -> Path:
        """Write a notebook: its parameters cell, the setup, then `steps` (by default two drawing steps)."""
        source = cells.parameters(stages.STAGES[notebook].params) if parameters is None else parameters
        tagged = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
        texts = [SETUP, DRAW, *(steps or (BODY, FINISH))]
        filled = [nbformat.v4.new_code_cell(text.replace("{notebook}", notebook)) for text in texts]
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Little"), tagged, *filled])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.root / "notebooks" / f"{notebook}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(book, path)
        return path

    def recipe(self, name: str, content: dict) -> None:
        path = self.root / "notebooks" / "recipes" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))

    def start(self, *words: str, **environment: str) -> subprocess.Popen:
        """Start `aligngemini` with `words` in a process of its own."""
        command = [sys.executable, "-m", "aligngemini.cli", *words]
        environment = os.environ | self.environment | environment
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": signals.as_usual}
        self.started.append(subprocess.Popen(command, cwd=self.root, env=environment, **options))
        return self.started[-1]

    def run(self, *words: str, **environment: str) -> tuple[int, str]:
        """Run `aligngemini` with `words` in this process; return its exit code and all it said."""
        said = io.StringIO()
        told = patch.dict(os.environ, self.environment | environment)
        with told, redirect_stdout(said), redirect_stderr(said):
            code = cli.main(list(words))
        return code, said.getvalue()

    def log(self) -> list[str]:
        """Return the steps made so far: "notebook name"."""
        path = Path(self.environment["LITTLE_LOG"])
        return path.read_text().splitlines() if path.exists() else []

    def manifests(self, notebook: str) -> list[dict]:
        """Return the manifests of the complete runs of `notebook`."""
        return [json.loads(p.read_text()) for p in sorted(self.outputs.glob(f"{notebook}/[!.]*/manifest.json"))]


@pytest.fixture
def little(tmp_path, monkeypatch) -> Iterator[Little]:
    """A little workbook of five notebooks, recipes at scale "tiny" and the study mixed_against_pure."""
    # Kernels would spend seconds each on importing torch only to seed it.
    stand_in = "manual_seed = set_num_threads = int\nclass cuda:\n    is_available = staticmethod(lambda: False)\n"
    stand_in += "class accelerator:\n    current_accelerator = staticmethod(lambda check_available: None)\n"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "torch.py").write_text(stand_in)
    # So would papermill, on a grammar of addresses that jsonschema does without.
    (tmp_path / "modules" / "rfc3987_syntax.py").write_text("raise ImportError")
    environment = {
        "ALIGNGEMINI_OUTPUTS": str(tmp_path / "outputs"),
        "ALIGNGEMINI_NOTEBOOKS": str(tmp_path / "notebooks"),
        "LITTLE_LOG": str(tmp_path / "log"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "modules"), str(paths.ROOT)]),
    }
    for name, value in environment.items():
        if name != "PYTHONPATH":
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(forks, "possible", lambda: False)  # little kernels need none of the libraries
    made = Little(tmp_path, environment)
    for notebook in stages.STAGES:
        made.write(notebook)
    _recipes(made)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def _recipes(little: Little) -> None:
    model = little.root / "model"
    model.mkdir()
    (model / "weights").write_text("0")
    save_file({}, model / "model.safetensors")
    little.recipe("tiny/plan", {"study": "mixed_against_pure", "minutes": {"01_data_construction": 0.1}})
    little.recipe("tiny/01_data_construction", {"vae": str(model), "train_images": 4})
    little.recipe("tiny/02_vlm_dpo", {"base": str(model)})
    little.recipe("tiny/03_expert_lora", {"base": str(model)})
    grid = {
        stages.VLM: {"supervision": ["semantic", "mixed"]},
        stages.EXPERT: {"supervision": ["pixel", "mixed"]},
    }
    little.recipe("studies/mixed_against_pure", {"question": "Is mixed worse?", "grid": grid})


@pytest.fixture
def inline(monkeypatch) -> None:
    """Notebooks run in this process, one after another: a kernel costs seconds, for tests of what is run."""

    def execute(notebook: Path, executed: Path, parameters: dict, tell: dict[str, str], server: None) -> None:
        book = cells.given(notebook, parameters)
        with patch.dict(os.environ, tell):
            cells.play(book)
        nbformat.write(book, executed)

    monkeypatch.setattr(kernel, "execute", execute)
    monkeypatch.setattr(share, "jobs", lambda text, plans: 1)


@pytest.fixture(autouse=True)
def closed():
    """Let go of what a test left open, so that the next one starts as a new process would."""
    yield
    for run in list(runs._working.values()):
        run.close()
    runs._working.clear()
