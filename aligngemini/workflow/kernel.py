"""Run notebooks with papermill, in kernels of this very Python that end when the command is stopped."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil

from aligngemini.core import paths
from aligngemini.workflow import scratch

START_SECONDS = 120  # a loaded machine is slow to start a kernel
STOPS = (signal.SIGTERM, signal.SIGHUP)  # a closed terminal sends the latter; both do what Ctrl-C does
SOCKET_PATH = 103  # bytes in the path of a Unix socket: what macOS allows, Linux 4 more (unix(4), unix(7))
GRACE = 5  # seconds that processes started by a kernel have to end by themselves
_running: list[Popen] = []
_stopping = threading.Event()


def stopping() -> bool:
    """Whether all kernels are being ended."""
    return _stopping.is_set()


class Died(RuntimeError):
    """The kernel ended without a Python error; the text says how."""


def execute(notebook: Path, executed: Path, parameters: dict[str, Any], environment: dict[str, str]) -> None:
    """Run `notebook` with `parameters` and save it, outputs included, as `executed`.

    `environment`: further variables of the kernel. Raises papermill's PapermillExecutionError for an error in a cell,
    `Died`, and KeyboardInterrupt for whatever error comes of the end of all kernels (see `threads`).
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    logging.getLogger("papermill").addFilter(_is_news)
    started: list[Popen] = []
    with scratch.folder() as sockets:
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
        except Exception as error:
            if _stopping.is_set():
                raise KeyboardInterrupt from error
            if not isinstance(error, DeadKernelError):
                raise
            raise Died(cause_of_death(started[-1].returncode)) from error
        finally:
            _running[:] = [each for each in _running if each not in started]


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads to call `execute` in. SIGINT, STOPS and any error inside first end all kernels, so that these say
    nothing after our own sentence. Then signals do what they do outside; a second one is ignored.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *STOPS)}
    before: dict[int, Callable] = {number: handler for number, handler in handlers.items() if callable(handler)}

    def stop(number: int, frame: Any) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        before[number](number, frame)

    _stopping.clear()
    try:
        for number in before:
            signal.signal(number, stop)
        with ThreadPoolExecutor(count) as pool:
            try:
                yield pool
            except BaseException:
                _stopping.set()
                _end(list(_running))
                raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of papermill's log says anything: it warns of each parameter that belongs to `advanced`, and of
    kernels that we ended ourselves."""
    return "unknown parameter" not in record.getMessage() and not _stopping.is_set()


def _manager(sockets: Path, environment: dict[str, str], started: list[Popen]) -> type:
    """Return a kernel manager that ignores installed kernel specs, which may name another Python.

    It listens in the folder `sockets`, where no other user and no other kernel can meet it, or on loopback ports where
    the path of that folder is too long for a socket; it puts the process of the kernel into `started`.
    """
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    path = os.pathsep.join(filter(None, [str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    # A busy kernel complains when it is interrupted before it is shut down; errors of cells are no lines of its log.
    quiet = "--IPKernelApp.log_level=CRITICAL"
    argv = [sys.executable, "-m", "ipykernel_launcher", quiet, "-f", "{connection_file}"]
    spec = KernelSpec(**get_kernel_dict() | {"argv": argv, "env": {"PYTHONPATH": path, **environment}})

    fits = len(os.fsencode(f"{sockets}/kernel-ipc-5")) <= SOCKET_PATH  # the last of five names by jupyter_client

    class ThisPython(AsyncKernelManager):
        kernel_spec = property(lambda self: spec)

        def __init__(self, **options: Any) -> None:
            super().__init__(transport="ipc" if fits else "tcp", connection_file=f"{sockets}/kernel.json", **options)

        async def start_kernel(self, **options: Any) -> None:
            asyncio.get_running_loop().set_exception_handler(_report)
            await super().start_kernel(**options)
            started.append(self.provisioner.process)  # type: ignore[union-attr]
            _running.extend(started[-1:])
            if _stopping.is_set():
                _end(started)

    return ThisPython


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The client's tasks that wait for a kernel must not report that we ended it."""
    if not _stopping.is_set():
        loop.default_exception_handler(context)


def _end(kernels: list[Popen]) -> None:
    """Kill kernels, then end all processes that they started."""
    helpers: list[psutil.Process] = []
    for each in kernels:
        with suppress(psutil.NoSuchProcess):
            helpers += psutil.Process(each.pid).children(recursive=True)
            each.kill()  # first: it must not see its helpers end
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
