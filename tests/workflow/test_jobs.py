"""Notebooks at once: what waits for what, what goes on after a failure, how long it takes, and who gets what."""

import threading
import time
from types import SimpleNamespace

import pytest

from aligngemini import cli
from aligngemini.core import stages
from aligngemini.core.params import Refused
from aligngemini.workflow import execute, kernel, plan, share, status, tasks
from aligngemini.workflow.executors import Local

DATA, VLM, EXPERT, FUSION, ANALYSIS, PEERS = stages.STAGES


@pytest.fixture
def answered(little, monkeypatch):
    """Stand-ins for notebooks: titles in the order in which they began, and how many were at work beside each."""
    began, at_once, failing = [], [], {}
    busy, lock = [], threading.Lock()

    def answer(task, force, executor, left):
        name = task.item.label
        with lock:
            busy.append(name)
            began.append(name)
        time.sleep(0.3)  # those that may run at once meet
        with lock:
            at_once.append(len(busy))
            busy.remove(name)
        if name in failing:
            raise failing[name]
        return SimpleNamespace(notebook=task.item.stage.name, name=name)

    monkeypatch.setattr(execute, "_answer", answer)
    return began, at_once, failing


def test_notebooks_wait_for_those_they_stand_on_and_no_more_run_at_once_than_asked(answered):
    began, at_once, _ = answered
    (answers,) = execute.run([plan.make("tiny")], executor=Local(3))
    assert began[0] == DATA and began[-2:] == [FUSION, ANALYSIS]
    assert max(at_once) == 3 and at_once[0] == 1 and at_once[-2:] == [1, 1]
    assert [answer.notebook for answer in answers] == [DATA, VLM, VLM, EXPERT, EXPERT, FUSION, ANALYSIS]


def test_a_notebook_that_nothing_runs_beside_knows_so(little, monkeypatch):
    beside = {}

    def answer(task, force, executor, left):
        beside.setdefault(task.item.stage.name, []).append(task.beside)
        return SimpleNamespace(notebook=task.item.stage.name, name=task.item.label)

    monkeypatch.setattr(execute, "_answer", answer)
    execute.run([plan.make("tiny")], executor=Local(2))
    assert beside[DATA] == beside[FUSION] == beside[ANALYSIS] == [1] and beside[VLM] == [2, 2]


def test_one_job_runs_in_the_order_of_the_plan(answered):
    began, at_once, _ = answered
    (answers,) = execute.run([plan.make("tiny")], executor=Local(1))
    assert began == [answer.name for answer in answers] and set(at_once) == {1}


def test_the_parts_of_a_sweep_share_the_places(answered):
    began, at_once, _ = answered
    first, second = (plan.make("tiny", options=[("seed", seed)], only="01") for seed in "01")
    assert len(execute.run([first, second], executor=Local(2))) == 2
    assert at_once[0] == 2


def test_a_failure_stops_what_stands_on_it_and_nothing_else(answered, capsys):
    began, _, failing = answered
    name = f"{VLM}, supervision semantic"
    failing[name] = execute.Failed(f"[2/7] {name} failed: no light")
    with pytest.raises(execute.Failed, match="^.2/7. 02_vlm_dpo, supervision semantic failed: no light$"):
        execute.run([plan.make("tiny")], executor=Local(2))
    assert {each.split(",")[0] for each in began} == {DATA, VLM, EXPERT} and len(began) == 5
    assert f"{name}: failed, the others go on" in capsys.readouterr().out


def test_several_failures_are_all_named_and_are_a_refusal_only_if_all_are(answered, capsys):
    _, _, failing = answered
    failing[f"{VLM}, supervision semantic"] = execute.StageRefused("one")
    failing[f"{EXPERT}, supervision pixel"] = execute.StageRefused("two")
    assert cli.main(["run", "--scale", "tiny", "--jobs", "2"]) == 2
    assert "aligngemini: one\ntwo\n" in capsys.readouterr().err
    failing[f"{EXPERT}, supervision pixel"] = execute.Failed("two")
    assert cli.main(["run", "--scale", "tiny", "--jobs", "2"]) == 1


def test_an_error_nobody_foresaw_ends_the_kernels_at_once(answered, monkeypatch):
    _, _, failing = answered
    ended = []
    monkeypatch.setattr(kernel, "_running", [])  # kernels of other tests, which have ended
    monkeypatch.setattr(kernel, "_end", ended.append)
    failing[DATA] = ZeroDivisionError("what?")
    with pytest.raises(ZeroDivisionError):
        execute.run([plan.make("tiny")], executor=Local(2))
    assert ended == [[]] and kernel._stopping.is_set()


def test_the_time_left_counts_what_runs_side_by_side_once_and_what_waits_after_it(little, monkeypatch):
    seconds = {DATA: 10, VLM: 30, EXPERT: 20, FUSION: 5, ANALYSIS: 1}
    monkeypatch.setattr(status, "expected", lambda notebook, *_: seconds[notebook])
    waiting = tasks.make([plan.make("tiny")])
    assert tasks.left(waiting, 1) == 10 + 2 * 30 + 2 * 20 + 5 + 1
    assert tasks.left(waiting, 2) == 10 + 30 + 20 + 5 + 1
    assert tasks.left(waiting, 9) == 10 + 30 + 5 + 1
    data, *others = waiting
    data.end(SimpleNamespace(name="0"), others)
    assert tasks.left(others, 2) == 30 + 20 + 5 + 1 and tasks.left([], 2) == 0


def test_what_waits_is_expected_to_take_as_long_as_the_last_of_its_notebook(little, monkeypatch):
    monkeypatch.setattr(status, "expected", lambda *_: 60.0)
    _, semantic, mixed, *_ = tasks.make([plan.make("tiny")])
    semantic.began = tasks.time.monotonic() - 500
    semantic.end(SimpleNamespace(name="0"), [mixed])
    assert mixed.seconds == pytest.approx(500, abs=5)


def test_by_default_every_processor_has_a_notebook_as_far_as_memory_allows(little, monkeypatch):
    monkeypatch.setattr(share, "cpu_count", lambda: 4)
    monkeypatch.setattr(share, "gpus", lambda: [])
    assert share.jobs("", [plan.make("tiny")]) == 1, "a recipe that does not say how much memory it takes"
    little.recipe("tiny/plan", {"study": "mixed_against_pure", "memory": 2})
    for free, jobs in ((100, 4), (5, 2), (1, 1)):
        monkeypatch.setattr(share.psutil, "virtual_memory", lambda free=free: type("", (), {"available": free * 2**30}))
        assert share.jobs("", [plan.make("tiny")]) == jobs
    assert share.jobs("3", [plan.make("tiny")]) == 3
    monkeypatch.setattr(share, "gpus", lambda: ["a", "b"])
    assert share.jobs("", [plan.make("tiny")]) == 2
    several = plan.make("tiny", options=[("accelerate_config", "ddp")], only="02")
    assert share.jobs("", [several]) == 1, "its processes share the GPUs themselves"


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_jobs_that_is_none_is_refused(little, text):
    with pytest.raises(Refused, match="--jobs takes a whole number of at least 1"):
        share.jobs(text, [plan.make("tiny")])


def test_processors_and_gpus_are_divided_and_what_the_user_set_stays(monkeypatch):
    monkeypatch.setattr(share, "cpu_count", lambda: 8)
    monkeypatch.delenv(share.THREADS, raising=False)
    monkeypatch.setenv(share.GPUS, "2, 5")
    assert [share.variables(place, 3, 3) for place in range(3)] == [
        {share.THREADS: "2", share.GPUS: name} | share.SPINS for name in ("2", "5", "2")
    ]
    assert share.variables(0, 3, 1) == {share.THREADS: "8"} | share.SPINS, "one alone has all"
    assert share.variables(0, 99, 99)[share.THREADS] == "1"
    monkeypatch.setenv(share.GPUS, "0,1,2,3,4")
    assert [share.variables(place, 2, 2)[share.GPUS] for place in range(2)] == ["0,2,4", "1,3"]
    monkeypatch.setenv(share.THREADS, "3")
    monkeypatch.setenv(share.GPUS, "-1")
    assert share.variables(0, 2, 2) == share.SPINS
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    assert share.variables(0, 2, 2) == {}


def test_all_gpus_are_divided_among_the_notebooks_that_can_run_at_once(little, monkeypatch):
    monkeypatch.setenv(share.GPUS, "0,1,2,3")
    little.recipe("tiny/plan", {})
    plans, seen = [plan.make("tiny")], {}

    def answer(task, force, executor, left):
        seen[task.item.stage.name] = executor.variables(task.place, task.beside).get(share.GPUS, "all")
        return SimpleNamespace(notebook=task.item.stage.name, name=task.item.label)

    monkeypatch.setattr(execute, "_answer", answer)
    for text in ("", "4"):
        execute.run(plans, executor=Local(share.jobs(text, plans)))
        assert seen == {DATA: "all", VLM: "0,2", EXPERT: "1,3", FUSION: "all", ANALYSIS: "all"}
    assert share.jobs("", plans * 2) == 4, "two seeds, two branches each"
    assert share.jobs("", [plan.make("tiny", only="03")]) == 1
