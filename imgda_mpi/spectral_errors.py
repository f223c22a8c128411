"""Error variances of curvelet coefficients: from an ensemble (eq. 8), and their expectation for white errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet import CurveletTransform, Wedge
from imgda_mpi.curvelet.windows import WedgeWindows, Window, window

MEMBERS_PER_BLOCK = 5
"""Part of what the variance is, to the bit: members are taken together in blocks of this size, whoever does it."""


def member_blocks(n_members: int) -> list[range]:
    """Members of each block, in order.

    >>> member_blocks(7)
    [range(0, 5), range(5, 7)]
    """
    starts = range(0, n_members, MEMBERS_PER_BLOCK)
    return [range(first, min(first + MEMBERS_PER_BLOCK, n_members)) for first in starts]


@numba.njit(cache=True)
def add_member(moments: Values, values: Values, n_before: int) -> None:
    """Take the next member of a block into its moments.

    Parameters
    ----------
    moments : (2, n) array
        Mean of the block's members so far, m3 m-3, and sum of their squared differences from it, (m3 m-3)2; whatever
        it holds before the first member.
    values : (n,) array
        Coefficients of the member, m3 m-3.
    n_before : int
        Members of the block before this one.
    """
    mean, squares = moments[0], moments[1]
    if n_before == 0:
        mean[:] = values
        squares[:] = 0
        return
    # Welford's form: no difference of large sums, and never below zero.
    share = mean.dtype.type(1 / (n_before + 1))
    for i in range(mean.size):
        difference = values[i] - mean[i]
        mean[i] += difference * share
        squares[i] += difference * (values[i] - mean[i])


@numba.njit(cache=True)
def _add_block(mean: Values, squares: Values, moments: Values, n_before: int, n_block: int) -> None:
    n = n_before + n_block
    share = mean.dtype.type(n_block / n)
    both = mean.dtype.type(n_before * n_block / n)
    for i in range(mean.size):
        difference = moments[0, i] - mean[i]
        mean[i] += difference * share
        squares[i] += moments[1, i] + difference * difference * both


class SampleVariance:
    """Variance over ensemble members of each coefficient, eq. 8, from the moments of blocks of members.

    The moments of two sets of members give those of both (Chan, Golub, LeVeque 1983, Am. Stat. 37, 242). Blocks are
    added in their order, so that the bits depend neither on who computed a block's moments nor on which coefficients
    are held together. Memory does not grow with the members.

    Parameters
    ----------
    n_values : int
        Coefficients held.
    dtype : dtype

    Examples
    --------
    >>> variance, moments = SampleVariance(1, np.float64), np.empty((2, 1))
    >>> for n_before, value in enumerate([1.0, 2.0, 3.0]):
    ...     add_member(moments, np.array([value]), n_before)
    >>> variance.add(slice(0, 1), moments, n_before=0, n_block=3)
    >>> variance.result(3)
    array([1.])
    """

    def __init__(self, n_values: int, dtype: npt.DTypeLike) -> None:
        self._mean, self._squares = np.zeros(n_values, dtype), np.zeros(n_values, dtype)

    def add(self, part: slice, moments: Values, n_before: int, n_block: int) -> None:
        """Take in the next block of members for some of the coefficients.

        Parameters
        ----------
        part : slice
            The coefficients.
        moments : (2, n) array
            Of the block: see `add_member`.
        n_before, n_block : int
            Members taken in before, and members of the block.
        """
        _add_block(self._mean[part], self._squares[part], moments, n_before, n_block)

    def result(self, n_members: int) -> Values:
        """Sample variance (n_values,) of each value after all members, divisor N - 1, (m3 m-3)2.

        The real and the imaginary part of a complex coefficient have each their own. ValueError with fewer than 2
        members.
        """
        if n_members < 2:
            raise ValueError(f"{n_members} members: a variance needs at least 2")
        variance: Values = self._squares / self._squares.dtype.type(n_members - 1)
        return variance


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
    layout = transform.layout
    if sd.shape != layout.image_shape:
        raise ValueError(f"sd has shape {sd.shape}: need {layout.image_shape}")
    wedges = layout.wedges if wedges is None else wedges
    first, windows = wedges[0].start, WedgeWindows(transform.geometry)
    variance = np.empty(wedges[-1].stop - first)
    spectrum = np.fft.fft2(np.square(sd, dtype=np.float64)) / sd.size
    for wedge in wedges:
        part = window(transform.geometry, wedge.scale, wedge.number, windows)
        of_wedge = _positions(part, spectrum, wedge.shape) / math.prod(wedge.shape)
        variance[wedge.start - first : wedge.stop - first] = (
            of_wedge.ravel() if wedge.is_real else np.repeat(of_wedge, 2)
        )
    return variance


def _positions(part: Window, spectrum: npt.NDArray[np.complex128], shape: tuple[int, int]) -> FloatArray:
    """sum_q A(q) V(q) exp(2 pi i q m/n) at the positions m of a wedge of the given shape."""
    reach = [size - 1 for size in part.weight.shape]
    # Zeros up to twice the size keep the two ends of the box from meeting.
    padded = [next_fast_len(2 * size + 1, real=True) for size in reach]
    squared = np.square(np.abs(np.fft.rfft2(part.weight, padded)))
    autocorrelation = np.fft.irfft2(squared, padded)
    q1, q2 = (np.arange(-size, size + 1) for size in reach)
    product = autocorrelation[np.ix_(q1, q2)] * spectrum[np.ix_(q1 % spectrum.shape[0], q2 % spectrum.shape[1])]
    # Onto the n1 x n2 differences that the positions tell apart.
    starts = [-size % n for size, n in zip(reach, shape, strict=True)]
    turns = [-(-(start + 2 * size + 1) // n) for start, size, n in zip(starts, reach, shape, strict=True)]
    laid_out = np.zeros((turns[0] * shape[0], turns[1] * shape[1]), dtype=np.complex128)
    laid_out[starts[0] : starts[0] + q1.size, starts[1] : starts[1] + q2.size] = product
    wrapped = laid_out.reshape(turns[0], shape[0], turns[1], shape[1]).sum(axis=(0, 2))
    # A sum of squares: what is below zero, far from any error, is rounding.
    return np.asarray(np.maximum(np.fft.ifft2(wrapped).real * wrapped.size, 0.0))
