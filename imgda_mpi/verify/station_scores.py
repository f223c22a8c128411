"""How well series of analyses agree with those of stations, with intervals that know that windows are alike in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray

LEAST_PAIRS = 10
"""Of a station: fewer say nothing of its correlation."""

N_RESAMPLES = 1000

NAMES = ("R", "ubRMSE", "bias")


@dataclass(frozen=True, eq=False)
class StationScores:
    """Scores of methods at the stations that have enough pairs.

    Parameters
    ----------
    used : numbers of these stations, (n_used,)
    n_pairs : of every station, (n_stations,)
    values : R, ubRMSE (m3 m-3) and bias (m3 m-3), (3, n_methods, n_used)
    resampled : means of these over stations, of resampled times, (3, n_methods, n_resamples)
    """

    used: IntArray
    n_pairs: IntArray
    values: FloatArray
    resampled: FloatArray


def interval(resampled: FloatArray) -> tuple[float, float]:
    """Ends of the 95 % interval of a mean, from what resamples make of it, (n_resamples,); some must be defined."""
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def count_pairs(estimates: FloatArray, measured: FloatArray) -> IntArray:
    """Times at which all estimates (..., n_times, n_stations) and a station have a value, (n_stations,)."""
    return np.asarray(np.count_nonzero(_valid(estimates, measured), axis=0))


def station_scores(estimates: FloatArray, measured: FloatArray) -> StationScores:
    """Scores over the times, station by station.

    R is Pearson's correlation, ubRMSE the standard deviation of the differences, bias their mean. Intervals are of a
    circular block bootstrap over the times with blocks of n^(1/3) times (Politis and Romano 1992; Hall et al. 1995),
    with the same resamples for all methods and stations; its random numbers are always the same.

    Parameters
    ----------
    estimates : of methods at stations, (n_methods, n_times, n_stations) m3 m-3, NaN where missing
    measured : (n_times, n_stations) m3 m-3, NaN where missing
    """
    valid = _valid(estimates, measured)
    n_pairs = np.count_nonzero(valid, axis=0)
    used = np.flatnonzero(n_pairs >= LEAST_PAIRS)
    there = valid[:, used]
    pairs = [np.where(there, values[..., used], 0.0) for values in (estimates, measured)]
    n_times = measured.shape[0]
    values = _scores(pairs[0], pairs[1], there, np.ones((1, n_times)))[..., 0, :]
    resampled = _scores(pairs[0], pairs[1], there, _resamples(n_times))
    return StationScores(used, n_pairs, values, _mean_over_stations(resampled))


def _valid(estimates: FloatArray, measured: FloatArray) -> BoolArray:
    return np.isfinite(measured) & np.isfinite(estimates).all(axis=0)


def _resamples(n_times: int) -> FloatArray:
    """How often each time is in each resample, (n_resamples, n_times)."""
    length = math.ceil(n_times ** (1 / 3))
    generator = np.random.Generator(np.random.PCG64(0))
    starts = generator.integers(0, n_times, (N_RESAMPLES, -(-n_times // length)))
    chosen = ((starts[:, :, None] + np.arange(length)) % n_times).reshape(N_RESAMPLES, -1)[:, :n_times]
    return np.stack([np.bincount(one, minlength=n_times) for one in chosen]).astype(np.float64)


def _scores(a: FloatArray, b: FloatArray, there: BoolArray, weights: FloatArray) -> FloatArray:
    """R, ubRMSE and bias with weights (n, n_times): (3, n_methods, n, n_stations), NaN where they are not defined."""
    number = there.sum(axis=0)
    # Means are taken off first: the differences of large sums would lose digits.
    mean_a, mean_b = a.sum(axis=-2) / number, b.sum(axis=0) / number
    a = np.where(there, a - mean_a[:, None], 0.0)
    b = np.where(there, b - mean_b, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights @ there.astype(np.float64)
        first_a, first_b = weights @ a / total, weights @ b / total
        var_a = weights @ a**2 / total - first_a**2
        var_b = weights @ b**2 / total - first_b**2
        shared = weights @ (a * b) / total - first_a * first_b
        r = shared / np.sqrt(var_a * var_b)
        ubrmse = np.sqrt(np.maximum(var_a + var_b - 2 * shared, 0.0))
        bias = first_a + mean_a[:, None] - first_b - mean_b
    return np.stack([np.where(np.isfinite(r), r, np.nan), ubrmse, bias])


def _mean_over_stations(values: FloatArray) -> FloatArray:
    """Of those that have a value; NaN where none has."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=-1) / there.sum(axis=-1))
