"""The surreal pictures of Echo-4o-Image: tar shards on the hub, for the fakes of the semantic set."""

import re
from argparse import Namespace
from pathlib import Path

import pandas as pd

from ..workbook import paths
from ..workbook.params import Refused
from . import archive, hub, record, repository, room, state

REPO = "Yejy53/Echo-4o-Image"
RIGHTS = "MIT, as its dataset card says"
TOP = "Surrel-Fantasy-Image"  # spelled so on the hub
TABLE = f"{TOP}/conflict.jsonl"
SUFFIX = ".tar.gz"


def fetch(root: Path, asked: Namespace) -> pd.DataFrame:
    """Fetch `asked.shards` shards (0: all) and the table of captions, unpack them into `echo4o/images/<shard>`.

    Shards that lie anywhere under `echo4o` are taken before others are fetched. Returns path and reason of what was
    left out; raises Refused.
    """
    home = root / "echo4o"
    folders = _folders(home)
    if not (folders or _packs(home) or asked.again) and record.pictures(home):
        return record.by_hand("echo4o", home)
    done = {name for name in folders if state.cleared(home / "images" / name)}
    have = done | set(_packs(home))
    if not asked.shards or len(have) < asked.shards or not (home / TABLE).is_file():
        _download(home, have, folders, asked.shards)
    packs = {name: pack for name, pack in _packs(home).items() if name not in done}
    chosen = sorted(packs, key=_first)[: max(0, asked.shards - len(done)) if asked.shards else None]
    missed = [_unpacked(packs[name], home / "images" / name, asked.discard) for name in chosen]
    return pd.concat([record.left_out(), *missed], ignore_index=True)


def check(root: Path, quick: bool) -> state.State:
    """The state of the shards that are under `echo4o`, or of what was put there by hand."""
    home = root / "echo4o"
    folders = _folders(home)
    states = [state.of_folder(home / "images" / name, quick) for name in folders]
    begun = [name for name in _packs(home) if name not in folders and (home / "images" / name).exists()]
    states += [state.State(state.INCOMPLETE, f"{name}{SUFFIX} is not all unpacked") for name in begun]
    return state.together(states) if states else state.of_folder(home, quick)


def _download(home: Path, have: set[str], folders: list[str], count: int) -> None:
    """Fetch what is missing of `count` shards: those of which something is here first, then the lowest numbers."""
    found = repository.of(REPO, "dataset")
    offered = {_name(path): path for path in found.sizes if path.startswith(f"{TOP}/images/") and path.endswith(SUFFIX)}
    if not offered:
        raise Refused(f"{REPO} has no shards in {TOP}/images any more: put them into {paths.short(home)} yourself")
    order = sorted(offered, key=lambda name: (name not in have and name not in folders, _first(name)))
    names = [offered[name] for name in order[: count or None] if name not in have]
    size = sum(found.sizes[name] for name in names)
    room.need(home, 2 * size, "echo4o")  # the shards, and the pictures in them, which do not shrink
    names += [TABLE] if TABLE in found.sizes and not (home / TABLE).is_file() else []
    if names:
        hub.fetch(found, names, home, [home / TOP, home / ".cache"])


def _unpacked(pack: Path, folder: Path, discard: bool) -> pd.DataFrame:
    room.need(folder, pack.stat().st_size, f"unpacking {pack.name}")
    folder.mkdir(parents=True, exist_ok=True)
    missed = archive.from_tar(pack, folder)
    if archive.DAMAGED in set(missed["reason"]):
        raise Refused(archive.damaged(pack))
    if discard:
        pack.unlink()
    return missed


def _folders(home: Path) -> list[str]:
    """Shards that were unpacked to their end."""
    return sorted((path.parent.name for path in home.glob(f"images/*/{record.FILE}")), key=_first)


def _packs(home: Path) -> dict[str, Path]:
    """Shards that lie under `home`, wherever they were put: name -> file."""
    found = [path for path in home.rglob(f"*{SUFFIX}") if not any(p.startswith(".") for p in path.parts[-3:])]
    return {_name(str(path)): path for path in sorted(found)}


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(SUFFIX)


def _first(name: str) -> tuple[int, str]:
    """Shards are called after their first and last picture: 0-5000, 5000-10000."""
    number = re.match(r"\d+", name)
    return (int(number[0]) if number else 0, name)
