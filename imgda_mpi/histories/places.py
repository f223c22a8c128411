"""Values of images at the places of stations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.grid import Grid
from imgda_mpi.observations.binning import binning
from imgda_mpi.observations.gaps import Stretch, column_stretches, row_stretches
from imgda_mpi.observations.regrid import HALF, ROUNDING
from imgda_mpi.sparse import coo_array, csr_array

Way = Literal["nearest", "bilinear"]
"""The value of the cell that holds a point, or between the centres of the four cells around it."""

Weights = tuple[IntArray, FloatArray]
"""Rows or columns that points lie between, and the weights of these, both (n_points, n)."""


def at_points(grid: Grid, latitude: FloatArray, longitude: FloatArray, how: Way) -> Callable[[FloatArray], FloatArray]:
    """What takes an image (ny, nx) in any unit to its values at points, (n_points,).

    Parameters
    ----------
    grid : of the images
    latitude, longitude : of the points, (n_points,) degrees; longitudes may be in any range
    how : "nearest" takes the cell that holds the point (see `binning`); "bilinear" weighs the four centres around it

    Returns
    -------
    Callable
        It gives NaN outside the grid, where the cell has no value, and where cells with a value hold less than half of
        the weight; these share it among themselves. Cells beyond the grid's border and in its gaps have no value. It
        raises ValueError for an image of another shape.
    """
    n_points = latitude.size
    if how == "nearest":
        cell = binning(latitude, longitude, grid).cell
        point = np.flatnonzero(cell >= 0)
        matrix = coo_array((np.ones(point.size), (point, cell[point])), shape=(n_points, grid.shape[0] * grid.shape[1]))
    elif how == "bilinear":
        matrix = _product(_row_weights(grid, latitude), _column_weights(grid, longitude), grid)
    else:
        raise ValueError(f"unknown way {how!r}; known are nearest, bilinear")
    weights: csr_array = matrix.tocsr()

    def values_at(image: FloatArray) -> FloatArray:
        if image.shape != grid.shape:
            raise ValueError(f"image has shape {image.shape}, the grid has {grid.shape}")
        valid: BoolArray = np.isfinite(image).ravel()
        weight = np.asarray(weights @ valid.astype(np.float64))
        total = np.asarray(weights @ np.where(valid, image.ravel(), 0.0))
        values = np.full(n_points, np.nan)
        np.divide(total, weight, out=values, where=weight >= HALF - ROUNDING)
        return values

    return values_at


def has_cell(grid: Grid, latitude: FloatArray, longitude: FloatArray) -> BoolArray:
    """Which points (n_points,) lie in a cell of the grid, with a value or not."""
    return np.asarray(binning(latitude, longitude, grid).cell >= 0)


def _product(rows: Weights, columns: Weights, grid: Grid) -> coo_array:
    """Weights of cells: of each point its rows' times its columns'."""
    weight = rows[1][:, :, None] * columns[1][:, None, :]
    cell = rows[0][:, :, None] * grid.shape[1] + columns[0][:, None, :]
    real = weight > 0.0
    return coo_array((weight[real], (np.nonzero(real)[0], cell[real])), shape=(len(weight), np.prod(grid.shape)))


def _row_weights(grid: Grid, latitude: FloatArray) -> Weights:
    return _joined([_between(*_nodes(stretch, poles=True), latitude) for stretch in row_stretches(grid)])


def _column_weights(grid: Grid, longitude: FloatArray) -> Weights:
    parts = []
    for stretch in column_stretches(grid):
        nodes, index = _nodes(stretch)
        # The turn of the globe that brings the points nearest to the middle of the stretch.
        middle = 0.5 * (nodes[0] + nodes[-1])
        parts.append(_between(nodes, index, longitude - 360.0 * np.round((longitude - middle) / 360.0)))
    return _joined(parts)


def _joined(parts: list[Weights]) -> Weights:
    index, weight = (np.concatenate([part[n] for part in parts], axis=1) for n in range(2))
    return index, weight


def _nodes(stretch: Stretch, *, poles: bool = False) -> tuple[FloatArray, IntArray]:
    """Centres between which is interpolated, ascending, and the row or column of each: -1 of none.

    Those around the border lie as far beyond it as its own centre is inside; at a pole the last row's value holds.
    """
    order = np.argsort(stretch.centres)
    centres, index, edges = stretch.centres[order], stretch.index[order], np.sort(stretch.edges)
    if stretch.closed:
        around = np.concatenate([[centres[-1] - 360.0], centres, [centres[0] + 360.0]])
        return around, np.concatenate([index[-1:], index, index[:1]])
    first, last = 2.0 * edges[0] - centres[0], 2.0 * edges[-1] - centres[-1]
    before, after = -1, -1
    if poles and edges[0] == -90.0:
        first, before = min(-90.0, centres[0] - ROUNDING), int(index[0])
    if poles and edges[-1] == 90.0:
        last, after = max(90.0, centres[-1] + ROUNDING), int(index[-1])
    return np.concatenate([[first], centres, [last]]), np.concatenate([[before], index, [after]])


def _between(nodes: FloatArray, index: IntArray, points: FloatArray) -> Weights:
    """The nodes on either side of each point; without weight where the point is not among them, or their index -1."""
    left = np.clip(np.searchsorted(nodes, points, side="right") - 1, 0, nodes.size - 2)
    fraction = (points - nodes[left]) / (nodes[left + 1] - nodes[left])
    number = np.stack([index[left], index[left + 1]], axis=1)
    weight = np.stack([1.0 - fraction, fraction], axis=1)
    inside = (points >= nodes[0]) & (points <= nodes[-1])
    return number, np.where(inside[:, None] & (number >= 0), weight, 0.0)
