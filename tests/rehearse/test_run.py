"""The rehearsal from end to end at the small sizes, and what it says of a GPU that is too small."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

from aligngemini import cli
from aligngemini.rehearse import gpus, models, report, run, stages
from aligngemini.vlm import labels

STAGES = [
    "reconstruction",
    "expert views",
    "expert training",
    "expert scoring",
    "verdict scoring",
    "explaining",
    "labelling",
    "DPO",
]
SETTING = stages.setting


def small(scale: str) -> stages.Setting:
    """The recipes of mini in batches of two, with what that of paper has besides."""
    told = SETTING(scale)
    vae = told.vae.replace(vae_latent="sampled", pair_format="png")
    expert = told.expert.replace(batch_pairs=2, score_batch_size=2, workers=0, resized_views=True)
    vlm = told.vlm.replace(
        batch_size=2, score_batch_size=2, labeller="base", share_prompt=True, gradient_checkpointing=True
    )
    return told._replace(vae=vae, expert=expert, vlm=vlm, answer=4)


def test_the_command_runs_and_computes_every_stage_and_writes_what_it_prints(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stages, "setting", small)
    monkeypatch.setattr(labels, "TOKENS", 8)
    assert cli.main(["rehearse", "--scale", "mini", "--steps", "1", "--outputs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    (path,) = (tmp_path / "rehearsal").glob("*.json")
    told = json.loads(path.read_text())
    for how in ("computed", "measured"):
        rows = [row for row in told["rows"] if row["how"] == how]
        assert [row["stage"] for row in rows] == [
            name for name in STAGES if (how, name) != ("computed", "expert views")
        ]
        assert all(row["a second"] > 0 and row["peak, GB"] > 0 and row["minutes"] > 0 and row["fits"] for row in rows)
    assert all(row["TFLOP each"] > 0 for row in told["rows"] if row["how"] == "computed")
    assert told["environment"]["packages"]["torch"] and told["command"].startswith("aligngemini rehearse --scale mini")
    text = path.with_suffix(".md").read_text()
    assert all(stage in text and stage in printed for stage in STAGES) and str(tmp_path) not in text


def test_what_is_only_computed_measures_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stages, "setting", small)
    monkeypatch.setattr(run, "STAGES", stages.STAGES[:4])
    assert cli.main(["rehearse", "--scale", "mini", "--computed", "--outputs", str(tmp_path)]) == 0
    assert "computed" in (printed := capsys.readouterr().out) and "measured CPU" not in printed
    assert "'01_data_construction': 1" in printed


def only(monkeypatch, **runs) -> None:
    """Let the expert be the only model, and its stages run as given."""
    monkeypatch.setattr(models, "expert", lambda tried, folder, device: (None, None))
    kept = [stage._replace(run=runs[stage.name]) for stage in stages.STAGES if stage.name in runs]
    monkeypatch.setattr(run, "STAGES", kept)


def large(*words):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_stage_too_large_for_the_gpu_says_what_to_lower_and_the_others_go_on(monkeypatch):
    only(monkeypatch, **{"expert training": large, "expert scoring": lambda *words: (3, [0.0, 1.0])})
    rows = list(run.measured(small("mini"), "cpu", 1))
    assert [row["fits"] for row in rows] == [False, True] and rows[1]["a second"] == 3
    shown = report.table(rows)
    assert list(shown.fits) == ["no: lower batch_pairs or crop", "yes"] and shown["a second"][0] == "-"


def test_a_model_too_large_to_build_leaves_its_stages_in_the_table(monkeypatch):
    monkeypatch.setattr(models, "vlm", large)
    monkeypatch.setattr(run, "STAGES", stages.STAGES[4:])
    rows = list(run.measured(small("mini"), "cpu", 1))
    assert [row["stage"] for row in rows] == STAGES[4:] and not any(row["fits"] for row in rows)
    assert set(report.table(rows).minutes) == {"-"}


@pytest.mark.parametrize("steps, ends, rate", [(3, [0, 9, 10, 11, 12], 4), (1, [0, 2], 2)])
def test_the_first_step_warms_up_and_counts_only_where_it_is_alone(steps, ends, rate, monkeypatch):
    asked = []
    only(monkeypatch, **{"expert scoring": lambda *words: asked.append(words[-1]) or (4, ends)})
    (row,) = run.measured(small("mini"), "cpu", steps)
    assert row["a second"] == rate and asked == [len(ends) - 1]


def test_a_cpu_takes_the_true_sizes_one_by_one(monkeypatch):
    tried = []
    only(monkeypatch, **{"expert training": lambda model, told, *words: tried.append(told) or (1, [0.0, 1.0])})
    list(run.measured(stages.setting("paper"), "cpu", 1))
    assert tried[0].expert.batch_pairs == tried[0].vlm.batch_size == tried[0].vlm.gradient_accumulation == 1
    assert tried[0].vlm.precision == "bfloat16" and tried[0].sizes["vae"] == (640, 480)


def test_without_a_gpu_the_true_sizes_are_measured_only_where_that_is_asked_for_and_there_is_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [run.place("mini"), run.place("paper")] == ["cpu", ""]
    monkeypatch.setattr(run.psutil, "virtual_memory", lambda: SimpleNamespace(available=30e9))
    assert run.place("paper", "cpu") == "cpu"
    monkeypatch.setattr(run.psutil, "virtual_memory", lambda: SimpleNamespace(available=9e9))
    with pytest.raises(ValueError, match="take 20 GB of memory, 9 are free: free some, or take --computed"):
        run.place("paper", "cpu")
    with pytest.raises(ValueError, match="there is no GPU here"):
        run.place("paper", "cuda")


def test_labelling_is_rehearsed_where_the_recipe_has_a_labeller(monkeypatch):
    monkeypatch.setattr(models, "vlm", large)
    monkeypatch.setattr(run, "STAGES", stages.STAGES[4:])
    paper, mini = (list(run.measured(stages.setting(scale), "cpu", 1)) for scale in ("paper", "mini"))
    assert [row["stage"] for row in paper] == STAGES[4:]
    assert [row["stage"] for row in mini] == [name for name in STAGES[4:] if name != "labelling"]


def test_views_are_shared_by_the_workers_of_the_recipe(monkeypatch):
    only(monkeypatch, **{"expert views": lambda *words: (2, [0.0, 1.0])})
    tried = small("mini")
    alone, shared = (
        next(run.measured(tried._replace(expert=tried.expert.replace(workers=count)), "cpu", 1))["minutes"]
        for count in (1, 4)
    )
    assert alone == 4 * shared


def test_time_is_operations_by_rate_and_reading_by_bandwidth():
    a100 = gpus.GPUS["a100-80"]
    assert a100.seconds(gpus.UTILISATION * 312e12, 2039e9) == pytest.approx(2)
    assert gpus.smallest(30e9) == "A100 40 GB" and not gpus.GPUS["rtx4090"].fits(30e9)
    assert gpus.smallest(230e9) == "none"


def test_a_row_that_has_no_number_shows_a_dash():
    assert [report._spelt(value) for value in (math.nan, 1234.5, 1.2345, "x")] == ["-", "1,234", "1.23", "x"]


@pytest.mark.parametrize(
    "words, why",
    [
        (["--scale", "photo"], "paper or colab or laptop or mini"),
        (["--gpu", "gtx"], "a100-80"),
        (["--steps", "0"], "--steps"),
    ],
)
def test_a_scale_without_architectures_and_an_unknown_gpu_are_refused(words, why, capsys):
    try:
        code = cli.main(["rehearse", *words])
    except SystemExit as leaves:
        code = leaves.code
    assert code == 2 and why in capsys.readouterr().err
