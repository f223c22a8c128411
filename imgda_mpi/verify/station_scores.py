"""How well series of analyses agree with those of stations, with intervals that know that windows are alike in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.verify.block_bootstrap import FISHER, LOGARITHM, PLAIN, resamples, usual_length

LEAST_PAIRS = 10
"""Of a station: fewer say nothing of its correlation."""

NAMES = ("R", "ubRMSE", "bias")
SCALES = (FISHER, LOGARITHM, PLAIN)


@dataclass(frozen=True, eq=False)
class StationScores:
    """Scores of methods at the stations that have enough pairs.

    Parameters
    ----------
    used : numbers of these stations, (n_used,)
    n_pairs : of every station, (n_stations,)
    values : R, ubRMSE (m3 m-3) and bias (m3 m-3), (3, n_methods, n_used)
    resampled : means of these over stations, of resampled times, (3, n_methods, n_resamples)
    block, n_blocks : times in a block of the resamples, and how many blocks there are
    """

    used: IntArray
    n_pairs: IntArray
    values: FloatArray
    resampled: FloatArray
    block: int
    n_blocks: int


def count_pairs(estimates: FloatArray, measured: FloatArray) -> IntArray:
    """Times at which all estimates (..., n_times, n_stations) and a station have a value, (n_stations,)."""
    return np.asarray(np.count_nonzero(_valid(estimates, measured), axis=0))


def station_scores(estimates: FloatArray, measured: FloatArray) -> StationScores:
    """Scores over the times, station by station.

    R is Pearson's correlation, ubRMSE the standard deviation of the differences, bias their mean. Intervals are of a
    circular block bootstrap over the times, see `imgda_mpi.verify.block_bootstrap`, with the same resamples for all
    methods and stations; blocks are as long as the median correlation of their differences from time to time asks for.

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
    block = usual_length(np.where(there, pairs[0] - pairs[1], np.nan).swapaxes(-1, -2))
    values = weighted_scores(pairs[0], pairs[1], there, np.ones((1, n_times)))[..., 0, :]
    resampled = weighted_scores(pairs[0], pairs[1], there, resamples(n_times, block))
    return StationScores(used, n_pairs, values, _mean_over_stations(resampled), block, n_times // block)


def _valid(estimates: FloatArray, measured: FloatArray) -> BoolArray:
    return np.isfinite(measured) & np.isfinite(estimates).all(axis=0)


def weighted_scores(a: FloatArray, b: FloatArray, there: BoolArray, weights: FloatArray) -> FloatArray:
    """R, ubRMSE and bias over the times with weights: (3, n_methods, n, n_stations), NaN where they are not defined.

    Parameters
    ----------
    a, b : estimates (n_methods, n_times, n_stations) and what was measured (n_times, n_stations); all finite
    there : pairs that count, (n_times, n_stations)
    weights : of the times, (n, n_times)
    """
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
