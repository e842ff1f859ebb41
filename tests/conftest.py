"""What is built from data sets during the tests lies in a folder of theirs."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def built(tmp_path_factory):
    """The folder of everything built; paths.built() returns it."""
    folder = tmp_path_factory.mktemp("built")
    os.environ["ALIGNGEMINI_BUILT"] = str(folder)
    return folder


@pytest.fixture
def two_devices(monkeypatch):
    """Pretend that there are two devices; both are the processor."""
    import torch

    from aligngemini.core import devices

    monkeypatch.setattr(devices, "alike", lambda: [torch.device("cpu")] * 2)


LONGEST = [  # files that take minutes: they go first, so that no worker waits for another at the end
    "test_notebooks.py",
    "workflow/test_execute.py",
    "explore/test_browser.py",
    "workflow/test_executors.py",
    "kills/test_kills.py",
    "mini/test_bases.py",
]
SLOW = {  # files of tests that train, start kernels or processes, simulate, or try much: `make check` leaves them out
    "audit/test_command.py",
    "audit/test_degradation_strength.py",
    "audit/test_pixel_network.py",
    "audit/test_report.py",
    "bench/test_bench.py",
    "bench/test_branches.py",
    "bench/test_distributed.py",
    "bench/test_left_out.py",
    "branches/test_score_cache.py",
    "core/test_adapters.py",
    "core/test_cells.py",
    "core/test_commands.py",
    "core/test_manifest.py",
    "core/test_models.py",
    "core/test_paths.py",
    "core/test_processes.py",
    "core/test_redaction.py",
    "core/test_run_names.py",
    "core/test_runs.py",
    "core/test_states.py",
    "core/test_verified.py",
    "core/test_waiting.py",
    "expert/test_degradation.py",
    "expert/test_expert.py",
    "fetch/test_bases.py",
    "fetch/test_large.py",
    "hostile/test_archives.py",
    "hostile/test_recipes.py",
    "hostile/test_runs.py",
    "hostile/test_tables.py",
    "images/test_autoencoder.py",
    "images/test_joint_set.py",
    "images/test_mixed_set.py",
    "images/test_sets.py",
    "images/test_sets_of_folders.py",
    "images/test_world_tests.py",
    "kills/test_kills.py",
    "mini/test_bases.py",
    "mini/test_generators.py",
    "mini/test_lessons.py",
    "mini/test_loop.py",
    "peers/test_branches.py",
    "peers/test_explanations.py",
    "peers/test_matched.py",
    "peers/test_memory.py",
    "rehearse/test_flop_counter.py",
    "rehearse/test_models.py",
    "rehearse/test_run.py",
    "scores/test_coverage.py",
    "scores/test_intervals.py",
    "teach/test_exercises.py",
    "vlm/test_checkpoints.py",
    "vlm/test_dpo.py",
    "vlm/test_families.py",
    "vlm/test_launch.py",
    "vlm/test_prompt_packing.py",
    "vlm/test_verdict.py",
    "vlm/test_vision_cache.py",
    "workflow/test_compare.py",
    "workflow/test_execute.py",
    "workflow/test_forks.py",
    "workflow/test_jobs.py",
    "workflow/test_papermill.py",
    "workflow/test_stops.py",
    "workflow/test_sweep.py",
    "workflow/test_terminal.py",
    "workflow/test_verify.py",
    "test_backbones.py",
    "test_detector.py",
    "test_notebooks.py",
    "test_self_check.py",
    "test_third_branch.py",
    "test_vlm_families.py",
}


def pytest_ignore_collect(collection_path, config):
    """Import no SLOW file where none of its tests is asked for."""
    return True if "not slow" in config.option.markexpr and _name(collection_path) in SLOW else None


def pytest_collection_modifyitems(items):
    """Mark the tests of SLOW files, and let the longest files begin."""
    for item in items:
        if _name(item.path) in SLOW:
            item.add_marker("slow")
    items.sort(key=lambda item: _turn(_name(item.path)))


def _name(path: Path) -> str:
    return path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""


def _turn(name: str) -> int:
    """When a file's turn comes: the longest one by one, then the slow ones, then all others."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST) + (name not in SLOW)
