"""Making a base: put in place when whole, with its card; checkpoints of another question are never gone on from."""

import json

import pytest

from aligngemini.mini import pretrain


class Killed(RuntimeError):
    pass


@pytest.fixture
def seen(monkeypatch):
    """Work folders as `make` hands them over; the first making under seed 7 is killed after its checkpoint."""
    folders = []

    def room(out, work, steps, seed):
        folders.append((work, sorted(file.name for file in work.iterdir())))
        (work / "checkpoint.pt").write_text("x")
        if seed == 7 and len(folders) == 1:
            raise Killed
        out.mkdir()
        return {"told": "nothing", "steps": steps}

    monkeypatch.setattr(pretrain, "_room", lambda name: room)
    return folders


def test_a_killed_making_is_gone_on_from_by_the_same_question_alone(seen, tmp_path):
    with pytest.raises(Killed):
        pretrain.make("expert", tmp_path / "expert", 10, 7)
    for steps, seed in ((10, 8), (20, 7), (10, 7)):
        pretrain.make("expert", tmp_path / "expert", steps, seed)
    assert [files for _, files in seen] == [[], [], [], ["checkpoint.pt"]]


def test_a_base_is_put_in_place_with_its_card_and_leaves_nothing_else(seen, tmp_path):
    pretrain.make("expert", tmp_path / "expert", 10, 0)
    told = json.loads((tmp_path / "expert" / "card.json").read_text())
    assert told["command"] == "aligngemini mini pretrain --only expert" and told["seed"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["expert"]
