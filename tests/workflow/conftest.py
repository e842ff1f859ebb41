"""The little workbook and the server in the place of the hub, for the tests of this folder."""

from tests.fetch.conftest import fetch, served
from tests.little_workbook import closed, inline, little

__all__ = ["closed", "fetch", "inline", "little", "served"]
