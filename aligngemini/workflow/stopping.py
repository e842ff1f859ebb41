"""Stopping a kernel: its processes end before anything else closes, so that nothing speaks after our own sentence."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 5  # seconds that processes started by a kernel have to end by themselves


@contextmanager
def ending(process: Callable[[], int | None]) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM end the kernel with the id `process()`, then do what they do outside; a second one is
    ignored. Whatever error the end of the kernel causes after a signal is KeyboardInterrupt.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS if callable(signal.getsignal(number))}
    stopped = False

    def stop(number: int, frame: Any) -> None:
        nonlocal stopped
        stopped = True
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        _silence()
        end(process())
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


def _silence() -> None:
    """The client's tasks that wait for the kernel must not report that it died."""
    from jupyter_core.utils import ensure_event_loop

    ensure_event_loop().set_exception_handler(lambda loop, context: None)


def end(pid: int | None) -> None:
    """Kill the process `pid`, if there is one, and end all that it started."""
    with suppress(psutil.NoSuchProcess):
        if pid is None:
            return
        kernel = psutil.Process(pid)
        started = kernel.children(recursive=True)
        kernel.kill()  # first: it must not see its helpers end
        for each in started:
            with suppress(psutil.NoSuchProcess):
                each.terminate()
        for each in psutil.wait_procs(started, GRACE)[1]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
