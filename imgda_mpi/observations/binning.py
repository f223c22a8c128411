"""Means of the points that lie in each cell of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.grid import Grid, which_interval

DIGITS = 6  # of degrees: what rounding moves by less than 0.1 m stays in its cell, in either range of longitudes


@dataclass(frozen=True, eq=False)
class Binning:
    """The cell that each of some points belongs to.

    Parameters
    ----------
    cell : number of the cell in an image row by row, (n,); -1 of points that belong to none
    shape : of the image, (ny, nx)
    """

    cell: IntArray
    shape: tuple[int, int]

    def __call__(self, values: FloatArray) -> FloatArray:
        """Mean (ny, nx) of the valid (finite) points (n,) of each cell, in any unit; NaN where there is none.

        It is the same to the bit in whatever order the points come.

        Raises
        ------
        ValueError
            Where there are not as many values as points.
        """
        n_points, used = self.count(values), self._used(values)
        cell, value = self.cell[used], values[used]
        order = np.lexsort((value, cell))
        total = np.bincount(cell[order], value[order], minlength=n_points.size).reshape(self.shape)
        result = np.full(self.shape, np.nan)
        np.divide(total, n_points, out=result, where=n_points > 0)
        return result

    def count(self, values: FloatArray) -> IntArray:
        """Valid points in each cell, (ny, nx); ``values`` (n,)."""
        cells = self.cell[self._used(values)]
        return np.bincount(cells, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)

    @property
    def covered(self) -> BoolArray:
        """Cells that hold a point, valid or not, (ny, nx)."""
        return self.count(np.zeros(self.cell.size)) > 0

    @property
    def reached(self) -> BoolArray:
        """Points that belong to a cell, (n,)."""
        return self.cell >= 0

    def per_cell(self, values: FloatArray) -> str:
        """How many valid points lie in a cell that has any, in words; empty where none has."""
        n_points = self.count(values)
        n_points = n_points[n_points > 0]
        if n_points.size == 0:
            return ""
        return f"{np.median(n_points):g} in a cell (median; {n_points.min()} to {n_points.max()})"

    def _used(self, values: FloatArray) -> BoolArray:
        if values.shape != self.cell.shape:
            raise ValueError(f"values have shape {values.shape}, the points {self.cell.shape}")
        return np.isfinite(values) & self.reached


def binning(latitude: FloatArray, longitude: FloatArray, grid: Grid) -> Binning:
    """The cells of the grid that points (n,), degrees, lie in; NaN lies in none.

    Longitudes may be in any range. A point on an edge belongs to the cell north or east of it, on the grid's own
    northern or eastern edge to the last cell before it.
    """
    return Binning(_cells(_rows(latitude, grid), _columns(longitude, grid), grid), grid.shape)


def cells_of_centres(centres: Grid, grid: Grid) -> IntArray:
    """Number of the cell, row by row, that each centre of another grid lies in, (ny, nx) of that one; -1 of none.

    Longitudes and edges are as for `binning`.
    """
    return _cells(_rows(centres.latitude, grid)[:, None], _columns(centres.longitude, grid), grid)


def _rows(latitude: FloatArray, grid: Grid) -> IntArray:
    return which_interval(np.round(grid.latitude_edges, DIGITS), np.round(latitude, DIGITS))


def _columns(longitude: FloatArray, grid: Grid) -> IntArray:
    edges = grid.longitude_edges
    from_west = np.round((longitude - edges[0]) % 360.0, DIGITS) % 360.0
    return which_interval(np.round(edges - edges[0], DIGITS), from_west)


def _cells(row: IntArray, column: IntArray, grid: Grid) -> IntArray:
    return np.where((row >= 0) & (column >= 0), row * grid.shape[1] + column, -1)
