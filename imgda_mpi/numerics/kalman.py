"""The Kalman update of curvelet coefficients: gain and increment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import Values


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

    The coefficients (n_values,), m3 m-3, of the innovation y - x_b are c_y - c_b, for the transform is linear; the
    inverse transform of what comes back is the increment of the image, eq. 9. Variances, equal in both slots of a
    complex coefficient, and errors are those of :func:`gain`.
    """
    return gain(background_variance, observation_variance) * innovation_coefficients
