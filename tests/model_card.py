"""The code on a model card, run as its reader would run it."""

from pathlib import Path


def answer(folder: Path, picture: str):
    """What the last line of the card of the adapter in `folder` gives, for `picture` instead of "picture.jpg"."""
    code = (folder / "README.md").read_text().split("```python\n")[1].split("\n```")[0]
    *lines, last = code.replace("this folder", str(folder)).replace("picture.jpg", picture).splitlines()
    names = {}
    exec("\n".join(lines), names)
    return eval(last, names)
