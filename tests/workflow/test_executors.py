"""Notebooks elsewhere: on the nodes of a Ray cluster, or in plain lines for another scheduler."""

import os
import shlex
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml

from aligngemini.core import cluster, manifest, params, stages
from aligngemini.core.cluster import Resources
from aligngemini.core.params import Refused
from aligngemini.workflow import execute, executors, kernel, plan
from tests.ray_nodes import nodes

__all__ = ["nodes"]


def _numbers(little):
    """The results of all complete runs: (notebook, run) -> numbers."""
    found = {notebook: little.manifests(notebook) for notebook in stages.STAGES}
    return {(name, each["run"]["name"]): each["results"]["numbers"] for name in found for each in found[name]}


def makes_a_run(node):
    """Whether a kernel of the node holds the lock of a run, and has begun it."""
    with suppress(psutil.Error):
        below = psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True)
        files = [Path(file.path) for each in below for file in each.open_files()]
        locks = [file for file in files if file.suffix == ".lock" and file.parent.name != stages.DATA]
        return any((file.with_suffix(".partial") / manifest.NAME).is_file() for file in locks)
    return False


@pytest.mark.slow
def test_a_study_on_three_nodes_survives_the_loss_of_one_and_equals_the_local_one(little, request, monkeypatch):
    monkeypatch.setenv("LITTLE_SLEEP", "6")
    nodes = request.getfixturevalue("nodes")

    def lose_a_node():
        while not (busy := [node for node in nodes.worker_nodes if makes_a_run(node)]):
            time.sleep(0.1)
        nodes.remove_node(busy[0], allow_graceful=False)

    killer = threading.Thread(target=lose_a_node)
    killer.start()
    execute.run([plan.make("tiny")], executor=executors.Ray(cluster.Cluster(nodes.address)))
    killer.join()
    attempts = [each["run"]["attempts"] for name in stages.STAGES for each in little.manifests(name)]
    assert len(attempts) == 7 and sorted(attempts)[-1] == 2, "the notebook on the lost node began once more"
    assert not list((little.outputs / ".executing").iterdir())
    there = _numbers(little)
    request.getfixturevalue("inline")
    monkeypatch.setenv("LITTLE_SLEEP", "0")
    little.outputs.rename(little.root / "elsewhere")
    execute.run([plan.make("tiny")])
    assert _numbers(little) == there


def _lines(little, *words):
    code, said = little.run("run", "--scale", "tiny", "--print-commands", *words)
    assert code == 0
    return [line for line in said.splitlines() if not line.startswith(("#", "mkdir"))]


def test_printed_lines_are_papermill_commands_in_an_order_in_which_they_can_run(little):
    lines = _lines(little)
    waves = [int(line.rpartition("# wave ")[2]) for line in lines]
    assert waves == sorted(waves) == [1, 2, 2, 2, 2, 3, 4] and not little.outputs.exists()
    for line in lines:
        outputs, program, notebook, executed, flag, values = shlex.split(line, comments=True)
        assert outputs == f"ALIGNGEMINI_OUTPUTS={little.outputs}" and (program, flag) == ("papermill", "-y")
        stage = stages.find(os.path.basename(notebook)[:2])
        params.build(stage.params, yaml.safe_load(values), stage.name)
        assert os.path.isfile(notebook) and os.path.dirname(executed) == str(little.outputs / "executed")
    assert '"branch_runs": ["vlm latest scale:tiny seed:0 supervision:semantic", "expert latest' in lines[5]


def test_printed_lines_name_the_runs_that_another_seed_or_recipe_asks_for(little):
    little.recipe("tiny/05_analysis", {"branch_runs": ["vlm latest supervision:mixed"]})
    *_, last = _lines(little, "--seed", "3")
    assert '"branch_runs": ["vlm latest scale:tiny seed:3 supervision:mixed"]' in last
    assert '"fusion_run": "latest scale:tiny seed:3"' in last


@pytest.mark.slow
def test_the_printed_lines_make_the_study(little):
    _, script = little.run("run", "--scale", "tiny", "--print-commands")
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = os.environ | little.environment | {"PATH": path}
    subprocess.run(["sh", "-e"], input=script, text=True, env=environment, check=True, capture_output=True)
    assert [len(little.manifests(name)) for name in stages.STAGES] == [1, 2, 2, 1, 1, 0]


def test_resources_are_read_from_words():
    usual = Resources(1, 1, 2)
    assert cluster.read("", usual) == usual
    assert cluster.read("cpus=4, gpus=0.5", usual) == Resources(4, 0.5, 2)
    assert Resources(2, 0.5, 1).options == {"num_cpus": 2, "num_gpus": 0.5, "memory": 2**30}
    for text in ("cpu=2", "gpus", "gpus=half", "memory=-1"):
        with pytest.raises(Refused, match="--resources takes cpus, gpus and memory"):
            cluster.read(text, usual)


def test_words_for_a_cluster_without_one_are_refused(little):
    code, said = little.run("run", "--scale", "tiny", "--address", "auto")
    assert code == 2 and "--address and --resources belong to --executor ray" in said


def test_without_ray_its_executor_is_refused_with_what_installs_it(little, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, said = little.run("run", "--scale", "tiny", "--executor", "ray")
    assert code == 2 and "needs Ray: `pip install -e '.[ray]'`" in said


@pytest.fixture
def ends(little):
    """An executor whose nodes end notebooks as its list says; `asked` are the nodes to avoid of each call."""
    asked = []

    def call(function, *given, avoid="", stopped=bool):
        asked.append(avoid)
        return made.ends.pop(0)

    made = executors.Ray(SimpleNamespace(jobs=2, resources=Resources(2), call=call))
    made.asked, made.ends = asked, []
    return made


def test_a_kernel_that_died_is_tried_once_more_on_another_node(ends):
    died, well = ("one", kernel.Died("short of memory")), ("two", None)
    ends.ends = [died, well]
    ends.execute("notebook", "executed", {}, {})
    assert ends.asked == ["", "one"]
    ends.ends = [died, died]
    with pytest.raises(kernel.Died, match="short of memory"):
        ends.execute("notebook", "executed", {}, {})


def test_the_error_of_a_notebook_on_a_node_is_told_as_that_of_one_here(ends):
    ends.ends = [("one", executors.Raised("Refused", "there is no light."))]
    with pytest.raises(execute.StageRefused, match="01_data_construction failed: Refused: there is no light. Mend"):
        execute.run([plan.make("tiny", only="01")], executor=ends)
    assert ends.asked == [""]


def test_an_empty_value_that_was_asked_for_stays_a_condition(little):
    item = next(each for each in plan.make("tiny", options=[("labeller", "")]).mine if each.stage.name == stages.VLM)
    assert "labeller:" in item.selector.split()
