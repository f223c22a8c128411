"""What is made of a truth: which pixels are observed, and the noise of the observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.covariances.exponential import ExponentialCovariance, red_covariance
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.perturbations import Sample, perturbation

NUMBERS_FROM = 1_000_000
"""Of samples of noise: those of methods are below."""


def swaths(shape: tuple[int, int], period: int, width: int, slope: float) -> BoolArray:
    """Pixels (ny, nx) that are observed: column i of row j where (i + floor(slope j)) mod period < width."""
    row, column = np.indices(shape)
    place = column + np.floor(slope * row).astype(np.int64)
    return np.asarray(place % period < width)


def within_boxes(grid: Grid, boxes: Sequence[tuple[float, float, float, float]]) -> BoolArray:
    """Cells (ny, nx) whose centre is in one of some boxes, each south, north, west and east edge in degrees."""
    inside = np.zeros(grid.shape, dtype=bool)
    for south, north, west, east in boxes:
        rows = (grid.latitude >= south) & (grid.latitude <= north)
        columns = (grid.longitude - west) % 360.0 <= east - west
        inside |= rows[:, None] & columns[None, :]
    return inside


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise of the observations on a grid: a white part, and a coherent one with an exponential correlation.

    Parameters
    ----------
    grid
    white, red : standard deviations, m3 m-3
    length : of the correlation, cells
    boxes : where the red part is, see `within_boxes`; everywhere where there are none
    """

    grid: Grid
    white: float
    red: float = 0.0
    length: float = 2.0
    boxes: Sequence[tuple[float, float, float, float]] = ()

    def __str__(self) -> str:
        if not self.red:
            return f"{self.white:g} m3 m-3"
        where = " in boxes" if self.boxes else ""
        return f"{self.white:g} (white) and {self.red:g} m3 m-3 (red, {self.length:g} cells{where})"

    def draw(self, time: datetime, seed: int, which: int) -> FloatArray:
        """Noise (ny, nx) m3 m-3, independent of that of other times, seeds and numbers of truths."""
        # Observation errors of one truth must not be those of another.
        number = NUMBERS_FROM + which
        noise = self.white * perturbation(self.grid.shape, seed=seed, time=time, kind="observation", member=number)
        if self.red:
            ny, nx = self.grid.shape
            drawn = self._covariance.draw(Sample(seed, time, number))[:ny, :nx]
            noise = noise + np.where(self._reddened, drawn, 0.0)
        return np.asarray(noise, np.float64)

    @cached_property
    def _covariance(self) -> ExponentialCovariance:
        return red_covariance(self.grid, self.red, self.length, MPI.COMM_SELF)

    @cached_property
    def _reddened(self) -> BoolArray:
        return within_boxes(self.grid, self.boxes) if self.boxes else np.ones(self.grid.shape, dtype=bool)
