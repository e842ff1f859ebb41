"""`aligngemini data fetch echo4o`: shards of the hub, as many as are asked for, unpacked safely and once."""

import tarfile

import pytest

from aligngemini.core import codes
from aligngemini.fetch import archive, echo4o
from aligngemini.images.loaders import folders, skips
from tests.fetch.conftest import jpeg, tarred

SECOND = "5000-10000.tar.gz"


def test_as_many_shards_as_asked_for_lie_where_the_paper_recipe_looks(fetch, shards, root, served, capsys):
    assert fetch("echo4o", "--shards", "2") == codes.DONE
    assert "MIT" in (said := capsys.readouterr().out) and "echo4o: complete, 4 files" in said
    home = root / "echo4o"
    assert sorted(path.name for path in (home / "images").iterdir()) == ["0-5000", "5000-10000"]
    rows = folders.scan(home)
    told = {"": 4, skips.HIDDEN: 3, skips.NOT_UNPACKED: 2, skips.TEXT: 1}
    assert rows["reason"].value_counts().to_dict() == told and set(rows["label"]) == {-1}
    assert "whale" in (home / echo4o.TABLE).read_text()
    assert not served.got("10000-15000") and fetch("echo4o", act="check") == codes.DONE


def test_more_shards_are_added_to_those_that_are_there(fetch, shards, root, served):
    assert fetch("echo4o", "--shards", "1", "--discard") == codes.DONE and not list(root.rglob("*.tar.gz"))
    served.asked.clear()
    assert fetch("echo4o", "--shards", "1") == codes.DONE and served.asked == []
    assert fetch("echo4o", "--shards", "0") == codes.DONE and not served.got("/0-5000.tar.gz")
    assert len(list(root.rglob("*.jpg"))) == 6


def test_shards_that_were_put_there_by_hand_are_not_fetched(fetch, shards, root, served):
    (root / "echo4o").mkdir(parents=True)
    (root / "echo4o" / SECOND).write_bytes((shards / SECOND).read_bytes())
    assert fetch("echo4o", "--shards", "1") == codes.DONE and not served.got("tar.gz")
    assert [path.name for path in (root / "echo4o" / "images").iterdir()] == ["5000-10000"]


def test_a_broken_connection_goes_on_at_the_next_byte(fetch, shards, served):
    served.cut["0-5000"] = 500
    assert fetch("echo4o", "--shards", "1") == codes.DONE
    assert served.got("/cdn/") == ["", "bytes=500-"]


def test_a_shard_with_another_checksum_is_removed_and_named(fetch, shards, served, root, capsys):
    served.swapped["0-5000"] = bytes((shards / "0-5000.tar.gz").stat().st_size)
    assert fetch("echo4o", "--shards", "1") == codes.REFUSED
    assert "0-5000.tar.gz came with another checksum than the hub's and is removed" in capsys.readouterr().err
    assert not list(root.rglob("*.tar.gz"))
    served.swapped.clear()
    assert fetch("echo4o", "--shards", "1") == codes.DONE


@pytest.mark.parametrize(
    "status, why", [(401, "private or gone"), (403, "is gated"), (404, "not on the hub"), (503, "busy")]
)
def test_a_hub_that_refuses_is_one_sentence(status, why, fetch, shards, served, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    served.status["/api/"] = (status, -1)
    assert fetch("echo4o") == codes.REFUSED
    captured = capsys.readouterr()
    assert why in captured.err and f"HTTP {status}" in captured.err and len(captured.err.strip().splitlines()) == 1
    assert "hf_secret" not in captured.out + captured.err


def test_a_busy_hub_is_asked_again(fetch, shards, served):
    served.status["/api/"] = (429, 2)
    assert fetch("echo4o", "--shards", "1") == codes.DONE


def test_an_unpacking_that_was_killed_goes_on(fetch, shards, root, monkeypatch):
    write, calls = archive.write, []

    def killed(path, data):
        if calls:
            raise KeyboardInterrupt
        calls.append(path)
        return write(path, data)

    monkeypatch.setattr(archive, "write", killed)
    assert fetch("echo4o", "--shards", "1") == codes.STOPPED
    assert fetch("echo4o", act="check") == codes.FOUND
    monkeypatch.setattr(archive, "write", lambda path, data: calls.append(path) or write(path, data))
    assert fetch("echo4o", "--shards", "1") == codes.DONE and len(calls) == 2


def test_evil_members_of_a_shard_are_left_out_and_named(fetch, shards, root, capsys):
    link, device = tarfile.TarInfo("0-5000/link.jpg"), tarfile.TarInfo("0-5000/device.jpg")
    link.type, link.linkname, device.type = tarfile.SYMTYPE, "/etc/passwd", tarfile.CHRTYPE
    evil = {"../../out.jpg": jpeg(), "/out.jpg": jpeg(), "0-5000/1.jpg": jpeg(1)}
    (shards / "0-5000.tar.gz").write_bytes(tarred(evil, link, device))
    assert fetch("echo4o", "--shards", "1") == codes.FOUND
    said = capsys.readouterr().out
    assert "leads out of the archive    2" in said.replace("its path ", "") and "a link or a device, not a file" in said
    assert [path.name for path in root.parent.rglob("*.jpg")] == ["1.jpg"]


def test_a_shard_that_is_cut_short_is_one_sentence(fetch, shards, root, capsys):
    (root / "echo4o").mkdir(parents=True)
    whole = (shards / SECOND).read_bytes()
    (root / "echo4o" / SECOND).write_bytes(whole[: len(whole) // 2])
    assert fetch("echo4o", "--shards", "1") == codes.REFUSED
    assert f"{SECOND} is cut short or damaged: delete it" in capsys.readouterr().err
    (root / "echo4o" / SECOND).unlink()
    assert fetch("echo4o", "--shards", "1") == codes.DONE


def test_a_damaged_picture_is_found_and_comes_back(fetch, shards, root, capsys):
    assert fetch("echo4o", "--shards", "1") == codes.DONE
    picture = next(root.rglob("*.jpg"))
    picture.write_bytes(bytes(picture.stat().st_size))
    assert fetch("echo4o", act="check") == codes.FOUND and "corrupt" in capsys.readouterr().out
    assert fetch("echo4o", "--shards", "1") == codes.DONE and fetch("echo4o", act="check") == codes.DONE


def test_pictures_that_were_put_there_by_hand_stay_as_they_are(fetch, shards, root, served):
    (root / "echo4o").mkdir(parents=True)
    (root / "echo4o" / "mine.png").write_bytes(jpeg())
    assert fetch("echo4o") == codes.DONE and served.asked == []
    (root / "echo4o" / "broken.png").write_bytes(b"x")
    assert fetch("echo4o", act="check") == codes.FOUND
