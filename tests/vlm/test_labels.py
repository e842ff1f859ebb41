"""The labeller: a reason after either verdict, drawn for each picture alone, kept as it goes; templates invent none."""

import types

import numpy as np
import pandas as pd
import pytest
import torch

from aligngemini.vlm import labels, preference_pairs
from aligngemini.vlm.labels import SeededSampler
from aligngemini.vlm.params import VLMParams
from aligngemini.vlm.verdict import VERDICTS
from tests.folder_run import folder_run


@pytest.fixture(scope="module")
def told(vlm, rows, tmp_path_factory):
    return labels.label(vlm, rows, 0, 8, tmp_path_factory.mktemp("parts"))


def test_each_picture_gets_the_right_verdict_chosen_and_the_wrong_one_rejected(told, rows):
    assert list(told.image_id) == list(rows.image_id) and list(told.columns) == list(
        preference_pairs.from_remarks(rows).columns
    )
    for row in told.itertuples():
        assert row.chosen.startswith(f"{VERDICTS[row.label]}.")
        assert row.rejected.startswith(f"{VERDICTS[1 - row.label]}.")


def test_what_is_drawn_depends_on_the_picture_and_not_on_its_batch(vlm, told, rows, tmp_path):
    again = labels.label(vlm, rows.iloc[::-1], 0, 3, tmp_path)
    pd.testing.assert_frame_equal(again.iloc[::-1].reset_index(drop=True), told)


def test_a_killed_labelling_goes_on_where_it_was(vlm, told, rows, tmp_path, monkeypatch):
    part, seen = labels._part, []

    def dies(vlm, some, seed):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(some))
        return part(vlm, some, seed)

    monkeypatch.setattr(labels, "_part", dies)
    with pytest.raises(KeyboardInterrupt):
        labels.label(vlm, rows, 0, 3, tmp_path)
    monkeypatch.setattr(labels, "_part", lambda vlm, some, seed: seen.append(len(some)) or part(vlm, some, seed))
    again = labels.label(vlm, rows, 0, 3, tmp_path)
    assert seen == [3, 3, 2]
    pd.testing.assert_frame_equal(again, told)


def test_two_devices_label_as_one_does_and_go_on_after_a_kill(vlm, told, rows, tmp_path, two_devices, monkeypatch):
    part, used = labels._part, set()

    def dies(model, some, seed):
        used.add(id(model))
        if "3True" in set(some.image_id):
            raise KeyboardInterrupt
        return part(model, some, seed)

    monkeypatch.setattr(labels, "_part", dies)
    with pytest.raises(KeyboardInterrupt):
        labels.label(vlm, rows, 0, 2, tmp_path)
    assert len(used) == 2 and id(vlm) in used
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"{at:08}.parquet" for at in (0, 2, 4)]
    monkeypatch.setattr(labels, "_part", part)
    pd.testing.assert_frame_equal(labels.label(vlm, rows, 0, 2, tmp_path), told)


def test_a_batch_is_looked_at_once_for_both_verdicts_and_the_model_left_as_it_was(vlm, rows, tmp_path):
    tower, looks = vlm.model.model.visual, []
    own = type(tower).forward
    tower.forward = types.MethodType(lambda self, *a, **k: looks.append(1) or own(self, *a, **k), tower)
    try:
        with labels.temporary_vision_cache(vlm.model):
            batch = labels.prompts(vlm, [labels.Image.new("RGB", (112, 112))], labels.ASK)
            for verdict in VERDICTS:
                labels.reasons(vlm, batch, verdict, ["a"], 0)
    finally:
        vars(tower).pop("forward", None)
    assert len(looks) == 1


def test_a_draw_takes_the_likely_tokens_in_their_proportion():
    scores = torch.tensor([[0.6, 0.3, 0.06, 0.04]]).log().repeat(20_000, 1)
    chances = np.random.default_rng(0).random((20_000, 1))
    token = SeededSampler(chances, 1.0, 0.85)(None, scores).argmax(1)
    share = np.bincount(token.numpy(), minlength=4) / len(token)
    assert share == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.01)


def test_a_cold_draw_is_the_likeliest_token():
    scores = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    token = SeededSampler(np.random.default_rng(0).random((50, 1)), 1e-3, 0.9)(None, scores).argmax(1)
    assert torch.equal(token, scores.argmax(1))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" One leg is gone.\nThe sun", "One leg is gone."),
        ("no end at", "no end at"),
        ("3.5 m? Yes! and", "3.5 m? Yes!"),
    ],
)
def test_an_answer_that_was_cut_off_ends_with_its_last_whole_sentence(text, kept):
    assert labels.sentences(text) == kept


def test_the_template_gives_photographs_without_remarks_bare_verdicts(rows, tmp_path):
    photographs = rows.assign(pair_id=rows.image_id, remark="")
    frame = labels.preference_table(folder_run(tmp_path), None, photographs, VLMParams())
    assert preference_pairs.share_with_reason(frame) == 0 and set(frame.chosen) == {
        "This image is real.",
        "This image is fake.",
    }
    assert preference_pairs.share_with_reason(preference_pairs.from_remarks(rows)) == 1


def test_the_base_labels_itself_when_asked(vlm, told, rows, tmp_path):
    cfg = VLMParams(labeller="base", score_batch_size=8)
    frame = labels.preference_table(folder_run(tmp_path), vlm, rows, cfg)
    assert frame.equals(told) and (tmp_path / "pairs.parquet").is_file()


def test_another_labeller_is_loaded_and_recorded_in_its_own_revision(monkeypatch):
    asked = []
    monkeypatch.setattr(labels, "load", lambda *told: asked.append(told))
    cfg = VLMParams(base_revision="one", labeller="owner/large", labeller_revision="two")
    labels.labelling(None, cfg)
    assert [told[:2] for told in asked] == [("owner/large", "two")]
    assert labels.named(cfg) == {"labeller": {"name": "owner/large", "revision": "two"}}
    itself = VLMParams(base_revision="one", labeller="base")
    assert labels.named(itself) == {"labeller": {"name": itself.base, "revision": "one"}}
    assert labels.named(VLMParams()) == {}


@pytest.mark.parametrize("labeller", ["", "base"])
def test_a_revision_without_a_labeller_of_its_own_is_refused(labeller):
    with pytest.raises(ValueError, match="labeller_revision"):
        VLMParams(labeller=labeller, labeller_revision="two")


def test_a_labeller_that_is_not_there_is_refused_in_the_first_second():
    from aligngemini.core import run_spec

    with pytest.raises(ValueError, match="labeller"):
        run_spec.sources(VLMParams(labeller="./nowhere"))
    with pytest.raises(ValueError, match="leave one of them out"):
        VLMParams(labeller="base", reasons="none")
    run_spec.sources(VLMParams(labeller="base"))
