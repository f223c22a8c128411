"""The Kalman update: innovation, gain and increment of curvelet coefficients, and two baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import BoolArray, FloatArray, Values


@dataclass(frozen=True, eq=False)
class Innovation:
    """What the observed image says beyond the background, on the periodic array of the transform.

    Parameters
    ----------
    values : (ny, nx) array
        Observation minus background y - x_b, m3 m-3; 0 where nothing is observed.
    observed : (ny, nx) array of bool
        The mask m of the pixels that are observed.
    observation_sd : float or (ny, nx) array
        Standard deviation of the observation errors s_o, m3 m-3, above 0.
    """

    values: FloatArray
    observed: BoolArray
    observation_sd: float | FloatArray

    @property
    def observation_variance(self) -> FloatArray:
        """s_o^2, (ny, nx) (m3 m-3)2."""
        return np.broadcast_to(np.square(np.asarray(self.observation_sd, np.float64)), self.values.shape)

    @property
    def noise_power(self) -> float:
        """Expected sum of the squared observation errors over the observed pixels, (m3 m-3)2."""
        return float(self.observation_variance[self.observed].sum())


def gain(background_variance: npt.ArrayLike, observation_variance: npt.ArrayLike) -> Values:
    """Weight given to the observation, K = B / (B + R), eq. 6 with diagonal B and R.

    Parameters
    ----------
    background_variance, observation_variance : scalars or arrays that fit each other
        Error variances B and R in (m3 m-3)2, not negative, not both zero.

    Returns
    -------
    array
        Between 0 and 1.

    Raises
    ------
    ValueError
        Where variances are negative, not a number, or both zero; says how many.

    Examples
    --------
    >>> gain(0.15**2, 0.10**2).round(3)
    np.float64(0.692)
    """
    b, r = np.asarray(background_variance), np.asarray(observation_variance)
    total = b + r
    bad = int(total.size - np.count_nonzero((b >= 0) & (r >= 0) & (total > 0)))
    if bad:
        raise ValueError(f"{bad} of {total.size} error variances: need B >= 0, R >= 0 and B + R > 0")
    return np.asarray(b / total)


def coefficient_increment(
    innovation_coefficients: Values, background_variance: npt.ArrayLike, observation_variance: npt.ArrayLike
) -> Values:
    """Increment of the curvelet coefficients, K (c_y - c_b), eq. 5.

    Parameters
    ----------
    innovation_coefficients : (n_values,) array
        Coefficients of the innovation y - x_b, m3 m-3: the transform is linear, so that they are c_y - c_b.
    background_variance, observation_variance : scalars or (n_values,) arrays
        Error variances B and R of the coefficients, (m3 m-3)2; equal in both slots of a complex coefficient.

    Returns
    -------
    (n_values,) array
        m3 m-3; its inverse transform is the increment of the image, eq. 9.

    Raises
    ------
    ValueError
        See :func:`gain`.
    """
    return gain(background_variance, observation_variance) * innovation_coefficients


def pointwise_increment(innovation: Values, background_sd: npt.ArrayLike, observation_sd: npt.ArrayLike) -> Values:
    """Increment of an image without any transform, s_b^2 / (s_b^2 + s_o^2) (y - x_b): the baseline.

    Parameters
    ----------
    innovation : (ny, nx) array
        y - x_b, m3 m-3.
    background_sd, observation_sd : scalars or (ny, nx) arrays
        Error standard deviations s_b and s_o, m3 m-3.

    Returns
    -------
    (ny, nx) array
        m3 m-3.

    Raises
    ------
    ValueError
        See :func:`gain`.
    """
    return gain(np.square(background_sd), np.square(observation_sd)) * innovation


def large_scale_increment(innovation: Values, background_sd: float, observation_sd: float, low_pass: Values) -> Values:
    """Increment of an image by the variational weak constraint on its large scales: a baseline.

    Parameters
    ----------
    innovation : (ny, nx) array
        y - x_b, m3 m-3, 0 where nothing is observed.
    background_sd, observation_sd : float
        Error standard deviations s_b and s_o, m3 m-3.
    low_pass : (ny, nx // 2 + 1) array
        Factors of the half spectrum by which C_L^T C_L multiplies an image, C_L being the large scales of the
        transform.

    Returns
    -------
    (ny, nx) array
        m3 m-3.

    Notes
    -----
    Shen et al. (2024), Geosci. Model Dev. 17, 3447, take only large-scale structure from the image, as a weak
    constraint. With white errors the cost |x - x_b|^2 / s_b^2 + |C_L (y - x)|^2 / s_o^2 has its minimum, frequency by
    frequency, at x - x_b = s_b^2 w (y - x_b) / (s_b^2 w + s_o^2) with w the low pass.
    """
    weighted = background_sd**2 * low_pass
    spectrum = np.fft.rfft2(innovation) * (weighted / (weighted + observation_sd**2))
    increment: Values = np.fft.irfft2(spectrum, s=innovation.shape)
    return increment
