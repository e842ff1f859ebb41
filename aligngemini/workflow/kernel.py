"""Run notebooks with papermill, in kernels of this very Python that end when the command is stopped."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from aligngemini.workflow import scratch
from aligngemini.workflow.forks import Process, Server

START_SECONDS = 120  # a loaded machine is slow to start a kernel
STOPS = (signal.SIGTERM, signal.SIGHUP)  # a closed terminal sends the latter; both do what Ctrl-C does
GRACE = 5  # seconds that processes started by a kernel have to end by themselves
_running: list[Process] = []
_stopping = threading.Event()


def stopping() -> bool:
    """Whether all kernels are being ended."""
    return _stopping.is_set()


class Died(RuntimeError):
    """The kernel ended without a Python error; the text says how."""


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict[str, Any],
    environment: dict[str, str],
    server: Server | None = None,
) -> None:
    """Run `notebook` with `parameters` and save it, outputs included, as `executed`.

    `environment`: further variables of the kernel; `server`: what it is forked from, None for a Python of its own.
    Raises papermill's PapermillExecutionError for an error in a cell, `Died`, and KeyboardInterrupt for whatever error
    comes of the end of all kernels (see `threads`).
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    from aligngemini.workflow import engine, kernel_manager

    logging.getLogger("papermill").addFilter(_is_news)
    started: list[Process] = []

    def began(process: Process) -> None:
        started.append(process)
        _running.append(process)
        if _stopping.is_set():
            _end([process])

    with scratch.folder() as sockets:
        try:
            papermill.execute_notebook(
                notebook,
                executed,
                parameters=parameters,
                engine_name=engine.NAME,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_SECONDS,
                kernel_manager_class=kernel_manager.of(sockets, environment, server, began, stopping),
            )
        except Exception as error:
            if _stopping.is_set():
                raise KeyboardInterrupt from error
            if not isinstance(error, DeadKernelError):
                raise
            raise Died(cause_of_death(started[-1].returncode)) from error
        finally:
            _running[:] = [each for each in _running if each not in started]


def server() -> Server:
    """Start the process that later kernels are forked from; it ends with all kernels."""
    made = Server()
    _running.append(made.process)
    return made


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


def _end(kernels: list[Process]) -> None:
    """Kill kernels that run, then end all processes that they started; others may have the number of one that ended.
    The last come first: the process that a kernel is forked from can still say whether it runs.
    """
    helpers: list[psutil.Process] = []
    kernels = [each for each in reversed(kernels) if each.poll() is None]
    for each in kernels:
        with suppress(psutil.NoSuchProcess):
            helpers += psutil.Process(each.pid).children(recursive=True)
            each.kill()  # first: it must not see its helpers end
    ended = {each.pid for each in kernels}
    helpers = [each for each in helpers if each.pid not in ended]
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
