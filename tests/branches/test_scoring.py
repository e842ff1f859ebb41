"""The loop that scores images: one that fails loses its own score alone, and what is about no image is raised."""

import threading
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from aligngemini.branches import registry, score_cache, scoring
from aligngemini.branches.score_cache import Scores
from aligngemini.core import paths, progress
from aligngemini.core.manifest import DiskFull
from aligngemini.core.params import Refused
from aligngemini.images import feed
from aligngemini.images.header import Unreadable
from aligngemini.world import world


@pytest.fixture
def table(tmp_path):
    """Ten plain images, the i-th of grey 20 i; the fifth is no image."""
    paths = [tmp_path / f"{i}.png" for i in range(10)]
    for i, path in enumerate(paths):
        Image.new("RGB", (8, 8), (20 * i,) * 3).save(path)
    paths[5].write_text("no image")
    return pd.DataFrame({"image_id": [f"i{i}" for i in range(10)], "path": list(map(str, paths)), "reason": ""})


def grey(rgb):
    return int(rgb[0, 0, 0])


def share(views):
    """A score that tells with whom an image was scored."""
    return np.array(views) / 1000 + len(views) / 100 + sum(views) / 1e6


class Grey:
    """A branch that looks at one pixel."""

    name = "vlm"

    def __init__(self, p_fake, view):
        self.p_fake, self.view = p_fake, view

    def prepare(self, rgb, source=None, crop=0):
        return self.view(rgb)


class Copied(Grey):
    """A branch that can be on two devices; `meeting`: both score at the same time, or neither goes on."""

    def __init__(self, p_fake=share, view=grey):
        super().__init__(p_fake, view)
        self.meeting, self.used = threading.Barrier(2, timeout=10), False

    def on(self, device):
        self.other = Copied(self.p_fake, self.view)
        self.other.meeting = self.meeting
        return self.other

    def judge(self, views):
        if not self.used:
            self.meeting.wait()
        self.used = True
        return self.p_fake(views), [None] * len(views)


def score(table, p_fake=share, view=grey, batch_size=4, kept=None):
    told = scoring.table(table, Grey(p_fake, view), "semantic", batch_size, kept)
    return told.set_index("image_id")


def failing(error, *bad):
    """A model that raises `error` for batches with one of these greys."""

    def p_fake(views):
        if set(views) & set(bad):
            raise error
        return share(views)

    return p_fake


def test_an_image_that_the_model_fails_on_loses_its_own_score_alone(table):
    told = score(table, failing(RuntimeError("no\n patches"), 20))
    assert told.reason["i1"] == "the VLM cannot score it (RuntimeError: no patches)"
    assert told.reason["i5"] == "not an image of a known format"
    assert told.score.isna().sum() == 2 and told.score["i0"] == share([0])[0]
    assert told.score["i8"] == share([160, 180])[0], "batches without it are as they were"


def test_an_image_of_which_no_view_can_be_made_loses_its_own_score_alone(table):
    def view(rgb):
        if grey(rgb) == 20:
            raise ZeroDivisionError("nothing left")
        if grey(rgb) == 40:
            raise Unreadable("too dark")
        return grey(rgb)

    told = score(table, view=view)
    assert told.reason["i1"] == "the VLM cannot score it (ZeroDivisionError: nothing left)"
    assert told.reason["i2"] == "too dark" and told.score.isna().sum() == 3
    assert told.score["i3"] == share([0, 60])[1], "the others of its batch stay together"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 1.5])
def test_a_score_that_is_no_probability_is_a_reason(table, value):
    told = score(table, lambda views: [value if view == 60 else 0.5 for view in views])
    assert f"it gives {value:g}" in told.reason["i3"] and told.score.isna().sum() == 2


def test_a_model_that_fails_on_every_image_alike_is_raised(table):
    def broken(views):
        raise RuntimeError(f"expected 3 channels, got {len(views)}")

    with pytest.raises(RuntimeError, match="expected 3 channels"):
        score(table, broken)
    few = score(table.head(3), broken)
    assert few.score.isna().all() and few.reason.str.contains("expected 3 channels").all()


def test_images_known_to_be_beyond_a_branch_do_not_make_it_broken(table):
    def view(rgb):
        raise Unreadable("too long")

    assert (score(table.drop(5), view=view).reason == "too long").all()


@pytest.mark.parametrize("error", [DiskFull("full"), Refused("no"), KeyboardInterrupt(), SystemExit()])
def test_what_is_about_no_image_is_raised(table, error):
    with pytest.raises(type(error)):
        score(table, failing(error, 20))


def test_memory_that_is_too_small_for_a_batch_is_enough_for_single_images_or_raised(table):
    def small(views, room):
        if len(views) > room:
            raise MemoryError("no room")
        return share(views)

    told = score(table, lambda views: small(views, 1))
    assert told.score["i0"] == share([0])[0] and told.score.notna().sum() == 9
    with pytest.raises(MemoryError) as raised:
        score(table, lambda views: small(views, 0))
    assert raised.value.__notes__ == ["even one image at a time is too much"]


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError, RuntimeError])
def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_that_is_said(table, error, capsys):
    progress.say_once.cache_clear()
    tried = []

    def small(views):
        tried.append(len(views))
        if len(views) > 2:
            raise error("MPS backend out of memory")
        return share(views)

    assert score(table, small).score.notna().sum() == 9
    assert tried[:3] == [4, 2, 2]
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "do not fit the memory" in line] == [
        "4 images at once do not fit the memory: 2 at once, which may change the last digits",
        "3 images at once do not fit the memory: 2 at once, which may change the last digits",
    ]


def test_scoring_that_was_killed_goes_on_with_the_same_batches_and_loses_half_a_minute(table, tmp_path, monkeypatch):
    monkeypatch.setattr(score_cache, "PAUSE", -1)  # every batch is written at once
    whole, asked = score(table), []

    def killed(views):
        asked.append(list(views))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return share(views)

    with pytest.raises(KeyboardInterrupt):
        score(table, killed, kept=Scores(tmp_path / "kept"))
    again = score(table, killed, kept=Scores(tmp_path / "kept"))
    assert asked == [[0, 20, 40, 60], [80, 120, 140], [80, 120, 140], [160, 180]]
    pd.testing.assert_frame_equal(again, whole, check_exact=True)


def test_only_one_large_image_is_in_memory_at_a_time(table, monkeypatch):
    monkeypatch.setattr(feed, "LARGE", 0)
    inside, most = [], []

    def view(rgb):
        inside.append(1)
        most.append(len(inside))
        np.sort(np.random.default_rng(0).random(200_000))  # time for another thread
        inside.pop()
        return grey(rgb)

    assert score(table, view=view).score.notna().sum() == 9 and max(most) == 1


def test_a_branch_is_given_the_file_that_the_pixels_come_from(table):
    class Named(Grey):
        def prepare(self, rgb, source=None, crop=0):
            return int(Path(source).stem) * 20

    whole = scoring.table(table, Named(share, None), "semantic", 4).set_index("image_id")
    pd.testing.assert_frame_equal(whole, score(table))


def test_views_of_several_branches_come_from_one_reading(table):
    first, second = Grey(share, grey), Grey(lambda views: [0.25 for _ in views], grey)
    second.name = "mine"
    looks = partial(scoring.plain_looks, [first, second])
    batches = feed.batched(feed.items(table.drop(5)), 4)
    parts = [score for part in scoring.scored(batches, looks, 4) for score in part]
    assert [score.value for score in parts if score.key == "mine"] == [0.25] * 9
    assert [score.value for score in parts if score.key == "vlm"] == score(table.drop(5)).score.tolist()


def test_a_branch_of_one_s_own_is_called_by_its_name(table):
    mine = Grey(failing(RuntimeError("no"), 20), grey)
    mine.name = "mine"
    parts = scoring.scored([feed.items(table.head(3))], partial(scoring.plain_looks, [mine]), 1)
    assert [s.reason for part in parts for s in part if s.reason] == ["mine cannot score it (RuntimeError: no)"]


def test_two_devices_give_the_scores_and_reasons_of_one(table, two_devices):
    branch = Copied(failing(RuntimeError("no"), 20))
    whole = scoring.table(table, branch, "semantic", 4).set_index("image_id")
    pd.testing.assert_frame_equal(whole, score(table, failing(RuntimeError("no"), 20)), check_exact=True)
    assert branch.used and branch.other.used and whole.reason["i5"] == "not an image of a known format"


def test_scoring_on_two_devices_that_was_killed_goes_on_with_the_same_batches(table, tmp_path, two_devices):
    with pytest.raises(KeyboardInterrupt):
        scoring.table(table, Copied(failing(KeyboardInterrupt(), 160)), "semantic", 4, Scores(tmp_path))
    asked = []
    again = score(table, lambda views: asked.append(views) or share(views), kept=Scores(tmp_path))
    assert asked == [[160, 180]]
    pd.testing.assert_frame_equal(again, score(table), check_exact=True)


def test_branches_that_can_be_copied_and_others_are_scored_side_by_side(table, two_devices):
    first, second = Copied(), Grey(lambda views: [0.25 for _ in views], grey)
    second.name = "mine"
    looks = partial(scoring.plain_looks, [first, second])
    parts = [part for part in scoring.scored(feed.batched(feed.items(table.drop(5)), 4), looks, 4) if part]
    assert [part[0].key for part in parts] == ["vlm", "mine"] * 3
    assert [one.value for part in parts[::2] for one in part] == score(table.drop(5)).score.tolist()


def test_a_model_that_fails_on_every_image_alike_is_raised_on_two_devices_too(table, two_devices):
    with pytest.raises(RuntimeError, match="broken"):
        scoring.table(table.drop(5), Copied(failing(RuntimeError("broken"), *range(200))), "semantic", 4)


@pytest.mark.parametrize("kind", ["expert", "vlm"])
def test_a_copy_of_a_trained_branch_scores_as_it_does_to_the_last_bit(kind, tmp_path, two_devices):
    branch = registry.saved(kind, paths.resolve(f"data/mini/detector/{kind}"))
    views = [branch.prepare(world.draw(0, "copies", index, False).rgb) for index in range(2)]
    copy = branch.on(torch.device("cpu"))
    one, other = branch.judge(views), copy.judge(views)
    assert np.array_equal(one[0], other[0]) and one[1] == other[1]
    assert not {id(each) for each in modules(branch)} & {id(each) for each in modules(copy)}


def modules(branch):
    return (branch.vlm if branch.name == "vlm" else branch.expert).model.modules()
