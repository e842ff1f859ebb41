"""Several processes: they share the work of one, go on from its checkpoint, save once, and end with their kernel."""

import subprocess
import sys

import pandas as pd
import psutil
import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file
from transformers import TrainerCallback

from aligngemini.branches import registry
from aligngemini.core import paths, recipes
from aligngemini.core.params import Refused
from aligngemini.vlm import adapter, checkpoints, dpo, launch, load, preference_pairs
from aligngemini.vlm.params import VLMParams

CONFIGS = sorted((paths.ROOT / "notebooks" / "recipes" / "accelerate").glob("*.yaml"))
CPU = "notebooks/recipes/accelerate/cpu.yaml"
CFG = VLMParams(batch_size=1, gradient_accumulation=2, checkpoint_steps=2, learning_rate=1e-2)


class Kill(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_two_processes_go_on_where_one_was_killed_and_end_where_one_ends(vlm, rows, tmp_path):
    """Half the accumulation on each of two: the same pairs to an update, so the same adapter."""
    frame, (broken, whole) = preference_pairs.from_remarks(rows), (tmp_path / "broken", tmp_path / "whole")
    torch.manual_seed(0)
    killed = dpo.build(load.load(CFG.base, max_pixels=CFG.max_pixels), frame, CFG, broken)
    killed.add_callback(Kill())
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    dpo.fit(vlm, frame, CFG.replace(accelerate_config=CPU), broken, tmp_path / "two")
    dpo.fit(load.load(CFG.base, max_pixels=CFG.max_pixels), frame, CFG, whole, tmp_path / "one")
    one, two = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert set(one) == set(two) and max(weight.abs().max() for weight in one.values()) > 0.01
    assert max((one[name] - two[name]).abs().max() for name in one) < 1e-5
    assert "checkpoint-2" in (broken / "job" / "log.txt").read_text() or (broken / "checkpoint-4").is_dir()
    assert registry.saved("vlm", tmp_path / "two").vlm.max_pixels == CFG.max_pixels
    assert checkpoints.newest(broken) == broken / "checkpoint-4"  # whole, with the part of either process
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= set(checkpoints.manifest.files(broken / "checkpoint-4"))


def test_an_adapter_that_answers_another_question_is_refused(tmp_path, monkeypatch):
    told = {"base": CFG.base, "revision": "", "question": "Is it raining?"}
    monkeypatch.setattr(adapter.adapters, "facts", lambda folder: told)
    with pytest.raises(Refused, match="raining"):
        adapter.with_adapter(load.VLM(None, None), tmp_path)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_accelerate_itself_reads_every_shipped_configuration(file):
    config = load_config_from_file(str(file))
    assert config.num_processes == 2 and config.num_machines == 1
    kinds = {"ddp": "MULTI_GPU", "cpu": "MULTI_GPU", "fsdp": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}
    assert str(config.distributed_type).rpartition(".")[2] == kinds[file.stem]


def test_the_configurations_are_no_scale():
    with pytest.raises(Refused, match="no scale"):
        recipes.settings("accelerate")


@pytest.mark.parametrize(
    ("name", "word"), [("ddp", "num_processes"), ("fsdp", "num_processes"), ("zero3", "DeepSpeed")]
)
def test_what_this_machine_cannot_follow_is_refused(name, word, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=word):
        launch.check(CONFIGS[0].with_name(f"{name}.yaml"))


def test_a_file_that_is_no_configuration_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"num_processes": 2, "gpus": 2}))
    with pytest.raises(Refused, match="cannot read"):
        launch.check(tmp_path / "x.yaml")


def test_an_update_that_cannot_be_shared_out_is_refused():
    with pytest.raises(Refused, match="multiple of 3"):
        launch.shared(CFG.replace(batch_size=1, gradient_accumulation=8), 3)


@pytest.mark.parametrize(
    ("batch_size", "steps", "processes", "each"),
    [(1, 8, 4, (1, 2)), (8, 1, 1, (8, 1)), (8, 1, 2, (4, 1)), (4, 3, 2, (3, 2)), (4, 2, 8, (1, 1))],
)
def test_processes_share_the_pairs_of_an_update(batch_size, steps, processes, each):
    assert launch.shared(CFG.replace(batch_size=batch_size, gradient_accumulation=steps), processes) == each


def test_ending_the_launcher_ends_what_it_started(tmp_path):
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    code += "print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    started = psutil.Process(process.pid).children()
    assert started
    launch.end(process)
    assert not psutil.wait_procs(started, timeout=30)[1] and process.poll() is not None


def test_a_worker_ends_when_its_kernel_is_killed():
    kernel = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    code = f"from aligngemini.core import processes; processes.end_with({kernel.pid}); print('up', flush=True); "
    code += "import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=paths.ROOT)
    process.stdout.readline()
    kernel.kill()
    assert process.wait(30) == 1
    kernel.wait()


def test_the_first_error_of_a_process_is_what_is_told(tmp_path, monkeypatch):
    errors = [ValueError("no such pairs\nin lines"), OSError("peer is gone")]

    def fails(*given):
        raise errors.pop(0)

    def two(file, job, cpu):
        for _ in range(2):
            with pytest.raises((ValueError, OSError)):
                launch.main(job)
        return 1

    monkeypatch.setattr(launch, "_train", fails)
    monkeypatch.setattr(launch, "_run", two)
    with pytest.raises(RuntimeError, match=r"failed: no such pairs \(its log is .*log.txt\)"):
        launch.train(pd.DataFrame(), CFG.replace(accelerate_config=CPU), tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"a: 1\na: 2", "line 2: the key 'a' stands in line 1 already"),
        (b"null: 1", "is no text"),
        (b"[1]", "must hold lines"),
        (b"a: " + b"[" * 1200, "nested too deeply|is not YAML"),
        (b"distributed_type: what", "accelerate cannot read|not"),
        (b"mixed_precision: [1]\nnum_processes: {}", "accelerate cannot read"),
    ],
)
def test_a_damaged_configuration_is_refused(content, told, tmp_path):
    (tmp_path / "file.yaml").write_bytes(content)
    with pytest.raises(Refused, match=told):
        launch.check(tmp_path / "file.yaml")
