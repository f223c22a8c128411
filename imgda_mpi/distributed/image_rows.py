"""An image that is shared out among ranks by blocks of rows, and what they do to it together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from mpi4py.util.dtlib import from_numpy_dtype

from imgda_mpi.arrays import FloatArray, IntArray, Values
from imgda_mpi.distributed.exchange import Sent
from imgda_mpi.fourier import BlockPasses, ComplexValues, blocks, length_of, padded_spectrum
from imgda_mpi.parallel.ownership import share

BLOCK = 2**15  # numbers in a block of rows or columns
ALIGNED = 16  # rows: blocks of rows are multiples of it, so that pyramids of images need few of the neighbours'

Spectrum = ComplexValues
Real = TypeVar("Real", np.float64, np.float32)


class Message(NamedTuple):
    """Parts of an array for all ranks, none for this one, as MPI takes them.

    Parameters
    ----------
    array : of which they are
    parts : how many numbers each rank gets, and where they begin
    kind : of the numbers
    """

    array: Spectrum
    parts: tuple[IntArray, IntArray]
    kind: MPI.Datatype

    @property
    def n_bytes(self) -> IntArray:
        """Of each part, (size,)."""
        return self.parts[0] * self.array.itemsize


@dataclass(frozen=True, eq=False)
class Places:
    """Where images of one precision are worked on: new arrays would have to be cleared by the system each time.

    Parameters
    ----------
    half : half spectra of the own rows, (n_own, nx // 2 + 1)
    columns : own columns of the half spectrum, (ny, n_own_columns)
    packed : what goes from the one to the other on other ranks, as many numbers as ``half`` has
    of_packed, of_columns : both as messages, for `Alltoallv`: other ranks' columns of the own rows, and other ranks'
        rows of the own columns
    passes : FFTs of their blocks
    """

    half: Spectrum
    columns: Spectrum
    packed: Spectrum
    of_packed: Message
    of_columns: Message
    passes: BlockPasses


class ImageRows:
    """Rows of images of one shape (ny, nx) on the ranks of a communicator.

    Blocks of rows are never divided, nor are blocks of columns of a spectrum, and a rank has whole blocks: so the bits
    of all results are those of one rank. A small image is a single block, which rank 0 has; the other ranks have no
    rows then, and no part in the work.

    Attributes
    ----------
    offsets : (size + 1,) array
        Rank r has the rows ``offsets[r]:offsets[r + 1]``.
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
        row_blocks, self.offsets = blocks_of(ny, nx, comm.size, ALIGNED)
        column_blocks, self._columns = blocks_of(half, ny, comm.size)
        self.own, self.own_columns = (
            slice(*offsets[comm.rank : comm.rank + 2].tolist()) for offsets in (self.offsets, self._columns)
        )
        self._n_column_blocks = len(column_blocks)
        self._n_blocks, self._counts = len(row_blocks), np.diff(self.offsets) * nx
        self.own_blocks = _within(self.own, row_blocks)
        self._own_column_blocks = _within(self.own_columns, column_blocks)
        self._row_lengths, self._column_lengths = (
            {length_of(block) for block in every} for every in (row_blocks, column_blocks)
        )
        self._places: dict[np.dtype[Any], Places] = {}
        self._memory: list[Spectrum] = []  # of the places of all precisions: images are worked on one at a time

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

    def filter(self, rows: npt.NDArray[Real], factors: npt.NDArray[Real]) -> npt.NDArray[Real]:
        """Own rows (n_own, nx) of an image whose half spectrum is multiplied by real factors. Collective.

        ``factors`` (ny, n_own_columns) are those of the own columns, in the precision of the rows.
        """
        places = self._to_columns(rows)
        for block in self._own_column_blocks.values():
            spectrum = places.passes.columns(places.columns[:, block])
            spectrum *= factors[:, block]
            places.columns[:, block] = places.passes.columns_back(spectrum)
        self._turn_back(places)
        result, n_pixels = np.empty_like(rows), self.shape[0] * self.shape[1]
        for block in self.own_blocks.values():
            np.divide(places.passes.to_rows(places.half[block]), n_pixels, out=result[block])
        return result

    def energy(self, rows: Values, factors: Values) -> float:
        """Inner product of an image with what `filter` makes of it. Collective; the same on every rank."""
        (ny, nx), spectrum, of_blocks = self.shape, self._spectrum(rows), np.zeros(self._n_column_blocks)
        # A frequency stands for its opposite too, but for those of columns that are their own.
        twice = np.where(np.arange(nx // 2 + 1) % (nx / 2) == 0, 1.0, 2.0)[self.own_columns]
        for number, block in self._own_column_blocks.items():
            values = spectrum[:, block]
            powers = factors[:, block] * (np.square(values.real) + np.square(values.imag))
            of_blocks[number] = float(np.sum(powers, axis=0, dtype=np.float64) @ twice[block])
        self.comm.Allreduce(MPI.IN_PLACE, of_blocks)
        return float(of_blocks.sum()) / (ny * nx)

    def product_of_spectra(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Half spectrum of an image times the conjugate of another one's, the real part, on every rank. Collective.

        (ny, nx // 2 + 1 and a few unused columns) from the own rows of each.
        """
        first = self._spectrum(a).copy()
        second = first if b is a else self._spectrum(b)
        own = np.ascontiguousarray((first.real * second.real + first.imag * second.imag).T)
        (ny, nx), columns = self.shape, np.empty((self.shape[1] // 2 + 1, self.shape[0]))
        self.comm.Allgatherv([own, MPI.DOUBLE], [columns, np.diff(self._columns) * ny, MPI.DOUBLE])
        self.sent.add(np.full(self.comm.size - 1, own.nbytes))
        product = np.empty(padded_spectrum((ny, nx)))
        product[:, : nx // 2 + 1] = columns.T
        return product

    def _spectrum(self, rows: Values) -> Spectrum:
        """Own columns (ny, n_own_columns) of the half spectrum of an image; overwritten by the next call."""
        places = self._to_columns(rows)
        for block in self._own_column_blocks.values():
            places.columns[:, block] = places.passes.columns(places.columns[:, block])
        return places.columns

    def _to_columns(self, rows: Values) -> Places:
        """Own columns of half spectra of the rows, in the places of this precision. Collective."""
        if rows.dtype not in self._places:
            self._places[rows.dtype] = self._new_places(rows.dtype)
        places = self._places[rows.dtype]
        for block in self.own_blocks.values():
            places.half[block] = places.passes.from_rows(rows[block])
        self._turn(places)
        return places

    def _new_places(self, dtype: np.dtype[Any]) -> Places:
        (ny, nx), of_spectra = self.shape, np.result_type(dtype, np.complex64)
        half_shape, columns_shape = (length_of(self.own), nx // 2 + 1), (ny, length_of(self.own_columns))
        shapes = (half_shape, columns_shape, (math.prod(half_shape) if self.comm.size > 1 else 0,))
        if not self._memory:
            self._memory = [np.empty(math.prod(shape), np.complex128) for shape in shapes]
        half, columns, packed = (
            memory.view(of_spectra)[: memory.size].reshape(shape)
            for memory, shape in zip(self._memory, shapes, strict=True)
        )
        kind, is_own = from_numpy_dtype(of_spectra), np.arange(self.comm.size) == self.comm.rank
        of_packed, of_columns = (
            Message(array, (np.where(is_own, 0, np.diff(offsets) * n), offsets[:-1] * n), kind)
            for array, offsets, n in (
                (packed, self._columns, half.shape[0]),
                (columns, self.offsets, columns.shape[1]),
            )
        )
        passes = BlockPasses(self.shape, self._row_lengths, self._column_lengths, dtype)
        return Places(half, columns, packed, of_packed, of_columns, passes)

    def _turn(self, places: Places) -> None:
        """From the own rows of half spectra to all rows of the own columns. Collective."""
        places.columns[self.own] = places.half[:, self.own_columns]
        if self.comm.size > 1:
            for part, others in self._parts(places):
                part[...] = places.half[:, others]
            self.comm.Alltoallv(places.of_packed, places.of_columns)
            self.sent.add(places.of_packed.n_bytes)

    def _turn_back(self, places: Places) -> None:
        """The way back. Collective."""
        places.half[:, self.own_columns] = places.columns[self.own]
        if self.comm.size > 1:
            self.comm.Alltoallv(places.of_columns, places.of_packed)
            self.sent.add(places.of_columns.n_bytes)
            for part, others in self._parts(places):
                places.half[:, others] = part

    def _parts(self, places: Places) -> Iterator[tuple[Spectrum, slice]]:
        """Where the columns of each other rank are packed, own rows, and which they are."""
        for rank, (first, last) in enumerate(pairwise(self._columns.tolist())):
            if rank != self.comm.rank:
                n_rows = places.half.shape[0]
                yield places.packed[n_rows * first : n_rows * last].reshape(n_rows, last - first), slice(first, last)


def _within(own: slice, every: list[slice]) -> dict[int, slice]:
    """The own blocks by their number among all, counted from the first own row or column."""
    return {
        number: slice(block.start - own.start, block.stop - own.start)
        for number, block in enumerate(every)
        if own.start <= block.start < own.stop
    }


def blocks_of(n: int, length: int, size: int, multiple: int = 1) -> tuple[list[slice], IntArray]:
    """Blocks of ``n`` rows of a length, and the offsets (size + 1,) of the rows of each rank.

    All blocks but the last have a ``multiple`` of rows, and none has fewer than that unless it is the only one: what
    would be less is in the last.
    """
    every = blocks(0, n, max(1, BLOCK // length // multiple) * multiple)
    if len(every) > 1 and length_of(every[-1]) < multiple:
        *every, before, last = every
        every.append(slice(before.start, last.stop))
    ends = np.array([0, *(block.stop for block in every)])
    return every, ends[share(len(every), size)]
