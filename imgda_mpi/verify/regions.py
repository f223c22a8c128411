"""Parts of a grid that scores are given for."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid

Box = tuple[float, float, float, float]
"""South, north, west and east, degrees."""

ALL_LAND = "all land"
"""Region of all cells; names of the settings have no blanks."""

BOXES: dict[str, Box] = {"China": (15.0, 55.0, 70.0, 140.0), "US": (25.0, 50.0, -125.0, -65.0)}
"""China with what is around it, and the continental US, as in Bai et al. (2026), section 4.2.2."""


def cells_of(grid: Grid, box: Box) -> BoolArray:
    """Cells whose centres are in a box, its borders included, (ny, nx).

    >>> cells_of(Grid(np.array([10.0, 20.0]), np.array([350.0, 355.0, 360.0])), (0.0, 15.0, -5.0, 5.0)).tolist()
    [[False, True, True], [False, False, False]]
    """
    return in_box(grid.latitude[:, None], grid.longitude, box)


def in_box(latitude: FloatArray, longitude: FloatArray, box: Box) -> BoolArray:
    """Which places are in a box, its borders included; longitudes in any range, shapes as NumPy broadcasts them."""
    south, north, west, east = box
    return np.asarray((latitude >= south) & (latitude <= north) & ((longitude - west) % 360.0 <= east - west))
