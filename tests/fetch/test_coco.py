"""`aligngemini data fetch coco`: whole, resumed, in the face of bad servers, full disks and evil archives."""

import os
import shutil
import stat
import zipfile
from types import SimpleNamespace

import pytest
from huggingface_hub import file_download

from aligngemini.core import codes, manifest
from aligngemini.fetch import archive, web
from aligngemini.fetch import coco as coco_source
from aligngemini.images.loaders import folders, skips
from tests.fetch.conftest import jpeg, zipped

ZIP = "/zips/train2017.zip"


def test_coco_lies_where_the_paper_recipe_looks_for_it(fetch, coco, root, capsys):
    assert fetch("coco") == codes.DONE
    said = capsys.readouterr().out
    assert said.index("CC BY 4.0") < said.index("complete, 6 files") and "not legal advice" in said
    rows = folders.scan(root / "coco" / "train2017")
    assert rows["reason"].value_counts().to_dict() == {"": 6, skips.HIDDEN: 1} and set(rows["label"]) == {-1}
    assert fetch("coco", act="check") == codes.DONE


def test_what_is_complete_is_not_fetched_again_even_without_its_zip(fetch, coco, root, served):
    assert fetch("coco", "--discard") == codes.DONE and not (root / "coco" / "train2017.zip").exists()
    served.asked.clear()
    assert fetch("coco") == codes.DONE and served.asked == []


def test_a_broken_connection_goes_on_at_the_next_byte(fetch, coco, root, served):
    served.cut[ZIP] = 700
    assert fetch("coco") == codes.DONE
    assert served.got(ZIP) == ["", "bytes=700-"]
    assert (root / "coco" / "train2017.zip").read_bytes() == coco


@pytest.fixture
def killed(fetch, served, root):
    """A download that was killed after 900 bytes."""
    served.cut[ZIP] = 900
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_download, "time", SimpleNamespace(sleep=_stopped))
        assert fetch("coco") == codes.STOPPED
    assert (root / "coco" / "train2017.zip.part").stat().st_size == 900


def _stopped(*words):
    raise KeyboardInterrupt


def test_a_killed_download_goes_on_in_the_next_run(coco, killed, fetch, served):
    assert fetch("coco") == codes.DONE and served.got(ZIP)[-1] == "bytes=900-"


def test_a_file_that_changed_meanwhile_starts_over(coco, killed, fetch, served, root):
    served.files[ZIP] = zipped({"train2017/1.jpg": jpeg(1, 60), "train2017/2.jpg": jpeg(2, 60)})
    assert fetch("coco") == codes.DONE and served.got(ZIP)[-1] == ""
    assert (root / "coco" / "train2017.zip").read_bytes() == served.files[ZIP]


@pytest.mark.parametrize("size, code", [(60, codes.REFUSED), (24, codes.DONE)], ids=["another size", "the same size"])
def test_a_file_that_changes_while_it_is_fetched_is_not_glued(
    size, code, fetch, coco, served, root, monkeypatch, capsys
):
    other = zipped({"train2017/": b"", **{f"train2017/{n + 6:012}.jpg": jpeg(n, size) for n in range(6)}})
    served.cut[ZIP] = 700
    change = SimpleNamespace(sleep=lambda seconds: served.files.update({ZIP: other}))
    monkeypatch.setattr(file_download, "time", change)
    assert fetch("coco") == code and served.got(ZIP) == ["", "bytes=700-"]
    assert ("another size than was announced" in capsys.readouterr().err) == (code == codes.REFUSED)
    assert fetch("coco") == codes.DONE and (root / "coco" / "train2017.zip").read_bytes() == other


def test_a_server_that_ignores_ranges_starts_over(fetch, coco, root, served):
    served.cut[ZIP], served.no_range = 700, True
    assert fetch("coco") == codes.DONE
    assert served.got(ZIP) == ["", "bytes=700-"]
    assert (root / "coco" / "train2017.zip").read_bytes() == coco


def test_a_download_killed_before_its_last_step_is_not_fetched_again(fetch, coco, root, served):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "_damage", _stopped)
        assert fetch("coco") == codes.STOPPED
    assert fetch("coco") == codes.DONE and served.got(ZIP) == [""]


def test_a_busy_server_is_asked_again(fetch, coco, served):
    served.status[ZIP] = (503, 3)
    assert fetch("coco") == codes.DONE


@pytest.mark.parametrize("status, why", [(401, "access is refused"), (404, "it is gone"), (429, "overloaded")])
def test_a_server_that_refuses_is_one_sentence(status, why, fetch, coco, served, capsys):
    served.status[ZIP] = (status, -1)
    assert fetch("coco") == codes.REFUSED
    said = capsys.readouterr().err.strip()
    assert why in said and f"HTTP {status}" in said and "ALIGNGEMINI_COCO" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("address, why", [("http://127.0.0.1:9", "breaks off"), ("http://no.invalid", "not known")])
def test_an_unreachable_server_is_one_sentence_and_does_not_keep_others_from_coming(
    address, why, fetch, coco, unsplash, monkeypatch, capsys
):
    monkeypatch.setenv("ALIGNGEMINI_COCO", address)
    assert fetch("coco", "unsplash") == codes.REFUSED
    captured = capsys.readouterr()
    assert why in captured.err and "unsplash: complete, 10 files" in captured.out


def test_a_machine_that_is_to_stay_offline_asks_nobody(fetch, coco, served, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch("coco") == codes.REFUSED
    assert "HF_HUB_OFFLINE is set: unset it" in capsys.readouterr().err and served.asked == []


def test_too_little_room_is_said_before_the_first_byte(fetch, coco, served, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9 + len(coco)))
    assert fetch("coco") == codes.REFUSED
    assert "choose another disk with --root" in capsys.readouterr().err and served.got(ZIP) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_disk_that_fills_up_is_one_sentence(fetch, coco, root, capsys):
    (root / "coco").mkdir(parents=True)
    (root / "coco" / "train2017.zip.part").symlink_to("/dev/full")
    assert fetch("coco") == codes.FAILED
    said = capsys.readouterr().err
    assert "no space left" in said and "--root" in said


def test_a_killed_unpacking_goes_on(fetch, coco, root, monkeypatch):
    write, calls = archive.write, []

    def killed(path, data):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(path)
        return write(path, data)

    monkeypatch.setattr(archive, "write", killed)
    assert fetch("coco") == codes.STOPPED and fetch("coco", act="check") == codes.FOUND
    before = {path: path.stat().st_mtime_ns for path in calls}
    monkeypatch.setattr(archive, "write", lambda path, data: calls.append(path) or write(path, data))
    assert fetch("coco") == codes.DONE and len(calls) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_zip_that_was_put_there_by_hand_is_not_fetched(fetch, coco, root, served):
    root.mkdir()
    (root / "train2017.zip").write_bytes(coco)
    assert fetch("coco") == codes.DONE and served.asked == []


def test_pictures_that_were_put_there_by_hand_stay_as_they_are(fetch, coco, root, served, capsys):
    (root / "coco" / "train2017").mkdir(parents=True)
    (root / "coco" / "train2017" / "mine.jpg").write_bytes(jpeg())
    assert fetch("coco") == codes.FOUND and served.asked == []
    assert "1 of 118287, put there by hand" in capsys.readouterr().out
    assert fetch("coco", "--again") == codes.DONE and (root / "coco" / "train2017" / "mine.jpg").is_file()


def test_check_names_what_is_damaged_or_gone_and_fetch_mends_it(fetch, coco, root, capsys):
    assert fetch("coco", act="check") == codes.FOUND and "missing" in capsys.readouterr().out
    assert fetch("coco") == codes.DONE
    first, second = sorted((root / "coco" / "train2017").glob("*.jpg"))[:2]
    first.unlink()
    assert fetch("coco", act="check") == codes.FOUND and "incomplete" in (said := capsys.readouterr().out)
    assert "5 of 6" in said and f"aligngemini data fetch coco --root {root}" in said
    assert fetch("coco", "--scale", "laptop", act="check") == codes.FOUND
    assert f"aligngemini data fetch coco --scale laptop --root {root}" in capsys.readouterr().out
    second.write_bytes(bytes(second.stat().st_size))
    assert fetch("coco", "--quick", act="check") == codes.FOUND and "corrupt" not in capsys.readouterr().out
    assert fetch("coco", act="check") == codes.FOUND and f"{second.name}: its checksum" in capsys.readouterr().out
    assert fetch("coco") == codes.DONE and fetch("coco", act="check") == codes.DONE


def test_evil_members_of_a_zip_are_left_out_and_named(fetch, served, root, capsys):
    link = zipfile.ZipInfo("train2017/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    evil = {"../out.jpg": jpeg(), "train2017/../../out.jpg": jpeg(), "/out.jpg": jpeg(), link: b"/etc/passwd"}
    served.files[ZIP] = zipped({"train2017/1.jpg": jpeg(1), **evil})
    assert fetch("coco") == codes.FOUND
    said = capsys.readouterr().out
    assert "leads out of the archive    3" in said and "a link or a device" in said
    assert [path.name for path in root.parent.rglob("*.jpg")] == ["1.jpg"]
    assert (root / "coco" / "left_out.csv").read_text().count("\n") == 5


def test_an_archive_that_swells_is_refused(fetch, served, root, monkeypatch, capsys):
    monkeypatch.setattr("aligngemini.images.loaders.archives.LARGEST", 10**6)
    served.files[ZIP] = zipped({"train2017/1.jpg": bytes(900_000), "train2017/2.jpg": bytes(900_000)}, 8)
    assert fetch("coco") == codes.REFUSED and "swell" in capsys.readouterr().err
    assert not list(root.rglob("*.jpg"))


@pytest.mark.parametrize("what", ["member", "whole"])
def test_a_damaged_zip_is_one_sentence(what, fetch, coco, served, capsys):
    at = coco.index(jpeg(2)) + 100
    served.files[ZIP] = coco[:at] + b"??????" + coco[at + 6 :] if what == "member" else b"<html>no zip</html>"
    assert fetch("coco") == codes.REFUSED
    assert "cut short or damaged: delete it and run the same command again" in capsys.readouterr().err


def test_two_processes_do_not_fetch_the_same(fetch, coco, root, capsys):
    from filelock import FileLock

    root.mkdir()
    with FileLock(root / ".coco.lock"):
        assert fetch("coco") == codes.REFUSED
    assert "another process fetches coco" in capsys.readouterr().err


def test_the_advice_of_a_full_disk_names_the_option_that_helps(tmp_path):
    with pytest.raises(manifest.DiskFull, match="--root"), manifest.room_on_disk(tmp_path, "--root"):
        raise OSError(28, "No space left on device")


def test_coco_comes_over_https_unless_a_mirror_is_named(monkeypatch):
    monkeypatch.delenv("ALIGNGEMINI_COCO", raising=False)
    assert coco_source.address() == "https://s3.amazonaws.com/images.cocodataset.org/zips/train2017.zip"
    monkeypatch.setenv("ALIGNGEMINI_COCO", "http://mirror")
    assert coco_source.address() == "http://mirror/zips/train2017.zip"
