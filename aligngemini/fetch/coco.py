"""COCO train2017: one zip of photographs, for the pixel set."""

import os
from argparse import Namespace
from pathlib import Path

from . import archive, record, web

MIRROR = "ALIGNGEMINI_COCO"
# COCO's own address images.cocodataset.org is a bucket of S3 behind a certificate of amazonaws.com, which no client
# accepts for that name; under S3's name the same bucket has a certificate that fits.
HOME = "https://s3.amazonaws.com/images.cocodataset.org"
RIGHTS = "annotations CC BY 4.0; the photographs stand under the terms of Flickr, each with its own licence"
COUNT = 118_287  # photographs of train2017, as COCO states
SIZE = 19_000_000_000  # bytes of the zip, about
PACK, TOP = "train2017.zip", "train2017"


def address() -> str:
    """Where the zip is."""
    return f"{os.environ.get(MIRROR) or HOME}/zips/{PACK}"


def offer(root: Path, args: Namespace) -> record.Offer:
    """What a fetch brings."""
    return record.Offer(address(), SIZE, RIGHTS, about=True)


def fetch(root: Path, args: Namespace) -> dict[str, str]:
    """Fetch and unpack into `coco/train2017` under `root`; path -> why it was left out, or "". Raises Refused."""
    folder, pack = root / "coco" / TOP, _pack(root)
    if record.cleared(folder):
        return {}
    if record.read(folder) is None and record.images(folder) and not (_begun(pack) or args.again):
        return record.left_alone("coco", folder)
    if not pack.is_file():
        web.archive(address(), pack, "coco", MIRROR, copies=2)  # the zip, and what comes out of it
    return archive.unpacked(pack, folder, TOP, args.discard)


def check(root: Path, quick: bool) -> record.State:
    """The state of `coco/train2017` under `root`."""
    folder, pack = root / "coco" / TOP, _pack(root)
    if record.read(folder) is None and _begun(pack):
        return record.State(record.INCOMPLETE, f"{pack.name} is not all unpacked")
    return record.state(folder, quick, COUNT)


def _pack(root: Path) -> Path:
    """The zip, also where somebody has put it straight into the root."""
    places = (root / PACK, root / "coco" / PACK)
    return next((pack for pack in places if pack.is_file()), places[1])


def _begun(pack: Path) -> bool:
    return pack.is_file() or web.part(pack).is_file()
