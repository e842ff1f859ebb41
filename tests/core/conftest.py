"""The little workbook, and a run of it, for the tests of this folder."""

import pytest

from aligngemini.core import runs, stages
from tests import small
from tests.little_workbook import closed, inline, little

__all__ = ["closed", "inline", "little", "run"]


@pytest.fixture
def run(little):
    return runs.start(stages.DATA, small.data(little))
