"""In what two files of a model differ, in words: the variable, how many values, by how much at most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from imgda_mpi.colm.fortran import read_records
from imgda_mpi.colm.history202x import open_histories
from imgda_mpi.colm.state2014 import DATE_BYTES, WIDTHS
from imgda_mpi.netcdf import in_library, opened

DATES_THE_FILE = "create_time"
"""The attribute of CoLM202X's files that says when they were made."""

MOST_NAMED = 6

OF_A_TIME = re.compile(r"_hist_\d{4}(-\d\d){0,2}")


def netcdf_difference(path: Path, other: Path) -> str | None:
    """What is different first in two NetCDF files but for when they were made; None where nothing is.

    Values and attributes are compared, types and dimensions; how the files store them is not.

    Raises
    ------
    InputError
    """
    with opened(path) as here, opened(other) as there:
        names = [*here.variables, *(name for name in there.variables if name not in here.variables)]
        if (found := _attribute_difference(_attributes(here), _attributes(there))) is not None:
            return f"{path}: {found} in {other}"
        return _said({name: _variable_difference(name, here, there) for name in names}, path, other)


def record_difference(path: Path, other: Path, *, is_state: bool) -> str | None:
    """What is different first in two files of CoLM2014: a state, or fluxes; None where nothing is.

    Raises
    ------
    InputError
    """
    here, there = read_records(path), read_records(other)
    if here.lengths != there.lengths:
        return f"{path}: records of {_some(here.lengths)} bytes, not of {_some(there.lengths)} as in {other}"
    found = {}
    for number, length in enumerate(here.lengths):
        one, another = here.content(number), there.content(number)
        for name, kind, start, stop in _state_parts(length) if is_state else [_whole(number, length)]:
            found[name] = values_difference(*(np.frombuffer(content[start:stop], kind) for content in (one, another)))
    return _said(found, path, other)


def history_difference(parts: Sequence[Path], whole: Sequence[Path]) -> tuple[datetime, str] | None:
    """The first time at which joined histories of CoLM202X differ from those of one run, and in what; None nowhere.

    Raises
    ------
    InputError
        Where the files cannot be joined.
    """
    here, there = _by_block(parts), _by_block(whole)
    found = [_joined_difference(here.get(name, []), there.get(name, [])) for name in sorted(here.keys() | there.keys())]
    return min((one for one in found if one is not None), default=None)


def values_difference(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> str | None:
    """How many values are not the same bits, and by how much they differ at most, up to "those"; None where all are."""
    if one.tobytes() == other.tobytes():
        return None
    differs = np.array([one]).view(f"V{one.itemsize}").ravel() != np.array([other]).view(f"V{one.itemsize}").ravel()
    most = ""
    if one.dtype.kind in "fiu":
        with np.errstate(invalid="ignore", over="ignore"):
            away = np.abs(one.astype("f8") - other.astype("f8"))
        most = f" by {np.nanmax(away):.3g} at most" if np.isfinite(away).any() else " as NaN and numbers do"
    return f"{np.count_nonzero(differs)} of {one.size} values differ{most} from those"


def _said(found: Mapping[str, str | None], path: Path, other: Path) -> str | None:
    """The first difference of a file in words, and the names of what differs besides."""
    names = [name for name, what in found.items() if what is not None]
    if not names:
        return None
    more = f"; so do {', '.join(names[1:MOST_NAMED])}" if len(names) > 1 else ""
    more += f" and {len(names) - MOST_NAMED} others" if len(names) > MOST_NAMED else ""
    return f"{path}: {names[0]}: {found[names[0]]} in {other}{more}"


def _variable_difference(name: str, here: netCDF4.Dataset, there: netCDF4.Dataset) -> str | None:
    if not (name in here.variables and name in there.variables):
        return f"is {'no' if name in there.variables else 'a'} variable, other than"
    one, other = here[name], there[name]
    (kind, attributes, values), (other_kind, other_attributes, other_values) = map(_contents, (one, other))
    if kind != other_kind:
        return f"{kind}, not {other_kind} as"
    return _attribute_difference(attributes, other_attributes) or values_difference(values, other_values)


def _contents(variable: netCDF4.Variable[Any]) -> tuple[str, dict[str, Any], npt.NDArray[Any]]:
    """Type and dimensions in words, attributes, and values as they are stored."""
    with in_library(Path(variable.group().filepath()), variable.name):
        variable.set_auto_maskandscale(False)
        values = np.asarray(variable[...])
        return f"{variable.dtype} {variable.dimensions} {variable.shape}", _attributes(variable), values


def _attributes(owner: netCDF4.Dataset | netCDF4.Variable[Any]) -> dict[str, Any]:
    return {name: owner.getncattr(name) for name in owner.ncattrs() if name != DATES_THE_FILE}


def _attribute_difference(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    for name in sorted(one.keys() | other.keys()):
        a, b = one.get(name), other.get(name)
        if type(a) is not type(b) or not np.array_equal(np.asarray(a), np.asarray(b)):
            return f"attribute {name} is {a!r}, not {b!r} as"
    return None


def _joined_difference(parts: Sequence[Path], whole: Sequence[Path]) -> tuple[datetime, str] | None:
    here, there = open_histories(parts), open_histories(whole)
    said = f"than in {there.files[0]}"
    if here.times != there.times:
        times = [one for one in [*here.times, *there.times] if (one in here.times) != (one in there.times)]
        return min(times), f"{here.files[0]}: other times {said}, as {min(times):%Y-%m-%d %H:%M}"
    if here.names != there.names:
        return here.times[0], f"{here.files[0]}: other variables {said}"
    for number, time in enumerate(here.times):
        for name in here.names:
            found = values_difference(here.read(name, number), there.read(name, number))
            if found is not None:
                return time, f"history at {time:%Y-%m-%d %H:%M}: {name}: {found} in {there.files[0].parent}"
    return None


def _by_block(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Files of all times together, of each block where the model writes those."""
    blocks: dict[str, list[Path]] = {}
    for path in files:
        blocks.setdefault(OF_A_TIME.sub("", path.name), []).append(path)
    return blocks


def _state_parts(length: int) -> Iterator[tuple[str, str, int, int]]:
    """Name, type and bytes of the date and of every variable of a state, which is one record."""
    n_patch = (length - DATE_BYTES) // (8 * sum(WIDTHS.values()))
    ends = [*accumulate((8 * width * n_patch for width in WIDTHS.values()), initial=DATE_BYTES)]
    yield "date", "<i4", 0, DATE_BYTES
    for name, start, stop in zip(WIDTHS, ends[:-1], ends[1:], strict=True):
        yield name, "<f8", start, stop


def _whole(number: int, length: int) -> tuple[str, str, int, int]:
    """Name, type and bytes of a record."""
    return f"record {number + 1}", "u1" if length % 8 else "<f8", 0, length


def _some(lengths: Sequence[int]) -> str:
    return ", ".join(map(str, lengths[:3])) + (", ..." if len(lengths) > 3 else "")
