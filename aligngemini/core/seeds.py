"""Random draws that depend on a key alone: neither order, nor workers, nor restarts change them."""

import hashlib
import random
import sys
from collections.abc import Iterable

import numpy as np

from aligngemini.core import fingerprint


def generator(*key: object) -> np.random.Generator:
    """A NumPy generator derived from the parts of `key`, say ("view", seed, image_id)."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def rank(name: str, *salt: object) -> str:
    """A hash to sort by: an order that is fixed for ever and has nothing to do with names or folders."""
    return hashlib.sha256("/".join([*map(str, salt), name]).encode()).hexdigest()


def ranked(names: Iterable[str], *salt: object) -> list[str]:
    """Distinct names in hash order."""
    return sorted(set(names), key=lambda name: rank(name, *salt))


def seed(number: int, key: str = "", torch: bool = False) -> None:
    """Seed the global generators of random, numpy and torch (if loaded or asked for) from both values."""
    value = int(fingerprint.digest([number, key])[:8], 16)
    random.seed(value)
    np.random.seed(value)
    if torch or "torch" in sys.modules:
        import torch as library

        library.manual_seed(value)
