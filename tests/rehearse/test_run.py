"""The rehearsal from end to end at the small sizes, and what it says of a card that is too small."""

import json
import math
from dataclasses import replace

import pytest
import torch

from aligngemini import cli
from aligngemini.rehearse import clock, page, parts, run, setting
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


def small(scale: str, laps: int) -> setting.Setting:
    """The recipes of mini in batches of two, with what that of paper has besides."""
    told = SETTING(scale, laps)
    data = told.data.replace(vae_latent="sampled", pair_format="png")
    expert = told.expert.replace(batch_pairs=2, score_batch_size=2, workers=0, resized_views=True)
    vlm = told.vlm.replace(
        batch_size=2, score_batch_size=2, labeller="base", share_prompt=True, gradient_checkpointing=True
    )
    return replace(told, data=data, expert=expert, vlm=vlm, answer=4)


SETTING = setting.of


def test_the_command_runs_and_computes_every_stage_and_writes_what_it_prints(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(setting, "of", small)
    monkeypatch.setattr(labels, "TOKENS", 8)
    assert cli.main(["rehearse", "--scale", "mini", "--laps", "1", "--outputs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    (path,) = (tmp_path / "rehearsal").glob("*.json")
    told = json.loads(path.read_text())
    for how in ("computed", "measured"):
        rows = [row for row in told["rows"] if row["how"] == how]
        assert [row["stage"] for row in rows] == [
            name for name in STAGES if (how, name) != ("computed", "expert views")
        ]
        assert all(row["rate"] > 0 and row["peak"] > 0 and row["seconds"] > 0 and row["fits"] for row in rows)
    assert told["environment"]["packages"]["torch"] and told["command"].startswith("aligngemini rehearse --scale mini")
    text = path.with_suffix(".md").read_text()
    assert all(stage in text and stage in printed for stage in STAGES) and str(tmp_path) not in text


def test_a_stage_too_large_for_the_card_says_what_to_lower_and_the_others_go_on(monkeypatch):
    def large(model, told, folder, lap):
        lap(0)
        raise torch.OutOfMemoryError("CUDA out of memory")

    def fine(model, told, folder, lap):
        lap(0)
        lap(3)

    some = (replace(parts.TRAINING, door=large), replace(parts.JUDGING, door=fine))
    cast = parts.Cast("expert", lambda told, folder, device: None, None, some)
    monkeypatch.setattr(run, "CASTS", (cast,))
    rows = run.measured(small("mini", 1))
    assert [row.fits for row in rows] == [False, True]
    assert list(page.table(rows).fits) == ["no: lower batch_pairs or crop", "yes"]


def test_a_model_too_large_to_build_leaves_its_stages_in_the_table(monkeypatch):
    def large(told, folder, device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run, "CASTS", (replace(parts.CASTS[2], build=large), replace(parts.CASTS[1], parts=())))
    rows = run.measured(small("mini", 1))
    assert [row.stage for row in rows] == STAGES[4:] and not any(row.fits for row in rows)
    assert set(page.table(rows).time) == {"-"}


def test_the_first_lap_warms_up_and_counts_only_where_it_is_alone():
    many = clock.Clock("cpu", [(9.0, 1), (1.0, 4), (1.0, 4)])
    assert many.rate == 4 and clock.Clock("cpu", [(2.0, 1)]).rate == 0.5
    assert math.isnan(clock.Clock("cpu").rate)


def test_a_cpu_tries_the_paper_with_single_pairs_and_without_the_vlm(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    tried = []
    monkeypatch.setattr(run, "_played", lambda cast, told, device: tried.append((cast.name, told)) or [])
    run.measured(setting.of("paper", 3))
    assert [name for name, _ in tried] == ["autoencoder", "expert"]
    assert tried[0][1].expert.batch_pairs == 1 and tried[0][1].photo == (256, 256)


def test_labelling_is_rehearsed_where_the_recipe_has_a_labeller():
    paper, mini = (parts.CASTS[2].asked(setting.of(scale, 1)) for scale in ("paper", "mini"))
    assert [part.name for part in paper] == STAGES[4:]
    assert [part.name for part in mini] == [name for name in STAGES[4:] if name != "labelling"]


def test_times_are_for_the_photographs_of_the_experiment_not_for_those_tried():
    told = clock.Clock("cpu", [(1.0, 2)])
    whole = setting.of("paper", 1)
    row = run._measured(parts.AUTOENCODER, told, whole.on_cpu())
    assert row.seconds == pytest.approx(11_800 / 2 * (640 * 480) / (256 * 256))


def test_a_scale_without_architectures_and_an_unknown_card_are_refused(capsys):
    assert cli.main(["rehearse", "--scale", "photo"]) == 2 and "paper or mini" in capsys.readouterr().err
    assert cli.main(["rehearse", "--scale", "mini", "--gpu", "gtx"]) == 2 and "a100-80" in capsys.readouterr().err
    assert cli.main(["rehearse", "--scale", "mini", "--laps", "0"]) == 2 and "--laps" in capsys.readouterr().err
