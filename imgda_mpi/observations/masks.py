"""Pixels that are left out by another variable, such as a share of land."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Protocol

from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import find_variable, horizontal_grid, opened, resolve
from imgda_mpi.observations.image import MaskedPixels
from imgda_mpi.observations.records import read_record
from imgda_mpi.observations.times import nearest_time


class Mask(Protocol):
    """Which pixels of an image are used: those where a variable has at least ``min``.

    ``file`` is the image's own where it is None, and may contain strftime fields.
    """

    variable: str
    min: float
    file: Path | None


def masked_pixels(mask: Mask, path: Path, time: datetime, grid: Grid) -> MaskedPixels:
    """Pixels (ny, nx) of an image where the mask's variable is missing or below its least value.

    ``path`` and ``grid`` are the image's; the mask's time nearest to ``time`` is taken, however far.

    Raises
    ------
    InputError
        Where the mask is missing or damaged, is on another grid, or has further dimensions.
    """
    file = path if mask.file is None else resolve(mask.file, time)
    with opened(file) as dataset:
        variable = find_variable(file, dataset, mask.variable)
        own, horizontal = horizontal_grid(file, dataset, variable)
        if not own.has_cells_of(grid):
            raise fault(
                file,
                mask.variable,
                found=f"a mask on a grid of {own.shape[0]} x {own.shape[1]}, or on other cells",
                expected=f"the grid of {path.name}, {grid.shape[0]} x {grid.shape[1]}",
                do="remap the mask to the grid of the observation",
            )
        chosen = nearest_time(file, dataset, variable, horizontal, time, math.inf, needs_time=False)
        sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
        others = {d: size for d, size in sizes.items() if d not in {*horizontal, chosen.dimension}}
        if max(others.values(), default=1) > 1:
            raise fault(
                file,
                mask.variable,
                found=f"further dimensions {', '.join(f'{d} ({size})' for d, size in others.items())}",
                expected="a mask along latitude, longitude and time",
                do="extract one index of each first (for example with ncks -d)",
            )
        values, _, _ = read_record(file, variable, dict.fromkeys(others, 0), horizontal, chosen)
    return MaskedPixels(~(values >= mask.min), file)
