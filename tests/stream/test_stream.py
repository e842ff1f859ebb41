"""Streams: every form gives the same scores, and what was interrupted goes on as if it had not been."""

import json
import tarfile
import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from aligngemini import cli
from aligngemini import detector as detectors
from aligngemini.core.params import Refused
from aligngemini.detector import Detector
from aligngemini.fusion.rules import Fusion
from aligngemini.stream import listing, run
from tests.ray_nodes import nodes
from tests.stream.conftest import COUNT, Shade, parquet, png, shard, table

__all__ = ["nodes"]

FORMS = {
    "folder": lambda path, folder: folder,
    "tar": lambda path, folder: shard(path / "a.tar"),
    "bytes": lambda path, folder: parquet(path / "a.parquet", lambda data: data),
    "hub": lambda path, folder: parquet(path / "a.parquet", lambda data: {"bytes": data, "path": None}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_scores_of_its_images(form, detector, folder, small, tmp_path):
    counts = run.judge(detector, [str(FORMS[form](tmp_path, folder))], tmp_path / "out")
    judged = table(tmp_path / "out")
    scored = judged[judged["reason"] == ""]
    assert sorted(scored["shade_score"]) == pytest.approx([number * 10 / 255 for number in range(COUNT)])
    assert judged["image"].is_unique and judged.columns.equals(detector([np.zeros((9, 9, 3), np.uint8)]).columns)
    assert (counts[0], counts[1], counts["lost"]) == (13, 10, 0)
    expected = {"tar": 1}.get(form, 3)
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) == expected
    assert (form == "folder") == (len(judged) > COUNT), "the text is a row only where files are listed"


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_part_goes_on_where_it_was_and_is_the_same_to_the_last_bit(
    form, detector, folder, small, tmp_path
):
    source = str(FORMS[form](tmp_path, folder))
    run.judge(detector, [source], tmp_path / "whole")
    branch = detector.branches[0]
    branch.scored, branch.stops = 0, 15
    with pytest.raises(KeyboardInterrupt):
        run.judge(detector, [source], tmp_path / "out")
    before, branch.stops = branch.scored, None
    assert 4 < before < 16
    run.judge(detector, [source], tmp_path / "out")
    assert branch.scored == COUNT, "no image was scored twice"
    whole = sorted(each for each in (tmp_path / "whole").iterdir() if each.suffix == ".parquet")
    assert [(tmp_path / "out" / each.name).read_bytes() for each in whole] == [each.read_bytes() for each in whole]
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        each.name for each in (tmp_path / "whole").iterdir()
    }


def test_models_are_copied_to_another_device_once_for_all_chunks_and_freed(
    detector, folder, small, tmp_path, two_devices
):
    class Copied(Shade):
        made = []

        def on(self, device):
            other = Shade()
            self.made.append(weakref.ref(other))
            return other

    run.judge(detector, [str(folder)], tmp_path / "plain")
    detector.branches = [Copied()]
    run.judge(detector, [str(folder)], tmp_path / "out")
    (copy,) = Copied.made
    assert copy() is None and 0 < detector.branches[0].scored < COUNT, "the copy has judged the others"
    pd.testing.assert_frame_equal(table(tmp_path / "out"), table(tmp_path / "plain"), check_exact=True)


def test_a_picture_that_came_later_does_not_move_the_others(detector, folder, small, tmp_path):
    branch = detector.branches[0]
    branch.stops = 15
    with pytest.raises(KeyboardInterrupt):
        run.judge(detector, [str(folder)], tmp_path / "out")
    branch.stops = None
    (folder / "0" / "000a.png").write_bytes(png(1))
    (folder / "1" / "022.png").unlink()
    counts = run.judge(detector, [str(folder)], tmp_path / "out")
    judged = table(tmp_path / "out")
    assert len(judged) == COUNT + 1 and counts["lost"] == 1
    assert judged.loc[judged["image"].str.endswith("022.png"), "reason"].str.contains("not there").all()


def test_a_damaged_shard_loses_what_is_behind_the_damage_and_says_so(detector, small, tmp_path):
    (tmp_path / "shards").mkdir()
    whole = shard(tmp_path / "a.tar").read_bytes()
    (tmp_path / "shards" / "a.tar").write_bytes(whole[: len(whole) // 2 + 700])
    (tmp_path / "shards" / "b.parquet").write_bytes(b"PAR1 and no more")
    counts = run.judge(detector, [str(tmp_path / "shards")], tmp_path / "out")
    lost = table(tmp_path / "out").query("reason != ''")
    assert counts["lost"] == 2 == len(lost) and lost["reason"].str.contains("cannot be read to its end").all()
    assert 5 < counts[0] + counts[1] < COUNT


def test_a_folder_holds_one_stream(detector, folder, small, tmp_path):
    run.judge(detector, [str(folder)], tmp_path / "out")
    for other, given, what in (
        (detector, [str(folder / "0")], "sources"),
        (Detector(detector.branches, Fusion("or", (0.4,))), [str(folder)], "detector"),
    ):
        with pytest.raises(Refused, match=f"holds a stream of other {what}: give another --to"):
            run.judge(other, given, tmp_path / "out")
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(Refused, match="another command judges into"):
        run.judge(detector, [str(folder)], tmp_path / "out")


def test_the_command_counts_and_tells_what_was_lost(detector, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Detector, "found", lambda run="": detector)
    words = ["detect", str(folder), "--to", str(tmp_path / "out")]
    assert cli.main(words) == 0
    assert "24 files: 13 real, 10 fake, 1 not judged; written to" in capsys.readouterr().err
    (folder / "broken.png").write_bytes(b"no image")
    assert cli.main([*words[:-1], str(tmp_path / "again"), "--cascade"]) == 3
    assert "skipped" in table(tmp_path / "again")
    facts = json.loads((tmp_path / "again" / "stream.json").read_text())
    assert facts["cascade"] is True and facts["sources"] == [str(folder)]


@pytest.mark.parametrize(
    "words, why",
    [
        (["--to", "out", "--explain"], "--explain explains images one by one"),
        (["--executor", "ray"], "--executor ray belongs to --to DIR"),
        (["--to", "out", "--resources", "cpus=2"], "--address and --resources belong to --executor ray"),
    ],
)
def test_words_that_do_not_go_together_are_refused(words, why, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["detect", str(folder), *words]) == 2 and why in capsys.readouterr().err


def test_a_source_that_is_not_there_is_refused_and_leaves_no_list(detector, tmp_path):
    with pytest.raises(Refused, match="there is no image or folder"):
        run.judge(detector, [str(tmp_path / "nowhere")], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.parquet"))
    with pytest.raises(Refused, match="which is judged: give another --to"):
        run.judge(detector, [str(tmp_path)], tmp_path / "out")


@pytest.mark.parametrize("end", [5120, 10240, 10240 + 300])
def test_a_tar_that_is_cut_off_between_two_members_says_so(end, detector, tmp_path):
    whole = shard(tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:end])
    assert run.judge(detector, [str(tmp_path / "a.tar")], tmp_path / "out")["lost"] == 1
    (tmp_path / "a.tar").write_bytes(whole[:end] + b"\xff" * 512 + whole[end + 512 :])
    assert run.judge(detector, [str(tmp_path / "a.tar")], tmp_path / "damaged")["lost"] == 1


def test_a_shard_without_images_is_an_empty_part(detector, tmp_path):
    shard(tmp_path / "a.tar", 0)
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "b.parquet")
    sources = [str(tmp_path / "a.tar"), str(tmp_path / "b.parquet")]
    assert not run.judge(detector, sources, tmp_path / "out").total() and table(tmp_path / "out").empty


def test_a_part_that_is_cut_off_is_judged_again(detector, folder, small, tmp_path):
    counts = run.judge(detector, [str(folder)], tmp_path / "out")
    before = table(tmp_path / "out")
    (tmp_path / "out" / "part-00001.parquet").write_bytes(b"PAR1")
    assert run.judge(detector, [str(folder)], tmp_path / "out") == counts and table(tmp_path / "out").equals(before)


@pytest.mark.parametrize("name", ["list.parquet", "stream.json"])
def test_parts_of_which_nobody_knows_the_images_are_not_taken_for_done(name, detector, folder, small, tmp_path):
    run.judge(detector, [str(folder)], tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(b"{")
    with pytest.raises(Refused, match="holds parts, but .* is damaged: give another --to"):
        run.judge(detector, [str(folder)], tmp_path / "out")


def test_a_list_without_parts_is_written_for_the_sources_of_this_time(detector, folder, small, tmp_path):
    (tmp_path / "out").mkdir()
    listing.write([str(folder)], tmp_path / "out" / "list.parquet")  # and killed before stream.json
    assert run.judge(detector, [str(folder / "0")], tmp_path / "out").total() == 8


def test_a_folder_reached_by_a_link_is_not_judged_into_itself(detector, folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    for source, out in ((folder, tmp_path / "link" / "out"), (folder / "0" / "..", folder / "out")):
        with pytest.raises(Refused, match="which is judged: give another --to"):
            run.judge(detector, [str(source)], out)
    assert not (folder / "out").exists()


@pytest.mark.slow
def test_the_nodes_of_a_ray_cluster_write_the_parts_of_one_process(nodes, tmp_path):
    files = sorted((detectors.SHIPPED / "known").glob("*.jpg"))
    for name, part in {"a": files[:4], "b": files[4:]}.items():
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            for file in part:
                tar.add(file, file.name)
    words = ["detect", str(tmp_path / "a.tar"), str(tmp_path / "b.tar"), "--run", "shipped", "--to"]
    assert cli.main([*words, str(tmp_path / "here")]) == 0
    assert cli.main([*words, str(tmp_path / "there"), "--executor", "ray", "--address", nodes.address]) == 0
    for part in sorted((tmp_path / "here").glob("part-*")):
        assert (tmp_path / "there" / part.name).read_bytes() == part.read_bytes()
    assert len(table(tmp_path / "there")) == len(files) and (table(tmp_path / "there")["reason"] == "").all()
