"""The files that a restart passes on as they are: read once, and compared with each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mpi4py import MPI

from imgda_mpi.colm.hdf5 import Shape, opened, shown
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.parallel.ownership import share

OfFile = tuple[Path, str | None]
"""A file, and one of the blocks in it where it holds all."""


def check_copied(
    files: Sequence[Path],
    n_patch: Mapping[OfFile, int],
    blocks: Sequence[str],
    unless: Collection[str],
    edited: Collection[str],
    comm: MPI.Intracomm,
) -> None:
    """Read every variable of NetCDF-4 files, and see that all blocks of a set have the same. Collective over ``comm``.

    Parameters
    ----------
    n_patch : patches of the blocks that have one row for each
    blocks : names of the blocks, with which the names of files end that are of one alone
    unless : variables that may hold any number
    edited : variables that are to keep what is written to them

    Raises
    ------
    InputError
        Where a variable cannot be read, holds numbers that are none, would not keep what is written to it, or is not
        as in the first block of its set.
    """
    netcdf = [path for path in files if path.suffix == ".nc"]
    first_of_set: dict[str, Path] = {}
    for path in netcdf:
        first_of_set.setdefault(_set(path, blocks), path)

    def read(path: Path) -> list[_Block]:
        with opened(path) as file:
            shapes = file.check_values(unless, edited)
        found = _by_block(shapes, blocks)
        return [_Block(shown(path, block), own, n_patch.get((path, block))) for block, own in found.items()]

    def read_first(path: Path) -> _Block:
        first, *others = read(path)
        for other in others:
            _compare(other, first)
        return first

    models = from_rank_0(comm, lambda: {name: read_first(path) for name, path in first_of_set.items()})
    start, stop = share(len(netcdf), comm.size)[comm.rank : comm.rank + 2]
    with same_fate(comm):
        for path in netcdf[start:stop]:
            if path not in first_of_set.values():
                for block in read(path):
                    _compare(block, models[_set(path, blocks)])


class _Block(NamedTuple):
    """What messages name, the variables of a block, and its number of patches where they have rows for them."""

    shown: Path
    variables: Mapping[str, Shape]
    n_patch: int | None


def _by_block(shapes: Mapping[str, Shape], blocks: Sequence[str]) -> dict[str | None, dict[str, Shape]]:
    """Variables of each block in a file of all, from groups of vectors like ``wa/patch_e100_n30``; else of None."""
    of_block: dict[str | None, dict[str, Shape]] = {}
    for name, shape in shapes.items():
        variable, _, vector = name.partition("/")
        block = "_".join(vector.split("_")[-2:])
        if block in blocks:
            of_block.setdefault(block, {})[variable] = shape
    return of_block or {None: {name: shape for name, shape in shapes.items() if "/" not in name}}


def _set(path: Path, blocks: Sequence[str]) -> str:
    """What the names of all blocks of a set have in common."""
    return next((path.stem.removesuffix(block) for block in blocks if path.stem.endswith(f"_{block}")), path.stem)


def _compare(block: _Block, model: _Block) -> None:
    for name in sorted(block.variables.keys() | model.variables.keys()):
        if name not in block.variables or name not in model.variables:
            found, expected = ("no such variable", "one") if name not in block.variables else ("a variable", "none")
            raise _differs(block.shown, name, found, expected, model.shown)
        (dtype, shape), (dtype_wanted, like) = block.variables[name], model.variables[name]
        n = block.n_patch
        has_rows = n is not None and len(like) > 0 and model.n_patch == like[0]
        rows = {n, like[0]} if has_rows else {*shape[:1]}
        if dtype != dtype_wanted or len(shape) != len(like) or shape[1:] != like[1:] or not {*shape[:1]} <= rows:
            expected = f"{dtype_wanted} {(n, *like[1:]) if has_rows else like}"
            raise _differs(block.shown, name, f"{dtype} {shape}", expected, model.shown)


def _differs(path: Path, name: str, found: str, expected: str, model: Path) -> ImgdaError:
    return fault(
        path,
        name,
        found=found,
        expected=f"{expected}, as in {model.name}",
        do="one of the two is damaged or of another case: copy it again from the model run",
    )
