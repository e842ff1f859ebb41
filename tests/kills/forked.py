"""The cells of a notebook in a process that is forked from this one, which has loaded the libraries already."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

LIBRARIES = (
    "from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration, Trainer",
    "from diffusers import AutoencoderKL",
    "import accelerate, datasets, peft, pyarrow.parquet, sklearn.linear_model, scipy.stats, timm, torch, trl",
    "from trl import DPOConfig, DPOTrainer, SFTTrainer",
    "import plotly.graph_objects, ipywidgets, IPython.display",
)


def load() -> None:
    """Load what notebooks load, which takes most of the time of a small one."""
    import torch

    torch.set_num_threads(1)
    for line in LIBRARIES:
        exec(line, {})


class Process:
    """A forked process, as far as the harness needs one of subprocess."""

    def __init__(self, pid: int) -> None:
        self.pid, self.returncode = pid, None

    def wait(self, limit: float) -> int:
        """Return the exit code, negative for a signal; raise TimeoutExpired after `limit` seconds."""
        ends = time.monotonic() + limit
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > ends:
                raise subprocess.TimeoutExpired("cells", limit)
            else:
                time.sleep(0.02)
        return self.returncode

    def kill(self) -> None:
        """Kill it."""
        os.kill(self.pid, signal.SIGKILL)


def start(notebook: Path, values: dict, variables: dict[str, str], log: Path) -> Process:
    """Fork a process, leader of a session, that runs the code cells of `notebook` with the parameters `values`."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return Process(child)
    code = 1
    try:
        os.setsid()
        _redirect(log)
        _run(notebook, values, variables)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)


def _run(notebook: Path, values: dict, variables: dict[str, str]) -> None:
    from tests import cells, signals
    from tests.kills import sitecustomize

    signals.as_usual()
    os.environ.update(variables)
    tempfile.tempdir = None
    if "KILLS_FOLDER" in variables:
        sitecustomize.watch(variables["KILLS_FOLDER"])
    cells.play(cells.given(notebook, values), sys.modules["__main__"].__dict__)
