"""One background error variance for each wedge, from what the coefficients of the innovation hold.

Powers of a wedge are sums over its positions of the squared coefficients, those of a complex wedge counted twice for
the opposite half, so that the powers of all wedges add up to the sum of squares of the image.
"""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray

PRIOR_MODES = 10.0
"""Modes of its own that a wedge needs to count as much as the rest of its scale."""


def innovation_variances(powers: FloatArray, observed: FloatArray, noise: FloatArray, scale: IntArray) -> FloatArray:
    """Background error variance of each wedge from the powers of one innovation.

    Parameters
    ----------
    powers : of the innovation, 0 where nothing is observed, (n_wedges,) (m3 m-3)2
    observed : expected ones of white noise of variance 1 on the observed pixels, (n_wedges,)
    noise : expected ones of the observation errors, (n_wedges,) (m3 m-3)2
    scale : of each wedge, (n_wedges,)

    Returns
    -------
    (n_wedges,) array
        b_w of E|c|^2 = b_w S + R, summed over the positions, not below 0, (m3 m-3)2: variance of a coefficient whose
        curvelet has norm 1. Wedges that sample few modes are drawn towards the mean of their scale.

    Examples
    --------
    >>> innovation_variances(np.array([6.0, 2.0]), np.array([2.0, 2.0]), np.array([1.0, 1.0]), np.array([2, 2]))
    array([1.66666667, 1.33333333])
    """
    surplus = powers - noise
    own = np.divide(surplus, observed, out=np.zeros_like(surplus), where=observed > 0)
    return np.maximum(towards_scale(own, observed, scale), 0.0)


def towards_scale(values: FloatArray, modes: FloatArray, scale: IntArray) -> FloatArray:
    """Values of the wedges, each drawn to the mean of its scale the more the fewer modes it samples.

    (n v + p v_scale) / (n + p) with n ``modes``, the independent numbers that v is the mean of, v_scale the mean of the
    scale weighted by n, and p = `PRIOR_MODES`. All are (n_wedges,) arrays.
    """
    drawn = np.empty_like(values)
    for one in np.unique(scale):
        of_scale = scale == one
        n, total = modes[of_scale], modes[of_scale].sum()
        mean = (n * values[of_scale]).sum() / total if total > 0 else values[of_scale].mean()
        drawn[of_scale] = (n * values[of_scale] + PRIOR_MODES * mean) / (n + PRIOR_MODES)
    return drawn


def likelier_variances(
    variances: FloatArray, weighted: FloatArray, expected: FloatArray, scale: IntArray
) -> FloatArray:
    """One step of the wedges' variances towards the most likely ones, given the observed pixels as they lie.

    Parameters
    ----------
    variances : b_w so far, (n_wedges,) (m3 m-3)2, the shape and unit of what comes back
    weighted : powers of z = S^-1 d, with the innovation d and its covariance S = H B H^T + R, (n_wedges,) (m3 m-3)-2
    expected : of them if ``variances`` are right, trace(S^-1 H C_w^T C_w H^T), (n_wedges,) (m3 m-3)-2
    scale : of each wedge, (n_wedges,)

    Notes
    -----
    The likelihood of d has its maximum where ``weighted`` = ``expected`` for every wedge with b_w > 0, and
    b_w weighted / expected is a fixed-point step towards it (as in restricted maximum likelihood, Harville 1977, J. Am.
    Stat. Assoc. 72, 320). Unlike the closed form it knows that coasts and gaps spread the power of one wedge to
    others.
    """
    modes = np.maximum(variances * expected, 0.0)
    factor = np.divide(weighted, expected, out=np.ones_like(weighted), where=expected > 0)
    return variances * np.maximum(towards_scale(factor, modes, scale), 0.0)


def noise_variance(powers: FloatArray) -> float:
    """Variance of white noise in an image, from how the power per mode falls off over its three finest scales.

    Parameters
    ----------
    powers : (n_scales,) array
        Mean power of a mode at each scale, coarsest first, (m3 m-3)2; at least three scales.

    Returns
    -------
    float
        r of powers = b + r with b falling off in a geometric series over the three finest scales, (m3 m-3)2; between
        0 and the power of the finest scale. Soil moisture itself falls off about like that; noise does not fall.

    Raises
    ------
    ValueError
        With fewer than three scales.

    Examples
    --------
    >>> round(noise_variance(np.array([4.0, 1.0, 0.25]) + 2), 9)
    2.0
    """
    if powers.size < 3:
        raise ValueError(f"{powers.size} scales: the noise in an image is estimated from three")
    coarse, middle, finest = (float(power) for power in powers[-3:])
    curvature = coarse - 2 * middle + finest
    # Without a bend there is no telling noise from a slow fall: all of the finest scale may be noise.
    estimate = (coarse * finest - middle**2) / curvature if curvature > 0 else finest
    return float(np.clip(estimate, 0.0, finest))
