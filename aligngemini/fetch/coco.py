"""COCO train2017: one zip of photographs, for the pixel set."""

import os
from argparse import Namespace
from pathlib import Path

import pandas as pd

from ..workbook.params import Refused
from . import archive, record, room, state, web

MIRROR = "ALIGNGEMINI_COCO"
# COCO's own address images.cocodataset.org is a bucket of S3 behind a certificate of amazonaws.com, which no client
# accepts for that name; under S3's name the same bucket has a certificate that fits.
HOME = "https://s3.amazonaws.com/images.cocodataset.org"
RIGHTS = "annotations CC BY 4.0; the photographs stand under the terms of Flickr, each with its own licence"
COUNT = 118_287  # photographs of train2017, as COCO states
PACK, TOP = "train2017.zip", "train2017"


def address() -> str:
    """Where the zip is."""
    return f"{os.environ.get(MIRROR) or HOME}/zips/{PACK}"


def fetch(root: Path, asked: Namespace) -> pd.DataFrame:
    """Fetch and unpack into `coco/train2017` under `root`; path and reason of what was left out. Raises Refused."""
    folder, pack = root / "coco" / TOP, _pack(root)
    if state.cleared(folder):
        return record.left_out()
    begun = pack.is_file() or web.Part(pack).file.is_file()
    if record.read(folder) is None and record.pictures(folder) and not (begun or asked.again):
        return record.by_hand("coco", folder)
    if not pack.is_file():
        _download(pack)
    room.need(folder, pack.stat().st_size - _unpacked(folder), f"unpacking {PACK}")  # JPEG does not shrink in a zip
    missed = archive.from_zip(pack, folder, TOP)
    if (missed["reason"] == archive.DAMAGED).any():
        raise Refused(archive.damaged(pack))
    if asked.discard:
        pack.unlink()
    return missed


def check(root: Path, quick: bool) -> state.State:
    """The state of `coco/train2017` under `root`."""
    return state.of_folder(root / "coco" / TOP, quick, COUNT)


def _pack(root: Path) -> Path:
    """The zip, also where somebody has put it straight into the root."""
    return next((pack for pack in (root / PACK, root / "coco" / PACK) if pack.is_file()), root / "coco" / PACK)


def _unpacked(folder: Path) -> int:
    rows = record.read(folder)
    return 0 if rows is None else sum((folder / path).stat().st_size for path in record.pictures(folder))


def _download(pack: Path) -> None:
    """Twice its size has to fit: the zip, and what comes out of it."""
    with web.by_hand(address(), pack, PACK, MIRROR):
        here = web.session()
        size = web.length(here, address())
        room.need(pack.parent, 2 * size - web.Part(pack).size, "coco")
        web.download(here, address(), pack, PACK)
