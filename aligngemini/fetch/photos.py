"""Many photographs from a CDN at one width: in parallel, each one whole, and a reason for each that did not come."""

import os
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import requests

from ..images.decode import identify
from ..workbook import atomic
from ..workbook.params import Refused
from ..workbook.progress import progress
from . import record, room, web

MIRROR = "ALIGNGEMINI_UNSPLASH_IMAGES"
HOST = "images.unsplash.com"
ASKED = ".width"
BYTES = 0.25  # per pixel of a square of the width: ours, generous for a JPEG of a photograph
PATIENCE = 24  # failures at the start after which the CDN counts as out of reach: ours


def one_width(folder: Path, width: int) -> None:
    """Note the width of the photographs in `folder`. Raises Refused if they have another one already."""
    note = folder / ASKED
    noted = note.read_text(encoding="utf-8").strip() if note.is_file() else str(width)
    if noted != str(width):
        raise Refused(f"the photographs here are {noted} px wide: ask for --width {noted}, or for another --root")
    atomic.write(note, noted)


def fetch(addresses: pd.Series, folder: Path, width: int, workers: int) -> pd.DataFrame:
    """Fetch photographs (id -> address) into `<id>.jpg`; path and reason of those that did not come.

    The record of `folder` names all that were ever asked for, but those that the CDN has no more. Raises Refused if
    none comes at all.
    """
    wanted = {f"{name}.jpg": address for name, address in addresses.items()}
    waiting = {name: address for name, address in wanted.items() if not (folder / name).is_file()}
    room.need(folder, int(len(waiting) * width**2 * BYTES), "unsplash")
    reasons: dict[str, str] = {}
    _note(folder, wanted, reasons)
    try:
        reasons = _all(waiting, folder, width, workers)
    finally:
        _note(folder, wanted, reasons)
    return record.left_out(reasons)


def _note(folder: Path, wanted: dict[str, str], reasons: dict[str, str]) -> None:
    """Bring the record up to date: files that are there get their size and checksum, once; what is gone leaves it."""
    rows = record.read(folder)
    known = {} if rows is None else {row.path: [row.path, row.bytes, row.crc32] for row in rows.itertuples()}
    known = {name: [name, -1, -1] for name in wanted} | known
    fresh = [name for name, row in known.items() if row[1] < 0 and (folder / name).is_file()]
    known |= {name: record.of_file(folder / name, folder) for name in fresh}
    known = {name: row for name, row in known.items() if not reasons.get(name, "").startswith(web.GONE)}
    record.write(folder, pd.DataFrame(known.values(), columns=record.COLUMNS))


def _all(waiting: dict[str, str], folder: Path, width: int, workers: int) -> dict[str, str]:
    here, reasons = web.session(workers), {}
    with ThreadPoolExecutor(workers) as pool:
        jobs = {pool.submit(_one, here, address, folder / name, width): name for name, address in waiting.items()}
        try:
            for job in progress(as_completed(jobs), "unsplash", len(jobs)):
                reasons[jobs[job]] = job.result()
                _hopeful(reasons, job)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return reasons


def _hopeful(reasons: dict[str, str], last: Future) -> None:
    if len(reasons) == PATIENCE and all(reasons.values()):
        raise Refused(
            f"no photograph comes from {os.environ.get(MIRROR) or HOST} ({last.result()}): check the network, "
            f"or set {MIRROR} to a mirror"
        )


def _one(here: requests.Session, address: str, path: Path, width: int) -> str:
    """Fetch one; "" or why it did not come. Raises OSError of the disk."""
    parts, mirror = urlsplit(address), os.environ.get(MIRROR)
    if not mirror and (parts.scheme, parts.hostname) != ("https", HOST):
        return f"its address is not one of {HOST}"
    try:
        web.download(here, f"{mirror or f'https://{HOST}'}{parts.path}?w={width}", path)
    except web.Unfetched as error:
        return str(error)
    if reason := identify(path)["reason"]:
        path.unlink()
    return reason
