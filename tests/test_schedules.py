"""The recipes of docs/schedules: what they run is accepted by the real command line and by the notebooks."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
import yaml

from aligngemini import cli
from aligngemini.core import params, paths, stages

RECIPES = paths.ROOT / "docs" / "schedules"
PAGE = (paths.ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
ORDER = [name for name, stage in stages.STAGES.items() if not stage.asked]


@pytest.fixture
def project(tmp_path):
    """A folder with nightly.sh, where `aligngemini` and `mail` write down their words; the exit code is in `code`."""
    for folder in ("docs/schedules", ".venv/bin", "home"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/schedules/nightly.sh").write_text((RECIPES / "nightly.sh").read_text())
    stand_in = f"""#!{sys.executable}
import pathlib, sys
home, words = pathlib.Path({str(tmp_path)!r}), sys.argv[1:]
with (home / "log").open("a") as log:
    print(*words, file=log)
if words[0] == "run":
    (pathlib.Path(words[-1]) / "05_analysis").mkdir(parents=True)
sys.exit(int((home / "code").read_text()) if words[0] == "compare" else 0)
"""
    for name in ("aligngemini", "mail"):
        program = tmp_path / ".venv/bin" / name
        program.write_text(stand_in)
        program.chmod(0o755)
    (tmp_path / "code").write_text("0")
    return tmp_path


def _night(project, command: str = "sh docs/schedules/nightly.sh mini") -> tuple[int, list[str]]:
    """Run `command` in the project; return its exit code and the words of all commands so far."""
    environment = {"PATH": f"{project}/.venv/bin{os.pathsep}{os.environ['PATH']}", "HOME": str(project / "home")}
    code = subprocess.run(["sh", "-c", command], cwd=project, env=environment, timeout=60).returncode
    return code, (project / "log").read_text().splitlines()


def test_the_night_compares_with_the_last_good_one_and_keeps_it_when_a_result_falls(project):
    assert _night(project) == (0, ["run --scale mini --outputs nights/mini/tonight"])
    code, words = _night(project)
    assert code == 0 and words[-1] == "compare nights/mini/last nights/mini/tonight"
    assert all(callable(cli._parser().parse_args(shlex.split(line)).act) for line in words)
    (project / "nights/mini/last/good").touch()
    (project / "code").write_text("3")
    assert _night(project)[0] == 3 and _night(project)[0] == 3
    assert (project / "nights/mini/last/good").exists() and (project / "nights/mini/tonight/05_analysis").exists()


def test_the_line_of_cron_mails_the_exit_code_only_when_something_fell(project):
    (line,) = re.search(r"```cron\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    *when, command = line.split(maxsplit=5)
    assert len(when) == 5 and all(re.fullmatch(r"\*|\d+", field) for field in when) and "%" not in command
    command = command.replace("/srv/AlignGemini", str(project))
    assert _night(project, command) == (0, ["run --scale mini --outputs nights/mini/tonight"])
    (project / "code").write_text("3")
    assert _night(project, command)[1][-1] == "-s AlignGemini: exit code 3 you@example.org"


def test_the_workflow_runs_the_night_and_saves_where_it_lies():
    workflow = yaml.load((RECIPES / "nightly.yml").read_text(), yaml.BaseLoader)  # "on" stays a word
    assert re.fullmatch(r"\d+ \d+ \* \* \*", workflow["on"]["schedule"][0]["cron"])
    steps = workflow["jobs"]["nightly"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands[-1] == "sh docs/schedules/nightly.sh mini" and "constraints.txt" in commands[0]
    used = {step["uses"].split("@")[0]: step.get("with", {}) for step in steps if "uses" in step}
    assert used["actions/cache"]["path"] == "nights"
    assert used["actions/upload-artifact"]["path"].startswith("nights/mini/*/05_analysis/")


class Task:
    """An operator of Airflow: keeps what it was given, and in which order tasks run."""

    made: list = []

    def __init__(self, **given):
        self.given, self.before = SimpleNamespace(**given), []
        Task.made.append(self)

    def __rshift__(self, after):
        for each in after if isinstance(after, list) else [after]:
            each.before.append(self)
        return after

    def __rrshift__(self, before):
        self.before += before
        return self


@pytest.fixture
def tasks(monkeypatch):
    """The tasks of the DAG, by name, with Airflow's modules replaced."""
    names = {
        "airflow": {"DAG": lambda *_, **__: contextlib.nullcontext()},
        "airflow.providers.papermill.operators.papermill": {"PapermillOperator": Task},
        "airflow.providers.standard.operators.bash": {"BashOperator": Task},
    }
    for name, content in names.items():
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        vars(sys.modules[name]).update(content)
    monkeypatch.setattr(Task, "made", [])
    source = (RECIPES / "nightly_dag.py").read_text(encoding="utf-8")
    exec(compile(source.replace("/srv/AlignGemini", str(paths.ROOT)), "nightly_dag.py", "exec"), {})
    return {task.given.task_id: task for task in Task.made}


def test_the_dag_of_airflow_gives_every_notebook_parameters_that_it_takes(tasks):
    notebooks = [task.given for name, task in tasks.items() if name != "compare"]
    for given in notebooks:
        name = os.path.basename(given.input_nb).removesuffix(".ipynb")
        assert os.path.isfile(given.input_nb)
        assert params.build(stages.find(name).params, given.parameters).scale == "mini"
    assert len({given.output_nb for given in notebooks}) == len(notebooks) == 7


def test_the_dag_of_airflow_runs_in_order_and_compares_last(tasks):
    below = {name: {task.given.task_id for task in each.before} for name, each in tasks.items()}
    assert below["02_vlm_dpo_mixed"] == {"01_data_construction"} and below["01_data_construction"] == set()
    assert len(below["04_fusion"]) == 4 and below["compare"] == {"05_analysis"}
    program, *words = tasks["compare"].given.bash_command.split()
    assert program.endswith(".venv/bin/aligngemini") and callable(cli._parser().parse_args(words).act)


def test_the_jobs_of_jupyter_scheduler_set_parameters_of_the_notebooks_one_after_the_other():
    jobs = json.loads((RECIPES / "jupyter_scheduler.json").read_text())
    for job in jobs:
        book = nbformat.read(paths.notebooks() / job["input_uri"], as_version=4)
        (cell,) = [each.source for each in book.cells if "parameters" in each.metadata.get("tags", [])]
        given = [f"{name} = {value}" for name, value in job["parameters"].items()]  # as the extension writes its cell
        assert all(re.search(rf"^{name}: ", cell, re.MULTILINE) for name in job["parameters"])
        cls, namespace = stages.find(job["input_uri"].removesuffix(".ipynb")).params, {}
        exec("\n".join([cell, *given]), namespace)
        asked = {name: json.loads(value) for name, value in job["parameters"].items()}
        assert params.read(cls, namespace).model_dump().items() >= asked.items()
    times = [tuple(map(int, reversed(job["schedule"].split()[:2]))) for job in jobs]
    assert times == sorted(times) and [name for name in ORDER if any(name in job["name"] for job in jobs)] == ORDER
