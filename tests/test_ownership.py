from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imgda_mpi.parallel.ownership import owners_of_range, share, share_by_cost


@given(n=st.integers(0, 300), size=st.integers(1, 40))
def test_a_share_is_contiguous_balanced_and_complete(n: int, size: int) -> None:
    offsets = share(n, size)
    sizes = np.diff(offsets)
    assert offsets[0] == 0
    assert offsets[-1] == n
    assert sizes.sum() == n
    assert np.ptp(sizes) <= 1


@given(costs=st.lists(st.integers(1, 1000), min_size=1, max_size=80), size=st.integers(1, 40))
def test_a_share_by_cost_is_off_the_ideal_by_one_item_at_most(costs: list[int], size: int) -> None:
    offsets = share_by_cost(costs, size)
    assert offsets[0] == 0
    assert offsets[-1] == len(costs)
    assert (np.diff(offsets) >= 0).all()
    loads = np.array([sum(costs[a:b]) for a, b in pairwise(offsets)])
    assert loads.sum() == sum(costs)
    assert loads.max() <= sum(costs) / size + max(costs)


@given(n=st.integers(1, 100), size=st.integers(1, 20), data=st.data())
def test_owners_of_a_range_are_the_ranks_that_own_an_item_of_it(n: int, size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    offsets = share(n, size)
    owner = np.repeat(np.arange(size), np.diff(offsets))
    assert owners_of_range(offsets, start, stop) == sorted(set(owner[start:stop].tolist()))
