"""Unsplash Lite: a zip of tables, then photographs at one width, for the reals of the semantic set."""

import os
import re
import zipfile
import zlib
from argparse import Namespace
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pandas as pd
from huggingface_hub.utils import get_session, hf_raise_for_status

from aligngemini.core import atomic, paths, seeds
from aligngemini.core.params import Refused
from aligngemini.core.progress import progress
from aligngemini.images.decode import identify
from aligngemini.images.loaders import archives

from . import archive, record, web

MIRROR, CDN_MIRROR = "ALIGNGEMINI_UNSPLASH", "ALIGNGEMINI_UNSPLASH_IMAGES"
CDN = "images.unsplash.com"
RIGHTS = "the terms of the Unsplash dataset: free use, commercial too, but the photographs may not be passed on"
PACK = "unsplash-research-dataset-lite-latest.zip"
TABLES = re.compile(r"(.*/)?photos\.[tc]sv\d*")  # both endings hold tabs; the number counts the parts
COLUMNS = ["photo_id", "photo_image_url"]
LITE = 25_000  # photographs of the whole set, as Unsplash states
WIDTH = ".width"  # the file that notes it
BYTES = 0.25  # per pixel of a square of the width: ours, generous for a JPEG of a photograph
PATIENCE = 24  # failures at the start after which the CDN counts as out of reach: ours


def address() -> str:
    """Where the zip of tables is."""
    return f"{os.environ.get(MIRROR) or 'https://unsplash.com/data'}/lite/latest"


def offer(root: Path, args: Namespace) -> record.Offer:
    """What a fetch brings, as large as photographs usually are."""
    return record.Offer(address(), int((args.count or LITE) * args.width**2 * BYTES), RIGHTS, about=True)


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
    """Fetch photographs (id -> address) into `<id>.jpg`, `workers` at a time; path -> why it did not come, or "".

    The record of `folder` names all that were ever asked for, but those that the CDN has no more. Raises Refused if
    none comes at all.
    """
    wanted = {f"{name}.jpg": address for name, address in addresses.items()}
    waiting = {name: address for name, address in wanted.items() if not (folder / name).is_file()}
    web.need(folder, int(len(waiting) * width**2 * BYTES), "unsplash")
    known, reasons = record.read(folder), {}
    known = [] if known is None else map(list, known.itertuples(index=False))
    rows = {name: [name, -1, -1] for name in wanted} | {row[0]: row for row in known}
    record.write(folder, list(rows.values()))
    try:
        with ThreadPool(workers) as pool:
            come = pool.imap_unordered(lambda name: (name, *_one(waiting[name], folder / name, width)), waiting)
            for name, reason, row in progress(come, "unsplash", len(waiting)):
                reasons[name], rows[name] = reason, row
                if len(reasons) == PATIENCE and all(reasons.values()):
                    where, advice = os.environ.get(CDN_MIRROR) or CDN, f"set {CDN_MIRROR} to a mirror"
                    raise Refused(f"no photograph comes from {where} ({reason}): check the network, or {advice}")
    finally:
        record.write(folder, [row for name, row in rows.items() if not reasons.get(name, "").startswith(web.GONE)])
    return reasons


def _one(address: str, path: Path, width: int) -> tuple[str, list]:
    """Fetch one: "" or why it did not come, and its row of the record. Raises OSError of the disk."""
    parts, mirror, lost = urlsplit(address), os.environ.get(CDN_MIRROR), [path.name, -1, -1]
    if not mirror and (parts.scheme, parts.hostname) != ("https", CDN):
        return f"its address is not one of {CDN}", lost
    try:
        data = web.patiently(partial(_bytes, f"{mirror or f'https://{CDN}'}{parts.path}?w={width}"), web.problem)
    except web.DownloadFailed as error:
        return str(error), lost
    if reason := identify(atomic.write(path, data))["reason"]:
        path.unlink()
        return reason, lost
    return "", [path.name, len(data), zlib.crc32(data)]


def _bytes(url: str) -> bytes:
    response = get_session().get(url, timeout=web.TIMEOUT)
    hf_raise_for_status(response)
    return response.content
