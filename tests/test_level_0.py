"""Deflated variables that are edited: whatever their chunks and filters, every reader has what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest

from imgda_mpi.colm.hdf5 import Columns, opened

WATER = Columns("water", 5, 15)


@pytest.mark.parametrize("n", [1, 7, 333])
@pytest.mark.parametrize(
    "how",
    [
        {"chunks": True},
        {"compression": 1},
        {"compression": 4, "shuffle": True},
        {"chunks": (100, 4), "compression": 1, "shuffle": True},
        {"chunks": (100, 15), "compression": 1, "fletcher32": True},
        {"maxshape": (None, 15), "chunks": (64, 15), "compression": 1},
    ],
)
def test_rows_are_what_was_written_and_all_else_is_as_it_was(how: dict[str, Any], n: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(n)
    # Whole numbers: deflated they would be a tenth.
    before, rows = (rng.integers(0, 9, (n, columns)).astype(np.float64) for columns in (15, 10))
    expected = before.copy()
    expected[n // 2 :, 5:] = rows[n // 2 :]
    if "maxshape" not in how and isinstance(how.get("chunks"), tuple):
        how = how | {"chunks": tuple(map(min, how["chunks"], before.shape))}
    path = tmp_path / "block.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("water", data=before, **how)
    sizes = []
    for _ in range(3):  # also of what has been stored so before
        with opened(path, "r+") as block:
            block.store(WATER, slice(n // 2, n), rows[n // 2 :])
        sizes.append(path.stat().st_size)
        with netCDF4.Dataset(path) as there:
            there.set_auto_mask(False)
            assert np.array_equal(there["water"][...], expected)
        with opened(path) as block:
            assert np.array_equal(block.read(WATER, slice(0, n), n), expected[:, 5:])
    assert sizes[1] == sizes[2]  # a chain of restarts does not grow
    if how.get("compression") and not how.get("fletcher32"):
        assert sizes[-1] > before.nbytes
