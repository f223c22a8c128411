"""One variance for each wedge, from what the coefficients of the innovation hold.

Powers of a wedge are sums over its positions of the squared coefficients, those of a complex wedge counted twice for
the opposite half, so that the powers of all wedges add up to the sum of squares of the image.
"""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray

PRIOR_MODES = 10.0
"""Modes' worth of information of its own that a wedge needs to count as much as the rest of its scale."""


def innovation_variances(powers: FloatArray, observed: FloatArray, noise: FloatArray, scale: IntArray) -> FloatArray:
    """Signal variance of each wedge from the powers of one innovation: of what in it is not white noise.

    Parameters
    ----------
    powers : of the innovation, 0 where nothing is observed, (n_wedges,) (m3 m-3)2
    observed : expected ones of white noise of variance 1 on the observed pixels, (n_wedges,)
    noise : expected ones of the white observation errors, (n_wedges,) (m3 m-3)2
    scale : of each wedge, (n_wedges,)

    Returns
    -------
    (n_wedges,) array
        s_w of E|c|^2 = s_w S + R, summed over the positions, not below 0, (m3 m-3)2: variance of a coefficient whose
        curvelet has norm 1. Wedges that say little are drawn towards the mean of their scale.

    Examples
    --------
    >>> innovation_variances(np.array([6.0, 2.0]), np.array([2.0, 2.0]), np.array([0.0, 0.0]), np.array([2, 2]))
    array([2.16666667, 1.83333333])
    """
    surplus = powers - noise
    own = np.divide(surplus, observed, out=np.zeros_like(surplus), where=observed > 0)
    white = np.divide(noise, observed, out=np.zeros_like(surplus), where=observed > 0)
    typical = np.maximum(_mean_of_scale(own, observed, scale), 0.0)
    total = typical + white
    share = np.divide(typical, total, out=np.zeros_like(total), where=total > 0)
    return np.maximum(towards_scale(own, observed, observed * share**2, scale), 0.0)


def towards_scale(values: FloatArray, modes: FloatArray, information: FloatArray, scale: IntArray) -> FloatArray:
    """Values of the wedges, each drawn to the mean of its scale the more the less it says.

    (i v + p v_scale) / (i + p) with v_scale the mean of the scale weighted by ``modes``, the independent numbers that v
    is the mean of, i the ``information`` and p = `PRIOR_MODES`. All are (n_wedges,) arrays.

    Of n modes with a signal variance s under white noise r the information on log s is n (s / (s + r))^2 / 2: a wedge
    of many modes that hold noise alone knows nothing of its signal, and would say by chance that it has some.
    """
    mean = _mean_of_scale(values, modes, scale)
    return (information * values + PRIOR_MODES * mean) / (information + PRIOR_MODES)


def _mean_of_scale(values: FloatArray, modes: FloatArray, scale: IntArray) -> FloatArray:
    """Mean over the wedges of each scale, weighted by their modes, for each wedge, (n_wedges,)."""
    mean = np.empty_like(values)
    for one in np.unique(scale):
        of_scale = scale == one
        n = modes[of_scale]
        mean[of_scale] = (n * values[of_scale]).sum() / n.sum() if n.sum() > 0 else values[of_scale].mean()
    return mean


def likelier_variances(
    variances: FloatArray, weighted: FloatArray, expected: FloatArray, observed: FloatArray, scale: IntArray
) -> FloatArray:
    """One step of the wedges' variances towards the most likely ones, given the observed pixels as they lie.

    Parameters
    ----------
    variances : s_w so far, (n_wedges,) (m3 m-3)2, the shape and unit of what comes back
    weighted : powers of z = M^-1 d, with the innovation d and its covariance M = H S H^T + R, (n_wedges,) (m3 m-3)-2
    expected : of them if ``variances`` are right, trace(M^-1 H C_w^T C_w H^T), (n_wedges,) (m3 m-3)-2
    observed, scale : as of `innovation_variances`

    Notes
    -----
    The likelihood of d has its maximum where ``weighted`` = ``expected`` for every wedge with s_w > 0, and
    s_w weighted / expected is a fixed-point step towards it (as in restricted maximum likelihood, Harville 1977, J. Am.
    Stat. Assoc. 72, 320). Unlike the closed form it knows that coasts and gaps spread the power of one wedge to
    others.
    """
    modes = np.maximum(variances * expected, 0.0)  # n s / (s + r)
    information = np.divide(modes**2, observed, out=np.zeros_like(modes), where=observed > 0)
    factor = np.divide(weighted, expected, out=np.ones_like(weighted), where=expected > 0)
    return variances * np.maximum(towards_scale(factor, modes, information, scale), 0.0)


def noise_variance(powers: FloatArray) -> float:
    """Variance of white noise in an image, from how the power per mode falls off over its three finest scales.

    Parameters
    ----------
    powers : (n_scales,) array
        Mean power of a mode at each scale, coarsest first, (m3 m-3)2; at least three scales.

    Returns
    -------
    float
        Half way between r of powers = b + r with b falling off in a geometric series over the three finest scales, and
        the power of the finest scale, all of which may be noise, (m3 m-3)2: noise that is taken for signal costs more
        than signal that is taken for noise. NaN where r is not above 0: the powers fall off too fast to hold noise.

    Raises
    ------
    ValueError
        With fewer than three scales.

    Examples
    --------
    >>> round(noise_variance(np.array([4.0, 1.0, 0.25]) + 2), 9)
    2.125
    """
    if powers.size < 3:
        raise ValueError(f"{powers.size} scales: the noise in an image is estimated from three")
    coarse, middle, finest = (float(power) for power in powers[-3:])
    curvature = coarse - 2 * middle + finest
    # Without a bend there is no telling noise from a slow fall: all of the finest scale may be noise.
    estimate = min((coarse * finest - middle**2) / curvature, finest) if curvature > 0 else finest
    return (estimate + finest) / 2 if estimate > 0 else float("nan")
