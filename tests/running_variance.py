"""Sample variances of members that come one by one, with the parts that the ranks use."""

from __future__ import annotations

import numpy as np

from imgda_mpi.curvelet import Layout
from imgda_mpi.numerics.sample_variance import MEMBERS_PER_BLOCK, SampleVariance, add_member


class RunningVariance:
    """Variance of whole coefficient vectors; a result between two blocks takes in what the open one has."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sums = SampleVariance(layout.n_values, np.float64)
        self._moments = np.empty((2, layout.n_values))
        self._n_members = self._n_block = 0

    def add(self, values: np.ndarray) -> None:
        add_member(self._moments, values, self._n_block)
        self._n_block += 1
        if self._n_block == MEMBERS_PER_BLOCK:
            self._close()

    def result(self) -> np.ndarray:
        if self._n_block:
            self._close()
        return self._layout.join_parts(self._sums.result(self._n_members))

    def _close(self) -> None:
        self._sums.add(slice(None), self._moments, self._n_members, self._n_block)
        self._n_members += self._n_block
        self._n_block = 0
