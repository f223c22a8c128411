"""R: the variances of the observation errors in curvelet space, and their standard deviation from the innovation."""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.faults import ConfigError
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.wedge_variances import noise_variance
from imgda_mpi.numerics.white_variance import expected_variance
from imgda_mpi.parallel.failure import same_fate

NOTHING = 1e-30  # (m3 m-3)2: keeps B + R above 0 where no observation reaches a coefficient

QUANTILE = 0.25
OF_COMPLEX = -math.log(1 - QUANTILE)  # that quantile of |c|^2 over its mean, for Gaussian c
OF_REAL = 0.101531  # the same for real c: chi-square with one degree of freedom
SEEN = 0.5  # of the most that any position of the wedge has of its curvelet on observed pixels
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

    The power of a mode is that of the background errors, which falls off from scale to scale, and that of the noise,
    which does not. It is taken from the quieter positions, at the lower quartile: coasts, and the places where the
    background misses a sharp structure, do not count.

    Raises
    ------
    ConfigError
        On every rank: where too few pixels are observed to see the three finest scales, which the transform must have,
        or where they hold no noise.
    """
    transform, n_scales = powers.transform, powers.transform.geometry.n_scales
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
    with same_fate(comm):
        if not all(counts[scale].any() for scale in finest):
            raise no_estimate("too few pixels are observed")
        of_mean = [OF_REAL if transform.geometry.is_real(scale) else OF_COMPLEX for scale in finest]
        powers_of_modes = [_quartile(counts[scale]) for scale in finest]
        variance = noise_variance(np.array(powers_of_modes) / of_mean)
        if variance < SMALLEST**2:
            raise no_estimate("the innovation is too smooth at its finest scales to hold any noise")
    return math.sqrt(variance)


def no_estimate(reason: str) -> ConfigError:
    """The error where the standard deviation of the observation errors cannot be estimated."""
    return ConfigError(
        f"the observation errors cannot be estimated: {reason}; prescribe their standard deviation instead"
    )


def _quartile(counts: IntArray) -> float:
    """The `QUANTILE` of numbers that were counted in `BINS`."""
    below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(QUANTILE, below, BINS))
