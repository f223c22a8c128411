"""R: the variances of white observation errors in curvelet space, and what the innovation says of them."""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.wedge_variances import noise_variance
from imgda_mpi.numerics.white_variance import expected_variance

NOTHING = 1e-30  # (m3 m-3)2: keeps B + R above 0 where no observation reaches a coefficient

QUANTILE = 0.25
OF_COMPLEX = -math.log(1 - QUANTILE)  # that quantile of |c|^2 over its mean, for Gaussian c
OF_REAL = 0.101531  # the same for real c: chi-square with one degree of freedom
SEEN = 0.5  # of the most that any position of the wedge has of its curvelet on observed pixels
SMOOTHEST = 0.01  # of the prescribed variance
SMALLEST = 0.001  # m3 m-3: no soil moisture is observed that well
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


def estimated_observation_sd(innovation: Observations, powers: WedgePowers, comm: MPI.Intracomm) -> float:
    """Standard deviation of white observation errors, m3 m-3. Collective over ``comm``, the ranks of ``powers``.

    The power of a mode is that of coherent errors, which falls off from scale to scale, and that of the noise, which
    does not (`noise_variance`). It is taken from the quieter positions, at the lower quartile: coasts, and the places
    where the background misses a sharp structure, do not count.

    Returns
    -------
    float
        The same on every rank; NaN where the innovation cannot tell: it is too smooth at its three finest scales, too
        few pixels are observed to see them, or the transform has not got them.
    """
    transform, n_scales = powers.transform, powers.transform.geometry.n_scales
    if n_scales < 3:
        return math.nan
    observed = innovation.observed.astype(np.float64)
    counts = np.zeros((n_scales + 1, BINS.size - 1), np.int64)
    for _, wedge, values in powers.coefficients(innovation.values):
        if wedge.scale > n_scales - 3:
            step = 1 if wedge.is_real else 2
            power = transform.layout.join_parts(np.square(values, dtype=np.float64), wedge.start)[::step]
            weight = expected_variance(transform, observed, [wedge])[::step]
            seen = weight > SEEN * weight.max()
            counts[wedge.scale] += np.histogram(np.clip(power[seen] / weight[seen], BINS[0], BINS[-1]), BINS)[0]
    comm.Allreduce(MPI.IN_PLACE, counts)
    finest = range(n_scales - 2, n_scales + 1)
    if not all(counts[scale].any() for scale in finest):
        return math.nan
    of_mean = [OF_REAL if transform.geometry.is_real(scale) else OF_COMPLEX for scale in finest]
    variance = noise_variance(np.array([_quartile(counts[scale]) for scale in finest]) / of_mean)
    return math.sqrt(variance) if variance >= SMALLEST**2 else math.nan


def finest_power(innovation: Observations, powers: WedgePowers) -> float:
    """Power of a mode at the finest scale, (m3 m-3)2: the most that white noise can have. Collective.

    Of the innovation about its mean: at coasts and gaps a mean is a jump that has all scales.
    """
    observed, of_finest = innovation.observed, powers.scale == powers.transform.geometry.n_scales
    mean = innovation.values[observed].mean()
    power = powers.of(np.where(observed, innovation.values - mean, 0.0))
    return float(power[of_finest].sum() / (powers.norms[of_finest].sum() * np.count_nonzero(observed)))


def possible_white_part(prescribed: float, finest: float, coherent_share: float) -> float:
    """Variance of white observation errors that the innovation's finest scale does not contradict, (m3 m-3)2.

    Where the finest scale holds a power below the prescribed variance, that cannot be all white. Then of what is there
    the observation's share is white noise, and more of it the nearer the two are. At least a `SMOOTHEST` part of what
    is prescribed stays: regridding makes images smoother than their errors are. Without a coherent share, all errors
    are white as prescribed.

    Examples
    --------
    >>> possible_white_part(0.01, 0.02, 0.5), possible_white_part(0.01, 0.005, 0.5), possible_white_part(0.01, 0.0, 0.5)
    (0.01, 0.00375, 0.0001)
    """
    if coherent_share == 0 or finest >= prescribed:
        return prescribed
    possible = finest * (coherent_share + (1 - coherent_share) * finest / prescribed)
    return max(possible, SMOOTHEST * prescribed)


def _quartile(counts: IntArray) -> float:
    """The `QUANTILE` of numbers that were counted in `BINS`."""
    below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(QUANTILE, below, BINS))
