"""What is taken along dimensions of a file that no image has, as runs or members."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.faults import fault
from imgda_mpi.netcdf import around, in_library


def selected(
    path: Path,
    variable: netCDF4.Variable[Any],
    select: Mapping[str, int | str],
    taken: Collection[str | None],
) -> tuple[dict[str, int], list[str]]:
    """The index along each of some dimensions of a variable, and the dimensions that are left.

    Parameters
    ----------
    path, variable : open
    select : by dimension: a number from 0, or the name that its coordinate has there
    taken : dimensions that are chosen already

    Raises
    ------
    InputError
        Where there is no such dimension, number or name.
    """
    free = [name for name in variable.dimensions if name not in taken]
    for dimension in select:
        if dimension not in free:
            found = f"dimensions {', '.join(free)} beside place and time" if free else "only place and time"
            do = "correct the dimensions that are selected"
            raise fault(path, variable.name, found=found, expected=f"a dimension {dimension}", do=do)
    index = {name: _number(path, variable, name, wanted) for name, wanted in select.items()}
    return index, [name for name in free if name not in index]


def _number(path: Path, variable: netCDF4.Variable[Any], dimension: str, wanted: int | str) -> int:
    size = variable.shape[variable.dimensions.index(dimension)]
    if isinstance(wanted, int):
        if 0 <= wanted < size:
            return wanted
        found, expected = f"{size} along {dimension}", f"one of number {wanted}"
        raise fault(path, variable.name, found=found, expected=expected, do=f"choose from 0 to {size - 1}")
    names = _names(path, variable, dimension)
    matches = [number for number, name in enumerate(names) if name == wanted]
    if len(matches) != 1:
        found = f"names {', '.join(names)}" if names else "no names"
        do = "choose one of them, or a number from 0" if names else "choose a number from 0"
        raise fault(path, dimension, found=found, expected=f"one named {wanted}", do=do)
    return matches[0]


def _names(path: Path, variable: netCDF4.Variable[Any], dimension: str) -> list[str]:
    """Names along a dimension, of strings or of characters; none where its coordinate has no names."""
    coordinate = around(variable).get(dimension)
    if coordinate is None:
        return []
    if coordinate.dtype is not str and coordinate.dtype != np.dtype("S1"):
        return []
    with in_library(path, dimension):
        coordinate.set_auto_mask(False)
        values = coordinate[:]
    if coordinate.dtype is not str and coordinate.ndim == 2:
        values = netCDF4.chartostring(values)
    return [str(name).strip().strip("\x00") for name in np.atleast_1d(values)]
