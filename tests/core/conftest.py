"""The little workbook, for the tests of this folder."""

from tests.little_workbook import closed, inline, little

__all__ = ["closed", "inline", "little"]
