"""Values of one latitude-longitude grid on another, with missing values.

Both methods are separable: a sparse matrix of weights for the rows and one for the columns,
``target = W_latitude @ source @ W_longitude.T``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.grid import Grid, which_interval
from imgda_mpi.observations.gaps import Stretch, column_stretches, row_stretches
from imgda_mpi.sparse import coo_array, csr_array

HALF = 0.5  # of a cell's weight must lie on valid pixels
ROUNDING = 1e-9  # keeps a cell that is exactly half valid on the same side whatever the order of the sum

# Degrees stored in single precision are off by up to 1.5e-5: a target centre that far outside the source's outermost
# centres, on a grid of 0.01 degrees or coarser, still counts as lying on them.
COORDINATE_TOLERANCE = 2e-3  # of a source step


@dataclass(frozen=True, eq=False)
class Regridding:
    """Weights that take an image from a source grid to a target grid.

    Parameters
    ----------
    latitude : share of each source row in each target row, sparse (ny, ny_source). A row of the matrix sums to the
        covered part of the target row: 1, or less at the source's border, 0 outside it.
    longitude : the same for columns, sparse (nx, nx_source)
    """

    latitude: csr_array
    longitude: csr_array

    def __call__(self, values: FloatArray) -> FloatArray:
        """Weighted mean (ny, nx) over the valid (finite) pixels of an image (ny_source, nx_source) in any unit.

        sum(w v) / sum(w) over valid pixels; NaN where these hold less than half of the cell's weight (the cell's part
        outside the source counts as missing).

        Raises
        ------
        ValueError
            Where the image does not have the source grid's shape.
        """
        expected = (self.latitude.shape[1], self.longitude.shape[1])
        if values.shape != expected:
            raise ValueError(f"image has shape {values.shape}, the source grid has {expected}")
        valid = np.isfinite(values)
        weight = self._spread(valid.astype(np.float64))
        total = self._spread(np.where(valid, values, 0.0))
        result = np.full(weight.shape, np.nan)
        np.divide(total, weight, out=result, where=weight >= HALF - ROUNDING)
        return result

    @property
    def covered(self) -> BoolArray:
        """Target cells of which the source grid covers at least half, valid or not, (ny, nx)."""
        weight = np.outer(self.latitude.sum(axis=1), self.longitude.sum(axis=1))
        return np.asarray(weight >= HALF - ROUNDING)

    @property
    def reached(self) -> BoolArray:
        """Source pixels that have a weight in any target cell, (ny_source, nx_source)."""
        return np.outer(self.latitude.sum(axis=0) > 0, self.longitude.sum(axis=0) > 0)

    def per_cell(self, values: FloatArray) -> str:
        """Nothing: pixels count by their weights."""
        return ""

    def _spread(self, field: FloatArray) -> FloatArray:
        return np.asarray(self.latitude @ field @ self.longitude.T)


def bilinear(source: Grid, target: Grid) -> Regridding:
    """Weights of linear interpolation between the centres of the source pixels.

    Longitude is periodic where the source is. Between a pole and the outermost row of a source that reaches the
    pole (see `Grid.latitude_edges`) the value of that row holds. Other target centres outside the source's centres
    are not covered, also not in the outer half of the border pixels, nor between pixels on the two sides of a gap:
    nothing is extrapolated. Latitudes of both grids may be in either order, longitudes in any range of 360 degrees.
    """
    rows = [_latitude_points(stretch, target, source.latitude.size) for stretch in row_stretches(source)]
    columns = [_longitude_points(stretch, target, source.longitude.size) for stretch in column_stretches(source)]
    return Regridding(_sum(rows), _sum(columns))


def conservative(source: Grid, target: Grid) -> Regridding:
    """Weights of the area mean: share of each target cell that each source pixel overlaps, on the sphere.

    Cells lie between the edges of the grids, whose order and ranges are as for `bilinear`. At a gap of the source its
    pixels end half a step beyond their centres.
    """
    rows = [_latitude_shares(stretch, target, source.latitude.size) for stretch in row_stretches(source)]
    columns = [_longitude_shares(stretch, target, source.longitude.size) for stretch in column_stretches(source)]
    return Regridding(_sum(rows), _sum(columns))


METHODS: dict[str, Callable[[Grid, Grid], Regridding]] = {"bilinear": bilinear, "conservative": conservative}


def _sum(weights: list[csr_array]) -> csr_array:
    return sum(weights[1:], start=weights[0])


def _latitude_points(source: Stretch, target: Grid, n_rows: int) -> csr_array:
    nodes, rows = _nodes(source)
    south, north = np.sort(source.edges[[0, -1]])
    if south == -90.0 < nodes[0]:
        nodes, rows = np.concatenate([[-90.0], nodes]), np.concatenate([rows[:1], rows])
    if nodes[-1] < 90.0 == north:
        nodes, rows = np.concatenate([nodes, [90.0]]), np.concatenate([rows, rows[-1:]])
    return _interpolation(nodes, rows, target.latitude, n_rows)


def _longitude_points(source: Stretch, target: Grid, n_columns: int) -> csr_array:
    nodes, columns = _nodes(source)
    if source.closed:
        nodes, columns = np.concatenate([nodes, [nodes[0] + 360.0]]), np.concatenate([columns, [0]])
    # The turn of the globe that brings the target nearest to the middle of the source.
    middle = 0.5 * (nodes[0] + nodes[-1])
    points = target.longitude - 360.0 * np.round((target.longitude - middle) / 360.0)
    return _interpolation(nodes, columns, points, n_columns)


def _nodes(source: Stretch) -> tuple[FloatArray, IntArray]:
    """Centres between which is interpolated, ascending, and the pixel whose value each has."""
    order = np.argsort(source.centres)
    nodes, pixels = source.centres[order], source.index[order]
    if nodes.size > 1:
        return nodes, pixels
    # A single one between two gaps holds on its centre alone.
    rounding = COORDINATE_TOLERANCE * np.abs(np.diff(source.edges))
    return np.concatenate([nodes - rounding, nodes + rounding]), np.repeat(pixels, 2)


def _interpolation(nodes: FloatArray, columns: IntArray, points: FloatArray, n_columns: int) -> csr_array:
    """Weights (points.size, n_columns) of the two nodes around each point; ``columns[k]`` holds node k's value."""
    left = np.clip(np.searchsorted(nodes, points, side="right") - 1, 0, nodes.size - 2)
    fraction = (points - nodes[left]) / (nodes[left + 1] - nodes[left])
    row = np.flatnonzero((fraction >= -COORDINATE_TOLERANCE) & (fraction <= 1.0 + COORDINATE_TOLERANCE))
    left, fraction = left[row], np.clip(fraction[row], 0.0, 1.0)
    weights = np.concatenate([1.0 - fraction, fraction])
    place = np.concatenate([row, row]), np.concatenate([columns[left], columns[left + 1]])
    return coo_array((weights, place), shape=(points.size, n_columns)).tocsr()


def _latitude_shares(source: Stretch, target: Grid, n_rows: int) -> csr_array:
    # Areas on the sphere are proportional to the difference of sin(latitude).
    edges = np.sin(np.radians(source.edges)), np.sin(np.radians(target.latitude_edges))
    return _overlap(*edges, source.index, n_rows)


def _longitude_shares(source: Stretch, target: Grid, n_columns: int) -> csr_array:
    edges = target.longitude_edges
    start, end = source.edges[[0, -1]]
    turns = range(int(np.floor((edges[0] - end) / 360.0)), int(np.ceil((edges[-1] - start) / 360.0)) + 1)
    return _sum([_overlap(source.edges + 360.0 * turn, edges, source.index, n_columns) for turn in turns])


def _overlap(source_edges: FloatArray, target_edges: FloatArray, pixels: IntArray, n_pixels: int) -> csr_array:
    """Share of each target interval that each pixel overlaps, (n_target, n_pixels); ``pixels[k]`` has interval k."""
    points = np.union1d(source_edges, target_edges)
    middle, length = 0.5 * (points[1:] + points[:-1]), np.diff(points)
    row, column = which_interval(target_edges, middle), which_interval(source_edges, middle)
    inside = (row >= 0) & (column >= 0)
    row, column = row[inside], column[inside]
    weights = length[inside] / np.abs(np.diff(target_edges))[row]
    # Edges that agree but for rounding leave slivers: they are no overlap.
    real = weights > ROUNDING
    place = row[real], pixels[column[real]]
    return coo_array((weights[real], place), shape=(target_edges.size - 1, n_pixels)).tocsr()
