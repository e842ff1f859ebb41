"""What a scale needs: its sizes and licences are shown first, and one command brings all of it."""

from unittest.mock import Mock

import pandas as pd
import pytest

from aligngemini.core import codes, paths
from aligngemini.core.params import Refused
from aligngemini.fetch import bases, held_out, offers
from tests.fetch.conftest import jpeg

ROLES = ("vlm", "expert", "vae")


def _of(scale: str) -> dict[str, str]:
    return {role: offers.chosen([role], scale)[role].name for role in ROLES}


@pytest.fixture
def hub(served, unsplash, shards):
    """Serve the models of laptop in the layout of the hub, as small ones."""
    for role, name in _of("laptop").items():
        home = served.hub / "models" / name
        home.mkdir(parents=True)
        for file in (paths.ROOT / "data/mini" / {"vae": "vae/kl"}.get(role, role)).iterdir():
            (home / file.name).write_bytes(file.read_bytes())
    return served


def test_every_scale_between_toy_and_paper_names_what_it_takes_from_the_web():
    assert offers.needed("paper") == ["coco", "unsplash", "echo4o", "vlm", "expert", "vae"]
    assert (
        offers.needed("laptop") == offers.needed("colab") == ["unsplash", "echo4o", "held_out", "vlm", "expert", "vae"]
    )
    assert _of("laptop")["expert"] == "timm/vit_small_patch14_dinov2.lvd142m"


def test_sizes_and_licences_are_shown_before_anything_is_downloaded(fetch, hub, capsys, root):
    assert fetch("--scale", "laptop", "--dry") == codes.DONE
    told = capsys.readouterr().out
    size = sum(file.stat().st_size for file in (hub.hub / "models" / _of("laptop")["vlm"]).iterdir())
    assert all(word in told for word in ("terms of the Unsplash", "MIT", "apache-2.0", "missing", "about 1,311 MB"))
    assert f"{size / 1e6:,.0f} MB" in told and "to come: about 1.3 GB" in told
    assert not root.exists() and not hub.got("/cdn") and not hub.got("/data/lite")


def test_without_the_hub_the_list_is_shown_and_says_which_sizes_are_not_known(fetch, served, capsys, monkeypatch, root):
    unreached = Mock(side_effect=Refused("owner/name cannot be fetched: the hub cannot be reached"))
    monkeypatch.setattr("aligngemini.fetch.hub.repository", unreached)
    assert fetch("--scale", "paper", "--dry") == codes.REFUSED
    said = capsys.readouterr()
    assert "about 19,000 MB" in said.out and "Qwen/Qwen2.5-VL-7B-Instruct" in said.out
    assert "MIT" in said.out and said.out.count("not known") == 4
    assert "without echo4o, vlm, expert, vae, whose size could not be asked for" in said.out
    assert said.err.count("the hub cannot be reached") == 1 and "data/README.md" in said.err
    assert fetch("--scale", "paper") == codes.REFUSED and not root.exists(), "nothing is fetched then"


def test_one_command_brings_a_scale_in_its_numbers(fetch, hub, capsys, root, monkeypatch):
    monkeypatch.setattr(held_out, "COUNT", 2)
    monkeypatch.setattr(bases, "say", print)
    assert fetch("--scale", "laptop", "--workers", "2") == codes.DONE
    assert len(list((root / "echo4o/images").iterdir())) == 1  # shards: 1
    listed = pd.read_csv(root / "held_out.csv")
    assert listed.label.tolist() == [0, 0, 1, 1] and all((root / path).is_file() for path in listed.path)
    assert fetch("--scale", "laptop", act="check") == codes.DONE
    capsys.readouterr()
    assert fetch("--scale", "laptop", "--dry") == codes.DONE and "to come: about 0.0 GB" in capsys.readouterr().out


def test_a_list_of_held_out_pictures_stays_when_more_pictures_come(fetch, root, monkeypatch):
    monkeypatch.setattr(held_out, "COUNT", 1)
    for name, seed in {"unsplash/a.jpg": 1, "echo4o/b.jpg": 2}.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(jpeg(seed))
    assert fetch("held_out") == codes.DONE
    before = (root / "held_out.csv").read_text()
    for number in range(5):
        (root / "unsplash" / f"{number}.jpg").write_bytes(jpeg(number + 10))
    assert fetch("held_out") == codes.DONE and (root / "held_out.csv").read_text() == before
    (root / "unsplash/a.jpg").unlink()
    assert fetch("held_out", act="check") == codes.FOUND


@pytest.mark.parametrize(
    "words, why",
    [
        (["--scale", "mini"], "names nothing that can be fetched"),
        (["--scale", "tablet"], "there is no scale 'tablet'"),
        ([], "give --scale, or some of coco"),
        (["held_out"], "takes 200 pictures of unsplash, which has 0"),
    ],
)
def test_what_cannot_be_fetched_is_refused(words, why, fetch, capsys):
    assert fetch(*words) == codes.REFUSED and why in capsys.readouterr().err
