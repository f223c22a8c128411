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
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.errors import ImgdaError, InputError, OutputError, fault
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.ownership import IntArray, owners_of_range
from imgda_mpi.parallel.rows import gather_rows, scatter_rows

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


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
    faults = _Faults()
    if has_parallel_hdf5():
        own = _read(comm, files, offsets, variables, faults)
        faults.raise_everywhere(comm)
        return own
    every = _read(None, files, offsets[[0, -1]], variables, faults) if comm.rank == 0 else {}
    faults.raise_everywhere(comm)
    return {variable.name: scatter_rows(comm, every.get(variable.name), offsets) for variable in variables}


def edit_rows(
    comm: MPI.Intracomm,
    files: Sequence[BlockFile],
    offsets: IntArray,
    edits: Mapping[Columns, FloatArray],
    changed: BoolArray,
) -> None:
    """Put own rows of some variables into a set of files, read them back and compare.

    Collective over ``comm``. A file in which no patch is ``changed`` (own rows, (n_own,)) is not touched.

    Raises
    ------
    OutputError
        Where a file does not hold what was written to it.
    """
    faults = _Faults()
    if has_parallel_hdf5():
        _edit(comm, files, offsets, edits, changed, faults)
    else:
        every = {variable: gather_rows(comm, rows, offsets) for variable, rows in edits.items()}
        every_changed = gather_rows(comm, changed, offsets)
        if every_changed is not None:
            whole = {variable: rows for variable, rows in every.items() if rows is not None}
            _edit(None, files, offsets[[0, -1]], whole, every_changed, faults)
    faults.raise_everywhere(comm)


class _Faults:
    """The first thing that went wrong on this rank.

    A rank that fails goes on through the collective calls that the other owners of its files wait in; all ranks stop
    together afterwards.
    """

    def __init__(self) -> None:
        self._first: ImgdaError | None = None

    @contextmanager
    def caught(self, kind: type[ImgdaError], path: Path, name: str | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            self.note(kind(fault(path, name, found=str(err), expected=_EXPECTED[kind], do=_ADVICE[kind])))

    def note(self, error: ImgdaError) -> None:
        self._first = self._first or error

    def raise_everywhere(self, comm: MPI.Intracomm) -> None:
        with same_fate(comm):
            if self._first is not None:
                raise self._first


_EXPECTED: dict[type[ImgdaError], str] = {InputError: "a readable variable", OutputError: "to write the result"}
_ADVICE: dict[type[ImgdaError], str] = {
    InputError: "the file is damaged: copy it again from the model run",
    OutputError: "check space, quota and permissions",
}


def _read(
    comm: MPI.Intracomm | None,
    files: Sequence[BlockFile],
    offsets: IntArray,
    variables: Sequence[Columns],
    faults: _Faults,
) -> dict[str, FloatArray]:
    rank = comm.rank if comm else 0
    own = {variable.name: variable.empty(int(offsets[rank + 1] - offsets[rank])) for variable in variables}
    for file, mine, group in _own_files(comm, files, offsets):
        rows = _in_file(file, mine, offsets[rank])
        with faults.caught(InputError, file.path), _opened(file.path, "r", group) as opened:
            for variable in variables:
                with faults.caught(InputError, file.path, variable.name), _dataset(opened, variable, group) as dataset:
                    own[variable.name][mine] = dataset[variable.rows(*rows)]
    return own


def _edit(
    comm: MPI.Intracomm | None,
    files: Sequence[BlockFile],
    offsets: IntArray,
    edits: Mapping[Columns, FloatArray],
    changed: BoolArray,
    faults: _Faults,
) -> None:
    rank = comm.rank if comm else 0
    for file, mine, group in _own_files(comm, files, offsets):
        any_change = bool(changed[mine].any())
        if not (group.allreduce(any_change, op=MPI.LOR) if group else any_change):
            continue
        rows = _in_file(file, mine, offsets[rank])
        with faults.caught(OutputError, file.path), _opened(file.path, "r+", group) as opened:
            for variable, values in edits.items():
                with faults.caught(OutputError, file.path, variable.name), _dataset(opened, variable, group) as dataset:
                    dataset[variable.rows(*rows)] = values[mine]
        written = _read(comm, [file], offsets, list(edits), faults)
        for variable, values in edits.items():
            if not np.array_equal(written[variable.name][mine], values[mine]):
                faults.note(OutputError(f"{file.path}: {variable.name}: the file does not hold what was written to it"))


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


def _opened(path: Path, mode: str, group: MPI.Intracomm | None) -> h5py.File:
    return h5py.File(path, mode) if group is None else h5py.File(path, mode, driver="mpio", comm=group)


@contextmanager
def _dataset(file: h5py.File, variable: Columns, group: MPI.Intracomm | None) -> Iterator[h5py.Dataset]:
    """The variable in a file; within the block all owners read or write it together."""
    dataset = file[variable.name]
    with nullcontext() if group is None else dataset.collective:
        yield dataset
