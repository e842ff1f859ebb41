"""The command `aligngemini teach`: copy the notebooks for a class, with the exercises to fill in or solved."""

import argparse
import json
import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aligngemini.core import atomic, manifest, paths, reading
from aligngemini.core.params import Refused


def add(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    teach = commands.add_parser("teach", help="copy the notebooks for a class")
    which = teach.add_mutually_exclusive_group(required=True)
    which.add_argument("--student", metavar="DIR", help="folder for the notebooks, exercises to fill in")
    which.add_argument("--solutions", metavar="DIR", help="folder for the notebooks, exercises solved")
    teach.set_defaults(act=act)


def act(args: argparse.Namespace) -> None:
    """Copy the notebooks, all or none. Raises `Refused` where one of them is there already, and DiskFull."""
    solved = args.student is None
    option = "--solutions" if solved else "--student"
    folder = paths.writable(args.solutions if solved else args.student, option)
    books = sorted(paths.notebooks().glob("*.ipynb"))
    if there := [book.name for book in books if (folder / book.name).exists()]:
        raise Refused(f"{paths.short(folder)} holds {there[0]} already: choose another folder, no file is replaced")
    with manifest.room_on_disk(folder, option), ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        for book in books:
            text = solution(book) if solved else book.read_text(encoding="utf-8")
            undo.callback((folder / book.name).unlink, missing_ok=True)
            atomic.write(folder / book.name, linked(text, folder))
        undo.pop_all()
    print(f"{len(books)} notebooks {'with solutions ' if solved else ''}in {paths.short(folder)}")


def linked(text: str, folder: Path) -> str:
    """Return the text of a notebook whose links to the documentation lead there from `folder`, too."""
    docs = os.path.relpath(paths.resolve("docs"), folder.resolve())
    return text.replace("](../docs/", f"]({quote(Path(docs).as_posix())}/")


def solution(path: Path) -> str:
    """Return the notebook at `path` as text, its exercises filled in from notebooks/solutions."""
    source = paths.notebooks() / "solutions" / f"{path.stem}.yaml"
    answers = reading.mapping(source, paths.short(source)) if source.exists() else {}
    book = json.loads(path.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        text = "".join(cell["source"])
        if found := re.search(r'exercises\.check\("(.+?)"', text):
            filled = re.sub(r"(?m)^answer = \.\.\..*\n", lambda _: answers[found[1]], text)  # noqa: B023
            cell["source"] = filled.splitlines(keepends=True)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"
