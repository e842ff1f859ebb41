"""Run one notebook with papermill, in a kernel of this very Python that ends when the command is stopped."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil

from aligngemini.core import paths

START_SECONDS = 120  # a loaded machine is slow to start a kernel
GRACE = 5  # seconds that processes started by a kernel have to end by themselves


class Died(RuntimeError):
    """The kernel ended without a Python error; the text says how."""


def execute(notebook: Path, executed: Path, parameters: dict[str, Any], environment: dict[str, str]) -> None:
    """Run `notebook` with `parameters` and save it, outputs included, as `executed`.

    `environment`: further variables of the kernel. Raises papermill's PapermillExecutionError for an error in a cell,
    `Died`, and KeyboardInterrupt after a signal to stop, which ends the kernel at once.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    logging.getLogger("papermill").addFilter(_is_news)
    started: list[Popen] = []
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets, _stoppable(started):
        try:
            papermill.execute_notebook(
                notebook,
                executed,
                parameters=parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_SECONDS,
                kernel_manager_class=_manager(sockets, environment, started),
            )
        except DeadKernelError as error:
            raise Died(cause_of_death(started[-1].returncode)) from error


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of papermill's log says anything: it warns of each parameter that belongs to `advanced`."""
    return "unknown parameter" not in record.getMessage()


def _manager(sockets: str, environment: dict[str, str], started: list[Popen]) -> type:
    """Return a kernel manager that ignores installed kernel specs, which may name another Python.

    It listens in the folder `sockets`, where no other user and no other kernel can meet it, and puts the process of
    the kernel into `started`.
    """
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    path = os.pathsep.join(filter(None, [str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    # A busy kernel complains when it is interrupted before it is shut down; errors of cells are no lines of its log.
    quiet = "--IPKernelApp.log_level=CRITICAL"
    argv = [sys.executable, "-m", "ipykernel_launcher", quiet, "-f", "{connection_file}"]
    spec = KernelSpec(**get_kernel_dict() | {"argv": argv, "env": {"PYTHONPATH": path, **environment}})

    class ThisPython(AsyncKernelManager):
        kernel_spec = property(lambda self: spec)

        def __init__(self, **options: Any) -> None:
            super().__init__(transport="ipc", connection_file=f"{sockets}/kernel.json", **options)

        async def start_kernel(self, **options: Any) -> None:
            await super().start_kernel(**options)
            started.append(self.provisioner.process)  # type: ignore[union-attr]

    return ThisPython


@contextmanager
def _stoppable(started: list[Popen]) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM first end the kernel, so that it says nothing after our own sentence. Then they do
    what they do outside; a second one is ignored. Whatever error the end of the kernel causes is KeyboardInterrupt.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before: dict[int, Callable] = {number: handler for number, handler in handlers.items() if callable(handler)}
    stopped = []

    def stop(number: int, frame: Any) -> None:
        from jupyter_core.utils import ensure_event_loop

        stopped.append(number)
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        # The client's tasks that wait for the kernel must not report that it died.
        ensure_event_loop().set_exception_handler(lambda loop, context: None)
        for process in started:
            _end(process.pid)
        before[number](number, frame)

    try:
        for number in before:
            signal.signal(number, stop)
        yield
    except Exception as error:
        if not stopped:
            raise
        raise KeyboardInterrupt from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(pid: int) -> None:
    """Kill a kernel, then end all processes that it started."""
    with suppress(psutil.NoSuchProcess):
        kernel = psutil.Process(pid)
        helpers = kernel.children(recursive=True)
        kernel.kill()  # first: it must not see its helpers end
        for act in (psutil.Process.terminate, psutil.Process.kill):
            for helper in helpers:
                with suppress(psutil.NoSuchProcess):
                    act(helper)
            _, helpers = psutil.wait_procs(helpers, GRACE)


def cause_of_death(code: int) -> str:
    """Return in words how a kernel ended, with what to do; `code`: its exit code, negative for a signal."""
    how = f"ended by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with exit code {code}"
    sentence = f"the kernel died without a Python error, {how}"
    if code != -signal.SIGKILL:
        return sentence
    memory = psutil.virtual_memory()
    figures = f"{memory.total / 2**30:.0f} GB in all, {memory.available / 2**30:.0f} GB free now"
    return (
        f"{sentence}, as a system does that is short of memory ({figures}): if it was, use smaller batches or fewer "
        "images, or close other programs"
    )
