"""The small world: determinism, twins, and labels that a checker recomputes from the description alone."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest

from aligngemini.core.seeds import generator
from aligngemini.world import camera, captions, kinds, scenes, world

JUDGING = ("strange", "usual", "real", "fake", "wrong", "impossible", "plausible", "odd", "generated")


def _violations(scene):
    """Recompute from the description alone which families are violated; [] for a plausible scene."""
    subject, has = scene.things[0], kinds.KINDS[scene.things[0].kind]
    sizes = [(kinds.KINDS[t.kind].stature, t.height) for t in scene.things]
    found = {
        "count": has.repeat is not None and subject.count != has.repeat.count,
        "placement": subject.part_moved,
        "orientation": not subject.upright,
        "support": subject.lift > 0,
        "shadow": scene.place != "lake" and scene.shadow == scene.sun,
        "light": scene.second_sun,
        "context": scene.place not in has.places,
        "reflection": scene.place == "lake" and not scene.reflection,
        "scale": len(sizes) > 1 and (sizes[0][0] > sizes[1][0]) != (sizes[0][1] > sizes[1][1]),
        "colour": subject.colour not in has.colours,
        "number": scene.sign != scene.balloons,
    }
    return [family for family in scenes.FAMILIES if found[family]]


def test_plausible_scenes_break_no_rule_and_violated_ones_break_just_theirs():
    for index in range(400):
        plain, about = world.scene(3, "train", index, violated=False)
        broken, same = world.scene(3, "train", index, violated=True)
        assert _violations(plain) == []
        assert _violations(broken) == [about] == [same]


def test_every_family_occurs_and_can_be_seen():
    seen = {}
    for index in range(300):
        about = world.scene(5, "train", index, True)[1]
        seen.setdefault(about, []).append(index)
    assert set(seen) == set(scenes.FAMILIES)
    for indices in seen.values():
        moved = [
            world.draw(5, "train", i, True).rgb.astype(int) - world.draw(5, "train", i, False).rgb for i in indices[:4]
        ]
        assert np.median([np.abs(m).max() for m in moved]) > 40


def _pixels(index: int) -> bytes:
    return world.draw(7, "test", index, bool(index % 2)).rgb.tobytes()


def test_the_same_key_gives_the_same_bytes_whatever_the_number_of_workers():
    alone = [_pixels(i) for i in range(8)]
    with ProcessPoolExecutor(2) as pool:
        assert list(pool.map(_pixels, range(8))) == alone
    assert len(set(alone)) == 8


def test_a_description_is_plain_json_and_says_what_the_checker_needs():
    for index in range(40):
        picture = world.draw(4, "train", index, bool(index % 2))
        told = json.loads(json.dumps(asdict(picture.scene)))
        things = tuple(scenes.Thing(**thing) for thing in told.pop("things"))
        again = scenes.Scene(things=things, **told)
        assert again == picture.scene and _violations(again) == [f for f in [picture.family] if f]


def test_splits_do_not_share_a_scene():
    first = {world.draw(0, "train", i, False).rgb.tobytes() for i in range(50)}
    assert not first & {world.draw(0, "test", i, False).rgb.tobytes() for i in range(50)}


@pytest.mark.parametrize("size", [112, 140])
def test_pictures_have_the_size_that_was_asked_for(size):
    assert world.draw(0, "train", 1, True, size).rgb.shape == (size, size, 3)


def test_captions_describe_and_never_judge():
    for index in range(200):
        scene, _ = world.scene(1, "train", index, bool(index % 2))
        words = set(captions.caption(scene).lower().replace(",", " ").replace(".", " ").split())
        words |= {w for f in scenes.FAMILIES for w in captions.remark(scene, f).lower().rstrip(".").split()}
        assert not words & set(JUDGING)


def test_remarks_of_twins_differ_exactly_where_the_twins_do():
    for index in range(200):
        assert world.draw(2, "train", index, False).remark != world.draw(2, "train", index, True).remark


def test_the_camera_keeps_the_scene_and_leaves_its_own_grain():
    rgb = world.draw(0, "train", 4, False).rgb
    first, quality = camera.photograph(rgb, generator("a"))
    second, _ = camera.photograph(rgb, generator("b"))
    assert first.shape == rgb.shape and first.dtype == np.uint8 and 70 <= quality <= 98
    assert 0 < np.abs(first.astype(int) - second).mean() < 20
    assert np.abs(first.astype(int) - rgb).mean() < 20


def test_demosaicing_keeps_a_flat_colour():
    flat = np.broadcast_to(np.float32([200, 90, 40]), (16, 16, 3))
    assert np.allclose(camera.demosaic(flat), flat, atol=1e-3)
