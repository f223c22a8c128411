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
        curvelet has norm 1. Wedges that say little are drawn to their scale, see `drawn`.

    Examples
    --------
    >>> innovation_variances(np.array([6.0, 2.0]), np.array([2.0, 2.0]), np.array([0.0, 0.0]), np.array([2, 2]))
    array([2.16666667, 1.83333333])
    """
    surplus = powers - noise
    own = np.divide(surplus, observed, out=np.zeros_like(surplus), where=observed > 0)
    # Of n modes with the signal s under the noise r: n / (s + r)^2.
    expected = np.maximum(_of_scale(own, observed, scale), 0.0) * observed + noise
    information = np.divide(observed**3, expected**2, out=np.zeros_like(observed), where=expected > 0)
    return drawn(own, means_of_scales(own, information, scale), information)


def likelier_variances(
    variances: FloatArray,
    weighted: FloatArray,
    expected: FloatArray,
    observed: FloatArray,
    noise: FloatArray,
    scale: IntArray,
) -> FloatArray:
    """One step of the wedges' variances towards the most likely ones, given the observed pixels as they lie.

    Parameters
    ----------
    variances : s_w so far, (n_wedges,) (m3 m-3)2, the shape and unit of what comes back
    weighted : powers of z = M^-1 d, with the innovation d and its covariance M = H S H^T + R, (n_wedges,) (m3 m-3)-2
    expected : of them if ``variances`` are right, trace(M^-1 H C_w^T C_w H^T), an estimate, (n_wedges,) (m3 m-3)-2
    observed, noise, scale : as of `innovation_variances`

    Notes
    -----
    By v^T M^-1 v >= |v|^4 / v^T M v the expected powers are at least those of a wedge that has its own signal, the
    noise and what gaps and coasts bring from others. An estimate for a wedge of few modes can be far below, or
    negative: at least that is taken of which the others bring as much as its own and the noise.

    The slope of the log likelihood of d along s_w is half of ``weighted`` - ``expected``, its Fisher information about
    half of ``expected``^2 / ``observed``, as if modes were alike. Where noise hides the signal, a step is one of Fisher
    scoring; where the signal stands out, s_w ``weighted`` / ``expected``, which keeps apart what gaps and coasts mix
    (both in Harville 1977, J. Am. Stat. Assoc. 72, 320). The signal's part of the power weighs the two.
    """
    own = variances * observed + noise
    expected = np.maximum(expected, np.divide(observed**2, 2 * own, out=np.zeros_like(own), where=own > 0))
    information = np.divide(expected**2, observed, out=np.zeros_like(expected), where=observed > 0)
    step = np.divide(weighted - expected, information, out=np.zeros_like(expected), where=information > 0)
    stepped = variances + step
    scored = drawn(stepped, means_of_scales(stepped, information, scale), information)
    of_signal = np.maximum(variances * expected, 0.0)  # modes: n s / (s + r)
    factor = np.divide(weighted, expected, out=np.ones_like(expected), where=expected > 0)
    weight, typical = variances**2 * information, _of_scale(factor, of_signal, scale)
    multiplied = variances * (weight * factor + PRIOR_MODES * typical) / (weight + PRIOR_MODES)
    part = np.divide(of_signal, observed, out=np.zeros_like(of_signal), where=observed > 0)
    visible = np.clip(_of_scale(part, observed, scale), 0.0, 1.0)
    return visible * multiplied + (1 - visible) * scored


def drawn(values: FloatArray, mean: FloatArray, information: FloatArray) -> FloatArray:
    """Values of the wedges, each drawn to the mean of its scale the more the less is known of it, not below 0.

    (i v + p m) / (i + p) with the values v, the ``mean`` m of each scale, p = `PRIOR_MODES`, and i = m^2 times the
    ``information`` on v: twice the information on log v. All are (n_wedges,) arrays.

    For a variance s of n modes under white noise r that is n (s / (s + r))^2: a wedge of many modes that hold noise
    alone knows nothing of its signal, and would say by chance that it has some.
    """
    weight = mean**2 * information
    return np.maximum((weight * values + PRIOR_MODES * mean) / (weight + PRIOR_MODES), 0.0)


def means_of_scales(variances: FloatArray, information: FloatArray, scale: IntArray) -> FloatArray:
    """Mean variance of each scale, for each of its wedges, not below 0; all are (n_wedges,) arrays.

    Weighted by the ``information`` on the variances, and drawn to what the two next coarser scales let expect, as
    signals fall off about like a geometric series: so that a whole scale is not believed by chance either.
    """
    means: dict[int, float] = {}
    for one in np.unique(scale).tolist():
        of_scale = scale == one
        total = float(information[of_scale].sum())
        mean = float((information * variances)[of_scale].sum()) / total if total > 0 else 0.0
        if one - 2 in means:
            coarser, coarsest = means[one - 1], means[one - 2]
            guess = coarser * min(coarser / coarsest, 1.0) if coarsest > 0 else 0.0
            # Where the coarser ones hold nothing, a scale that clearly holds something is believed all the same.
            weight = max(guess, mean) ** 2 * total
            mean = (weight * mean + PRIOR_MODES * guess) / (weight + PRIOR_MODES)
        means[one] = max(mean, 0.0)
    return np.array([means[one] for one in scale.tolist()])


def _of_scale(values: FloatArray, weights: FloatArray, scale: IntArray) -> FloatArray:
    """Weighted mean over the wedges of each scale, for each wedge; all are (n_wedges,) arrays."""
    mean = np.empty_like(values)
    for one in np.unique(scale):
        of_scale = scale == one
        n = weights[of_scale]
        mean[of_scale] = (n * values[of_scale]).sum() / n.sum() if n.sum() > 0 else values[of_scale].mean()
    return mean


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
