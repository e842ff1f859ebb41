"""Streams from addresses: files are fetched by chunks, odd names are names, and secrets are written nowhere."""

import re

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from aligngemini.core.params import Refused
from aligngemini.stream import run
from tests.stream.conftest import COUNT, parquet, png, shard, table


def test_files_behind_an_address_are_fetched_chunk_by_chunk(detector, small, tmp_path):
    memory = fsspec.filesystem("memory")
    for number in range(COUNT):
        memory.pipe(f"/bucket/p/{number:03}.png", png(number))
    memory.pipe("/bucket/p/shard.tar", shard(tmp_path / "a.tar", 2).read_bytes())
    counts = run.judge(detector, ["memory://bucket/p"], tmp_path / "out")
    judged = table(tmp_path / "out")
    assert len(judged) == COUNT + 2 and counts["lost"] == 0 and judged["image"].is_unique
    assert judged["image"].str.startswith("memory://").all()
    assert sorted(judged["shade_score"])[-1] == pytest.approx((COUNT - 1) * 10 / 255)
    with pytest.raises(Refused, match="cannot be read"):
        run.judge(detector, ["nowhere://bucket"], tmp_path / "other")


def test_names_with_brackets_and_question_marks_are_names_and_no_patterns(detector, tmp_path):
    for name in ("a [1].png", "b?.png", "c*.png"):
        fsspec.filesystem("memory").pipe(f"/odd/{name}", png(1))
    assert run.judge(detector, ["memory://odd"], tmp_path / "out")[0] == 3


class Guarded(MemoryFileSystem):
    """Files behind `guarded://USER:PASSWORD@HOST/PATH?QUERY`: without the secrets none is there."""

    protocol, store, pseudo_dirs, cachable = "guarded", {}, [""], False  # codespell:ignore cachable

    @classmethod
    def _strip_protocol(cls, path):
        return re.sub("guarded://(.*@)?host", "", path).split("?")[0].rstrip("/")

    @staticmethod
    def _get_kwargs_from_urls(address):
        return {"open": "me:canary-pass@" in address or "canary-signature" in address}

    def cat_file(self, path, start=None, end=None, **given):
        if not self.storage_options.get("open"):
            raise FileNotFoundError(f"guarded://me:canary-pass@host{path}?sig=canary-signature is gone")
        return super().cat_file(path, start, end)

    def _open(self, path, mode="rb", **given):
        if mode == "rb" and not self.storage_options.get("open"):
            raise FileNotFoundError(f"guarded://me:canary-pass@host{path}?sig=canary-signature is gone")
        return super()._open(path, mode, **given)


@pytest.fixture
def guarded(tmp_path):
    """Images and a shard behind a password and a signature."""
    fsspec.register_implementation("guarded", Guarded, clobber=True)
    for number in range(COUNT):
        Guarded(open=True).pipe(f"/p/{number:03}.png", png(number))
    Guarded(open=True).pipe("/a.tar", shard(tmp_path / "a.tar").read_bytes())
    parquet(tmp_path / "a.parquet", lambda data: data)
    Guarded(open=True).pipe("/a.parquet", (tmp_path / "a.parquet").read_bytes())
    return [
        "guarded://me:canary-pass@host/p/",
        *map("guarded://host/a.{}?v=2&sig=canary-signature".format, ("tar", "parquet")),
    ]


def test_secrets_of_addresses_reach_no_file_and_the_same_images_go_on(guarded, detector, small, tmp_path, capfd):
    detector.branches[0].stops = 60
    with pytest.raises(KeyboardInterrupt):
        run.judge(detector, guarded, tmp_path / "out")
    detector.branches[0].stops = None
    anew = [each.replace("sig=", "se=9&sig=another-") for each in guarded]
    assert run.judge(detector, anew, tmp_path / "out").total() == 3 * COUNT
    assert detector.branches[0].scored == 3 * COUNT, "no image was scored twice"
    judged = table(tmp_path / "out")
    assert judged["image"].is_unique and judged["image"].str.startswith("guarded://host/").all()
    for part in (tmp_path / "out").glob("part-*"):
        part.unlink()
    run.judge(detector, [each.replace("canary-", "wrong-") for each in guarded], tmp_path / "out")
    reasons = table(tmp_path / "out")["reason"]
    assert reasons.str.contains("cannot be read").all() and reasons.str.contains("cannot be read to its end").any()
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    columns = table(tmp_path / "out").to_json() + pd.read_parquet(tmp_path / "out" / "list.parquet").to_json()
    assert b"canary" not in written and "canary" not in columns + "".join(capfd.readouterr())
    with pytest.raises(Refused, match="holds a stream of other sources"):
        run.judge(detector, [each.replace("v=2", "v=3") for each in guarded], tmp_path / "out")
