"""The files that a restart passes on as they are: read once, and compared with each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.colm.hdf5 import Shape, opened
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.parallel.ownership import share


def check_copied(
    files: Sequence[Path],
    n_patch: Mapping[Path, int],
    blocks: Sequence[str],
    unless: Collection[str],
    comm: MPI.Intracomm,
) -> None:
    """Read every variable of NetCDF-4 files, and see that all blocks of a set have the same. Collective over ``comm``.

    Parameters
    ----------
    n_patch : patches of the files that have one row for each
    blocks : names of the blocks, with which the names of files end
    unless : variables that may hold any number

    Raises
    ------
    InputError
        Where a variable cannot be read, holds numbers that are none, or is not as in the first block of its set.
    """
    netcdf = [path for path in files if path.suffix == ".nc"]
    first_of_set: dict[str, Path] = {}
    for path in netcdf:
        first_of_set.setdefault(_set(path, blocks), path)

    def read(path: Path) -> dict[str, Shape]:
        with opened(path) as file:
            return file.check_values(unless)

    models = from_rank_0(comm, lambda: {name: read(path) for name, path in first_of_set.items()})
    start, stop = share(len(netcdf), comm.size)[comm.rank : comm.rank + 2]
    with same_fate(comm):
        for path in netcdf[start:stop]:
            name = _set(path, blocks)
            model = first_of_set[name]
            if path != model:
                _compare((path, read(path), n_patch.get(path)), (model, models[name], n_patch.get(model)))


def _set(path: Path, blocks: Sequence[str]) -> str:
    """What the names of all blocks of a set have in common."""
    return next((path.stem.removesuffix(block) for block in blocks if path.stem.endswith(f"_{block}")), path.stem)


OfFile = tuple[Path, Mapping[str, Shape], int | None]
"""A file, its variables, and its number of patches where it has rows for them."""


def _compare(file: OfFile, model: OfFile) -> None:
    (path, own, n), (model_path, wanted, n_of_model) = file, model
    for name in sorted(own.keys() | wanted.keys()):
        if name not in own or name not in wanted:
            found, expected = ("no such variable", "one") if name not in own else ("a variable", "none")
            raise _differs(path, name, found, expected, model_path)
        (dtype, shape), (dtype_wanted, like) = own[name], wanted[name]
        has_rows = n is not None and len(like) > 0 and n_of_model == like[0]
        rows = {n, like[0]} if has_rows else {*shape[:1]}
        if dtype != dtype_wanted or len(shape) != len(like) or shape[1:] != like[1:] or not {*shape[:1]} <= rows:
            expected = f"{dtype_wanted} {(n, *like[1:]) if has_rows else like}"
            raise _differs(path, name, f"{dtype} {shape}", expected, model_path)


def _differs(path: Path, name: str, found: str, expected: str, model: Path) -> ImgdaError:
    return fault(
        path,
        name,
        found=found,
        expected=f"{expected}, as in {model.name}",
        do="one of the two is damaged or of another case: copy it again from the model run",
    )
