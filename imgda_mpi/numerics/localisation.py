"""Correlations that fall off with the distance on the sphere, and images multiplied by their matrix."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.fft

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import EARTH_RADIUS, Grid

NEGLIGIBLE = 1e-10  # of the largest: zonal waves that the correlation does not have


def gaspari_cohn(distance: FloatArray) -> FloatArray:
    """Correlation that is 1 at distance 0 and 0 from distance 2 on, in units of its length.

    Notes
    -----
    Gaspari and Cohn (1999), Q. J. R. Meteorol. Soc. 125, 723, eq. 4.10.

    >>> gaspari_cohn(np.array([0.0, 1.0, 2.0, 3.0])).round(4).tolist()
    [1.0, 0.2083, 0.0, 0.0]
    """
    z = np.minimum(distance, 2.0)
    near = 1 - z**2 * (5 / 3 - z * (5 / 8 + z * (1 / 2 - z / 4)))
    far = 4 - z * (5 - z * (5 / 3 + z * (5 / 8 - z * (1 / 2 - z / 12)))) - 2 / (3 * np.maximum(z, 1.0))
    return np.where(z <= 1, near, np.where(z < 2, np.maximum(far, 0.0), 0.0))


def chord(grid: Grid) -> FloatArray:
    """Position of each cell on the sphere, (ny, nx, 3) m: distances are straight lines through the Earth.

    With them the correlation is that of three-dimensional space, where it is known to be positive definite. Up to
    2000 km they are shorter by less than half a percent than those along the surface.
    """
    latitude, longitude = np.meshgrid(np.radians(grid.latitude), np.radians(grid.longitude), indexing="ij")
    circle = np.cos(latitude)
    return EARTH_RADIUS * np.stack([circle * np.cos(longitude), circle * np.sin(longitude), np.sin(latitude)], axis=-1)


class Localisation:
    """The matrix L of correlations between the cells of a grid, applied to images.

    Along a row the correlation depends on the difference of longitudes alone, so that L is a product in the space of
    zonal waves: one matrix of rows by rows for each wave. That takes about ``8 n_waves ny^2`` bytes.

    Parameters
    ----------
    grid : Grid
        Its columns must be equally spaced.
    length : float
        Of the `gaspari_cohn` correlation, m: 0.21 there, 0 from twice the length on.

    Raises
    ------
    ValueError
        Where the columns are not equally spaced, or the length is not above 0.
    """

    def __init__(self, grid: Grid, length: float) -> None:
        if not grid.has_equal_columns:
            raise ValueError("columns must be equally spaced in longitude")
        if not length > 0:
            raise ValueError(f"length={length}: needs a length above 0 m")
        self._n_columns = grid.longitude.size
        # Without an end to end zeros keep the two borders of a region from meeting.
        self._period = (
            self._n_columns if grid.is_periodic else int(scipy.fft.next_fast_len(2 * self._n_columns, real=True))
        )
        turn = np.arange(self._period)
        separation = np.radians(np.diff(grid.longitude).mean()) * np.minimum(turn, self._period - turn)
        latitude = np.radians(grid.latitude)

        def waves_of(row: int) -> FloatArray:
            """Zonal waves of the correlations of a row with all rows, (ny, n_waves)."""
            across = np.sin((latitude - latitude[row]) / 2) ** 2
            along = np.cos(latitude[row]) * np.cos(latitude)
            distance = 2 * EARTH_RADIUS * np.sqrt(across[:, None] + along[:, None] * np.sin(separation / 2) ** 2)
            return np.asarray(scipy.fft.rfft(gaspari_cohn(distance / length), axis=1).real)

        # Where a degree of longitude is longest the correlation is narrowest, and has the most waves.
        equator = int(np.abs(latitude).argmin())
        size = np.abs(waves_of(equator)[equator])
        n_waves = int(np.flatnonzero(size > NEGLIGIBLE * size.max())[-1]) + 1
        self._waves = np.empty((n_waves, latitude.size, latitude.size))
        for row in range(latitude.size):
            self._waves[:, row, :] = waves_of(row)[:, :n_waves].T

    def apply(self, images: FloatArray) -> FloatArray:
        """L times each image, (n, ny, nx)."""
        return self._product(self._waves, images)

    @property
    def noise_shape(self) -> tuple[int, int]:
        """Shape of the white images for `root`: of a region with more columns than the grid has."""
        return self._waves.shape[1], self._period

    def root(self, white: FloatArray) -> FloatArray:
        """Noise with the correlations L, (n, ny, nx): its symmetric root times white noise, (n, *noise_shape)."""
        return self._product(self._roots, white)

    @cached_property
    def _roots(self) -> FloatArray:
        """Symmetric roots of the matrices of the zonal waves: only who draws samples needs them."""
        values, vectors = np.linalg.eigh(self._waves)
        # On a region the closed array has correlations that are not quite positive definite.
        roots: FloatArray = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]) @ vectors.transpose(0, 2, 1)
        return roots

    def _product(self, matrices: FloatArray, images: FloatArray) -> FloatArray:
        """Matrices of the zonal waves (n_waves, ny, ny) times images."""
        n = images.shape[0]
        spectra = scipy.fft.rfft(images, n=self._period, axis=2)
        # (waves, rows, n): real matrices times complex columns, as real columns side by side.
        columns = np.moveaxis(spectra[:, :, : self._waves.shape[0]], (0, 1, 2), (2, 1, 0))
        product = matrices @ np.concatenate([columns.real, columns.imag], axis=2)
        spectra[...] = 0
        spectra[:, :, : self._waves.shape[0]] = np.moveaxis(
            product[:, :, :n] + 1j * product[:, :, n:], (0, 1, 2), (2, 1, 0)
        )
        return np.asarray(scipy.fft.irfft(spectra, n=self._period, axis=2)[:, :, : self._n_columns])
