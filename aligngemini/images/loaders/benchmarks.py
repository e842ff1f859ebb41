"""How trees of test images lie on the disk: what folders and file names say, and which hold no test.

What is peculiar to each benchmark stands in benchmarks.yaml.
"""

import re
from pathlib import PurePath
from typing import Any

from aligngemini.core import reading
from aligngemini.core.params import Refused, Typed, shown

NEITHER, BOTH = -1, -2  # labels of an image whose folders say nothing, or both real and fake
REAL = {"0_real", "real", "nature"}
FAKE = {"1_fake", "fake", "ai"}
REAL_OR_FAKE = dict.fromkeys(REAL, 0) | dict.fromkeys(FAKE, 1)
BETWEEN = {"train", "val", "valid", "validation", "test", "images"}  # folders that name a split, not a generator
KINDS = {"pixel": "pixel", "pix": "pixel", "semantic": "semantic", "sem": "semantic"}
DIGIT = re.compile(r"[01](\D.*)?", re.DOTALL)  # a label, and perhaps a word, but no number


class Layout(Typed):
    """What is peculiar to a benchmark; without arguments, the rules that hold for any labelled tree.

    All folder names are compared in lower case. `depth` folders name a subset, the last of them its generator.
    """

    source: str = ""  # where the benchmark is from; every named benchmark has one
    key: str = ""  # what tables call it, if that is not its name in lower case with underscores
    aliases: list[str] = []  # other names, in lower case without signs
    published_subsets: int = 0  # behind the published mean, 0 where that is not known
    reals: str = ""  # where its real images are from, if not from the same place
    unlabelled: int = NEITHER  # label of an image that no folder labels
    digit: bool = False  # the first character of an image's own folder, 0 or 1, is its label
    shared: bool = False  # real images of no fakes' folder serve every subset
    pooled: bool = False  # shared real images serve the subsets of the folder they are named after
    pools: dict[str, str] = {}  # subset -> folder of its shared reals, if of another name
    depth: int = 1
    real: list[str] = []  # folders of real images, above all generators
    words: dict[str, int] = {}  # folders that say real or fake, beside those above: labels
    passed: list[str] = []  # folders that name nothing
    top: list[str] = []  # folders without test images, above all generators
    skipped: dict[str, str] = {}  # folders without test images, anywhere: reasons
    names: dict[str, str] = {}  # name on the disk -> its one spelling
    lone: bool = False  # there are no real images to compare with
    only: str = ""  # how the names of the images that count end, before the suffix
    packed: list[str] = []  # patterns of the archives that are unpacked on the first use
    listing: str = ""  # a CSV file in it that says what is real
    copies: str = ""  # pattern in the path of an image: its first group is the same for all copies of one picture

    def label(self, above: tuple[str, ...]) -> int:
        """What the folders above an image say of it: 0 real, 1 fake, NEITHER or BOTH."""
        low = [part.lower() for part in above]
        said = {**REAL_OR_FAKE, **self.words}
        labels = {said[part] for part in low if part in said}
        labels |= {0 for at, part in enumerate(low) if part in self.real and not self.named(above[:at])}
        if self._is_digit(above):
            labels.add(int(low[-1][0]))
        if not labels and (self.unlabelled == 0 or len(self.named(above)) >= self.depth):
            return self.unlabelled
        return BOTH if len(labels) > 1 else next(iter(labels), NEITHER)

    def named(self, above: tuple[str, ...]) -> list[str]:
        """The folders that name something, in their one spelling: generators, kinds, categories."""
        own = above[:-1] if self._is_digit(above) else above
        nothing = {*REAL_OR_FAKE, *BETWEEN, *self.passed, *self.real, *self.words}
        names = [part for part in own if part.lower() not in nothing and not self.unpacks(part)]
        return [self.names.get(name.lower(), name) for name in names]

    def picture(self, path: str, label: int) -> str:
        """What the copies of one picture share, to be resampled together; "" for an image that stands alone."""
        found = re.search(self.copies, path) if self.copies else None
        return f"{label}/{found[1]}" if found else ""

    def _is_digit(self, above: tuple[str, ...]) -> bool:
        return self.digit and bool(above) and DIGIT.fullmatch(above[-1]) is not None

    def place(self, above: tuple[str, ...], root: str) -> tuple[str, str]:
        """Generator and subset of an image; `root` is what both are called where no folder names them."""
        names = self.named(above)
        subset = names[: self.depth] or [root]
        rest = names[self.depth : self.depth + 1]
        kind = [KINDS[part.lower()] if self.source else part for part in rest if part.lower() in KINDS]
        return subset[-1], "/".join([*subset, *kind])

    def skipped_folder(self, above: tuple[str, ...]) -> str:
        """Why a folder is not walked into; "" if it is."""
        low = above[-1].lower()
        if low in self.top and not self.named(above[:-1]):
            return "pictures to train or tune on, not to test"
        return self.skipped.get(low, "")

    def skipped_file(self, name: str) -> str:
        """Why an image of this name does not count; "" if it does."""
        counts = not self.only or PurePath(name).stem.endswith(self.only)
        return "" if counts else f"of this benchmark only *{self.only} counts"

    def unpacks(self, name: str) -> bool:
        """Whether this is the name of an archive, or of the folder made of it, that is unpacked on the first use."""
        return any(PurePath(name.lower()).match(pattern) for pattern in self.packed)


def layout(name: str, facts: Any) -> Layout:
    """The layout of a benchmark from its lines in benchmarks.yaml. Raises Refused for what they cannot say."""
    try:
        if not isinstance(facts, dict):
            raise Refused(f"it must hold lines `name: value`, got {shown(facts)}")
        return Layout(**facts)
    except Refused as refusal:
        raise Refused(f"benchmarks.yaml, {name}: {refusal}") from refusal


LAYOUTS = {name: layout(name, facts) for name, facts in reading.beside(__file__).items()}


def key(name: str) -> str:
    """What tables call a benchmark: as the published numbers do."""
    return LAYOUTS[name].key or name.lower().replace("-", "_")
