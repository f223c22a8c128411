"""Random numbers by what they are for, whatever was drawn before: of made-up weather and twin experiments."""

from __future__ import annotations

import numpy as np

# Part of the key: numbers must not change, or all weather and all experiments change with them.
KINDS = {
    "rain systems": 0,
    "temperature waves": 1,
    "displacements": 2,
    "strengths": 3,
    "start": 4,
    "places": 5,
    "white errors": 16,
    "coherent errors": 17,
}


def generator(seed: int, kind: str, number: int) -> np.random.Generator:
    """The random numbers of a kind and a number, as that of a day, of a seed (0 to 2^64 - 1)."""
    # Two words for each, so that no two keys are written alike; numbers below 0, as of days before 1970, wrap round.
    key = np.array([seed, KINDS[kind], number % 2**64], dtype="<u8").view("<u4")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key.tolist())))
