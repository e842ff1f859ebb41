"""How a kernel ended: in words, with what to do."""

import signal

import pytest

from aligngemini.workflow import kernel


@pytest.mark.parametrize(
    ("code", "sentence", "memory"),
    [
        (-signal.SIGKILL, "ended by signal 9 (SIGKILL), as a system does that is short of memory (", True),
        (-signal.SIGSEGV, "ended by signal 11 (SIGSEGV)", False),
        (3, "with exit code 3", False),
    ],
)
def test_memory_is_named_as_a_cause_only_of_what_a_system_short_of_it_does(code, sentence, memory):
    said = kernel.cause_of_death(code)
    assert sentence in said and ("use smaller batches" in said) == memory
