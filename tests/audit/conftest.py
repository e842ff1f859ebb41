"""The audit is tested on the images and runs that the tests of images make."""

from tests.images.conftest import new_run, picture, saved

__all__ = ["new_run", "picture", "saved"]
