"""NetCDF files with the inner layout that CoLM202X gives them, and the folders they lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from netCDF4 import Dataset

from imgda_mpi.example.tiles import Tiles

CASE = "demo"
TIME = datetime(2022, 6, 2, 6, tzinfo=UTC)
"""Of the example; cases of other times can be written too."""

LAND_COVER_YEAR = 2005

# A fixed time of creation, so that the same example has the same bytes whenever it is written.
CREATE_TIME = f"{TIME:%Y%m%d-%H:%M:%S} UTC+00:00"

MISSING = -1.0e36
"""What CoLM writes where a variable has no meaning."""

Values = npt.NDArray[Any] | np.generic | float
"""An array, or one number for all of it."""

Variable = tuple[Sequence[str], Values]
"""Names of the dimensions, and values that broadcast to them."""


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
            dtype, shape = np.asarray(values).dtype, [dimensions[axis] for axis in axes]
            if deflate and len(axes) > 1:
                file.createVariable(name, dtype, axes, zlib=True, complevel=1, shuffle=False, chunksizes=shape)
            else:
                file.createVariable(name, dtype, axes, contiguous=True)
        for name, (_, values) in variables.items():
            file[name][...] = values


def write_blocks(
    stem: Path,
    tiles: Tiles,
    dimensions: Mapping[str, int],
    variables: Mapping[str, Values],
    axes: Mapping[str, Sequence[str]],
) -> None:
    """Write variables of the patches, a file for each block.

    Parameters
    ----------
    stem : the files' name before that of the block
    variables : values of all patches, or one for all
    axes : dimensions beside ``patch`` of the variables that have any
    """
    for block, patches in tiles.blocks.items():
        mine = {
            name: (("patch", *axes.get(name, ())), values[patches] if isinstance(values, np.ndarray) else values)
            for name, values in variables.items()
        }
        sizes = {"patch": patches.stop - patches.start, **dimensions}
        write_file(stem.with_name(f"{stem.name}_{block}.nc"), sizes, mine)
