"""A small data run, as peers are made from one."""

import pytest

from tests import pixel_run


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return pixel_run.make(tmp_path_factory.mktemp("data"), "peers", 44)
