"""Signals in processes that tests start."""

import signal


def as_usual() -> None:
    """Let signals do what they do by themselves: tests in the background ignore some, and children inherit that."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
