"""What HDF5 knows of a NetCDF-4 file and the NetCDF library keeps to itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
from h5py import h5, h5d, h5f, h5g, h5z

OF_NETCDF = (1, 2, 3, 5, 6)
"""Numbers of the filters that every HDF5 library has: deflate, shuffle, checksums and two of packed numbers."""


def members(group: h5g.GroupID | h5f.FileID) -> list[str]:
    """Sorted names of what is in a group."""
    names: list[bytes] = []
    # In the order of the file: for another HDF5 makes a table, and some versions crash where it is damaged.
    group.links.iterate(names.append, order=h5.ITER_NATIVE)
    return sorted(map(os.fsdecode, names))


def check_openable(path: Path) -> None:
    """Say why a file cannot be opened as the NetCDF library does it; nothing where HDF5 does not know either.

    Raises
    ------
    OSError
    """
    with h5py.File(path) as file:
        for name in members(file.id):
            try:
                file[os.fsencode(name)]
            except KeyError as err:
                raise OSError(f"{name} is a link to what is not there, or damaged") from err


def filters(dataset: h5d.DatasetID) -> dict[int, str]:
    """Numbers of a variable's filters in their order, and the name that the file gives them."""
    made = dataset.get_create_plist()
    every = [made.get_filter(place) for place in range(made.get_nfilters())]
    return {number: name.decode(errors="replace") for number, _, _, name in every}


def filters_in_words(found: dict[int, str]) -> str:
    """Filters as messages name them."""
    return ", ".join(f"filter {number}{f' ({name})' if name else ''}" for number, name in found.items())


def filters_of(path: Path, variable: str) -> str:
    """The filters of a variable that not every HDF5 library has."""
    with h5py.File(path) as file:
        found = filters(file[variable].id)
    return filters_in_words({number: name for number, name in found.items() if number not in OF_NETCDF})


@contextmanager
def unpacking(dataset: h5d.DatasetID) -> Iterator[None]:
    """Around reading a variable through h5py: filters that the library does not have are named.

    Raises
    ------
    OSError
        In words by which `imgda_mpi.file_kinds.explained` knows it.
    """
    try:
        yield
    except OSError as err:
        lacking = {number: name for number, name in filters(dataset).items() if not h5z.filter_avail(number)}
        if not lacking:
            raise
        raise OSError(f"undefined {filters_in_words(lacking)}") from err


def type_of(path: Path, variable: str) -> str | None:
    """The type that a variable has in HDF5, in words; None where there is no such variable, or no such file."""
    try:
        with h5py.File(path) as file:
            item = file.get(variable)
            return type_in_words(item.id) if isinstance(item, h5py.Dataset) else None
    except (OSError, KeyError, RuntimeError):
        return None


def type_in_words(dataset: h5d.DatasetID) -> str:
    """What a variable holds.

    Raises
    ------
    KeyError, OSError, RuntimeError
        Where the file is damaged.
    """
    try:
        found = dataset.dtype
    except TypeError:
        return "what is no type of numbers"
    if dataset.shape is None:
        return f"{found} without a shape (a null data space)"
    if found.kind == "S" or h5py.check_string_dtype(found):
        return "text"
    if h5py.check_enum_dtype(found):
        return f"{found} of an enumeration"
    if found.names:
        return f"records of {', '.join(found.names)}"
    if found.kind == "O":
        of_one = h5py.check_vlen_dtype(found)
        return f"lists of {of_one} of varying length" if of_one else "references"
    if found.kind == "V":
        return f"{found.base} in arrays of {found.shape}" if found.shape else "bytes without a meaning (opaque)"
    return f"{found}"
