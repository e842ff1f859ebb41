"""How a kernel ended: memory is blamed only where the system speaks for it."""

from types import SimpleNamespace

import pytest

from aligngemini.workflow import kernel


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Set how much memory is free, of 32 GB, and how many processes the system has ended for want of it."""

    def set_(free, ended):
        memory = SimpleNamespace(total=32 * 2**30, available=free * 2**30)
        monkeypatch.setattr(kernel.psutil, "virtual_memory", lambda: memory)
        (tmp_path / "vmstat").write_text(f"pgfault 3\noom_kill {ended}\n")
        monkeypatch.setattr(kernel, "VMSTAT", tmp_path / "vmstat")

    return set_


@pytest.mark.parametrize(
    ("code", "free", "ended", "told", "blamed"),
    [
        (-9, 20, 0, "ended by signal 9 (SIGKILL)", False),
        (-9, 20, 1, "ended by signal 9 (SIGKILL), most likely out of memory (32 GB in all, 20 GB free now)", True),
        (-9, 0.5, 0, "use smaller batches", True),
        (-11, 0.5, 1, "ended by signal 11 (SIGSEGV)", False),
        (3, 20, 0, "with exit code 3", False),
    ],
)
def test_memory_is_blamed_only_where_the_system_speaks_for_it(machine, code, free, ended, told, blamed):
    machine(free, ended)
    sentence = kernel.cause_of_death(code, before=0)
    assert told in sentence and ("out of memory" in sentence) == blamed
    assert ("nothing says that memory was short" in sentence) != blamed


def test_what_the_system_ended_before_is_no_evidence(machine):
    machine(20, 4)
    assert kernel.oom_kills() == 4 and "out of memory" not in kernel.cause_of_death(-9, before=4)
