"""Files and folders are there whole or not at all."""

import pytest

from aligngemini.core import atomic


def test_a_file_is_replaced_only_when_its_successor_is_whole(tmp_path):
    path = tmp_path / "made" / "new.txt"
    assert atomic.write(path, "é") == path and path.read_bytes() == "é".encode()
    with pytest.raises(InterruptedError), atomic.replacing(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("half")
        raise InterruptedError
    assert path.read_text("utf-8") == "é" and list(path.parent.iterdir()) == [path]


def test_a_folder_is_replaced_with_all_that_it_held(tmp_path):
    folder = tmp_path / "folder"
    for name in ("old", "new"):
        with atomic.replacing(folder) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
            assert not (folder / name).exists()
    assert [path.name for path in folder.iterdir()] == ["new"] and list(tmp_path.iterdir()) == [folder]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    path = atomic.write(tmp_path / ("x" * 251 + ".txt"), b"1")
    assert path.read_bytes() == b"1"


def test_what_a_kill_left_is_found_wherever_it_lies_and_by_what_it_was_for(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "remove", lambda path: None)  # as if killed
    kept = atomic.write(tmp_path / "images" / "a" / "1.png", b"1")
    for name in ("images/a/1.png", "images/a/2.png"):
        with pytest.raises(InterruptedError), atomic.replacing(tmp_path / name) as temporary:
            temporary.write_bytes(b"half")
            raise InterruptedError
    monkeypatch.undo()
    assert len(list(kept.parent.iterdir())) == 3
    atomic.clear_of(kept)
    assert len(list(kept.parent.iterdir())) == 2
    atomic.clear(tmp_path)
    assert list(kept.parent.iterdir()) == [kept]


def test_what_a_link_leads_to_stays_when_the_link_is_deleted(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    atomic.discard(tmp_path / "run")
    assert [each.name for each in tmp_path.iterdir()] == ["elsewhere"]
