"""Large files of the hub: a kill inside one loses nothing, and no two files are ever glued together."""

import os
import signal
import subprocess
import sys
import time
from glob import glob  # unlike Path.rglob it passes over a folder that vanishes under its eyes
from types import SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import file_download
from safetensors.numpy import save_file

from aligngemini.core import codes, paths
from aligngemini.fetch import bases, echo4o, web
from tests.fetch.conftest import jpeg, tarred

SHARD, WEIGHTS = "0-5000.tar.gz", "model.safetensors"
NAME = bases.BASES["expert"].name
TOKEN = "hf_secretsecret"
SCRIPT = """
import signal, sys
from aligngemini import cli
from huggingface_hub import constants

constants.DOWNLOAD_CHUNK_SIZE = 100
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background is begun deaf to it
sys.exit(cli.main(["data", "fetch", *sys.argv[1:]]))
"""


@pytest.fixture
def weights(served):
    """Serve a model of one file of weights."""
    home = served.hub / "models" / NAME
    home.mkdir(parents=True)
    save_file({"weight": np.random.default_rng(0).random(2000)}, home / WEIGHTS)
    (home / "config.json").write_text("{}")
    return home / WEIGHTS


def _broken(seconds):
    raise web.DownloadFailed("the connection breaks")


@pytest.fixture
def parted(fetch, shards, served, root):
    """A shard of which 900 bytes have come before the command failed."""
    served.cut[SHARD] = 900
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_download, "time", SimpleNamespace(sleep=_broken))
        assert fetch("echo4o", "--shards", "1") == codes.REFUSED
    part = root / "echo4o" / echo4o.TOP / "images" / f"{SHARD}.part"
    assert part.stat().st_size == 900
    return part


def _begun(served, tmp_path, source, pattern):
    """A process that fetches `source`, and of which a large file, and no more of it, lies in the folder."""
    known = {"HF_ENDPOINT": served.url, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_TOKEN": TOKEN}
    words = [sys.executable, "-c", SCRIPT, source, "--shards", "1", "--root", str(tmp_path / "root")]
    env = os.environ | known | {"PYTHONPATH": str(paths.ROOT)}
    child = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not any(os.path.getsize(part) == 900 for part in glob(f"{tmp_path}/**/{pattern}", recursive=True)):
        assert child.poll() is None, child.stdout.read()
        time.sleep(0.02)
    return child


@pytest.mark.parametrize(
    "source, pattern, end",
    [
        ("echo4o", f"{SHARD}.part", signal.SIGKILL),
        ("expert", "blobs/*.part", signal.SIGKILL),
        ("expert", "blobs/*.part", signal.SIGINT),
    ],
    ids=["a shard, killed", "weights, killed", "weights, stopped"],
)
def test_a_kill_within_a_file_loses_none_of_it(source, pattern, end, fetch, shards, weights, served, tmp_path):
    served.stall[f"{SHARD}|{WEIGHTS}"] = 900
    child = _begun(served, tmp_path, source, pattern)
    child.send_signal(end)
    said, _ = child.communicate(timeout=40)  # the server holds the connection longer
    assert child.returncode == (codes.STOPPED if end == signal.SIGINT else -end) and TOKEN not in said
    assert fetch(source, "--shards", "1") == codes.DONE and fetch(source, act="check") == codes.DONE
    assert served.got("/cdn/") == ["", "bytes=900-"] and not list(tmp_path.rglob("*.part"))
    whole = (shards / SHARD if source == "echo4o" else weights).read_bytes()
    assert any(file.read_bytes() == whole for file in tmp_path.rglob(SHARD if source == "echo4o" else WEIGHTS))


def test_a_shard_that_changed_meanwhile_starts_over(parted, fetch, shards, served, root):
    (shards / SHARD).write_bytes(tarred({f"0-5000/{number}.jpg": jpeg(number, 40) for number in range(3)}))
    served.commit = "2e" * 20
    assert fetch("echo4o", "--shards", "1") == codes.DONE and served.got("/cdn/") == ["", ""]
    assert parted.with_suffix("").read_bytes() == (shards / SHARD).read_bytes()


def test_other_bytes_under_the_same_name_are_found_and_removed(parted, fetch, shards, served, capsys):
    served.swapped[SHARD] = bytes((shards / SHARD).stat().st_size)
    assert fetch("echo4o", "--shards", "1") == codes.REFUSED and served.got("/cdn/") == ["", "bytes=900-"]
    assert f"{SHARD} came with another checksum than the hub's and is removed" in capsys.readouterr().err
    assert not parted.exists() and not parted.with_suffix("").exists()
    served.swapped.clear()
    assert fetch("echo4o", "--shards", "1") == codes.DONE and served.got("/cdn/")[2:] == [""]


def test_the_token_is_shown_to_the_hub_alone(fetch, shards, weights, served, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch("echo4o", "expert", "--shards", "1") == codes.DONE
    resolved = {path for how, path, _ in served.asked if how == "GET" and "/resolve/" in path}
    assert any(SHARD in path for path in resolved) and resolved <= served.trusted
    assert served.got("/cdn/") and not any("/cdn/" in path for path in served.trusted)
    captured = capsys.readouterr()
    kept = [
        file.read_bytes() for folder in ("root", "cache") for file in (tmp_path / folder).rglob("*") if file.is_file()
    ]
    assert TOKEN not in captured.out + captured.err and not any(TOKEN.encode() in data for data in kept)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_disk_that_fills_up_is_one_sentence(fetch, shards, root, capsys):
    place = root / "echo4o" / echo4o.TOP / "images"
    place.mkdir(parents=True)
    (place / f"{SHARD}.part").symlink_to("/dev/full")
    assert fetch("echo4o", "--shards", "1") == codes.FAILED
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "no space left" in said and "--root" in said


def test_two_processes_do_not_fetch_into_the_same_cache(fetch, weights, tmp_path, served, capsys):
    from filelock import FileLock

    cache = tmp_path / "cache" / f"models--{NAME.replace('/', '--')}"
    cache.mkdir(parents=True)
    with FileLock(cache / ".fetch.lock"):
        assert fetch("expert") == codes.REFUSED
    assert "another process fetches expert" in capsys.readouterr().err and not served.got("/cdn/")
