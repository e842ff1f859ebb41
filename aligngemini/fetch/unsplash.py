"""Unsplash Lite: a zip of tables, then photographs at one width, for the reals of the semantic set."""

import os
import re
import zipfile
from argparse import Namespace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pandas as pd
import requests

from aligngemini.core import atomic, paths, seeds
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.images.decode import identify
from aligngemini.images.loaders import archives

from . import archive, disk_space, record, web

MIRROR, CDN_MIRROR = "ALIGNGEMINI_UNSPLASH", "ALIGNGEMINI_UNSPLASH_IMAGES"
CDN = "images.unsplash.com"
RIGHTS = "the terms of the Unsplash dataset: free use, commercial too, but the photographs may not be passed on"
PACK = "unsplash-research-dataset-lite-latest.zip"
TABLES = re.compile(r"(.*/)?photos\.[tc]sv\d*")  # both endings hold tabs; the number counts the parts
COLUMNS = ["photo_id", "photo_image_url"]
WIDTH = ".width"  # the file that notes it
BYTES = 0.25  # per pixel of a square of the width: ours, generous for a JPEG of a photograph
PATIENCE = 24  # failures at the start after which the CDN counts as out of reach: ours


def address() -> str:
    """Where the zip of tables is."""
    return f"{os.environ.get(MIRROR) or 'https://unsplash.com/data'}/lite/latest"


def fetch(root: Path, args: Namespace) -> dict[str, str]:
    """Fetch the tables, then `args.count` photographs (0: all) of `args.width` px into `unsplash/photos`.

    Their ids say which ones, always in the same order. Returns path -> why it did not come, or "". Raises Refused.
    """
    home = root / "unsplash"
    folder = home / "photos"
    if record.read(folder) is None and record.images(home) and not args.again:
        return record.left_alone("unsplash", home)
    _one_width(folder, args.width)
    record.cleared(folder)
    packs = [path for place in (home, root) for path in sorted(place.glob("unsplash*lite*.zip"))] or [home / PACK]
    table = _table(home, packs[0])
    order = seeds.ranked(table.index, "unsplash")
    reasons = _photos(table[order[: args.count or None]], folder, args.width, args.workers)
    if args.discard:
        packs[0].unlink(missing_ok=True)
    return reasons


def check(root: Path, quick: bool) -> record.State:
    """The state of `unsplash/photos`, or of what was put into `unsplash` by hand."""
    home = root / "unsplash"
    return record.state(home if record.read(home / "photos") is None else home / "photos", quick)


def _table(home: Path, pack: Path) -> pd.Series:
    """photo_id -> address of the photograph, from loose tables under `home`, else from the zip."""
    loose = [path for path in sorted(home.rglob("photos.[tc]sv*")) if TABLES.fullmatch(path.name)]
    if not loose and not pack.is_file():
        web.archive(address(), pack, "unsplash", MIRROR)
    parts = [_read(path.open("rb")) for path in loose] or _packed(pack)
    table = pd.concat(parts).drop_duplicates("photo_id").set_index("photo_id")["photo_image_url"]
    return table[table.index.str.fullmatch(r"[\w-]{1,64}")]  # an id becomes the name of a file


def _packed(pack: Path) -> list[pd.DataFrame]:
    """The tables of a zip. Raises Refused where it holds none or is damaged."""
    with archive.readable(pack), zipfile.ZipFile(pack) as tables:
        members = [info for info in tables.infolist() if TABLES.fullmatch(info.filename)]
        if not members or any(info.file_size > archives.LARGEST for info in members):
            raise Refused(f"{paths.short(pack)} holds no table of photos: delete it and run the same command again")
        return [_read(tables.open(info)) for info in members]


def _read(stream: IO[bytes]) -> pd.DataFrame:
    with stream:
        try:
            return pd.read_csv(stream, sep="\t", usecols=COLUMNS, dtype=str, quoting=3).dropna()
        except (ValueError, UnicodeDecodeError) as error:
            raise Refused(f"The table of photos lacks {' or '.join(COLUMNS)}: fetch it again") from error


def _one_width(folder: Path, width: int) -> None:
    """Note the width of the photographs in `folder`. Raises Refused if they have another one already."""
    note = folder / WIDTH
    noted = note.read_text(encoding="utf-8").strip() if note.is_file() else str(width)
    if noted != str(width):
        raise Refused(f"the photographs here are {noted} px wide: ask for --width {noted}, or for another --root")
    atomic.write(note, noted)


def _photos(addresses: pd.Series, folder: Path, width: int, workers: int) -> dict[str, str]:
    """Fetch photographs (id -> address) into `<id>.jpg`; path -> why it did not come, or "".

    The record of `folder` names all that were ever asked for, but those that the CDN has no more. Raises Refused if
    none comes at all.
    """
    wanted = {f"{name}.jpg": address for name, address in addresses.items()}
    waiting = {name: address for name, address in wanted.items() if not (folder / name).is_file()}
    disk_space.need(folder, int(len(waiting) * width**2 * BYTES), "unsplash")
    reasons: dict[str, str] = {}
    _note(folder, wanted, reasons)
    try:
        _at_once(waiting, folder, width, workers, reasons)
    finally:
        _note(folder, wanted, reasons)
    return reasons


def _at_once(waiting: dict[str, str], folder: Path, width: int, workers: int, reasons: dict[str, str]) -> None:
    """Fetch photographs (file name -> address), `workers` at a time, and write into `reasons` as they come."""
    client = web.session(workers)

    def one(name: str) -> tuple[str, str]:
        return name, _one(client, waiting[name], folder / name, width)

    with ThreadPool(workers) as pool:
        for name, reason in progress(pool.imap_unordered(one, waiting), "unsplash", len(waiting)):
            reasons[name] = reason
            _hopeful(reasons, reason)


def _note(folder: Path, wanted: dict[str, str], reasons: dict[str, str]) -> None:
    """Bring the record up to date: files get their size and checksum, once; what is gone leaves it."""
    rows = record.read(folder)
    known = {name: [name, -1, -1] for name in wanted}
    known |= {} if rows is None else {row.path: [row.path, row.bytes, row.crc32] for row in rows.itertuples()}
    fresh = [name for name, row in known.items() if row[1] < 0 and (folder / name).is_file()]
    known |= {name: record.row(folder / name, folder) for name in fresh}
    record.write(folder, [row for name, row in known.items() if not reasons.get(name, "").startswith(web.GONE)])


def _hopeful(reasons: dict[str, str], last: str) -> None:
    if len(reasons) == PATIENCE and all(reasons.values()):
        raise Refused(
            f"no photograph comes from {os.environ.get(CDN_MIRROR) or CDN} ({last}): check the network, "
            f"or set {CDN_MIRROR} to a mirror"
        )


def _one(client: requests.Session, address: str, path: Path, width: int) -> str:
    """Fetch one; "" or why it did not come. Raises OSError of the disk."""
    parts, mirror = urlsplit(address), os.environ.get(CDN_MIRROR)
    if not mirror and (parts.scheme, parts.hostname) != ("https", CDN):
        return f"its address is not one of {CDN}"
    try:
        web.Download(client, f"{mirror or f'https://{CDN}'}{parts.path}?w={width}", path).run()
    except web.DownloadFailed as error:
        return str(error)
    if reason := identify(path)["reason"]:
        path.unlink()
    return reason
