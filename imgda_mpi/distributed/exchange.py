"""Coefficients between the ranks that transform members and the ranks that own them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from mpi4py.util.dtlib import from_numpy_dtype

from imgda_mpi.arrays import Values
from imgda_mpi.curvelet import Chunk
from imgda_mpi.distributed.rank_grid import RankGrid


@dataclass
class Sent:
    """What this rank has sent to other ranks; a broadcast counts once for each rank that gets it."""

    messages: int = 0
    n_bytes: int = 0

    def add(self, n_bytes: npt.NDArray[np.int64]) -> None:
        """Count messages of so many bytes each; empty ones are none."""
        self.messages += int(np.count_nonzero(n_bytes))
        self.n_bytes += int(n_bytes.sum())


class CoefficientExchange:
    """Moves the coefficients of one chunk of wedges at a time.

    Making one is collective over ``comm``, and so is `free`. ``sent`` counts what goes to other ranks; ``same_members``
    are the ranks of a member group.

    Parameters
    ----------
    comm : MPI.Intracomm
        All ranks, also those that have no part in the rectangle.
    grid : RankGrid
    dtype
        Of the coefficients.
    """

    def __init__(self, comm: MPI.Intracomm, grid: RankGrid, dtype: npt.DTypeLike) -> None:
        self.sent = Sent()
        self._comm, self._grid = comm, grid
        self._dtype = np.dtype(dtype)
        self._type = from_numpy_dtype(self._dtype)
        member_group, wedge_group = grid.place(comm.rank) or (MPI.UNDEFINED, MPI.UNDEFINED)
        self.same_members = MPI.Intracomm(comm.Split(member_group))
        self._same_wedges = comm.Split(wedge_group)

    def free(self) -> None:
        """Give the communicators back."""
        for comm in (self.same_members, self._same_wedges):
            if comm != MPI.COMM_NULL:
                comm.Free()

    def share_spectrum(self, spectrum: npt.NDArray[np.complexfloating], wedge_group: int) -> None:
        """Pass a spectrum on to all ranks with the same members, in place, from the one of a wedge group.

        Collective over the ranks of a member group.
        """
        comm = self.same_members
        if comm.size > 1:
            comm.Bcast(spectrum.view(self._dtype), root=wedge_group)
        if comm.rank == wedge_group:
            self.sent.add(np.full(comm.size - 1, spectrum.nbytes))

    def to_owners(self, moments: Values | None, chunk: Chunk, n_holders: int) -> Values:
        """Own part of the moments that the first member groups have of a chunk, (n_holders, 2, n_own).

        Collective over the ranks of a wedge group.

        Parameters
        ----------
        moments : (2 n,) array, None on ranks beyond the first ``n_holders`` member groups
            For one owner after the other the (2, n_own) moments of its part.
        chunk : Chunk
        n_holders : int
            Member groups that have a block of members in this round.
        """
        comm, bounds = self._same_wedges, 2 * self._grid.bounds(chunk)
        counts = np.diff(bounds)
        n_own = int(counts[comm.rank])
        received = np.empty((n_holders, 2, n_own // 2), self._dtype)
        from_each = np.where(np.arange(comm.size) < n_holders, n_own, 0)
        comm.Alltoallv(
            [moments, counts if moments is not None else 0 * counts, bounds[:-1], self._type],
            [received, from_each, np.cumsum(from_each) - from_each, self._type],
        )
        if moments is not None:
            self.sent.add(np.delete(counts, comm.rank) * self._dtype.itemsize)
        return received

    def scatter(self, values: Values | None, chunk: Chunk, member_group: int) -> Values:
        """Own part (n_own,) of a chunk's values (n,), which the rank of one member group has.

        Collective over the ranks of a wedge group.
        """
        comm, bounds = self._same_wedges, self._grid.bounds(chunk)
        counts = np.diff(bounds)
        own = np.empty(int(counts[comm.rank]), self._dtype)
        comm.Scatterv([values, counts, bounds[:-1], self._type], [own, self._type], root=member_group)
        if values is not None:
            self.sent.add(np.delete(counts, member_group) * self._dtype.itemsize)
        return own

    def to_root(self, own: Values | None, chunk: Chunk) -> Values | None:
        """A chunk's values (n,) on rank 0, None elsewhere, from the own part (n_own,) of each rank of its wedge group.

        Collective over all ranks; those of other wedge groups give None.
        """
        comm, grid = self._comm, self._grid
        owners = grid.wedge_group(chunk) + grid.wedge_groups * np.arange(grid.member_groups)
        bounds = grid.bounds(chunk)
        counts, places = np.zeros((2, comm.size), np.int64)
        counts[owners], places[owners] = np.diff(bounds), bounds[:-1]
        whole = np.empty(int(bounds[-1]), self._dtype) if comm.rank == 0 else None
        sent = np.ascontiguousarray(own if own is not None else np.empty(0, self._dtype))
        comm.Gatherv([sent, self._type], [whole, counts, places, self._type] if comm.rank == 0 else None, root=0)
        if comm.rank > 0:
            self.sent.add(np.array([sent.nbytes]))
        return whole
