"""Which mutation a file gets."""

from __future__ import annotations

from pathlib import Path

import h5py
from fuzz_bytes import BYTES, RECORDS, SETTINGS, TABLE, WHOLE, Rng, pick
from fuzz_structure import STRUCTURE

BY_BYTES, BY_WHOLE = 0.25, 0.08
"""Shares of files whose bytes are changed, and that are something else."""


def mutated(rng: Rng, path: Path) -> tuple[str, str]:
    """Change a file in place; the kind of mutation, and what it did."""
    chance = rng.random()
    if path.suffix == ".nc" or path.suffix == ".nc4":
        own = STRUCTURE if h5py.is_hdf5(path) else BYTES
    else:
        own = {".toml": SETTINGS, ".csv": TABLE, ".json": BYTES}.get(path.suffix, RECORDS)
    mutation = pick(rng, WHOLE if chance < BY_WHOLE else BYTES if chance < BY_WHOLE + BY_BYTES else own)
    name = mutation.__name__.replace("_", " ")
    if mutation not in STRUCTURE:
        return name, mutation(rng, path)
    with h5py.File(path, "r+") as file:
        return name, mutation(rng, file)
