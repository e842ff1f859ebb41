"""What a score of a file depends on: the branch that looks, and the code that makes pixels of the file."""

from aligngemini.branches.branch import Branch
from aligngemini.core import fingerprint
from aligngemini.images import header

PIXELS = ("aligngemini.images.decode", "aligngemini.images.protocols")


def facts(branch: Branch, crop: int = 0) -> dict:
    """What the scores of a branch depend on (see Branch.identity; crop in px, 0 for its own), fit for JSON."""
    return branch.identity(crop) | {"pixels": of_code()}


def of_code() -> str:
    """A digest of the code and the codecs that make pixels of a file, and of what protocols do to them."""
    return fingerprint.digest([header.CODECS, *map(fingerprint.of_module, PIXELS)])
