"""NetCDF files with the inner layout that CoLM202X gives them, and the folders they lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from netCDF4 import Dataset

CASE = "demo"
TIME = datetime(2022, 6, 2, 6, tzinfo=UTC)
STAMP = f"{TIME:%Y-%j}-{TIME.hour * 3600:05d}"
LAND_COVER_YEAR = 2005

# A fixed time of creation, so that the same example has the same bytes whenever it is written.
CREATE_TIME = f"{TIME:%Y%m%d-%H:%M:%S} UTC+00:00"

MISSING = -1.0e36
"""What CoLM writes where a variable has no meaning."""

Variable = tuple[Sequence[str], npt.NDArray[Any]]
"""Names of the dimensions, and the values."""


def write_file(
    path: Path, dimensions: Mapping[str, int], variables: Mapping[str, Variable], *, deflate: bool = True
) -> None:
    """Write variables as CoLM does.

    No attributes but the file's ``create_time``; vectors and scalars contiguous. Anything of more dimensions is in
    one chunk, deflated at level 1 without shuffle, except (``deflate=False``) in the global mesh file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Dataset(path, "w", format="NETCDF4") as file:
        file.create_time = CREATE_TIME
        for name, size in dimensions.items():
            file.createDimension(name, size)
        # All definitions first: switching between defining and writing is what takes time.
        for name, (axes, values) in variables.items():
            if deflate and len(axes) > 1:
                file.createVariable(
                    name, values.dtype, axes, zlib=True, complevel=1, shuffle=False, chunksizes=values.shape
                )
            else:
                file.createVariable(name, values.dtype, axes, contiguous=True)
        for name, (_, values) in variables.items():
            file.variables[name][...] = values


def block_name(block: int) -> str:
    """CoLM's name of a 90-degree block by its west and south edge.

    >>> [block_name(block) for block in (0, 3, 6)]
    ['w180_s90', 'e090_s90', 'e000_n00']
    """
    west, south = block_edges(block)
    return f"{'w' if west < 0 else 'e'}{abs(west):03d}_{'s' if south < 0 else 'n'}{abs(south):02d}"


def block_edges(block: int) -> tuple[int, int]:
    """West and south edge of a block, degrees."""
    return -180 + 90 * (block % 4), -90 + 90 * (block // 4)


def scalar(value: float) -> Variable:
    """A variable without dimensions."""
    return (), np.array(value)
