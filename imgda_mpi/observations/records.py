"""One record of a variable: the image of one time, or a map that is the same at all times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import VERSIONS, horizontal_grid, read_slice
from imgda_mpi.observations.times import Chosen, nearest_time


def read_record(
    path: Path,
    variable: netCDF4.Variable[Any],
    index: dict[str, int],
    horizontal: tuple[str, ...],
    chosen: Chosen,
) -> tuple[FloatArray, int, str | None]:
    """Values of the one step of the chosen time that has any, rows first; its number; what to say of the others.

    ``horizontal`` are the dimensions of an image, or the one of points. ``index`` holds a number for every dimension
    that is neither horizontal nor that of the time; it may have none along versions (see `read_slice`).

    Raises
    ------
    InputError
        Where several records of the time have values.
    """
    empty = [d for d, size in zip(variable.dimensions, variable.shape, strict=True) if size == 0]
    if empty:
        raise fault(
            path, variable.name, found=f"no record along {empty[0]}", expected="an image", do="give another file"
        )

    def read(step: int) -> FloatArray:
        of_step = index if chosen.dimension is None else index | {chosen.dimension: step}
        values = read_slice(path, variable, of_step)
        is_turned = variable.dimensions.index(horizontal[0]) > variable.dimensions.index(horizontal[-1])
        return values.T if is_turned else values

    if len(chosen.steps) == 1:
        return read(chosen.steps[0]), chosen.steps[0], None
    images = {step: read(step) for step in chosen.steps}
    filled = [step for step, values in images.items() if np.isfinite(values).any()]
    if len(filled) > 1:
        raise fault(
            path,
            variable.name,
            found=f"{len(filled)} records of {chosen.time:%Y-%m-%d %H:%M} UTC with values",
            expected="one of each time",
            do="extract the one that is meant (for example with ncks -d)",
        )
    step = (filled or [chosen.steps[0]])[0]
    said = f"{len(chosen.steps)} records of this time: number {step} is read, the others have no value"
    return images[step], step, said


def read_map(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], time: datetime
) -> tuple[FloatArray, Grid]:
    """Values (ny, nx) of a variable without layers, in any unit, and their grid; of its times the nearest, however far.

    Raises
    ------
    InputError
        Where the variable has no rectilinear grid, or further dimensions.
    """
    horizontal = horizontal_grid(path, variable)
    dimensions = horizontal.dimensions
    chosen = nearest_time(path, dataset, variable, dimensions, time, math.inf, needs_time=False)
    others = only_ones(path, variable, [d for d in variable.dimensions if d not in {*dimensions, chosen.dimension}])
    values, _, _ = read_record(path, variable, others, dimensions, chosen)
    return horizontal.ordered(values), horizontal.grid


def only_ones(path: Path, variable: netCDF4.Variable[Any], dimensions: Sequence[str]) -> dict[str, int]:
    """The index along dimensions that have one index alone, and none along versions of values.

    Raises
    ------
    InputError
        Where one of them has more.
    """
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    single = [d for d in dimensions if d != VERSIONS]
    further = [f"{d} ({sizes[d]})" for d in single if sizes[d] > 1]
    if further:
        raise fault(
            path,
            variable.name,
            found=f"further dimensions {', '.join(further)}",
            expected="latitude, longitude, time and a depth coordinate",
            do="extract one index of each first (for example with ncks -d)",
        )
    return dict.fromkeys(single, 0)
