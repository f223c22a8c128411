"""Rows of patch variables in a set of block files, read and edited by the ranks that own the patches.

With an h5py that has MPI, a file is opened by just the ranks that own patches in it, and they read and write
collectively. Without it the same reads and edits run on rank 0, which scatters and gathers the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.errors import OutputError, reading, writing
from imgda_mpi.parallel.failure import same_fate, same_fate_of_collectives
from imgda_mpi.parallel.ownership import owners_of_range
from imgda_mpi.parallel.rows import gather_rows, scatter_rows


@dataclass(frozen=True)
class BlockFile:
    """One file and its patches ``start:stop`` in the vector of all blocks."""

    path: Path
    start: int
    stop: int


@dataclass(frozen=True)
class Columns:
    """A float64 variable with dimensions (patch,), or the columns ``first:last`` of one with (patch, layer)."""

    name: str
    first: int = 0
    last: int | None = None

    def empty(self, n_rows: int) -> FloatArray:
        """Array for so many patches."""
        return np.empty(n_rows if self.last is None else (n_rows, self.last - self.first))

    def rows(self, start: int, stop: int) -> tuple[slice, ...]:
        """Selection of patches ``start:stop`` in the file."""
        patches = slice(start, stop)
        return (patches,) if self.last is None else (patches, slice(self.first, self.last))


def has_parallel_hdf5() -> bool:
    """Whether h5py was built with MPI."""
    return bool(h5py.get_config().mpi)


def read_rows(
    comm: MPI.Intracomm, files: Sequence[BlockFile], offsets: IntArray, variables: Sequence[Columns]
) -> dict[str, FloatArray]:
    """Own rows of some variables of a set of files, by variable name.

    Collective over ``comm``. Rank r owns the patches ``offsets[r]:offsets[r + 1]`` of all blocks.

    Raises
    ------
    InputError
        Where a variable cannot be read.
    """
    if has_parallel_hdf5():
        with same_fate_of_collectives(comm):
            return _read(comm, files, offsets, variables)
    every: dict[str, FloatArray] = {}
    with same_fate(comm):
        if comm.rank == 0:
            every = _read(None, files, offsets[[0, -1]], variables)
    return {variable.name: scatter_rows(comm, every.get(variable.name), offsets) for variable in variables}


def edit_rows(
    comm: MPI.Intracomm, files: Sequence[BlockFile], offsets: IntArray, edits: Mapping[Columns, FloatArray]
) -> None:
    """Put own rows of some variables into a set of files, read them back and compare.

    Collective over ``comm``. A file that holds these rows already is not touched.

    Raises
    ------
    OutputError
        Where a file cannot be written, or does not hold what was written to it.
    """
    if has_parallel_hdf5():
        with same_fate_of_collectives(comm):
            _edit(comm, files, offsets, edits)
        return
    every = {variable: gather_rows(comm, rows, offsets) for variable, rows in edits.items()}
    with same_fate(comm):
        if comm.rank == 0:
            _edit(
                None, files, offsets[[0, -1]], {variable: rows for variable, rows in every.items() if rows is not None}
            )


def _read(
    comm: MPI.Intracomm | None, files: Sequence[BlockFile], offsets: IntArray, variables: Sequence[Columns]
) -> dict[str, FloatArray]:
    rank = comm.rank if comm else 0
    own = {variable.name: variable.empty(int(offsets[rank + 1] - offsets[rank])) for variable in variables}
    for file, mine, group in _own_files(comm, files, offsets):
        with reading(file.path), _opened(file.path, "r", group) as opened:
            for variable in variables:
                with reading(file.path, variable.name), _dataset(opened, variable, group) as dataset:
                    own[variable.name][mine] = dataset[variable.rows(*_in_file(file, mine, offsets[rank]))]
    return own


def _edit(
    comm: MPI.Intracomm | None, files: Sequence[BlockFile], offsets: IntArray, edits: Mapping[Columns, FloatArray]
) -> None:
    rank = comm.rank if comm else 0
    before = _read(comm, files, offsets, list(edits))
    for file, mine, group in _own_files(comm, files, offsets):
        changes = any(not _same_bits(before[variable.name][mine], rows[mine]) for variable, rows in edits.items())
        if not (group.allreduce(changes, op=MPI.LOR) if group else changes):
            continue
        with writing(file.path), _opened(file.path, "r+", group) as opened:
            for variable, rows in edits.items():
                with _dataset(opened, variable, group) as dataset:
                    dataset[variable.rows(*_in_file(file, mine, offsets[rank]))] = rows[mine]
    after = _read(comm, files, offsets, list(edits))
    for variable, rows in edits.items():
        if not _same_bits(after[variable.name], rows):
            raise OutputError(
                f"{files[0].path.parent}: {variable.name}: the files do not hold what was written to them"
            )


def _same_bits(a: FloatArray, b: FloatArray) -> bool:
    # As integers, so that a NaN on a patch that is no soil equals itself.
    return bool(np.array_equal(np.ascontiguousarray(a).view(np.int64), np.ascontiguousarray(b).view(np.int64)))


def _own_files(
    comm: MPI.Intracomm | None, files: Sequence[BlockFile], offsets: IntArray
) -> Iterator[tuple[BlockFile, slice, MPI.Intracomm | None]]:
    """Files with own patches, the own rows in them, and the communicator of all ranks that own patches in them.

    Every rank goes through its files in the same order, so the owners of a file meet without waiting in a circle.
    """
    rank = comm.rank if comm else 0
    for number, file in enumerate(files):
        owners = owners_of_range(offsets, file.start, file.stop)
        if rank not in owners:
            continue
        first, last = offsets[rank], offsets[rank + 1]
        mine = slice(int(max(file.start, first) - first), int(min(file.stop, last) - first))
        if comm is None:
            yield file, mine, None
            continue
        group = comm.Create_group(comm.group.Incl(owners), tag=number)
        yield file, mine, group
        group.Free()


def _in_file(file: BlockFile, mine: slice, first: int) -> tuple[int, int]:
    return int(mine.start + first - file.start), int(mine.stop + first - file.start)


@contextmanager
def _opened(path: Path, mode: str, group: MPI.Intracomm | None) -> Iterator[h5py.File]:
    if group is None or group.size == 1:
        with h5py.File(path, mode) if group is None else h5py.File(path, mode, driver="mpio", comm=group) as file:
            yield file
    else:
        file = h5py.File(path, mode, driver="mpio", comm=group)
        yield file
        # Not after an error: closing waits for all owners, who may be waiting for this one elsewhere.
        file.close()


@contextmanager
def _dataset(file: h5py.File, variable: Columns, group: MPI.Intracomm | None) -> Iterator[h5py.Dataset]:
    """The variable in a file; within the block all owners read or write it together."""
    dataset = file[variable.name]
    with nullcontext() if group is None else dataset.collective:
        yield dataset
