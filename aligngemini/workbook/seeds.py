"""Random draws that depend on a key alone: neither order, nor workers, nor restarts change them."""

import hashlib

import numpy as np


def generator(*key: object) -> np.random.Generator:
    """A NumPy generator derived from the parts of `key`, say ("view", seed, image_id)."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))
