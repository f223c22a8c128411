"""Intervals of scores over times that are alike when they are near: a circular block bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from imgda_mpi.arrays import FloatArray

N_RESAMPLES = 1000

WORDS = f"blocks of times are drawn anew {N_RESAMPLES} times"

NEARLY_ONE = 0.9999  # of what never changes a block has no length, and no correlation an end

SMALLEST = 1e-9  # m3 m-3, where there is no error at all


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


@dataclass(frozen=True)
class Scale:
    """On which the scores of resamples are spread alike around that of all times: to it, and back."""

    there: Callable[[FloatArray], FloatArray]
    back: Callable[[FloatArray], FloatArray]


PLAIN = Scale(lambda values: values, lambda values: values)
FISHER = Scale(lambda values: np.arctanh(np.clip(values, -NEARLY_ONE, NEARLY_ONE)), np.tanh)
"""Of correlations."""

LOGARITHM = Scale(lambda values: np.log(np.maximum(values, SMALLEST)), np.exp)
"""Of what is above 0."""


def intervals(values: FloatArray, resampled: FloatArray, n_blocks: int, scale: Scale) -> FloatArray:
    """Ends of the 95 % intervals of scores, (2, ...); NaN where fewer than half of the resamples have a score.

    The score plus and minus t s on a scale, s being the standard deviation over the resamples, larger by
    sqrt(n / (n - 1)) for so few blocks, and t Student's quantile of n - 1 degrees of freedom. Percentiles of the
    resamples miss the score where errors last: within few blocks there is less variance than in all times.

    Parameters
    ----------
    values : scores of all times, (...)
    resampled : of the resamples, (n_resamples, ...), NaN where not defined
    n_blocks : that fit into the times, n
    scale : of the scores
    """
    known = np.isfinite(resampled)
    enough = (known.sum(axis=0) >= resampled.shape[0] / 2) & np.isfinite(values)
    on_scale = np.where(known & enough, scale.there(np.where(known, resampled, 0.5)), np.nan)
    spread = np.full(values.shape, np.nan)
    if enough.any():
        spread[enough] = np.nanstd(on_scale[:, enough], axis=0)
    n = max(n_blocks, 2)
    half = stdtrit(n - 1, 0.975) * math.sqrt(n / (n - 1)) * spread
    middle = np.where(enough, scale.there(np.where(enough, values, 0.5)), np.nan)
    return np.stack([scale.back(middle - half), scale.back(middle + half)])
