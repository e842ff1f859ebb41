"""Search for crashes of the readers with atheris, guided by the lines that an input reaches. By hand, not by pytest:

`python -m tests.hostile.fuzz READER FOLDER -max_total_time=60` with a reader of READERS; FOLDER gets the inputs that
reached something new, and those that failed. Any other option is one of libFuzzer.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("atheris is missing: pip install atheris")

with atheris.instrument_imports(include=["aligngemini", "PIL", "yaml", "tarfile", "zipfile"]):
    from aligngemini.core import manifest, params, reading, saved_runs, stages
    from aligngemini.core.params import Refused
    from aligngemini.fetch import archive
    from aligngemini.images import decode, header
    from aligngemini.images.loaders import archives, csv_lists
    from aligngemini.stream import items, listing

from tests.hostile import test_archives, test_images, test_recipes, test_runs, test_tables


def image(path: Path) -> None:
    """Facts of an image, and its pixels."""
    decode.identify(path)
    decode.read(path.read_bytes())


def run(path: Path) -> None:
    """A manifest, and what is said of its run."""
    if record := manifest.read(path.parent):
        found = saved_runs.SavedRun(path.parent, record)
        assert found.summary() and found._repr_html_() and manifest.sealed(record) in (True, False)


def recipe(path: Path) -> None:
    """A recipe, and the parameters that it gives to each notebook."""
    given = reading.mapping(path, "it")
    for kind in stages.STAGES.values():
        params.problems(kind.params, given, "it")
        with suppress(Refused):
            params.build(kind.params, given, "it")


def tar(path: Path) -> None:
    """A tar: as a shard of a benchmark, as one of a stream, and as a download."""
    archives.unpacked(path, path.parent)
    list(items.chunks([listing.Entry(str(path), "tar")]))
    archive.unpacked(path, path.parent / "images")


READERS = {
    "image": (image, "image", test_images._originals),
    "run": (run, "manifest.json", lambda: [json.dumps(test_runs.RUN).encode()]),
    "recipe": (recipe, "x.yaml", lambda: map(str.encode, test_recipes.PIECES)),
    "list": (csv_lists.rows, "a.csv", lambda: ["\n".join(test_tables.LINES[i : i + 6]).encode() for i in range(20)]),
    "tar": (tar, "a.tar", lambda: [test_archives._many(2, mode) for mode in ("w", "w:gz")]),
}


def main(name: str, folder: Path, *options: str) -> None:
    reader, file, originals = READERS[name]
    path, corpus = folder / "here" / file, folder / "corpus"
    for each in (path.parent, corpus):
        each.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(originals()):
        (corpus / str(number)).write_bytes(data)
    os.environ |= {"ALIGNGEMINI_BUILT": str(folder / "built"), "ALIGNGEMINI_OUTPUTS": str(folder / "outputs")}
    header.LIMIT = test_images.LIMIT

    def one(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(Refused, decode.Unreadable):
            reader(path)

    atheris.Setup(
        [name, f"-artifact_prefix={folder}/", "-timeout=10", "-rss_limit_mb=2000", *options, str(corpus)], one
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute(), *sys.argv[3:])
