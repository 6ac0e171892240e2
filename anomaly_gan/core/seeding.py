"""Chance as an argument: independent random streams derived from (seed, names), never from global state."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_for(seed: int, *names: object) -> int:
    """A 63-bit seed that depends on the run's seed and the item's name alone (not on order, time or workers)."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def rng_for(seed: int, *names: object) -> np.random.Generator:
    """A NumPy generator for one named item of a run."""
    return np.random.default_rng(seed_for(seed, *names))
