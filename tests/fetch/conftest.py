"""A server on this machine in the place of the web and the hub, and pictures and archives to serve."""

import io
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from aligngemini import cli
from aligngemini.fetch import echo4o, web
from tests.fetch.loopback import Loopback


@pytest.fixture
def served(tmp_path):
    """The server; all of its files are to be put there by the test."""
    server = Loopback(tmp_path / "hub")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(served, tmp_path, monkeypatch):
    """Run `aligngemini data fetch` against the server, into `root`: words -> exit code."""
    from huggingface_hub import constants, file_download

    monkeypatch.setattr(web, "PAUSES", (0.01,) * 4)
    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)
    for name, value in {"COCO": "", "UNSPLASH": "/data", "UNSPLASH_IMAGES": "/cdn-of-photos"}.items():
        monkeypatch.setenv(f"ALIGNGEMINI_{name}", served.url + value)
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return lambda *words, act="fetch": cli.main(["data", act, *words, "--root", str(tmp_path / "root")])


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


def jpeg(seed: int = 0, side: int = 24) -> bytes:
    """The bytes of a small picture of noise."""
    out, rng = io.BytesIO(), np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(out, "JPEG")
    return out.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The bytes of a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    """The bytes of a tar.gz; `extra` members have no content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
        for member in extra:
            made.addfile(member)
    return out.getvalue()


@pytest.fixture
def coco(served):
    """Serve a COCO zip of six pictures; its bytes."""
    files = {f"train2017/{number:012}.jpg": jpeg(number) for number in range(6)}
    served.files["/zips/train2017.zip"] = zipped({"train2017/": b"", **files})
    return served.files["/zips/train2017.zip"]


@pytest.fixture
def shards(served):
    """Serve three shards of Echo-4o, two pictures each, and the table of captions."""
    top = served.hub / "datasets" / echo4o.REPO / echo4o.TOP
    (top / "images").mkdir(parents=True)
    (top / "conflict.jsonl").write_text('{"instruction": "a whale made of keys"}\n')
    for first in (0, 5000, 10000):
        files = {f"{first}-{first + 5000}/{first + number}.jpg": jpeg(first + number) for number in range(2)}
        (top / "images" / f"{first}-{first + 5000}.tar.gz").write_bytes(tarred(files))
    return top / "images"


@pytest.fixture
def unsplash(served):
    """Serve the tables of Unsplash Lite and ten photographs; their ids."""
    ids = [f"ph_{number}-x" for number in range(10)]
    lines = [f'{name}\thttps://images.unsplash.com/photo-{name}\ta "view"' for name in ids]
    table = "\n".join(["photo_id\tphoto_image_url\tphoto_description", *lines]) + "\n"
    served.files["/data/lite/latest"] = zipped({"photos.csv000": table.encode(), "keywords.csv000": b"x\n"}, 8)
    served.files |= {f"/cdn-of-photos/photo-{name}": jpeg(number) for number, name in enumerate(ids)}
    return ids
