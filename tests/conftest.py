"""What is built from data sets during the tests lies in a folder of theirs."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def built(tmp_path_factory):
    """The folder of everything built; paths.built() returns it."""
    folder = tmp_path_factory.mktemp("built")
    os.environ["ALIGNGEMINI_BUILT"] = str(folder)
    return folder
