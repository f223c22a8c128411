"""An image that is shared out among ranks by blocks of rows, and what they do to it together."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.distributed.exchange import Sent
from imgda_mpi.fourier import BlockPasses, blocks, length_of
from imgda_mpi.parallel.ownership import share

BLOCK = 2**15  # numbers in a block of rows or columns

Spectrum = npt.NDArray[np.complex128]


class ImageRows:
    """Rows of images of one shape (ny, nx) on the ranks of a communicator.

    Blocks of rows are never divided, nor are blocks of columns of a spectrum, and a rank has whole blocks: so the bits
    of all results are those of one rank. A small image is a single block, which rank 0 has; the other ranks have no
    rows then, and no part in the work.

    Attributes
    ----------
    own : slice
        Rows of this rank.
    own_columns : slice
        Columns of the half spectrum of an image that this rank multiplies.
    own_blocks : dict
        Blocks of the own rows, counted from the first of these, by their number among all blocks.
    sent : Sent
        By this rank to others; the single numbers of inner products do not count.
    """

    def __init__(self, comm: MPI.Intracomm, shape: tuple[int, int]) -> None:
        self.comm, self.shape, self.sent = comm, shape, Sent()
        (ny, nx), half = shape, shape[1] // 2 + 1
        row_blocks, self._rows = blocks_of(ny, nx, comm.size)
        column_blocks, self._columns = blocks_of(half, ny, comm.size)
        self.own, self.own_columns = (
            slice(*offsets[comm.rank : comm.rank + 2].tolist()) for offsets in (self._rows, self._columns)
        )
        self._n_blocks, self._counts = len(row_blocks), np.diff(self._rows) * nx
        self.own_blocks = _within(self.own, row_blocks)
        self._own_column_blocks = _within(self.own_columns, column_blocks)
        # Places to work: new arrays would have to be cleared by the system each time.
        self._half = np.empty((length_of(self.own), half), np.complex128)
        self._full = np.empty((ny, length_of(self.own_columns)), np.complex128)
        row_lengths, column_lengths = ({length_of(block) for block in every} for every in (row_blocks, column_blocks))
        self._passes = BlockPasses(shape, row_lengths, column_lengths)

    def whole(self, rows: FloatArray) -> FloatArray:
        """The image (ny, nx) on every rank from the own rows of each. Collective."""
        image = np.empty(self.shape)
        self.comm.Allgatherv([np.ascontiguousarray(rows), MPI.DOUBLE], [image, self._counts, MPI.DOUBLE])
        self.sent.add(np.full(self.comm.size - 1, rows.nbytes))
        return image

    def sum(self, parts: Mapping[int, FloatArray], n_parts: int) -> FloatArray:
        """Own rows of the sum of ``n_parts`` images (ny, nx), added in the order of their numbers. Collective.

        ``parts`` are the own images by number: rank r holds the images r, r + size, ...
        """
        total = np.zeros((length_of(self.own), self.shape[1]))
        received = np.empty_like(total)
        for number in range(n_parts):
            root = number % self.comm.size
            sent = [parts[number], self._counts, MPI.DOUBLE] if root == self.comm.rank else None
            self.comm.Scatterv(sent, received, root=root)
            if root == self.comm.rank:
                self.sent.add(np.delete(self._counts, root) * total.itemsize)
            total += received
        return total

    def inner(self, a: FloatArray, b: FloatArray) -> float:
        """Inner product of two images, of which each rank has its rows. Collective; the same on every rank."""
        return float(
            self.total(
                {number: np.asarray(np.sum(a[block] * b[block])) for number, block in self.own_blocks.items()}, ()
            )
        )

    def total(self, parts: Mapping[int, Values], shape: tuple[int, ...]) -> FloatArray:
        """Sum of arrays of a shape, one for each block of rows, over all blocks. Collective; the same on every rank."""
        every = np.zeros((self._n_blocks, *shape))
        for number, part in parts.items():
            every[number] = part
        # Every block is on one rank: to the others' zeros nothing is added that could be rounded.
        self.comm.Allreduce(MPI.IN_PLACE, every)
        return np.asarray(np.sum(every, axis=0))

    def filter(self, rows: FloatArray, factors: FloatArray) -> FloatArray:
        """Own rows (n_own, nx) of an image whose half spectrum is multiplied by real factors. Collective.

        ``factors`` (ny, n_own_columns) are those of the own columns.
        """
        half, columns = self._half, self._full
        for block in self.own_blocks.values():
            half[block] = self._passes.from_rows(rows[block])
        self._turn(half, self._rows, columns, self._columns)
        for block in self._own_column_blocks.values():
            spectrum = self._passes.columns(columns[:, block])
            spectrum *= factors[:, block]
            columns[:, block] = self._passes.columns_back(spectrum)
        self._turn(columns.T, self._columns, half.T, self._rows)
        result = np.empty_like(rows)
        for block in self.own_blocks.values():
            result[block] = self._passes.to_rows(half[block])
        result /= self.shape[0] * self.shape[1]
        return result

    def _turn(self, mine: Spectrum, my_rows: IntArray, theirs: Spectrum, their_columns: IntArray) -> None:
        """From own rows of all columns (n_own, n) to all rows of the own columns (n_all, n_own_columns)."""
        if self.comm.size == 1:
            theirs[...] = mine
            return
        sent = [
            np.ascontiguousarray(mine[:, first:last]).reshape(-1) for first, last in pairwise(their_columns.tolist())
        ]
        received = np.empty(theirs.shape, np.complex128)
        self.comm.Alltoallv(
            [np.concatenate(sent), [part.size for part in sent], MPI.C_DOUBLE_COMPLEX],
            [received, np.diff(my_rows) * theirs.shape[1], MPI.C_DOUBLE_COMPLEX],
        )
        theirs[...] = received
        self.sent.add(np.delete([part.nbytes for part in sent], self.comm.rank))


def _within(own: slice, every: list[slice]) -> dict[int, slice]:
    """The own blocks by their number among all, counted from the first own row or column."""
    return {
        number: slice(block.start - own.start, block.stop - own.start)
        for number, block in enumerate(every)
        if own.start <= block.start < own.stop
    }


def blocks_of(n: int, length: int, size: int) -> tuple[list[slice], IntArray]:
    """Blocks of ``n`` rows of a length, and the offsets (size + 1,) of the rows of each rank."""
    every = blocks(0, n, max(1, BLOCK // length))
    ends = np.array([0, *(block.stop for block in every)])
    return every, ends[share(len(every), size)]
