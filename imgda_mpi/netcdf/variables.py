"""Variables of a file and its groups by their names, and what else a variable sees."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi import in_hdf5
from imgda_mpi.faults import fault
from imgda_mpi.netcdf.files import not_numbers

MANY = 20
"""Names that a message lists; of more of them it has the nearest ones."""


def named(dataset: netCDF4.Dataset, name: str) -> netCDF4.Variable[Any] | None:
    """The variable of a name, in a group as ``group/variable``; None where there is none."""
    *groups, last = name.strip("/").split("/")
    for group in groups:
        if group not in dataset.groups:
            return None
        dataset = dataset.groups[group]
    return dataset.variables.get(last)


def find_variable(
    path: Path, dataset: netCDF4.Dataset, name: str, *, do: str = "name one of them", has_codes: bool = False
) -> netCDF4.Variable[Any]:
    """The variable of a name as `named` takes it.

    Raises
    ------
    InputError
        Where there is none, with those that the file and its groups have, or its type is none of numbers or one whose
        numbers stand for words, unless it ``has_codes``.
    """
    found = named(dataset, name)
    if found is not None:
        if isinstance(found.datatype, netCDF4.EnumType) and not has_codes:
            raise not_numbers(path, name, f"{found.dtype} of an enumeration ({', '.join(found.datatype.enum_dict)})")
        return found
    stored = in_hdf5.type_of(path, name)
    if stored is not None:  # the library passes over variables of types that it does not have
        raise not_numbers(path, name, stored)
    owned = list(every(dataset))
    names = [full_name(one) for one in owned if len(one.dimensions) > 1] or [full_name(one) for one in owned]
    there = names
    if len(names) > MANY:
        last = {one: one.rpartition("/")[2] for one in names}
        wanted = name.rpartition("/")[2]
        there = sorted(names, key=lambda one: -difflib.SequenceMatcher(None, last[one], wanted).ratio())[:MANY]
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    raise fault(path, name, found="no such variable", expected=f"one of {', '.join(there) or 'none'}{more}", do=do)


def full_name(variable: netCDF4.Variable[Any]) -> str:
    """Its name with those of its groups, as `named` takes it."""
    return f"{variable.group().path}/{variable.name}".strip("/")


def around(variable: netCDF4.Variable[Any]) -> dict[str, netCDF4.Variable[Any]]:
    """What lies in the group of a variable or in one that holds it, by name; of one name the nearest."""
    seen: dict[str, netCDF4.Variable[Any]] = {}
    group: netCDF4.Dataset | None = variable.group()
    while group is not None:
        seen = seen | {name: one for name, one in group.variables.items() if name not in seen}
        group = group.parent
    return seen


def vectors_along(variable: netCDF4.Variable[Any], dimension: str) -> list[netCDF4.Variable[Any]]:
    """One-dimensional variables around one along a dimension of it, the coordinate variable of the same name first."""
    own = next(one for one in variable.get_dims() if one.name == dimension)
    vectors = [v for v in around(variable).values() if v.dimensions == (dimension,) and v.get_dims()[0] is own]
    return sorted(vectors, key=lambda v: v.name != dimension)


def every(dataset: netCDF4.Dataset) -> Iterator[netCDF4.Variable[Any]]:
    """The variables of a file and of all its groups."""
    yield from dataset.variables.values()
    for group in dataset.groups.values():
        yield from every(group)
