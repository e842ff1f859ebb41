"""Executing one notebook: papermill, in a kernel of this very Python, with what the runner has to tell it."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from aligngemini.core import paths
from aligngemini.workflow import death, stopping

START_SECONDS = 120  # a loaded machine is slow to start a kernel
PORTS = ("Address already in use", "Kernel died before replying")  # what a taken port looks like from here


class Died(RuntimeError):
    """The kernel ended without a Python error; the text says how."""


def execute(notebook: Path, executed: Path, parameters: dict[str, Any], tell: dict[str, str]) -> None:
    """Run `notebook` with `parameters` and save it, outputs included, as `executed`.

    `tell`: environment variables for the kernel. If another kernel takes its ports at the same moment, it is
    started once more. Raises papermill's PapermillExecutionError for an error in a cell, `Died`; a signal to stop
    ends the kernel at once.
    """
    for attempt in (1, 2):
        try:
            return _execute(notebook, executed, parameters, tell)
        except (RuntimeError, OSError) as error:
            if attempt == 2 or not any(words in str(error) for words in PORTS):
                raise
            time.sleep(1)


def _execute(notebook: Path, executed: Path, parameters: dict[str, Any], tell: dict[str, str]) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    manager, before = _manager(tell), death.ended_for_memory()
    try:
        with stopping.ending(manager.process):
            papermill.execute_notebook(
                notebook,
                executed,
                parameters=parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_SECONDS,
                kernel_manager_class=manager,
            )
    except DeadKernelError as error:
        raise Died(death.told(manager.code, before)) from error


def _manager(tell: dict[str, str]) -> type:
    """Return a kernel manager that ignores installed kernel specs: they may name another Python."""
    import zmq
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec

    path = os.pathsep.join(filter(None, [str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    # A busy kernel complains when it is interrupted before it is shut down; errors of cells are no lines of its log.
    quiet = "--IPKernelApp.log_level=CRITICAL"
    argv = [sys.executable, "-m", "ipykernel_launcher", quiet, "-f", "{connection_file}"]
    spec = KernelSpec(**get_kernel_dict() | {"argv": argv, "env": {"PYTHONPATH": path, **tell}})

    class ThisPython(AsyncKernelManager):
        kernel_spec = property(lambda self: spec)
        code: int | None = None  # with which the kernel ended
        latest: AsyncKernelManager | None = None

        def __init__(self, **options: Any) -> None:
            curve = "auto" if zmq.has("curve") else "disabled"  # other users of this machine cannot listen
            super().__init__(transport_encryption=curve, **options)
            ThisPython.latest = self

        @staticmethod
        def process() -> int | None:
            provisioner = ThisPython.latest and ThisPython.latest.provisioner
            return getattr(provisioner, "pid", None)

        async def is_alive(self) -> bool:
            alive = await super().is_alive()
            if not alive and self.has_kernel and ThisPython.code is None:
                ThisPython.code = await self.provisioner.poll()
            return alive

    return ThisPython
