"""Checkpoints appear whole, and only one that is as it was saved is gone on from, to the numbers of an unbroken run."""

import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from aligngemini.core import manifest, paths
from aligngemini.mini import bases
from aligngemini.vlm import adapter, checkpoints, dpo, load, preference_pairs
from aligngemini.vlm.params import VLMParams

# Eight steps, a checkpoint after every second
CFG = VLMParams(base="data/mini/vlm", batch_size=1, gradient_accumulation=1, checkpoint_steps=2, epochs=1.0)
CFG = CFG.replace(learning_rate=1e-2)


class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 7:
            raise KeyboardInterrupt


class Began(TrainerCallback):
    """The step that training goes on from."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.step = state.global_step


def train(rows, folder, *callbacks, cfg=CFG) -> int:
    """Train, and return the step that training went on from."""
    torch.manual_seed(cfg.seed)
    trainer = dpo.build(
        load.load(str(bases.FOLDERS["vlm"])), preference_pairs.from_remarks(rows), cfg, folder / "checkpoints"
    )
    for callback in callbacks:
        trainer.add_callback(callback)
    began = Began()
    trainer.add_callback(began)
    dpo.train(trainer, folder / "adapter", adapter.facts(cfg, len(rows), trainer.processing_class))
    return began.step


def same(one, other) -> bool:
    """Adapter and history, bit for bit."""
    names = "adapter/adapter_model.safetensors"
    first, second = load_file(one / names), load_file(other / names)
    logs = [pd.read_parquet(folder / "adapter/history.parquet") for folder in (one, other)]
    return all(torch.equal(first[name], second[name]) for name in first) and logs[0].equals(logs[1])


@pytest.fixture(scope="module")
def unbroken(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    train(rows, folder)
    return folder


@pytest.fixture(scope="module")
def killed(rows, tmp_path_factory):
    """A run that was killed in its seventh step of eight."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(KeyboardInterrupt):
        train(rows, folder, Kill())
    return folder


@pytest.fixture
def copy(killed, tmp_path):
    shutil.copytree(killed, tmp_path / "run")
    return tmp_path / "run"


def test_two_checkpoints_are_at_hand(killed):
    home = killed / "checkpoints"
    assert sorted(path.name for path in home.glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-6"]
    assert checkpoints.newest(home).name == "checkpoint-6"


def test_a_run_killed_between_two_checkpoints_ends_with_the_history_of_an_unbroken_one(rows, copy, unbroken):
    train(rows, copy)
    assert same(copy, unbroken)
    assert pd.read_parquet(copy / "adapter/history.parquet").step.tolist() == list(range(1, 9))


def test_a_run_killed_after_its_last_step_needs_no_other_to_end_the_same(rows, tmp_path, unbroken, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(dpo.adapter, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        train(rows, tmp_path)
    monkeypatch.undo()
    began = train(rows, tmp_path)
    assert same(tmp_path, unbroken) and began == 8


DAMAGE = {
    "gone": None,
    "empty": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "garbage": lambda data: b"\x80garbage",
    "one bit": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
}


def spoil(file, damage) -> None:
    file.write_bytes(damage(file.read_bytes())) if damage else file.unlink()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_checkpoint_with_any_file_damaged_is_passed_over_for_the_one_before(copy, damage, capsys):
    home, whole = copy / "checkpoints", copy / "whole"
    (home / "checkpoint-6").rename(whole)
    names = [path.name for path in whole.iterdir()]
    assert {"adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"} <= set(names)
    for name in names:
        shutil.copytree(whole, home / "checkpoint-6")
        spoil(home / "checkpoint-6" / name, damage)
        assert checkpoints.newest(home).name == "checkpoint-4"
        said = capsys.readouterr().err
        assert "passed over the checkpoint" in said and (name in said or name == checkpoints.MARK), name
        assert not (home / "checkpoint-6").exists()


def test_a_checkpoint_that_transformers_wrote_in_place_and_did_not_end_is_passed_over(copy, capsys):
    half = copy / "checkpoints" / "checkpoint-10"
    half.mkdir()
    (half / "adapter_config.json").write_text("{}")
    assert checkpoints.newest(copy / "checkpoints").name == "checkpoint-6"
    assert "checkpoint-10" in capsys.readouterr().err


def test_training_goes_on_from_the_checkpoint_before_a_damaged_one(rows, copy, unbroken):
    spoil(copy / "checkpoints" / "checkpoint-6" / "optimizer.pt", DAMAGE["cut in half"])
    began = train(rows, copy)
    assert same(copy, unbroken) and began == 4


def test_training_starts_anew_where_no_checkpoint_is_left_and_says_so(rows, copy, unbroken, capsys):
    for name in ("checkpoint-4", "checkpoint-6"):
        spoil(copy / "checkpoints" / name / "trainer_state.json", DAMAGE["empty"])
    train(rows, copy)
    assert same(copy, unbroken) and "training starts anew" in capsys.readouterr().err


KILLED = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from aligngemini.vlm import checkpoints
from trl import DPOTrainer
from tests.vlm import test_checkpoints
folder, moment = Path(sys.argv[1]), sys.argv[2]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
owner, name = {
    "weights": (DPOTrainer, "_save_optimizer_and_scheduler"),
    "mark": (checkpoints.json_file, "write"),
}[moment]
act = getattr(owner, name)
def later(*given, **named):
    return die() if (folder / "checkpoints/checkpoint-4").exists() else act(*given, **named)
setattr(owner, name, later)
test_checkpoints.train(pd.read_parquet(folder / "rows.parquet"), folder)
"""


@pytest.mark.parametrize("moment", ["weights", "mark"])
def test_a_kill_while_a_checkpoint_is_saved_is_gone_on_from_to_the_same_numbers(rows, tmp_path, unbroken, moment):
    rows.to_parquet(tmp_path / "rows.parquet")
    told = {"cwd": paths.ROOT, "env": os.environ | {"PYTHONPATH": str(paths.ROOT)}}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment], capture_output=True, **told)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-500:]
    assert (tmp_path / "checkpoints" / "checkpoint-4").is_dir()
    began = train(rows, tmp_path)
    assert same(tmp_path, unbroken) and began == 2


def test_a_full_disk_while_a_checkpoint_is_saved_is_said_and_the_same_command_goes_on(
    rows, tmp_path, unbroken, monkeypatch
):
    class Full(TrainerCallback):
        """From the third step on there is no room for what torch saves."""

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 3:
                monkeypatch.setattr(torch, "save", lambda value, file: save(value, "/dev/full"))

    save = torch.save
    with pytest.raises(manifest.DiskFull, match="run the same command again"), manifest.room_on_disk(tmp_path):
        train(rows, tmp_path, Full())
    monkeypatch.undo()
    assert checkpoints.newest(tmp_path / "checkpoints").name == "checkpoint-2"
    began = train(rows, tmp_path)
    assert same(tmp_path, unbroken) and began == 2
