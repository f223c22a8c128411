"""Variances of curvelet coefficients for errors that are white: eq. 8 for infinitely many members."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray
from imgda_mpi.curvelet import CurveletTransform, Wedge
from imgda_mpi.curvelet.windows import WedgeWindows, Window, window
from imgda_mpi.grid import fast_length


def expected_variance(
    transform: CurveletTransform, sd: FloatArray, wedges: Sequence[Wedge] | None = None
) -> FloatArray:
    """Variance of each coefficient for errors that are uncorrelated between pixels: eq. 8 for N to infinity.

    Parameters
    ----------
    transform : CurveletTransform
    sd : (ny, nx) array
        Standard deviation of the errors, m3 m-3.
    wedges : sequence of Wedge, optional
        Of the transform's layout, following one another; all of them unless given.

    Returns
    -------
    (n_values,) array, or as many as the wedges have
        sum_x sd(x)^2 |phi(x)|^2 with the coefficient's curvelet phi, (m3 m-3)2, in both slots of a complex one.

    Raises
    ------
    ValueError
        Where ``sd`` has another shape than the image.

    Notes
    -----
    With the window w of a wedge and its n1 x n2 positions m, phi(x) = sum_k w(k) exp(2 pi i k (x/N - m/n)) up to its
    norm, so that the variance is sum_q A(q) V(q) exp(2 pi i q m/n), where A(q) = sum_k w(k) w(k - q) and V is the DFT
    of sd^2.
    """
    wedges, errors = transform.layout.wedges if wedges is None else wedges, WhiteErrors(transform, sd)
    first, variance = wedges[0].start, np.empty(wedges[-1].stop - wedges[0].start)
    for wedge in wedges:
        variance[wedge.start - first : wedge.stop - first] = errors.variance(wedge)
    return variance


class WhiteErrors:
    """Errors that are uncorrelated between pixels, for wedges one by one; see `expected_variance`.

    Raises
    ------
    ValueError
        Where ``sd`` has another shape than the image.
    """

    def __init__(self, transform: CurveletTransform, sd: FloatArray) -> None:
        if sd.shape != transform.layout.image_shape:
            raise ValueError(f"sd has shape {sd.shape}: need {transform.layout.image_shape}")
        self._geometry, self._windows = transform.geometry, WedgeWindows(transform.geometry)
        self._spectrum = np.fft.fft2(np.square(sd, dtype=np.float64)) / sd.size

    def variance(self, wedge: Wedge) -> FloatArray:
        """Of the coefficients of a wedge, (stop - start,) (m3 m-3)2."""
        part = window(self._geometry, wedge.scale, wedge.number, self._windows)
        variance = (_positions(part, self._spectrum, wedge.shape) / math.prod(wedge.shape)).ravel()
        return variance if wedge.is_real else np.repeat(variance, 2)


def _positions(part: Window, spectrum: npt.NDArray[np.complex128], shape: tuple[int, int]) -> FloatArray:
    """sum_q A(q) V(q) exp(2 pi i q m/n) at the positions m of a wedge of the given shape."""
    reach = [size - 1 for size in part.weight.shape]
    # Zeros up to twice the size keep the two ends of the box from meeting.
    padded = [fast_length(2 * size + 1) for size in reach]
    squared = np.square(np.abs(np.fft.rfft2(part.weight, padded)))
    # A q and its opposite have conjugate terms: twice the real part of half of them, those of 0 in q2 halved.
    q1, q2 = np.arange(-reach[0], reach[0] + 1), np.arange(reach[1] + 1)
    autocorrelation = np.fft.irfft2(squared, padded)[q1, : q2.size]
    product = autocorrelation * spectrum[np.ix_(q1 % spectrum.shape[0], q2 % spectrum.shape[1])]
    product[:, 0] /= 2
    # Onto the n1 x n2 differences that the positions tell apart.
    start = -reach[0] % shape[0]
    turns = [-(-size // n) for size, n in zip((start + q1.size, q2.size), shape, strict=True)]
    laid_out = np.zeros((turns[0] * shape[0], turns[1] * shape[1]), dtype=np.complex128)
    laid_out[start : start + q1.size, : q2.size] = product
    wrapped = laid_out.reshape(turns[0], shape[0], turns[1], shape[1]).sum(axis=(0, 2))
    # A sum of squares: what is below zero, far from any error, is rounding.
    return np.asarray(np.maximum(2 * np.fft.ifft2(wrapped).real * wrapped.size, 0.0))
