"""Calls that go to a cluster: how many at once, and what ends them."""

import sys
import time
from functools import partial

import pytest

from aligngemini.core.cluster import Cluster
from aligngemini.core.params import Refused


def test_resources_that_are_none_are_refused_before_a_cluster_is_started(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not there
    with pytest.raises(Refused, match="--resources takes cpus, gpus and memory"):
        Cluster(resources="x=1")


@pytest.fixture
def nodes():
    """A cluster of two places whose calls run here; those that are endless run until they are stopped."""

    class Nodes(Cluster):
        jobs = 2

        def __init__(self):
            self.begun, self.stopped = [], []

        def call(self, function, *given, stopped):
            self.begun.append(function)
            answer = function()
            while answer == "endless" and not stopped():
                time.sleep(0.01)
            self.stopped += [function] * stopped()
            return answer

    return Nodes()


def test_all_calls_are_made_and_no_more_are_begun_than_there_are_places(nodes):
    answers = []
    for answer in nodes.each(partial(int, str(number)) for number in range(6)):
        answers.append(answer)
        assert len(nodes.begun) <= len(answers) + nodes.jobs
    assert sorted(answers) == list(range(6))


def test_calls_that_run_end_when_one_fails_or_the_caller_stops(nodes):
    endless, failing = partial(str, "endless"), partial(int, "none")
    with pytest.raises(ValueError, match="none"):
        list(nodes.each([endless, failing, endless]))
    assert endless in nodes.stopped
    nodes.stopped.clear()
    answers = nodes.each([partial(str, "quick"), endless, endless])
    assert next(answers) == "quick"
    answers.close()
    assert nodes.stopped.count(endless) == 2
