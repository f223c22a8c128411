"""Who owns what: integer arithmetic, no communicator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgda_mpi.arrays import IntArray


def share(n: int, size: int) -> IntArray:
    """Offsets (size + 1,) of a balanced contiguous split: rank r owns ``offsets[r]:offsets[r + 1]``.

    Sizes differ by one at most; with more ranks than items the last ranks own nothing.

    >>> share(10, 4).tolist()
    [0, 3, 6, 8, 10]
    >>> share(2, 3).tolist()
    [0, 1, 2, 2]
    """
    base, extra = divmod(n, size)
    ranks = np.arange(size + 1, dtype=np.int64)
    return ranks * base + np.minimum(ranks, extra)


def share_by_cost(costs: Sequence[int], size: int) -> IntArray:
    """Offsets (size + 1,) of a contiguous split of items so that ranks get about the same sum of costs.

    An item goes to the rank in whose equal share of the total its middle lies.

    >>> share_by_cost([1, 1, 1, 1, 4], 2).tolist()
    [0, 4, 5]
    >>> share_by_cost([5, 5], 4).tolist()
    [0, 0, 1, 1, 2]
    """
    cost = np.asarray(costs, dtype=np.float64)
    middle = np.cumsum(cost) - 0.5 * cost
    owner = np.minimum((middle * size / cost.sum()).astype(np.int64), size - 1)
    return np.searchsorted(owner, np.arange(size + 1)).astype(np.int64)


def owners_of_range(offsets: IntArray, start: int, stop: int) -> list[int]:
    """Ranks that own an item of ``start:stop``, ascending.

    >>> owners_of_range(share(10, 4), 2, 7)
    [0, 1, 2]
    >>> owners_of_range(share(2, 4), 0, 2)
    [0, 1]
    """
    return np.flatnonzero(np.maximum(offsets[:-1], start) < np.minimum(offsets[1:], stop)).tolist()
