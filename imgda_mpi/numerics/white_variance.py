"""Variances of curvelet coefficients for errors that are white: eq. 8 for infinitely many members."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import BoolArray, FloatArray
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
    of sd^2. With a position at each pixel that is the convolution of sd^2 with phi^2.
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

    def __init__(self, transform: CurveletTransform, sd: FloatArray | BoolArray) -> None:
        if sd.shape != transform.layout.image_shape:
            raise ValueError(f"sd has shape {sd.shape}: need {transform.layout.image_shape}")
        self._geometry, self._windows = transform.geometry, WedgeWindows(transform.geometry)
        self._sd = sd

    def variance(self, wedge: Wedge) -> FloatArray:
        """Of the coefficients of a wedge, (stop - start,) (m3 m-3)2."""
        part = window(self._geometry, wedge.scale, wedge.number, self._windows)
        if wedge.is_real and wedge.scale > 1:
            return _at_pixels(part, self._variances()).ravel()
        variance = (_positions(part, self._spectrum, wedge.shape) / math.prod(wedge.shape)).ravel()
        return variance if wedge.is_real else np.repeat(variance, 2)

    @cached_property
    def _spectrum(self) -> Spectrum:
        return np.asarray(np.fft.fft2(self._variances()) / self._sd.size)

    def _variances(self) -> FloatArray:
        return np.square(self._sd, dtype=np.float64)


Spectrum = npt.NDArray[np.complex128]

AT_ONCE = 2**18
"""Numbers that are transformed at a time: all of them would be up to twenty times as many as the wedge has."""


def _at_pixels(part: Window, variance: FloatArray) -> FloatArray:
    """At all pixels, from errors' variances (ny, nx) there, for a window that has each frequency once."""
    half = np.fft.ifftshift(part.weight)[:, : part.columns.size // 2 + 1]
    product = np.fft.rfft2(np.square(np.fft.irfft2(half, variance.shape)))
    product *= np.fft.rfft2(variance)
    found: FloatArray = np.fft.irfft2(product, variance.shape)
    return np.maximum(found, 0.0, out=found)  # as of `_positions`


def _positions(part: Window, spectrum: Spectrum, shape: tuple[int, int]) -> FloatArray:
    """sum_q A(q) V(q) exp(2 pi i q m/n) at the positions m of a wedge of the given shape."""
    # A wedge that lies aslant has a box of which it fills a small part.
    along_rows, along_columns = (Shear.of(weight) for weight in (part.weight, part.weight.T))
    if along_rows.size <= along_columns.size:
        half = _half_of_differences(along_rows.sheared(part.weight), along_rows.slope, spectrum, shape)
    else:
        sheared = along_columns.sheared(part.weight.T)
        half = _half_of_differences(sheared, along_columns.slope, spectrum.T, (shape[1], shape[0])).T
    variance: FloatArray = np.fft.ifft2(half).real * (2 * math.prod(shape))
    # A sum of squares: what is below zero, far from any error, is rounding.
    return np.maximum(variance, 0.0, out=variance)


class Shear(NamedTuple):
    """How the rows of a window are moved so that its box is narrow.

    Parameters
    ----------
    rows : slice
        Those that have weight.
    first, width : the first column of row 0, and how many each row has
    slope : by how many columns a row begins after the one before: a whole number, so that frequencies stay frequencies
    """

    rows: slice
    first: int
    width: int
    slope: int

    @classmethod
    def of(cls, weight: FloatArray) -> Shear:
        """Of a window (n1, n2), the narrowest of no slope and the two next to that of its middle."""
        rows = np.flatnonzero(weight.any(axis=1))
        is_there = weight[rows] != 0
        first, last = is_there.argmax(axis=1), weight.shape[1] - 1 - is_there[:, ::-1].argmax(axis=1)
        below = int(first[-1] + last[-1] - first[0] - last[0]) // (2 * max(int(rows[-1] - rows[0]), 1))
        every = []
        for slope in {0, below, below + 1}:
            start = int((first - slope * rows).min())
            of_rows = slice(int(rows[0]), int(rows[-1]) + 1)
            every.append(cls(of_rows, start, int((last - slope * rows).max()) - start + 1, slope))
        return min(every, key=lambda shear: (shear.width, abs(shear.slope)))

    @property
    def size(self) -> int:
        """Numbers in the box."""
        return int(self.rows.stop - self.rows.start) * self.width

    def sheared(self, weight: FloatArray) -> FloatArray:
        """w(k1, k2 + slope k1), (rows, width)."""
        if self.slope == 0:
            return weight[self.rows, self.first : self.first + self.width]
        number = np.arange(self.rows.start, self.rows.stop)[:, None]
        columns = self.first + self.slope * number + np.arange(self.width)
        inside = (columns >= 0) & (columns < weight.shape[1])
        return np.where(inside, weight[number, np.where(inside, columns, 0)], 0.0)


def _half_of_differences(weight: FloatArray, slope: int, spectrum: Spectrum, shape: tuple[int, int]) -> Spectrum:
    """A(q) V(q) of half of the q on the n1 x n2 differences that the positions tell apart.

    From a window that is sheared by a slope.
    """
    reach = [size - 1 for size in weight.shape]
    # Zeros up to twice the size keep the two ends of the box from meeting.
    padded = [fast_length(2 * size + 1) for size in reach]
    # A q and its opposite have conjugate terms: twice the real part of half of them, those of 0 in q2 halved.
    q1, q2 = np.arange(-reach[0], reach[0] + 1), np.arange(reach[1] + 1)
    columns = np.fft.rfft(weight, padded[1])
    correlated = np.empty((q1.size, columns.shape[1]), np.complex128)
    for some in _some(columns.shape[1], padded[0]):
        squared = np.square(np.abs(np.fft.fft(columns[:, some], padded[0], axis=0)))
        correlated[:, some] = np.fft.ifft(squared, axis=0)[q1]
    del columns  # for memory
    wrapped = np.zeros(shape, np.complex128)
    for some in _some(q1.size, padded[1], shape[0]):
        autocorrelation = np.fft.irfft(correlated[some], padded[1])[:, : q2.size]
        rows, moved = q1[some, None], q2 + slope * q1[some, None]
        product = autocorrelation * spectrum[rows % spectrum.shape[0], moved % spectrum.shape[1]]
        product[:, 0] /= 2
        for start in range(0, q2.size, shape[1]):
            turn = slice(start, start + shape[1])
            wrapped[rows % shape[0], moved[:, turn] % shape[1]] += product[:, turn]
    return wrapped


def _some(n: int, length: int, most: int | None = None) -> list[slice]:
    """Pieces of n rows or columns of a length that are transformed at a time."""
    step = max(min(AT_ONCE // length, most or n), 1)
    return [slice(start, start + step) for start in range(0, n, step)]
