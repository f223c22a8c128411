"""Intervals of scores over times that are alike when they are near: a circular block bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from imgda_mpi.arrays import FloatArray

N_RESAMPLES = 1000

WORDS = f"blocks of times are drawn anew {N_RESAMPLES} times"

NEARLY_ONE = 0.9999  # of what never changes a block has no length


def lag_1(differences: FloatArray) -> FloatArray:
    """Correlation of each value with that of the next time, (...,) of series (..., n_times), NaN where missing.

    It is over the times of which the next one has a value too; NaN where there is no such time, or no variance.
    """
    valid = np.isfinite(differences)
    number = valid.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid, differences, 0.0).sum(axis=-1) / number
        away = np.where(valid, differences - mean[..., None], 0.0)
        both = (valid[..., 1:] & valid[..., :-1]).sum(axis=-1)
        shared = (away[..., 1:] * away[..., :-1]).sum(axis=-1) / both
        return np.asarray(shared / ((away**2).sum(axis=-1) / number))


def block_length(n_times: int, correlation: float) -> int:
    """Length of the blocks for values of a first-order autoregression with a lag-1 correlation, in times.

    (sqrt(6) rho / (1 - rho^2))^(2/3) n^(1/3) of Carlstein (1986, Annals of Statistics 14), which is the best one for
    the variance of a mean; at least n^(1/3), as for values that are not alike, and at most a quarter of the times, so
    that there are four blocks. A correlation that is not known or negative counts as none.

    >>> block_length(100, 0.0), block_length(728, 0.5), block_length(728, 0.99), block_length(12, 0.9)
    (5, 13, 182, 3)
    """
    rho = min(max(correlation, 0.0), NEARLY_ONE) if math.isfinite(correlation) else 0.0
    factor = math.pow(math.sqrt(6.0) * rho / (1.0 - rho**2), 2 / 3)
    return max(1, min(math.ceil(max(factor, 1.0) * math.cbrt(n_times)), n_times // 4))


def usual_length(differences: Sequence[FloatArray] | FloatArray) -> int:
    """`block_length` for the median of `lag_1` over series of differences (..., n_times) that have one."""
    of_each = lag_1(np.asarray(differences))
    known = of_each[np.isfinite(of_each)]
    return block_length(np.shape(differences)[-1], float(np.median(known)) if known.size else 0.0)


def resamples(n_times: int, length: int) -> FloatArray:
    """How often each time is in each resample of circular blocks (Politis and Romano 1992), (n_resamples, n_times).

    The random numbers are always the same.
    """
    generator = np.random.Generator(np.random.PCG64(0))
    starts = generator.integers(0, n_times, (N_RESAMPLES, -(-n_times // length)))
    chosen = ((starts[:, :, None] + np.arange(length)) % n_times).reshape(N_RESAMPLES, -1)[:, :n_times]
    return np.stack([np.bincount(one, minlength=n_times) for one in chosen]).astype(np.float64)


def interval(resampled: FloatArray) -> tuple[float, float]:
    """Ends of the 95 % interval of a number, from what resamples make of it, (n_resamples,); some must be defined."""
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def intervals(resampled: FloatArray) -> FloatArray:
    """Ends of the 95 % intervals, (2, ...), of (n_resamples, ...); NaN where fewer than half are defined."""
    enough = np.isfinite(resampled).sum(axis=0) >= resampled.shape[0] / 2
    ends = np.full((2, *enough.shape), np.nan)
    if enough.any():
        ends[:, enough] = np.nanpercentile(resampled[:, enough], [2.5, 97.5], axis=0)
    return ends
