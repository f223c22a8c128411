"""Means over large pixels, estimated from the means of those of their pixels that are known."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.numerics.pyramid import Image


class CoarseKriging:
    """The best linear estimate of an image's means over pixels of 2^number x 2^number, from sums of known values.

    Parameters
    ----------
    counts : number of known values in each large pixel, (m, n)
    spectrum : variance of the image at each frequency of a half spectrum, times the number of pixels,
        (ny, nx // 2 + 1)
    shape : (ny, nx) of the image, which is closed end to end
    number : the large pixels begin at every 2^number-th row and column; the last may reach over the end
    noise : variance of an error of each value, above 0
    finer : variance of the waves that large pixels cannot show: an error of means of which not all is known

    Notes
    -----
    Simple kriging (Matheron 1963, Econ. Geol. 58, 1246): C (C + N)^-1 with the covariances C of the means, and the
    variances N of what the known ones have of noise and finer waves.
    """

    def __init__(
        self,
        counts: Image,
        spectrum: FloatArray,
        shape: tuple[int, int],
        number: int,
        noise: float,
        finer: float,
    ) -> None:
        self._shape, flat = counts.shape, counts.ravel().astype(np.float64)
        self._known = np.flatnonzero(flat)
        covariance = covariance_of_means(spectrum, shape, number, self._shape)[:, self._known]
        known = flat[self._known]
        errors = (noise + finer * np.maximum(1 - known / 4**number, 0)) / known
        # Weights of sums; to find them takes double precision, they themselves do not.
        weights = np.linalg.solve(covariance[self._known] + np.diag(errors), covariance.T) / known[:, None]
        self._weights = weights.astype(np.float32)

    def __call__(self, sums: Image) -> Image:
        """Estimated means (m, n) from sums of the known values, (m, n)."""
        return np.asarray(sums.ravel()[self._known] @ self._weights).reshape(self._shape)

    def adjoint(self, means: Image) -> Image:
        """The adjoint: (m, n) to (m, n)."""
        sums = np.zeros(means.size, np.float32)
        sums[self._known] = self._weights @ means.ravel()
        return sums.reshape(self._shape)


def covariance_of_means(
    spectrum: FloatArray, shape: tuple[int, int], number: int, n_pixels: tuple[int, int]
) -> FloatArray:
    """Covariances of an image's means over large pixels, (m n, m n), of its long waves: see `CoarseKriging`.

    Waves of less than a large pixel have next to nothing in its mean, and are left out.
    """
    (ny, nx), (m, n), size = shape, n_pixels, 2**number
    weights = np.full(spectrum.shape[1], 2.0 / (ny * nx))
    weights[0] /= 2
    if nx % 2 == 0:
        weights[-1] /= 2
    along: FloatArray = np.fft.fftfreq(ny).astype(np.float64)
    across: FloatArray = np.fft.rfftfreq(nx).astype(np.float64)
    rows, columns = np.flatnonzero(np.abs(along) <= 1 / size), np.flatnonzero(across <= 1 / size)
    along, across = along[rows], across[columns]
    powers = spectrum[rows][:, columns] * weights[columns]
    powers = powers * np.outer(np.square(_part_in_mean(along, size)), np.square(_part_in_mean(across, size)))
    # The covariance by the distance in rows, from 1 - m to m - 1, and in columns from 1 - n to n - 1.
    of_rows, of_columns = (
        np.exp(2j * np.pi * size * np.outer(np.arange(1 - count, count), waves))
        for count, waves in ((m, along), (n, across))
    )
    by_distance = (of_rows @ powers @ of_columns.T).real
    row, column = np.divmod(np.arange(m * n), n)
    covariance = by_distance[row[:, None] - row + m - 1, column[:, None] - column + n - 1]
    return np.asarray((covariance + covariance.T) / 2)


def _part_in_mean(waves: FloatArray, size: int) -> FloatArray:
    """What the mean over some pixels keeps of waves, in turns for each pixel."""
    angle = np.pi * np.where(waves == 0, 1.0, waves)
    return np.where(waves == 0, 1.0, np.sin(size * angle) / (size * np.sin(angle)))
