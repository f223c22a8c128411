"""What in the structure of a NetCDF-4 file ends the process, as the NetCDF library trusts it while it opens the file.

The library puts values where it has room for one, or for none, and follows groups into themselves. HDF5 knows types and
numbers of values without reading them, and takes no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from h5py import h5a, h5d, h5ds, h5f, h5g, h5o, h5s, h5t

from imgda_mpi.faults import LIBRARY, fault
from imgda_mpi.in_hdf5 import members

LARGEST_ID = 10**6
"""Of a dimension: the library makes a list that is as long."""

DEEPEST = 100
"""Groups within each other: netCDF4 goes into them by recursion."""

OF_FILE = {"_NCProperties": h5t.STRING}
OF_SCALE = {"NAME": h5t.STRING, "_Netcdf4Dimid": h5t.INTEGER}
OF_VARIABLE = {
    "_QuantizeBitGroomNumberOfSignificantDigits": h5t.INTEGER,
    "_QuantizeBitRoundNumberOfSignificantBits": h5t.INTEGER,
    "_QuantizeGranularBitRoundNumberOfSignificantDigits": h5t.INTEGER,
}
"""Attributes that the library takes for one value of this class of types."""

IN_WORDS = {h5t.STRING: "one text", h5t.INTEGER: "one whole number"}


class Wrong(NamedTuple):
    """What the library does not survive: in which variable or group, what is there, what should be."""

    name: str
    found: str
    expected: str


def check_structure(path: Path) -> None:
    """Refuse a file at which the library would crash; what HDF5 cannot look at is left to it.

    Raises
    ------
    InputError
    """
    with suppress(*LIBRARY):
        file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY)
        for wrong in (*_of_attributes(file, "", OF_FILE), *_in_group(file, "")):
            do = "it is damaged, or of a program that does not keep the rules of NetCDF-4: write it anew"
            raise fault(path, wrong.name, found=wrong.found, expected=wrong.expected, do=do)


def _in_group(group: h5f.FileID | h5g.GroupID, name: str, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Wrong]:
    """Of all that is in a group, which lies in those at the places ``above``."""
    here = h5o.get_info(group)
    place = (here.fileno, here.addr)
    if place in above or len(above) > DEEPEST:
        yield Wrong(name, f"a group in itself, or in {DEEPEST} others", "groups that come to an end")
        return
    for member in members(group):
        with suppress(*LIBRARY):
            item, its_name = h5o.open(group, os.fsencode(member)), f"{name}/{member}".strip("/")
            if isinstance(item, h5g.GroupID):
                yield from _in_group(item, its_name, (*above, place))
            elif isinstance(item, h5d.DatasetID):
                yield from _of_variable(item, its_name)


def _of_variable(variable: h5d.DatasetID, name: str) -> Iterator[Wrong]:
    yield from _of_attributes(variable, name, OF_VARIABLE)
    if variable.get_space().get_simple_extent_type() == h5s.NULL:
        yield Wrong(name, "no values, not even a shape (a null data space)", "an array")
    elif h5ds.is_scale(variable):
        if variable.shape == ():
            yield Wrong(name, "a dimension's coordinate that is a single number", "one for each place along it")
        yield from _of_attributes(variable, name, OF_SCALE)
    elif variable.rank and h5a.exists(variable, b"DIMENSION_LIST"):
        found = h5a.open(variable, b"DIMENSION_LIST")
        if found.get_type().get_class() != h5t.VLEN or found.shape != (variable.rank,):
            yield Wrong(
                name, "attribute DIMENSION_LIST of another type or length", f"{variable.rank} lists of references"
            )


def _of_attributes(owner: h5f.FileID | h5d.DatasetID, name: str, expected: dict[str, int]) -> Iterator[Wrong]:
    for attribute, kind in expected.items():
        if not h5a.exists(owner, attribute.encode()):
            continue
        found = h5a.open(owner, attribute.encode())
        number = found.get_space().get_simple_extent_npoints()
        if found.get_type().get_class() != kind or number != 1:
            yield Wrong(name, f"attribute {attribute} of another type or of {number} values", IN_WORDS[kind])
        elif attribute == "_Netcdf4Dimid":
            value = np.zeros(found.shape, np.int64)
            found.read(value)
            if value.max() > LARGEST_ID:
                yield Wrong(name, f"attribute {attribute} = {value.max()}", f"at most {LARGEST_ID}")
