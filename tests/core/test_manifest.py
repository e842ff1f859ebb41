"""A manifest of odd types is that of a run that cannot be read: it stops no command for all other runs."""

import copy
import json
import os

import pytest

from aligngemini.core import manifest, runs, saved_runs, stages
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.workflow import listing, status
from tests import small

DATA = stages.DATA
ODD = {
    "run": [], "run.name": 3, "run.notebook": None, "run.status": ["complete"], "run.finished": 12, "run.started": {},
    "run.seconds": "long", "run.attempts": None, "run.error": [1], "question": "what", "question.params": [1, 2],
    "question.params.seed": "x", "question.params.scale": None, "question.inputs": [], "question.inputs.data": "x",
    "environment": None, "environment.git": 1, "models": None, "results": None,
    "files": [], "files.numbers": "x", "files.numbers.json": {"sha256": 1, "bytes": "many"},
}  # fmt: skip
TEXTS = ["", "[]", "null", "{", '{"run": {}}', "[" * 10**5, '{"run": {"seconds": NaN}}', "9" * 5000, "\ud800"]


def _put(record, place, value):
    record = copy.deepcopy(record)
    *above, last = ["files", "numbers.json"] if place == "files.numbers.json" else place.split(".")
    block = record
    for name in above:
        block = block[name]
    block[last] = value
    return record


def _every_command_goes_on(little, good):
    found = runs.all()
    assert {record["run"]["name"] for record in found} == {good.name, "0123456789ab"}
    assert listing.text(found) and status.expected(DATA, "tiny", {}) >= 0
    assert saved_runs.load(DATA, "latest").name == good.name
    assert little.run("runs")[0] == 0 and little.run("runs", "--json")[0] == 0
    with pytest.raises(Refused):
        Detector.found("latest")
    return next(record for record in found if record["run"]["name"] != good.name)


@pytest.mark.parametrize("place", ODD)
def test_a_manifest_of_odd_types_stops_no_other_run(little, place):
    good = small.made(DATA, small.data(little), images=1)
    odd = little.outputs / DATA / "0123456789ab"
    odd.mkdir()
    record = _put(good.manifest, "run.name", odd.name)
    (odd / "manifest.json").write_text(json.dumps(_put(record, place, ODD[place])))
    seen = _every_command_goes_on(little, good)
    assert seen["run"]["status"] == "unreadable"


@pytest.mark.parametrize("text", TEXTS)
def test_a_manifest_that_is_none_stops_no_other_run(little, text):
    good = small.made(DATA, small.data(little), images=1)
    odd = little.outputs / DATA / "0123456789ab"
    odd.mkdir()
    (odd / "manifest.json").write_bytes(text.encode(errors="surrogatepass"))
    assert _every_command_goes_on(little, good)["run"]["status"] == "unreadable"


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_manifest_that_is_no_file_is_not_waited_for(little, put):
    good = small.made(DATA, small.data(little), images=1)
    odd = little.outputs / DATA / "0123456789ab"
    odd.mkdir()
    put(odd / "manifest.json")
    assert _every_command_goes_on(little, good)["run"]["status"] == "unreadable"


def test_results_that_are_no_numbers_are_left_out_of_the_list(little):
    small.made(DATA, small.data(little), images={"a": [None]}, name="x", share=0.5)
    assert [line.strip() for line in listing.text(runs.all()).splitlines()][1].endswith(" share 0.5")


def test_what_a_run_writes_can_be_read(little):
    run = small.made(DATA, small.data(little), images=1)
    assert manifest.read(run.folder) == run.manifest
