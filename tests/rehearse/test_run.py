"""The rehearsal from end to end at the small sizes, and what it says of a GPU that is too small."""

import json
import math
import os
from types import SimpleNamespace

import pytest
import torch

from aligngemini import cli
from aligngemini.core import devices
from aligngemini.rehearse import gpus, report, run, setting, stages
from aligngemini.rehearse.setting import SHORT, Setting

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
SETTING = setting.make
RAN = (3, 0.5, 2_000_000_000, "CPU")  # images of a step, its seconds, bytes at the peak, and where


def small(scale: str, mixed: bool = False) -> Setting:
    """The recipes of mini in batches of two, with what that of paper has besides."""
    told = SETTING(scale, mixed)
    data = told.data.replace(vae_latent="sampled", pair_format="png")
    expert = told.expert.replace(batch_pairs=2, score_batch_size=2, workers=0, resized_views=True)
    vlm = told.vlm.replace(
        batch_size=2, score_batch_size=2, labeller="base", share_prompt=True, gradient_checkpointing=True
    )
    return told._replace(data=data, expert=expert, vlm=vlm, answer=4, explained=4, reason=8)


def test_the_command_runs_and_computes_every_stage_and_writes_what_it_prints(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(setting, "make", small)
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
    computed = {row["stage"]: row for row in told["rows"] if row["how"] == "computed"}
    assert all(row["TFLOP each"] > 0 for row in computed.values())
    assert {name for name, row in computed.items() if row["disk, GB"]} == {"reconstruction", "expert training", "DPO"}
    assert told["environment"]["packages"]["torch"] and told["command"].startswith("aligngemini rehearse --scale mini")
    text = path.with_suffix(".md").read_text()
    assert all(stage in text and stage in printed for stage in STAGES) and str(tmp_path) not in text


def test_one_stage_is_only_computed_where_that_is_asked_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(setting, "make", small)
    words = ["rehearse", "--scale", "mini", "--computed", "--only", "reconstruction", "--mixed"]
    assert cli.main([*words, "--outputs", str(tmp_path)]) == 0
    assert "computed" in (printed := capsys.readouterr().out) and "measured CPU" not in printed
    assert "'01_data_construction': 1" in printed and "DPO" not in printed.split("measured:")[0]


@pytest.mark.parametrize("name", ["expert views", "expert scoring", "reconstruction"])
def test_photographs_of_four_shapes_go_in_one_batch(name, tmp_path):
    tried = small("mini", mixed=True).single()
    (stage,) = stages.of(tried, name)
    units, go = stage.run(run.built(stage, tried, tmp_path, "cpu")[0], tried, tmp_path / "step")
    go(1)
    assert units == len(tried.shapes) == len(set(SETTING("paper", mixed=True).shapes)) == 4


def large(*words):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_process_of_its_own_gives_what_a_call_gives_and_nothing_where_memory_is_too_small():
    assert run.apart(abs, -3) == 3
    assert run.apart(large) is None
    assert run.apart(os._exit, 1) is None  # as the system ends what takes too much
    with pytest.raises(ZeroDivisionError):
        run.apart(divmod, 1, 0)


def rows_of(monkeypatch, tried, only="", **ran):
    """The measured rows, where stages give what `ran` says by their name, or RAN; nothing is counted."""
    seen = []
    monkeypatch.setattr(run, "apart", lambda call, stage, *given: seen.append(given[0]) or ran.get(stage.name, RAN))
    monkeypatch.setattr(run, "count_of", lambda stage, tried: (run.Count(0, 0, 1e9, 2e9, 0), 1))
    return list(run.measured(tried, "cpu", 1, only)), seen


def test_a_stage_too_large_for_the_gpu_says_what_to_lower_and_the_others_go_on(monkeypatch):
    rows, _ = rows_of(monkeypatch, small("mini"), **{"expert training": None})
    assert [row["stage"] for row in rows if not row["fits"]] == ["expert training"]
    shown = report.table(rows).set_index("stage")
    assert shown.fits["expert training"] == "no: lower batch_pairs or crop" and shown.fits["DPO"] == "yes"
    assert shown["a second"]["expert training"] == shown.minutes["expert training"] == "-"


def test_what_is_counted_stands_beside_what_is_measured_and_is_said_at_once(monkeypatch, capsys):
    (row,), _ = rows_of(monkeypatch, small("mini"), "expert scoring")
    assert "expert scoring: 6 a second, 2 GB at the peak" in capsys.readouterr().err
    assert (row["a second"], row["peak, GB"], row["counted, GB"]) == (6, 2, 3)


@pytest.mark.parametrize("steps, calls", [(3, [1, 3]), (1, [1])])
def test_the_first_step_warms_up_and_is_measured_only_where_it_is_alone(steps, calls, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "built", lambda *words: (None, torch.nn.Linear(1, 1)))
    stage = stages.of(small("mini"), "expert scoring")[0]._replace(run=lambda *words: (4, asked.append))
    units, seconds, peak, name = run.measure(stage, small("mini"), "cpu", steps)
    assert (units, asked) == (4, calls) and 0 < seconds < 1 and name.startswith("CPU")


def test_a_cpu_takes_the_true_sizes_one_by_one_and_answers_in_few_words(monkeypatch):
    _, tried = rows_of(monkeypatch, SETTING("paper"))
    assert tried[0].expert.batch_pairs == tried[0].vlm.batch_size == tried[0].vlm.gradient_accumulation == 1
    assert tried[0].vlm.precision == "bfloat16" and tried[0].size("vae") == (640, 480)
    assert [(each.explained, each.reason, each.answer) for each in tried[-3:]] == [(SHORT, SHORT, 100)] * 3


def test_without_a_gpu_the_true_sizes_are_measured_only_where_that_is_asked_for_and_there_is_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    mini, paper = SETTING("mini"), SETTING("paper")
    assert [run.place(mini), run.place(paper)] == ["cpu", ""]
    monkeypatch.setattr(run.psutil, "virtual_memory", lambda: SimpleNamespace(available=30e9))
    assert run.place(paper, "cpu") == "cpu"
    monkeypatch.setattr(run.psutil, "virtual_memory", lambda: SimpleNamespace(available=9e9))
    assert run.place(paper, "cpu", "reconstruction") == "cpu"
    with pytest.raises(ValueError, match="take 20 GB of memory, 9 are free: free some, or take --computed"):
        run.place(paper, "cpu")
    with pytest.raises(ValueError, match="there is no GPU here"):
        run.place(paper, "cuda")


def test_labelling_is_rehearsed_where_the_recipe_has_a_labeller():
    paper, mini = ([stage.name for stage in stages.of(SETTING(scale))] for scale in ("paper", "mini"))
    assert paper == STAGES and mini == [name for name in STAGES if name != "labelling"]


def test_views_are_shared_by_the_workers_of_the_recipe(monkeypatch):
    tried = small("mini")
    alone, shared = (
        rows_of(monkeypatch, tried._replace(expert=tried.expert.replace(workers=count)), "expert views")[0][0]
        for count in (1, 4)
    )
    assert alone["minutes"] == 4 * shared["minutes"]


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
        (["--only", "expert skoring"], "expert scoring"),
    ],
)
def test_a_scale_without_architectures_and_an_unknown_gpu_are_refused(words, why, capsys):
    try:
        code = cli.main(["rehearse", *words])
    except SystemExit as leaves:
        code = leaves.code
    assert code == 2 and why in capsys.readouterr().err


@pytest.mark.filterwarnings("error:.*pin_memory")
@pytest.mark.parametrize("name", ["reconstruction", "expert training", "DPO"])
def test_a_count_is_the_same_where_there_is_an_accelerator(name, monkeypatch):
    (stage,) = stages.of(small("mini"), name)
    alone = run.count_of(stage, small("mini"))
    monkeypatch.setattr(devices, "best", lambda: "cuda")
    assert run.count_of(stage, small("mini")) == alone
