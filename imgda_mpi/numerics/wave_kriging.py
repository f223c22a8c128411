"""The most likely long waves of an image of which some values are known."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray

Amplitudes = npt.NDArray[np.complex128]

MOST_WAVES = 900
PER_PIXEL = 3.0  # waves for each pixel along the side of a square image
SHARE = 0.15
"""Of the variance of the next waves, that counts as noise of the long ones: with less they have what they cannot tell
from shorter ones, with more they leave too much where little is known."""
ROUNDING = 1e-7  # of sums over pixels in single precision, relative to how many there are
AT_ONCE = 64  # rows of a triangular matrix that are not inverted in parts


def most_waves(shape: tuple[int, int]) -> int:
    """Long waves of images (ny, nx), at most."""
    return min(MOST_WAVES, round(PER_PIXEL * math.sqrt(math.prod(shape))))


class Limits(NamedTuple):
    """Waves of an image that are thought of as long.

    Parameters
    ----------
    along, across : largest numbers m and n of waves along the columns and the rows of the image
    beyond : variance of the next ones, times the number of pixels
    """

    along: int
    across: int
    beyond: float


class WaveKriging:
    """The best linear estimate of an image's long waves from values that are known on some of its pixels.

    Simple kriging (Matheron 1963, Econ. Geol. 58, 1246) with waves u for the places: U A U^T with
    A = (diag(1/b) + U^T H^T H U / s^2)^-1 / s^2, b their variances and H the choice of the known pixels, of which only
    the Fourier sums matter. A is kept as G^T G with a triangular G, in single precision.

    Parameters
    ----------
    variances : b times the number of pixels, (2 m + 1, n + 1): of waves (j, k) with j from -m to m and k from 0 to n
    sums : of the known pixels, each 1, times conjugate waves from (-2 m, 0) to (2 m, 2 n), (4 m + 1, 2 n + 1)
    n_pixels : of the image
    noise : s^2 of a value, above 0
    """

    def __init__(self, variances: FloatArray, sums: Amplitudes, n_pixels: int, noise: float) -> None:
        m, n = variances.shape[0] // 2, variances.shape[1] - 1
        number, across = np.meshgrid(np.arange(-m, m + 1), np.arange(n + 1), indexing="ij")
        # The other half of the waves has their conjugates.
        self._chosen = (across > 0) | (number >= 0)
        j, k = number[self._chosen], across[self._chosen]
        half = sums / n_pixels
        whole = np.concatenate([half[::-1, :0:-1].conj(), half], axis=1)
        place, middle = j * whole.shape[1] + k, whole.size // 2
        of_differences, of_sums = (whole.ravel()[middle + place[:, None] + sign * place] for sign in (-1, 1))
        # U are cosines and negative sines of norm 1. The mean, which has no sine, is two cosines of half the square.
        self._norms = np.sqrt(np.where((j == 0) & (k == 0), 1.0, 2.0) / n_pixels)
        products = np.zeros((2 * place.size, 2 * place.size))  # of which the lower half is needed
        cosines, sines = slice(place.size), slice(place.size, None)
        products[cosines, cosines] = of_sums.real + of_differences.real
        products[sines, cosines] = of_sums.imag + of_differences.imag
        products[sines, sines] = of_differences.real - of_sums.real
        # What rounded sums cannot tell counts as noise too: without it the matrix can have negative directions.
        known = float(half[2 * m, 0].real)
        noise = max(noise, ROUNDING * known * 2 * float(variances[self._chosen].sum()))
        root = np.tile(np.sqrt(variances[self._chosen] / noise), 2)
        weights = np.tile(self._norms * np.sqrt(n_pixels / 2), 2) * root
        products *= weights[:, None]
        products *= weights
        products[np.diag_indices_from(products)] += 1.0
        self._root = (inverse_of_lower(np.linalg.cholesky(products)) * root).astype(np.float32)

    def __call__(self, amplitudes: Amplitudes) -> Amplitudes:
        """Amplitudes (2 m + 1, n + 1) of the estimate from the sums of known values times conjugate waves."""
        given = self._norms * amplitudes[self._chosen]
        found = self._root.T @ (self._root @ np.concatenate([given.real, given.imag]).astype(np.float32))
        result = np.zeros_like(amplitudes)
        result[self._chosen] = self._norms * (found[: given.size] + 1j * found[given.size :])
        return result


def inverse_of_lower(matrix: FloatArray) -> FloatArray:
    """Inverse of a lower triangular matrix (n, n), by products of its parts."""
    half = len(matrix) // 2
    if half < AT_ONCE:
        return np.asarray(np.linalg.inv(matrix))
    first, last = inverse_of_lower(matrix[:half, :half]), inverse_of_lower(matrix[half:, half:])
    result = np.zeros_like(matrix)
    result[:half, :half], result[half:, half:] = first, last
    result[half:, :half] = -(last @ matrix[half:, :half]) @ first
    return result


def limits_of(spectrum: FloatArray, shape: tuple[int, int]) -> Limits:
    """A rectangle of long waves that has much of a signal's variance, for images (ny, nx).

    It grows from the mean by the rows or columns of frequencies of more variance, until there are `MOST_WAVES`.

    Parameters
    ----------
    spectrum : variance of the signal at each frequency of a half spectrum, times the number of pixels,
        (ny, nx // 2 + 1)
    """
    (ny, nx), m, n = shape, 0, 0
    most = most_waves(shape)
    while True:
        of_rows = float(spectrum[[m + 1, -m - 1], : n + 1].mean()) if 2 * m + 3 <= ny else 0.0
        of_columns = float(spectrum[np.arange(-m, m + 1), n + 1].mean()) if 2 * n + 3 <= nx else 0.0
        more_rows, more_columns = (2 * m + 3) * (2 * n + 1) <= most, (2 * m + 1) * (2 * n + 3) <= most
        if more_rows and of_rows >= of_columns and of_rows > 0:
            m += 1
        elif more_columns and of_columns > 0:
            n += 1
        else:
            return Limits(m, n, max(of_rows, of_columns))
