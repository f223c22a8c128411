"""Error variances of curvelet coefficients: from an ensemble (eq. 8), and their expectation for white errors."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet import CurveletTransform, Layout
from imgda_mpi.curvelet.windows import Window, window


class SampleVariance:
    """Variance over ensemble members of each coefficient, eq. 8, one member after the other.

    Running sums hold the memory at four arrays whatever the number of members, and each coefficient goes through the
    same additions in the order of the members whatever the part of the layout it lies in: the bits do not depend on
    how the wedges are shared out. A sum over an axis promises neither.

    Parameters
    ----------
    layout_part : Layout
        Wedges whose coefficients are added, ``layout.part(first, last)``.

    Examples
    --------
    >>> transform = CurveletTransform((32, 32))
    >>> variance = SampleVariance(transform.layout)
    >>> for level in (1.0, 2.0, 3.0):
    ...     variance.add(np.full(transform.layout.n_values, level))
    >>> variance.result()[0]
    np.float64(1.0)
    """

    def __init__(self, layout_part: Layout) -> None:
        self._layout = layout_part
        self._n_members = 0
        self._mean = np.zeros(layout_part.n_values)
        self._squares = np.zeros(layout_part.n_values)
        # Large temporary arrays, new for each member, would take longer than the sums.
        self._difference, self._square = (np.empty(layout_part.n_values) for _ in range(2))

    def add(self, values: Values) -> None:
        """Take in the next member, in the order of the members.

        Parameters
        ----------
        values : (n_values,) array
            Its coefficients in this part of the layout, m3 m-3.

        Raises
        ------
        ValueError
            Where the length is another.
        """
        if values.shape != self._mean.shape:
            raise ValueError(f"values have shape {values.shape}: need {self._mean.shape}")
        # Welford's form: no difference of large sums, and never below zero.
        difference = np.subtract(values, self._mean, out=self._difference)
        square = np.multiply(difference, difference, out=self._square)
        self._n_members += 1
        square *= (self._n_members - 1) / self._n_members
        self._squares += square
        difference /= self._n_members
        self._mean += difference

    def result(self) -> FloatArray:
        """Sample variance of the members so far, divisor N - 1.

        Returns
        -------
        (n_values,) array
            Mean of |c - mean(c)|^2, (m3 m-3)2, in both slots of a complex coefficient.

        Raises
        ------
        ValueError
            With fewer than 2 members.
        """
        if self._n_members < 2:
            raise ValueError(f"{self._n_members} members: a variance needs at least 2")
        return np.asarray(self._layout.join_parts(self._squares / (self._n_members - 1)), dtype=np.float64)


def expected_variance(transform: CurveletTransform, sd: float | FloatArray) -> FloatArray:
    """Variance of each coefficient for errors that are uncorrelated between pixels: eq. 8 for N to infinity.

    Parameters
    ----------
    transform : CurveletTransform
    sd : float or (ny, nx) array
        Standard deviation of the errors, m3 m-3.

    Returns
    -------
    (n_values,) array
        sum_x sd(x)^2 |phi(x)|^2 with the coefficient's curvelet phi, (m3 m-3)2, in both slots of a complex one.

    Raises
    ------
    ValueError
        Where ``sd`` has another shape than the image.

    Notes
    -----
    With the window w of a wedge and its n1 x n2 positions m, phi(x) = sum_k w(k) exp(2 pi i k (x/N - m/n)) up to its
    norm, so that the variance is sum_q A(q) V(q) exp(2 pi i q m/n), where A(q) = sum_k w(k) w(k - q) and V is the DFT
    of sd^2. For a constant sd only q = 0 is left.
    """
    layout = transform.layout
    sd = np.asarray(sd, dtype=np.float64)
    if sd.shape not in ((), layout.image_shape):
        raise ValueError(f"sd has shape {sd.shape}: need a number or {layout.image_shape}")
    variance = np.empty(layout.n_values)
    spectrum = np.fft.fft2(np.square(sd)) / sd.size if sd.ndim else None
    for wedge in layout.wedges:
        part = window(transform.geometry, wedge.scale, wedge.number)
        if spectrum is None:
            # No wedge holds a frequency twice, not even as an alias, so that q = 0 is the only multiple of N.
            of_wedge = np.full(wedge.shape, float(np.square(sd) * np.square(part.weight).sum()))
        else:
            of_wedge = _positions(part, spectrum, wedge.shape)
        of_wedge /= math.prod(wedge.shape)
        variance[wedge.start : wedge.stop] = of_wedge.ravel() if wedge.is_real else np.repeat(of_wedge, 2)
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
    wrapped = np.zeros(shape, dtype=np.complex128)
    np.add.at(wrapped, np.ix_(q1 % shape[0], q2 % shape[1]), product)
    # A sum of squares: what is below zero, far from any error, is rounding.
    return np.maximum(np.fft.ifft2(wrapped).real * wrapped.size, 0.0)
