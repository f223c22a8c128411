"""Gaps between the rows or columns of an observation, across which nothing is interpolated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.grid import Grid, cell_edges

# A step is a gap where it is longer than this many usual steps: one missing column makes it 2, and coordinates that are
# rounded to a half of a step make it up to 1.5.
GAP = 1.75

# The steps of a stretched or Gaussian grid differ from those beside them by less than this factor; at the end of a gap
# they do not.
SMOOTH = 1.5

NEARBY = 10  # steps on either side, among which is the usual one


@dataclass(frozen=True, eq=False)
class Stretch:
    """Rows or columns of an observation that follow one another without a gap.

    Parameters
    ----------
    index : of the rows or columns in the image, (n,)
    centres : degrees, strictly monotonic, (n,)
    edges : degrees, (n + 1,); at a gap half a step beyond the centre
    closed : whether the columns go once around the globe
    """

    index: IntArray
    centres: FloatArray
    edges: FloatArray
    closed: bool = False


def find_gaps(centres: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Which steps between neighbouring centres (n,) are gaps, and the usual step at each, both (n - 1,).

    A gap is several times as long as the usual step, the lower quartile of the steps nearby: half of the columns may be
    missing. It begins and ends with a jump: steps that change little by little, or once, are those of a stretched grid.
    """
    steps = np.abs(np.diff(centres))
    jump = np.maximum(steps[1:], steps[:-1]) >= SMOOTH * np.minimum(steps[1:], steps[:-1])
    if not jump.any():
        return np.zeros(steps.size, dtype=bool), steps
    usual = np.empty(steps.size)
    for i in range(steps.size):
        near = np.sort(steps[max(0, i - NEARBY) : i + NEARBY + 1])
        usual[i] = near[(near.size + 1) // 4]
    long = steps > GAP * usual
    # Long steps beside one another, as around a single column, are one group, which the ends of the image also end.
    group = np.cumsum(np.append(False, long[1:] != long[:-1]))
    jumps = np.bincount(group, np.append(True, jump)) + np.bincount(group, np.append(jump, True))
    return long & (jumps[group] >= 2), usual


def row_stretches(grid: Grid) -> list[Stretch]:
    """The rows of a grid, cut at gaps."""
    gap, usual = find_gaps(grid.latitude)
    if not gap.any():
        return [Stretch(np.arange(grid.latitude.size), grid.latitude, grid.latitude_edges)]
    stretches = []
    for index in _cut(gap):
        centres = grid.latitude[index]
        if index.size > 1:
            edges = Grid(centres, grid.longitude).latitude_edges
        else:
            edges = np.clip(_edges_of_one(centres, usual, index), -90.0, 90.0)
        stretches.append(Stretch(index, centres, edges))
    return stretches


def column_stretches(grid: Grid) -> list[Stretch]:
    """The columns of a grid, cut at gaps; a stretch may go on from the last column to the first."""
    columns = grid.longitude
    gap, usual = find_gaps(np.append(columns, columns[0] + 360.0))
    if not gap[:-1].any():
        return [Stretch(np.arange(columns.size), columns, grid.longitude_edges, closed=grid.is_periodic)]
    cut = _cut(gap[:-1])
    centres = [columns[index] for index in cut]
    if not gap[-1]:
        cut = [np.concatenate([cut[-1], cut[0]]), *cut[1:-1]]
        centres = [np.concatenate([centres[-1], centres[0] + 360.0]), *centres[1:-1]]
    return [
        Stretch(index, centre, cell_edges(centre) if index.size > 1 else _edges_of_one(centre, usual, index))
        for index, centre in zip(cut, centres, strict=True)
    ]


def _cut(gap: BoolArray) -> list[IntArray]:
    return np.split(np.arange(gap.size + 1), np.flatnonzero(gap) + 1)


def _edges_of_one(centre: FloatArray, usual: FloatArray, index: IntArray) -> FloatArray:
    """Edges of a single row or column: as wide as the usual step beside it."""
    half = 0.5 * usual[np.minimum(index, usual.size - 1)]
    return np.concatenate([centre - half, centre + half])
