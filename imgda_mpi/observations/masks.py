"""Pixels that are left out by another variable, such as a share of land."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import find_variable, opened, resolve
from imgda_mpi.observations.image import MaskedPixels
from imgda_mpi.observations.records import read_map


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
        Where the mask is missing or damaged, has not the cells of the image, or has further dimensions.
    """
    file = path if mask.file is None else resolve(mask.file, time)
    with opened(file) as dataset:
        do = "correct the variable of the mask, or name the file that it is in"
        variable = find_variable(file, dataset, mask.variable, do=do, has_codes=True)
        values, own = read_map(file, dataset, variable, time)
    rows, columns = _places(own.latitude, grid.latitude, 0.0), _places(own.longitude, grid.longitude, 360.0)
    if rows is None or columns is None:
        raise fault(
            file,
            mask.variable,
            found=f"a mask on {own.shape[0]} x {own.shape[1]} cells that are others",
            expected=f"the cells of {path.name}, {grid.shape[0]} x {grid.shape[1]}",
            do="remap the mask to the grid of the observation",
        )
    return MaskedPixels(~(values[np.ix_(rows, columns)] >= mask.min), file)


def _places(own: FloatArray, wanted: FloatArray, turn: float) -> IntArray | None:
    """Where the wanted centres (n,) are among others, to a hundredth of a step; None where one is not."""
    apart = np.abs(own[None, :] - wanted[:, None])
    apart = np.minimum(apart % turn, turn - apart % turn) if turn else apart
    nearest = apart.argmin(axis=1)
    step = np.abs(np.diff(wanted)).min()
    return nearest if (apart[np.arange(wanted.size), nearest] <= 0.01 * step).all() else None
