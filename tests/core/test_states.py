"""States of a training: the newest that is whole and fits is taken, the others are passed over with a line."""

import io
import os
import signal
import struct
import subprocess
import sys
import zipfile

import pytest
import torch

from aligngemini.core import manifest, paths, states


def parts(width: int = 4) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    module = torch.nn.Linear(width, 3)
    return module, torch.optim.AdamW(module.parameters(), lr=0.1)


def trained(path, steps: int = 3, width: int = 4) -> list[dict]:
    """Save a state after each step; return the weights of every step."""
    module, optimiser = parts(width)
    seen = []
    for step in range(1, steps + 1):
        module(torch.ones(2, width)).square().sum().backward()
        optimiser.step()
        states.save(path, module.state_dict(), optimiser, step, [{"step": each + 1} for each in range(step)])
        seen.append({name: weight.clone() for name, weight in module.state_dict().items()})
    return seen


def resumed(path) -> tuple[int, dict]:
    module, optimiser = parts()
    step, log = states.resume(path, module.state_dict(), optimiser)
    assert [row["step"] for row in log] == list(range(1, step + 1))
    assert len(optimiser.state_dict()["state"]) == (2 if step else 0)
    return step, module.state_dict()


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def flipped(data: bytes) -> bytes:
    """One bit of a stored weight, which no reader of the format would notice."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = next(info for info in archive.infolist() if info.filename.endswith("data/0")).header_offset
    place = start + 30 + sum(struct.unpack("<HH", data[start + 26 : start + 30]))  # behind a name and a filling
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "short by one byte": lambda data: data[:-1],
    "garbage": lambda data: b"\x80\x02garbage" * 100,
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"half",
    "one bit": flipped,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_state_gives_way_to_the_one_before_and_then_to_a_new_start(tmp_path, damage, capsys):
    path = tmp_path / "state.pt"
    weights = trained(path)
    path.write_bytes(damage(path.read_bytes()))
    step, found = resumed(path)
    assert step == 2 and same(found, weights[1])
    assert f"passed over the checkpoint {path}" in capsys.readouterr().err
    before = tmp_path / "state.pt.before"
    before.write_bytes(damage(before.read_bytes()))
    step, found = resumed(path)
    assert step == 0 and same(found, parts()[0].state_dict())
    assert "training starts anew" in capsys.readouterr().err


def other_weights(state):
    return state | {"weights": {"other": torch.zeros(1)}}


def other_moments(state):
    state["optimiser"]["state"][0]["exp_avg"] = torch.zeros(7)
    return state


OTHER = {
    "other weights": other_weights,
    "other moments": other_moments,
    "more moments": lambda state: state | {"optimiser": state["optimiser"] | {"state": {9: {"step": torch.ones(2)}}}},
    "no log": lambda state: {name: value for name, value in state.items() if name != "log"},
    "no optimiser": lambda state: state | {"optimiser": None},
    "a list": lambda state: [state],
    "a number": lambda state: 3,
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_a_state_of_another_shape_or_format_is_passed_over_and_changes_nothing(tmp_path, change, capsys):
    path = tmp_path / "state.pt"
    trained(path, steps=1)
    torch.save(change(torch.load(path, weights_only=True)), path)
    step, found = resumed(path)
    assert step == 0 and same(found, parts()[0].state_dict())
    assert "passed over" in (said := capsys.readouterr().err) and "starts anew" in said


def test_a_state_that_would_run_code_is_passed_over(tmp_path, capsys):
    class Code:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"weights": {}, "optimiser": {}, "step": 1, "log": [Code()]}, tmp_path / "state.pt")
    assert resumed(tmp_path / "state.pt")[0] == 0
    assert not (tmp_path / "ran").exists() and "passed over" in capsys.readouterr().err


def test_a_first_start_says_nothing(tmp_path, capsys):
    assert resumed(tmp_path / "none" / "state.pt")[0] == 0
    assert capsys.readouterr().err == ""


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from aligngemini.core import states
from tests.core import test_states
path = Path(sys.argv[1])
test_states.trained(path)
if sys.argv[2] == "writing":
    torch.save = lambda state, file: (file.write_bytes(b"half"), os.kill(os.getpid(), signal.SIGKILL))
else:
    os.replace = lambda old, new: (os.rename(old, new), os.kill(os.getpid(), signal.SIGKILL))
module, optimiser = test_states.parts()
states.save(path, module.state_dict(), optimiser, 4, [])
"""


@pytest.mark.parametrize("moment", ["writing", "moving"])
def test_a_kill_while_a_state_is_saved_leaves_the_one_before(tmp_path, moment):
    path = tmp_path / "state.pt"
    told = {"cwd": paths.ROOT, "env": os.environ | {"PYTHONPATH": str(paths.ROOT)}}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], **told)
    assert ended.returncode == -signal.SIGKILL
    step, found = resumed(path)
    assert step == 3 and same(found, trained(tmp_path / "again.pt")[2])
    assert not list(tmp_path.glob(".state.pt.*"))


def test_a_full_disk_while_a_state_is_saved_is_said_and_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    trained(path)
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda state, file: save(state, "/dev/full"))
    with pytest.raises(manifest.DiskFull), manifest.room_on_disk(tmp_path):
        trained(path)
    monkeypatch.undo()
    assert resumed(path)[0] == 3
