"""Coefficients between the ranks that transform members and the ranks that own them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from mpi4py.util.dtlib import from_numpy_dtype

from imgda_mpi.arrays import Values
from imgda_mpi.curvelet import Chunk
from imgda_mpi.distributed.rectangle import Rectangle


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
    """Moves the coefficients, of one dtype, of one chunk of wedges at a time.

    Making one is collective over ``comm``, all ranks, also those that have no part in the rectangle; so is `free`, with
    which a ``with`` block ends. ``sent`` counts what goes to other ranks; ``same_members`` are the ranks of a member
    group.
    """

    def __init__(self, comm: MPI.Intracomm, ranks: Rectangle, dtype: npt.DTypeLike) -> None:
        self.sent = Sent()
        self._comm, self._ranks = comm, ranks
        self._dtype = np.dtype(dtype)
        self._type = from_numpy_dtype(self._dtype)
        member_group, wedge_group = ranks.place(comm.rank) or (MPI.UNDEFINED, MPI.UNDEFINED)
        self.same_members = MPI.Intracomm(comm.Split(member_group))
        self._same_wedges = comm.Split(wedge_group)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        # Where a rank fails alone the others do not come here: to wait for them would hide its error.
        if error is None or getattr(error, "everywhere", False):
            self.free()

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
        """Own part of the moments that the first ``n_holders`` member groups have of a chunk, (n_holders, 2, n_own).

        Collective over the ranks of a wedge group. The moments (2 n,), None on ranks of other member groups, are for
        one owner after the other the (2, n_own) moments of its part.
        """
        comm, bounds = self._same_wedges, 2 * self._ranks.bounds(chunk)
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
        comm, bounds = self._same_wedges, self._ranks.bounds(chunk)
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
        comm, ranks = self._comm, self._ranks
        owners = ranks.wedge_group(chunk) + ranks.wedge_groups * np.arange(ranks.member_groups)
        bounds = ranks.bounds(chunk)
        counts, places = np.zeros((2, comm.size), np.int64)
        counts[owners], places[owners] = np.diff(bounds), bounds[:-1]
        whole = np.empty(int(bounds[-1]), self._dtype) if comm.rank == 0 else None
        sent = np.ascontiguousarray(own if own is not None else np.empty(0, self._dtype))
        comm.Gatherv([sent, self._type], [whole, counts, places, self._type] if comm.rank == 0 else None, root=0)
        if comm.rank > 0:
            self.sent.add(np.array([sent.nbytes]))
        return whole
