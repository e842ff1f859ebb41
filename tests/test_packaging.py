"""The files that install the project agree with each other, and with what is installed."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml

import aligngemini
from aligngemini.core import paths
from tests import conftest

WHOLE = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
PROJECT = WHOLE["project"]
CONSTRAINTS = (paths.ROOT / "constraints.txt").read_text().splitlines()
ENVIRONMENT = yaml.safe_load((paths.ROOT / "environment.yml").read_text())
FILES = ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile", ".ci/run")


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned():
    return {_plain(line.split("==")[0]): line.split("==")[1] for line in CONSTRAINTS}


def test_every_constraint_is_a_plain_name_and_version():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in CONSTRAINTS)
    assert len(_pinned()) == len(CONSTRAINTS)


def test_every_dependency_is_by_name_and_pinned_once():
    named = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in named)
    assert {_plain(name) for name in named} <= set(_pinned())


def test_nothing_is_pinned_that_one_system_alone_has():
    apart = ("nvidia-", "cuda-", "triton", "aligngemini", "pip", "setuptools")
    assert not [name for name in _pinned() if name.startswith(apart[:3]) or name in apart[3:]]


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_an_address(name):
    text = (paths.ROOT / name).read_text()
    assert not re.search(r"://|index-url|find-links|file:", text)


def test_the_environment_installs_this_package_with_the_same_constraints():
    *conda, pip = ENVIRONMENT["dependencies"]
    assert conda == ["python=3.11", "pip", "jupyterlab"] and ENVIRONMENT["channels"][0] == "conda-forge"
    assert pip == {"pip": ["-c constraints.txt", "-e .[dev]"]}
    assert PROJECT["requires-python"] == ">=3.11,<3.13"


def test_the_version_is_said_once_and_the_same_everywhere():
    cited = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    assert aligngemini.__version__ == PROJECT["version"] == cited["version"]
    assert PROJECT["license"] == cited["license"] == "Apache-2.0"
    assert (paths.ROOT / "LICENSE").read_text().split("\n")[1].strip() == "Apache License"


def test_the_tests_run_with_the_versions_that_are_pinned():
    named = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    wrong = {name: metadata.version(name) for name in named if metadata.version(name) != _pinned()[_plain(name)]}
    assert not wrong, "make sets up .venv with the versions of constraints.txt"


def test_files_beside_the_code_are_installed_with_it():
    beside = [p for p in paths.PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    named = WHOLE["tool"]["setuptools"]["package-data"]
    shipped = [
        p for room, files in named.items() for p in (paths.ROOT / room.replace(".", "/")).iterdir() if p.name in files
    ]
    assert sorted(beside) == sorted(shipped) and beside


def _make(target, path):
    return subprocess.run(["/usr/bin/env", "make", target], cwd=path, capture_output=True, text=True, timeout=300)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The files `make` needs, in a folder of their own, and a path on which there is no Python."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((paths.ROOT / name).read_text())
    (tmp_path / "bin").mkdir()
    for name in ("make", "bash", "rm", "touch"):
        found = next(p for p in os.environ["PATH"].split(":") if os.path.exists(os.path.join(p, name)))
        (tmp_path / "bin" / name).symlink_to(os.path.join(found, name))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def _python(folder, name, fits):
    """Put a stand-in for Python on the path: it fits or not, and makes an environment that logs its calls."""
    script = folder / "bin" / name
    make = "/bin/mkdir -p .venv/bin; for n in python ruff; do "
    make += "printf '#!/bin/sh\\necho %s \"$@\" >> log\\n' $n > .venv/bin/$n; /bin/chmod +x .venv/bin/$n; done"
    script.write_text(f"#!/bin/sh\ncase $1 in -c) exit {0 if fits else 1};; -m) {make};; esac\n")
    script.chmod(0o755)


def test_make_without_a_suitable_python_says_so_in_one_sentence(copy):
    _python(copy, "python3", fits=False)
    done = _make("test", copy)
    assert done.returncode != 0 and "install 3.11 or 3.12" in done.stderr
    assert not (copy / ".venv").exists()


def test_make_sets_up_once_and_again_when_constraints_change(copy):
    _python(copy, "python3", fits=True)
    assert _make("test", copy).returncode == 0
    lines = (copy / "log").read_text().splitlines()
    install = "python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[dev]"
    assert lines == [install, "ruff check .", "python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder"]
    assert _make("test", copy).returncode == 0
    assert (copy / "log").read_text().count(install) == 1
    stamp = (copy / ".venv" / ".ready").stat().st_mtime
    os.utime(copy / "constraints.txt", (stamp + 5, stamp + 5))
    assert _make("test", copy).returncode == 0
    assert (copy / "log").read_text().count(install) == 2


def test_continuous_integration_calls_the_tests():
    assert os.access(paths.ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (paths.ROOT / ".ci" / "run").read_text()


def test_every_file_that_is_marked_slow_is_there():
    missing = [
        name for name in [*conftest.LONGEST, *sorted(conftest.SLOW)] if not (paths.ROOT / "tests" / name).is_file()
    ]
    assert not missing


def test_the_command_line_loads_no_heavy_library_before_a_command_acts():
    heavy = ["pandas", "numpy", "torch", "plotly", "sklearn", "papermill"]
    code = f"import sys, aligngemini.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
