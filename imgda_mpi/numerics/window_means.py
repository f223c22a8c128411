"""Means over the records of a window in time, some of which may be missing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from imgda_mpi.arrays import FloatArray

LEAST_SHARE = 1 / 3
"""Of the records of a window: fewer values make no mean of it."""


def least_of(n_records: float) -> int:
    """How many of so many records must have a value for a mean of them.

    >>> least_of(72), least_of(1)
    (24, 1)
    """
    return max(1, math.ceil(LEAST_SHARE * n_records - 1e-9))


def mean_of_records(records: Sequence[FloatArray]) -> FloatArray:
    """Mean of some records of one shape where `least_of` them have a value, elsewhere NaN."""
    total, number = np.zeros(records[0].shape), np.zeros(records[0].shape, np.int64)
    for values in records:
        valid = np.isfinite(values)
        total += np.where(valid, values, 0.0)
        number += valid
    mean = np.full(total.shape, np.nan)
    np.divide(total, number, out=mean, where=number >= least_of(len(records)))
    return mean
