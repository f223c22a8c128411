"""Errors with an exponential correlation, the same everywhere: red noise of images."""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.grid import Grid, fast_length
from imgda_mpi.numerics.perturbations import Sample

REACH = 6.0
"""Lengths between the ends of an image that is not closed, so that its two ends know nothing of each other: exp(-6)."""


class ExponentialCovariance(Covariance):
    """B = sd^2 exp(-d / length) with the distance d in cells, on a periodic array.

    The spectrum of the correlation, which on a short array may be below 0 somewhere, is cut off there and scaled, so
    that the variance is sd^2 exactly.

    Parameters
    ----------
    image_rows : rows of the array, (ny, nx), on the ranks
    sd : standard deviation, m3 m-3
    length : cells
    """

    def __init__(self, image_rows: ImageRows, sd: float, length: float) -> None:
        ny, nx = image_rows.shape
        row, column = np.arange(ny), np.arange(nx)
        distance = np.hypot(np.minimum(row, ny - row)[:, None], np.minimum(column, nx - column)[None, :])
        power = np.maximum(np.fft.fft2(np.exp(-distance / length)).real, 0.0)
        power *= sd**2 / power.mean()
        self._image_rows = image_rows
        self._power = power[:, : nx // 2 + 1][:, image_rows.own_columns]
        n_own = image_rows.own.stop - image_rows.own.start
        self.variance = np.full((n_own, nx), sd**2)

    def apply(self, rows: FloatArray) -> FloatArray:
        """B times an image, (n_own, nx). Collective."""
        return self._image_rows.filter(rows, self._power)

    def draw(self, sample: Sample) -> FloatArray:
        """A sample of errors: B^(1/2) times white noise, (n_own, nx) m3 m-3. Collective."""
        white = sample.white(self._image_rows.shape, rows=self._image_rows.own)
        return self._image_rows.filter(white, np.sqrt(self._power))


def red_covariance(grid: Grid, sd: float, length: float, comm: MPI.Intracomm) -> ExponentialCovariance:
    """B of errors in the top left corner of an array that is closed where the columns of the grid are. Collective."""
    ny, nx = grid.shape
    beyond = math.ceil(REACH * length)
    shape = (
        fast_length(ny + beyond),
        nx if grid.is_periodic else fast_length(nx + beyond),
    )
    return ExponentialCovariance(ImageRows(comm, shape), sd, length)
