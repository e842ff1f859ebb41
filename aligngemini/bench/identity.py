"""What a score of a file depends on: the branch that looks, and the code that makes pixels of the file."""

from pathlib import Path

from ..branches.branch import Branch
from ..images import decode, degrade, header, perturb, protocols
from ..workbook import fingerprint

PIXELS = (decode, *decode.CODE, degrade, perturb, protocols)


def facts(branch: Branch, crop: int = 0) -> dict:
    """What the scores of a branch depend on (see Branch.identity; crop in px, 0 for its own), fit for JSON."""
    return branch.identity(crop) | {"pixels": of_code()}


def of_code() -> str:
    """A digest of the code and of the codecs that make pixels of files, and of what is done to pixels."""
    code = [fingerprint.of_file(Path(module.__file__)) for module in PIXELS]
    return fingerprint.digest([header.CODECS, *code])
