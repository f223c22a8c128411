"""The standard deviation of the observation errors, from the finest scales of the innovation."""

from __future__ import annotations

import math

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import IntArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.errors import ConfigError
from imgda_mpi.solvers.wedge_powers import WedgePowers
from imgda_mpi.spectral_errors import expected_variance
from imgda_mpi.wedge_variances import noise_variance

QUANTILE = 0.25
OF_COMPLEX = -math.log(1 - QUANTILE)  # that quantile of |c|^2 over its mean, for Gaussian c
OF_REAL = 0.101531  # the same for real c: chi-square with one degree of freedom
SEEN = 0.5  # of the most that any position of the wedge has of its curvelet on observed pixels
SMALLEST = 0.001  # m3 m-3: no soil moisture is observed that well
BINS = np.geomspace(1e-10, 1e2, 2401)  # (m3 m-3)2, steps of one percent


def estimated_observation_sd(innovation: Innovation, transform: CurveletTransform, comm: MPI.Intracomm) -> float:
    """Standard deviation of white observation errors, m3 m-3. Collective over ``comm``.

    The power of a mode is that of the background errors, which falls off from scale to scale, and that of the noise,
    which does not. It is taken from the quieter positions, at the lower quartile: coasts, and the places where the
    background misses a sharp structure, do not count.

    Raises
    ------
    ConfigError
        On every rank: where there are fewer than three scales, where too few pixels are observed to see them, or where
        they hold no noise.
    """
    layout, n_scales = transform.layout, transform.geometry.n_scales
    if n_scales < 3:
        raise _no_estimate(f"the transform has {n_scales} scales, it takes three")
    observed = innovation.observed.astype(np.float64)
    counts = np.zeros((n_scales + 1, BINS.size - 1), np.int64)
    for _, wedge, values in WedgePowers(transform, comm).coefficients(innovation.values):
        if wedge.scale > n_scales - 3:
            step = 1 if wedge.is_real else 2
            power = layout.join_parts(np.square(values, dtype=np.float64), wedge.start)[::step]
            weight = expected_variance(transform, observed, [wedge])[::step]
            seen = weight > SEEN * weight.max()
            counts[wedge.scale] += np.histogram(np.clip(power[seen] / weight[seen], BINS[0], BINS[-1]), BINS)[0]
    comm.Allreduce(MPI.IN_PLACE, counts)
    finest = range(max(1, n_scales - 2), n_scales + 1)
    if not all(counts[scale].any() for scale in finest):
        raise _no_estimate("too few pixels are observed")
    of_mean = [OF_REAL if transform.geometry.is_real(scale) else OF_COMPLEX for scale in finest]
    powers = [_quartile(counts[scale]) for scale in finest]
    variance = noise_variance(np.array(powers) / of_mean)
    if variance < SMALLEST**2:
        raise _no_estimate("the innovation is too smooth at its finest scales to hold any noise")
    return math.sqrt(variance)


def _no_estimate(reason: str) -> ConfigError:
    error = ConfigError(f"[errors] estimate_observation: {reason}; set errors.observation instead")
    error.everywhere = True  # every rank has seen the same
    return error


def _quartile(counts: IntArray) -> float:
    """The `QUANTILE` of numbers that were counted in `BINS`."""
    below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(QUANTILE, below, BINS))
