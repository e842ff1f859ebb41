"""Unsplash Lite: a zip of tables, then photographs from the CDN at one width, for the reals of the semantic set."""

import os
import re
import zipfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pandas as pd

from ..images.places import shards
from ..workbook import paths, seeds
from ..workbook.params import Refused
from . import archive, photos, record, room, state, web

MIRROR = "ALIGNGEMINI_UNSPLASH"
RIGHTS = "the terms of the Unsplash dataset: free use, commercial too, but the photographs may not be passed on"
PACK = "unsplash-research-dataset-lite-latest.zip"
TABLES = re.compile(r"(.*/)?photos\.[tc]sv\d*")  # both endings hold tabs; the number counts the parts
COLUMNS = ["photo_id", "photo_image_url"]


def address() -> str:
    """Where the zip of tables is."""
    return f"{os.environ.get(MIRROR) or 'https://unsplash.com/data'}/lite/latest"


def fetch(root: Path, asked: Namespace) -> pd.DataFrame:
    """Fetch the tables, then `asked.count` photographs (0: all) of `asked.width` px into `unsplash/photos`.

    Which ones is drawn by their ids, always in the same order. Returns path and reason of those that did not come;
    raises Refused.
    """
    home = root / "unsplash"
    folder, by_hand = home / "photos", record.read(home / "photos") is None and record.pictures(home)
    if by_hand and not asked.again:
        return record.by_hand("unsplash", home)
    photos.one_width(folder, asked.width)
    state.cleared(folder)
    table = _table(root, home)
    order = seeds.ranked(table.index, "unsplash")
    missed = photos.fetch(table[order[: asked.count or None]], folder, asked.width, asked.workers)
    if asked.discard and (pack := _pack(root, home)).is_file():
        pack.unlink()
    return missed


def check(root: Path, quick: bool) -> state.State:
    """The state of `unsplash/photos`, or of what was put into `unsplash` by hand."""
    home = root / "unsplash"
    return state.of_folder(home if record.read(home / "photos") is None else home / "photos", quick)


def _pack(root: Path, home: Path) -> Path:
    found = [path for folder in (home, root) for path in sorted(folder.glob("unsplash*lite*.zip"))]
    return next(iter(found), home / PACK)


def _table(root: Path, home: Path) -> pd.Series:
    """photo_id -> address of the photograph, from loose tables under `home`, or from the zip, fetched if need be."""
    loose = [path for path in sorted(home.rglob("photos.[tc]sv*")) if TABLES.fullmatch(path.name)]
    pack = _pack(root, home)
    if not loose and not pack.is_file():
        _download(pack)
    with _streams(pack, loose) as streams:
        parts = [_read(stream) for stream in streams]
    table = pd.concat(parts).drop_duplicates("photo_id").set_index("photo_id")["photo_image_url"]
    return table[table.index.str.fullmatch(r"[\w-]{1,64}")]  # an id becomes the name of a file


def _download(pack: Path) -> None:
    with web.by_hand(address(), pack, PACK, MIRROR):
        here = web.session()
        room.need(pack.parent, web.length(here, address()), "unsplash")
        web.download(here, address(), pack, "unsplash tables")


@contextmanager
def _streams(pack: Path, loose: list[Path]) -> Iterator[list[IO[bytes]]]:
    """Open the tables. Raises Refused where the zip holds none or is damaged, also if that shows while reading."""
    if loose:
        yield [path.open("rb") for path in loose]
        return
    try:
        with zipfile.ZipFile(pack) as tables:
            members = [info for info in tables.infolist() if TABLES.fullmatch(info.filename)]
            if not members or any(info.file_size > shards.LARGEST for info in members):
                raise Refused(f"{paths.short(pack)} holds no table of photos: delete it and run the same command again")
            yield [tables.open(info) for info in members]
    except archive.UNZIPPABLE as error:
        raise Refused(archive.damaged(pack)) from error


def _read(stream: IO[bytes]) -> pd.DataFrame:
    with stream:
        try:
            return pd.read_csv(stream, sep="\t", usecols=COLUMNS, dtype=str, quoting=3).dropna()
        except (ValueError, UnicodeDecodeError) as error:
            raise Refused(f"The table of photos lacks {' or '.join(COLUMNS)}: fetch it again") from error
