"""Coefficients between the ranks that transform members and the ranks that own wedges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from mpi4py.util.dtlib import from_numpy_dtype

from imgda_mpi.arrays import IntArray

Array = npt.NDArray[np.floating]


class CoefficientExchange:
    """Moves coefficient vectors between whole members and own wedges.

    Parameters
    ----------
    comm : MPI.Intracomm
    starts : (size + 1,) array
        Rank r owns the coefficients ``starts[r]:starts[r + 1]`` of every member (whole wedges).
    dtype
        Of the coefficients.
    """

    def __init__(self, comm: MPI.Intracomm, starts: IntArray, dtype: npt.DTypeLike) -> None:
        self.comm = comm
        self.dtype = np.dtype(dtype)
        self._starts = starts
        self._counts = np.diff(starts)
        self._type = from_numpy_dtype(self.dtype)

    @property
    def own(self) -> slice:
        """Own part of a member's coefficients."""
        return slice(int(self._starts[self.comm.rank]), int(self._starts[self.comm.rank + 1]))

    def to_owners(self, coefficients: Array | None, holders: Sequence[int]) -> Array:
        """Own wedges of every holder's member, (len(holders), n_own), in the order of ``holders``.

        Collective over the communicator.

        Parameters
        ----------
        coefficients : (n_values,) array on the ranks in ``holders``, None elsewhere
        holders : ranks that hold one member each in this round, ascending; the same list on every rank
        """
        n_own = int(self._counts[self.comm.rank])
        received = np.empty((len(holders), n_own), self.dtype)
        sends = coefficients is not None
        from_each = np.zeros(self.comm.size, np.int64)
        from_each[list(holders)] = n_own
        self.comm.Alltoallv(
            [coefficients, self._counts if sends else 0 * self._counts, self._starts[:-1], self._type],
            [received, from_each, np.concatenate([[0], np.cumsum(from_each)[:-1]]), self._type],
        )
        return received

    def to_root(self, own: Array) -> Array | None:
        """Whole coefficient vector (n_values,) on rank 0, None elsewhere. Collective over the communicator."""
        whole = np.empty(int(self._starts[-1]), self.dtype) if self.comm.rank == 0 else None
        self.comm.Gatherv(
            [np.ascontiguousarray(own), self._type],
            [whole, self._counts, self._starts[:-1], self._type] if self.comm.rank == 0 else None,
            root=0,
        )
        return whole
