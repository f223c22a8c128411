"""R: the variances of white observation errors in curvelet space, and what the innovation says of them."""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.curvelet import Layout, Wedge
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.rectangle import share_wedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.wedge_variances import noise_variance
from imgda_mpi.numerics.white_variance import WhiteErrors, expected_variance

NOTHING = 1e-30  # (m3 m-3)2: keeps B + R above 0 where no observation reaches a coefficient

QUANTILE = 0.25
OF_COMPLEX = -math.log(1 - QUANTILE)  # that quantile of |c|^2 over its mean, for Gaussian c
OF_REAL = 0.101531  # the same for real c: chi-square with one degree of freedom
SEEN = 0.5  # of the most that any position of the wedge has of its curvelet on observed pixels
SMOOTHEST = 0.01  # of the prescribed variance
SMALLEST = 0.001  # m3 m-3: no soil moisture is observed that well
DIRECTIONS = 16  # of a scale that are looked at: the variances of white errors take as long as the image's update else
BINS = np.geomspace(1e-10, 1e2, 2401)  # (m3 m-3)2, steps of one percent


def masked_variance(own: OwnWedges, sd: float | FloatArray, observations: Observations) -> Values:
    """Variance of the own coefficients for white errors on the observed pixels: sum_x m sd^2 |phi|^2, (m3 m-3)2."""
    wedges = [wedge for _, wedge, _ in own.wedges()]
    field = np.where(observations.observed, sd, 0.0)
    return expected_variance(own.transform, field, wedges).astype(own.transform.dtype)


def observation_variances(own: OwnWedges, observed: Values, observations: Observations) -> Values:
    """R of the own coefficients, above 0; ``observed`` is the `masked_variance` of errors of variance 1."""
    sd = observations.sd
    variance = masked_variance(own, sd, observations) if isinstance(sd, np.ndarray) else observed * float(sd) ** 2
    return np.maximum(variance, NOTHING)


def powers_of_finest_modes(
    innovation: Observations, powers: WedgePowers, comm: MPI.Intracomm, n_finest: int = 3
) -> FloatArray:
    """Power of a mode at each of the finest scales, coarsest first, (n_finest,) (m3 m-3)2. Collective over ``comm``.

    It is that of the quieter positions, at the lower quartile: coasts, and the places where the background misses a
    sharp structure, do not count; white noise is everywhere, and in all directions. ``comm`` are the ranks of
    ``powers``.

    Returns
    -------
    (n_finest,) array
        The same on every rank; NaN for scales of which no position is observed, and for those that there are not.
    """
    transform, n_scales, found = powers.transform, powers.transform.geometry.n_scales, np.full(n_finest, np.nan)
    every, counts = wedges_of_directions(transform.layout, n_finest), np.zeros((n_scales + 1, BINS.size - 1), np.int64)
    if not innovation.observed.any():
        return found
    own = share_wedges(transform.layout, every, comm.size)[comm.rank]
    if own:
        errors = WhiteErrors(transform, innovation.observed)
        # At coasts and gaps a mean is a jump, which has all scales.
        anomalies = innovation.minus(innovation.values[innovation.observed].mean()).values
        looked_at = {wedge for wedges in own.values() for wedge in wedges}
        for _, wedge, values in powers.coefficients(anomalies, own):
            if wedge in looked_at:
                counts[wedge.scale] += _counted(transform.layout, wedge, values, errors.variance(wedge))
    comm.Allreduce(MPI.IN_PLACE, counts)
    for place, scale in enumerate(range(n_scales - n_finest + 1, n_scales + 1)):
        if scale > 0 and counts[scale].any():
            of_mean = OF_REAL if transform.geometry.is_real(scale) else OF_COMPLEX
            found[place] = _quartile(counts[scale]) / of_mean
    return found


def wedges_of_directions(layout: Layout, n_finest: int) -> list[Wedge]:
    """Of each of the finest scales some wedges, evenly spread: about `DIRECTIONS`, or all where there are fewer."""
    n_scales, found = layout.wedges[-1].scale, list[Wedge]()
    for scale in range(max(n_scales - n_finest, 0) + 1, n_scales + 1):
        every = [wedge for wedge in layout.wedges if wedge.scale == scale]
        step = max(len(every) // DIRECTIONS, 1)
        found += every[step // 2 :: step]
    return found


def estimated_white_part(finest: FloatArray) -> float:
    """Variance of white observation errors from the `powers_of_finest_modes`, (m3 m-3)2: see `noise_variance`.

    NaN where the innovation cannot tell: it is too smooth at its finest scales, they are not seen, or there are fewer
    than three.
    """
    if np.isnan(finest).any():
        return math.nan
    variance = noise_variance(finest)
    return variance if variance >= SMALLEST**2 else math.nan


def possible_white_part(prescribed: float, finest: float, coherent_share: float) -> float:
    """Variance of white observation errors that the innovation's finest scale does not contradict, (m3 m-3)2.

    Where the finest scale holds a power below the prescribed variance, that cannot be all white. Then of what is there
    the observation's share is white noise, and more of it the nearer the two are. At least a `SMOOTHEST` part of what
    is prescribed stays: regridding makes images smoother than their errors are. Without a coherent share, all errors
    are white as prescribed.

    Examples
    --------
    >>> possible_white_part(0.01, 0.02, 0.5), possible_white_part(0.01, 0.005, 0.5), possible_white_part(0.01, 0.0, 0.5)
    (0.01, 0.003125, 0.0001)
    """
    if coherent_share == 0 or not finest < prescribed:
        return prescribed
    possible = finest * (coherent_share + (1 - coherent_share) * (finest / prescribed) ** 2)
    return max(possible, SMOOTHEST * prescribed)


def _counted(layout: Layout, wedge: Wedge, values: Values, variance: FloatArray) -> IntArray:
    """Powers of a wedge's modes, by `BINS`: of coefficients over the variance that white errors of 1 have there."""
    step = 1 if wedge.is_real else 2
    power = layout.join_parts(np.square(values, dtype=np.float64), wedge.start)[::step]
    weight = variance[::step]
    seen = weight > SEEN * weight.max()
    return np.histogram(np.clip(power[seen] / weight[seen], BINS[0], BINS[-1]), BINS)[0]


def _quartile(counts: IntArray) -> float:
    """The `QUANTILE` of numbers that were counted in `BINS`."""
    below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(QUANTILE, below, BINS))
