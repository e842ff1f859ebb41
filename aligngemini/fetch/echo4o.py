"""The surreal images of Echo-4o-Image: tar shards on the hub, for the fakes of the semantic set."""

import re
from argparse import Namespace
from pathlib import Path

from aligngemini.core import paths
from aligngemini.core.params import Refused

from . import archive, hub, record, web

REPO = "Yejy53/Echo-4o-Image"
RIGHTS = "MIT, as its dataset card says"
TOP = "Surrel-Fantasy-Image"  # spelled so on the hub
TABLE = f"{TOP}/conflict.jsonl"
SUFFIX = ".tar.gz"


def offer(root: Path, args: Namespace) -> record.Offer:
    """What the hub says of the first `args.shards` shards. Raises Refused."""
    source, shards = _offered(root / "echo4o")
    chosen = sorted(shards, key=_first)[: args.shards or None]
    return record.Offer(REPO, sum(source.sizes[shards[name]] for name in chosen), RIGHTS)


def fetch(root: Path, args: Namespace) -> dict[str, str]:
    """Fetch `args.shards` shards (0: all) and the table of captions; unpack into `echo4o/images/<shard>`.

    Shards that lie anywhere under `echo4o` are taken before others are fetched. Returns path -> why it was left
    out, or "". Raises Refused.
    """
    home = root / "echo4o"
    folders = _folders(home)
    if not (folders or _packs(home) or args.again) and record.images(home):
        return record.left_alone("echo4o", home)
    done = {name for name in folders if record.cleared(home / "images" / name)}
    have = done | set(_packs(home))
    if not args.shards or len(have) < args.shards or not (home / TABLE).is_file():
        _download(home, have, folders, args.shards)
    packs = {name: pack for name, pack in _packs(home).items() if name not in done}
    reasons = {}
    for name in sorted(packs, key=_first)[: max(0, args.shards - len(done)) if args.shards else None]:
        reasons |= archive.unpacked(packs[name], home / "images" / name, discard=args.discard)
    return reasons


def check(root: Path, quick: bool) -> record.State:
    """The state of the shards that are under `echo4o`, or of what was put there by hand."""
    home = root / "echo4o"
    folders = _folders(home)
    begun = [name for name in _packs(home) if name not in folders and (home / "images" / name).exists()]
    if not folders and not begun:
        return record.state(home, quick)
    shards = {name: record.problems(home / "images" / name, quick) for name in folders}
    state = record.of_files({f"{name}/{path}": why for name in folders for path, why in shards[name].items()})
    if begun and state.word != record.CORRUPT:
        return record.State(record.INCOMPLETE, f"{begun[0]}{SUFFIX} is not all unpacked")
    return state


def _download(home: Path, have: set[str], folders: list[str], count: int) -> None:
    """Fetch what is missing of `count` shards: first those of which something is here."""
    source, offered = _offered(home)
    order = sorted(offered, key=lambda name: (name not in have and name not in folders, _first(name)))
    chosen = [name for name in order[: count or None] if name not in have]
    places = {offered[name]: home / TOP / "images" / f"{name}{SUFFIX}" for name in chosen}
    size = sum(source.sizes[name] for name in places)
    web.need(home, 2 * size, "echo4o")  # the shards, and the images in them, which do not shrink
    if TABLE in source.sizes and not (home / TABLE).is_file():
        places[TABLE] = home / TABLE
    hub.download(source, places, home, "--root")


def _offered(home: Path) -> tuple[hub.Repository, dict[str, str]]:
    """The repository, and its shards: name -> file. Raises Refused where it has none any more."""
    source = hub.repository(REPO, "dataset")
    shards = {_name(path): path for path in source.sizes if path.startswith(f"{TOP}/images/") and path.endswith(SUFFIX)}
    if not shards:
        raise Refused(f"{REPO} has no shards in {TOP}/images any more: put them into {paths.short(home)} yourself")
    return source, shards


def _folders(home: Path) -> list[str]:
    """Shards that were unpacked to their end."""
    return sorted((path.parent.name for path in home.glob(f"images/*/{record.FILE}")), key=_first)


def _packs(home: Path) -> dict[str, Path]:
    """Shards that lie under `home`, wherever they were put: name -> file."""
    packs = [path for path in home.rglob(f"*{SUFFIX}") if not any(p.startswith(".") for p in path.parts[-3:])]
    return {_name(str(path)): path for path in sorted(packs)}


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(SUFFIX)


def _first(name: str) -> tuple[int, str]:
    """Shards are called after their first and last image: 0-5000, 5000-10000."""
    number = re.match(r"\d+", name)
    return (int(number[0]) if number else 0, name)
