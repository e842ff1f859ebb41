"""A script that imports the large libraries and then becomes, by fork, each kernel that it is asked for.

It imports nothing of this package: each kernel reads the code as it is when it starts, and names its runs by that code.
Standard input is a socket. Each line asks, in JSON, for a kernel (`words`, `environment`, `folder`), which is answered
with its process id (null: the system has no room for one), or for the exit code of one (`pid`): null while it runs,
negative for a signal.
"""

import atexit
import gc
import json
import logging
import os
import select
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

LIBRARIES = [
    "ipykernel.kernelapp",
    "IPython.core.completer",
    "ipywidgets",
    "nbformat.v4",
    "jsonschema",
    "pydantic.main",
    "pandas",
]
LIBRARIES += ["plotly.express", "plotly.io", "plotly.subplots", "PIL.JpegImagePlugin", "pillow_heif", "scipy.stats"]
LIBRARIES += ["sklearn.linear_model", "timm", "peft", "diffusers", "datasets", "trl.trainer.dpo_trainer"]
GRAMMAR = "rfc3987_syntax"  # of international addresses, for jsonschema; it takes a second, and notebooks have none
THREADS = "OMP_NUM_THREADS"  # read by the libraries when they are imported


def load() -> None:
    """Import the libraries. What one says then is said by no cell; one that fails does so again in the cell that
    imports it.
    """
    gc.disable()  # it would look through what is imported a hundred times and find nothing, for a second
    sys.modules[GRAMMAR] = None  # type: ignore[assignment]  # so jsonschema does without it
    with _silence():
        for name in LIBRARIES:
            with suppress(Exception):
                import_module(name)
    del sys.modules[GRAMMAR]
    gc.freeze()  # what no kernel changes is not copied for each
    gc.enable()


@contextmanager
def _silence() -> Iterator[None]:
    """Let both streams lead nowhere, below Python too; what they still hold, each kernel would write once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    streams = [each for each in (sys.stdout, sys.stderr) if each]  # None: the command has closed it
    kept = [(each, os.dup(each.fileno())) for each in streams]
    for each in streams:
        os.dup2(nowhere, each.fileno())
    yield
    for each, original in kept:
        each.flush()
        os.dup2(original, each.fileno())
        os.close(original)
    os.close(nowhere)


def serve() -> dict | None:
    """Answer until the command has closed the socket: None. In the process of a kernel, return what it is."""
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _exit_code(asked["pid"]) if "pid" in asked else _fork()
        if answer == 0 and "words" in asked:
            return asked
        os.write(sys.stdin.fileno(), f"{json.dumps(answer)}\n".encode())
    return None


def _fork() -> int | None:
    """Fork. Python 3.12 warns of threads, on the terminal: numpy's library has some, and starts them anew in a fork."""
    with suppress(OSError), warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return os.fork()
    return None


def _exit_code(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become(words: list[str], environment: dict[str, str], folder: str) -> None:
    """Be the kernel that `python -m WORDS` is in `folder`, with these variables, in a session of its own."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.chdir(folder)
    if environment[THREADS] != os.environ.get(THREADS):  # what the user has set, the libraries have read themselves
        _limit_threads(int(environment[THREADS]))
    os.environ.update(environment)  # libraries have set others when they were imported
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    sys.argv[:] = words
    _draw_anew()
    _show_trainings_in_the_notebook()
    from ipykernel import kernelapp

    kernel = kernelapp.IPKernelApp.instance(parent_handle=os.getppid())  # it ends when that process does
    kernel.initialize(words[1:])
    _log_into_the_notebook()
    kernel.start()
    _end()


def _end() -> None:
    """End as Python does, but for taking all libraries apart: that takes half a second."""
    threading._shutdown()  # waits for the threads that Python waits for
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        stream.flush()
    os._exit(0)


def _log_into_the_notebook() -> None:
    """What libraries log goes where it goes when a cell imports them; their loggers knew the terminal alone."""
    for logger in logging.root.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.__stderr__:
                handler.setStream(sys.stderr)


def _draw_anew() -> None:
    """Seed the one generator that a fork would share with the next; Python's own seeds itself, torch's has a seed."""
    import numpy

    numpy.random.seed()


def _show_trainings_in_the_notebook() -> None:
    """Let trainers draw their tables. Transformers chose text when it was imported, since no notebook was there."""
    if trainer := sys.modules.get("transformers.trainer"):
        from transformers.utils.notebook import NotebookProgressCallback

        trainer.DEFAULT_PROGRESS_CALLBACK = NotebookProgressCallback


def _limit_threads(count: int) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    torch.set_num_threads(count)


def _end_with_the_command() -> None:
    """Wait until the command has closed the socket, or was killed; then end, even while libraries are imported."""
    closed = select.poll()
    closed.register(sys.stdin, select.POLLRDHUP)
    closed.poll()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    load()
    if kernel := serve():
        become(**kernel)
    else:
        os._exit(0)  # at its end Python would take all libraries apart, and nanobind write a page on what is left
