"""Rows of patch variables in a set of block files, read and edited by the ranks that own the patches; the set's mark.

A rank opens the files in which it owns patches and no others. Most files have one owner, who needs nobody for it.
The owners of a shared file read it together through parallel HDF5, and write vectors of patches so; what has layers is
written by the first of them. Where h5py has no MPI the first of them opens it for all. A file that holds all blocks is
read as if each were a file of its own, and written by rank 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.hdf5 import Columns, has_parallel_hdf5, opened, shown
from imgda_mpi.colm.marks import AGAIN, ATTRIBUTE, Mark, parse
from imgda_mpi.faults import OutputError, fault, writing
from imgda_mpi.parallel.failure import on_rank_0, same_fate, same_fate_of_collectives
from imgda_mpi.parallel.ownership import owners_of_range, share
from imgda_mpi.parallel.rows import gather_rows, scatter_rows


@dataclass(frozen=True)
class BlockFile:
    """The file of a block and its patches ``start:stop`` in the vector of all; ``block`` names it in a file of all."""

    path: Path
    start: int
    stop: int
    block: str | None = None

    @property
    def shown(self) -> Path:
        """What messages name."""
        return shown(self.path, self.block)


@dataclass(frozen=True)
class Part:
    """What a rank has to do with one of the files.

    Parameters
    ----------
    file : its number
    owners : all ranks with patches in the file, ascending
    own, in_file : the patches that are in this file and the rank's, among the own and among those of the file
    """

    file: int
    owners: list[int]
    own: slice
    in_file: slice


def share_of_blocks(sizes: Sequence[int], n_ranks: int) -> IntArray:
    """Offsets (n_ranks + 1,) of the patches of each rank: balanced, and at the edges of blocks where they are near.

    A block within one rank needs no other rank to read and write it, which is worth a quarter of a share: no rank
    owns more than one and a half.

    >>> share_of_blocks([9, 11, 10, 10], 2).tolist()
    [0, 20, 40]
    >>> share_of_blocks([30, 10], 2).tolist()
    [0, 20, 40]
    """
    edges = np.cumsum([0, *sizes])
    even = share(int(edges[-1]), n_ranks)
    after = np.clip(np.searchsorted(edges, even), 1, edges.size - 1)
    nearest = np.where(even - edges[after - 1] < edges[after] - even, edges[after - 1], edges[after])
    return np.where(4 * n_ranks * np.abs(nearest - even) < edges[-1], nearest, even)


def share_of_work(work: IntArray, n_ranks: int) -> IntArray:
    """Offsets (n_ranks + 1,) of the patches of each rank: as much work for each, wherever blocks end.

    ``work`` is that of each patch, more than 0.

    >>> share_of_work(np.array([1, 1, 1, 10, 10, 1]), 2).tolist()
    [0, 4, 6]
    """
    middle = np.cumsum(work) - 0.5 * work
    within = np.searchsorted(middle, work.sum() * np.arange(1, n_ranks) / n_ranks)
    return np.array([0, *within, work.size], dtype=np.int64)


def parts_of_rank(files: Sequence[BlockFile], offsets: IntArray, rank: int) -> list[Part]:
    """Files in which a rank owns patches, in the order in which it goes through them.

    Shared files come first. A rank shares two at most, neighbours among the shared ones, one with ranks before and
    one with ranks after it. Every other of the shared files has its turn first, so that no rank waits for another
    that is still busy with a third.
    """
    first, last = int(offsets[rank]), int(offsets[rank + 1])
    first_turn: list[Part] = []
    second_turn: list[Part] = []
    alone: list[Part] = []
    turn, other_turn = first_turn, second_turn
    for number, file in enumerate(files):
        owners = owners_of_range(offsets, file.start, file.stop)
        start, stop = max(file.start, first), min(file.stop, last)
        if start < stop:
            own, in_file = slice(start - first, stop - first), slice(start - file.start, stop - file.start)
            (turn if len(owners) > 1 else alone).append(Part(number, owners, own, in_file))
        if len(owners) > 1:
            turn, other_turn = other_turn, turn
    return [*first_turn, *second_turn, *alone]


def read_rows(
    comm: MPI.Intracomm, files: Sequence[BlockFile], offsets: IntArray, variables: Sequence[Columns]
) -> dict[str, FloatArray]:
    """Own rows of some variables of a set of files, by variable name.

    Collective over ``comm``. Rank r owns the patches ``offsets[r]:offsets[r + 1]`` of all blocks.

    Raises
    ------
    InputError
        Where a variable is missing, of another shape or type, or cannot be read.
    """
    own = {variable.name: variable.empty(int(offsets[comm.rank + 1] - offsets[comm.rank])) for variable in variables}
    with same_fate_of_collectives(comm):
        for part, group in _own_parts(comm, files, offsets):
            for name, rows in _read(files[part.file], part, variables, group).items():
                own[name][part.own] = rows
    return own


def edit_rows(
    comm: MPI.Intracomm,
    files: Sequence[BlockFile],
    offsets: IntArray,
    before: Mapping[str, FloatArray],
    after: Mapping[Columns, FloatArray],
) -> None:
    """Put own rows of some variables into a set of files, read them back and compare. Collective over ``comm``.

    Parameters
    ----------
    before : what the files hold now; a file in which nothing changes is not touched
    after : own rows, as ``before``

    Raises
    ------
    OutputError
        Where a file cannot be written, or does not hold what was written to it.
    """
    of_all = any(file.block is not None for file in files)
    if of_all:
        _write_file_of_all(comm, files, offsets, before, after)
    with same_fate_of_collectives(comm):
        for part, group in _own_parts(comm, files, offsets):
            file = files[part.file]
            rows = {variable: values[part.own] for variable, values in after.items()}
            changes = not of_all and _changes(before, rows, part.own)
            if group.allreduce(changes, op=MPI.LOR) if group else changes:
                _write(file, part, rows, group)
            found = _read(file, part, list(rows), group)
            for variable, expected in rows.items():
                if not _same_bits(found[variable.name], expected):
                    raise OutputError(f"{file.shown}: {variable.name}: the file does not hold what was written to it")


def mark_of_set(files: Sequence[Path], comm: MPI.Intracomm) -> Mark | None:
    """The mark that all state files of a set have; None where none has one. Collective over ``comm``.

    Each rank opens its share of the files.

    Raises
    ------
    InputError
        Where they are not of one analysis, or a mark cannot be read.
    """
    first, last = share(len(files), comm.size)[comm.rank : comm.rank + 2]
    mine: dict[str | None, list[Path]] = {}
    with same_fate(comm):
        for path in files[first:last]:
            with opened(path) as file:
                mine.setdefault(file.text(ATTRIBUTE, AGAIN), []).append(path)
    # The first file and how many there are: sets have thousands.
    every: dict[str | None, tuple[Path, int]] = {}
    for part in comm.allgather({text: (paths[0], len(paths)) for text, paths in mine.items()}):
        for text, (path, count) in part.items():
            before, so_far = every.get(text, (path, 0))
            every[text] = before, so_far + count
    with same_fate(comm):
        marks = [(None if text is None else parse(text, path), path, n) for text, (path, n) in every.items()]
        if len(marks) > 1:
            kinds = [f"{n} {_state(mark)} ({path.name})" for mark, path, n in marks]
            raise fault(
                files[0].parent,
                ATTRIBUTE,
                found=f"{' and '.join(kinds)} of {len(files)} blocks",
                expected="all blocks of one analysis, or none analysed",
                do="copy all blocks from the one folder or from the other",
            )
    return marks[0][0]


def _own_parts(
    comm: MPI.Intracomm, files: Sequence[BlockFile], offsets: IntArray
) -> Iterator[tuple[Part, MPI.Intracomm | None]]:
    """Own parts of the files, and the communicator of the owners where there are several."""
    for part in parts_of_rank(files, offsets, comm.rank):
        if len(part.owners) == 1:
            yield part, None
            continue
        group = comm.Create_group(comm.group.Incl(part.owners), tag=part.file)
        yield part, group
        group.Free()


def _read(
    file: BlockFile, part: Part, variables: Sequence[Columns], group: MPI.Intracomm | None
) -> dict[str, FloatArray]:
    """Own rows of one file. Collective over the group of its owners."""
    if group is None or has_parallel_hdf5():
        return _read_slice(file, part.in_file, variables, group)
    whole = slice(0, file.stop - file.start)
    every = on_rank_0(group, lambda: _read_slice(file, whole, variables, None)) or {}
    offsets = _offsets_in_file(part, group)
    return {variable.name: scatter_rows(group, every.get(variable.name), offsets) for variable in variables}


def _read_slice(
    file: BlockFile, patches: slice, variables: Sequence[Columns], group: MPI.Intracomm | None
) -> dict[str, FloatArray]:
    n_patch = file.stop - file.start
    with opened(file.path, "r", group, file.block) as block:
        return {variable.name: block.read(variable, patches, n_patch) for variable in variables}


def _write(file: BlockFile, part: Part, edits: Mapping[Columns, FloatArray], group: MPI.Intracomm | None) -> None:
    """Put own rows into one file. Collective over the group of its owners."""
    if group is None:
        _write_slice(file, part.in_file, edits, None)
        return
    # Vectors can be written together; what has layers is deflated, and somebody has to deflate it as a whole.
    together = [variable for variable in edits if variable.last is None and has_parallel_hdf5()]
    if together:
        _write_slice(file, part.in_file, {variable: edits[variable] for variable in together}, group)
    offsets = _offsets_in_file(part, group)
    others = {variable: rows for variable, rows in edits.items() if variable not in together}
    every = {variable: gather_rows(group, rows, offsets) for variable, rows in others.items()}
    whole = {variable: rows for variable, rows in every.items() if rows is not None}
    on_rank_0(group, lambda: _write_slice(file, slice(0, file.stop - file.start), whole, None))


def _write_file_of_all(
    comm: MPI.Intracomm,
    files: Sequence[BlockFile],
    offsets: IntArray,
    before: Mapping[str, FloatArray],
    after: Mapping[Columns, FloatArray],
) -> None:
    """Put the rows of all ranks into the one file of all blocks. Collective over ``comm``; rank 0 writes."""
    held = {variable.name: gather_rows(comm, before[variable.name], offsets) for variable in after}
    wanted = {variable: gather_rows(comm, rows, offsets) for variable, rows in after.items()}

    def write() -> None:
        now = {name: rows for name, rows in held.items() if rows is not None}
        for file in files:
            own = slice(file.start, file.stop)
            rows = {variable: values[own] for variable, values in wanted.items() if values is not None}
            if _changes(now, rows, own):
                _write_slice(file, slice(0, file.stop - file.start), rows, None)

    on_rank_0(comm, write)


def _changes(before: Mapping[str, FloatArray], rows: Mapping[Columns, FloatArray], own: slice) -> bool:
    """Whether rows are others than those that were before in some places."""
    return any(not _same_bits(before[variable.name][own], values) for variable, values in rows.items())


def _write_slice(
    file: BlockFile, patches: slice, edits: Mapping[Columns, FloatArray], group: MPI.Intracomm | None
) -> None:
    with writing(file.path), opened(file.path, "r+", group, file.block) as block:
        put = block.store if group is None else block.write
        for variable, rows in edits.items():
            put(variable, patches, rows)


def _offsets_in_file(part: Part, group: MPI.Intracomm) -> IntArray:
    return np.array([0, *group.allgather(part.in_file.stop)], dtype=np.int64)


def _same_bits(a: FloatArray, b: FloatArray) -> bool:
    # As integers, so that a NaN on a patch that is no soil equals itself.
    return bool(np.array_equal(np.ascontiguousarray(a).view(np.int64), np.ascontiguousarray(b).view(np.int64)))


def _state(mark: Mark | None) -> str:
    return "not analysed" if mark is None else f"of analysis {mark.analysis[:8]} with {mark.observations[-1].source}"
