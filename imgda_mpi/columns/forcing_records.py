"""Records of weather in files: where each lies, and of which time it is. On one rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.columns.quantities import QUANTITIES, Quantity
from imgda_mpi.columns.weather import EPOCH
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import (
    VERSIONS,
    around,
    every,
    find_variable,
    full_name,
    horizontal_grid,
    named,
    opened,
    read_slice,
    read_values,
    resolve,
    text_attribute,
    vectors_along,
)
from imgda_mpi.netcdf.dates import DATE_TEXT, SINCE, decoded

HOUR = 3600  # s


class Part(NamedTuple):
    """A variable of a file: names of its dimensions, and what turns its values into the unit of the quantity.

    ``cells`` are the rows and columns of the file in which those of the model lie.
    """

    path: Path
    variable: str
    time: str
    rows: str
    columns: str
    cells: tuple[IntArray, IntArray]
    factor: float
    term: float

    def read(self, dataset: netCDF4.Dataset, step: int) -> FloatArray:
        """One record on the grid of the model, (ny, nx) in the unit of the quantity, NaN where missing."""
        variable = find_variable(self.path, dataset, self.variable)
        others = [d for d in variable.dimensions if d not in (self.rows, self.columns, VERSIONS)]
        values = read_slice(self.path, variable, dict.fromkeys(others, 0) | {self.time: step})
        is_turned = variable.dimensions.index(self.rows) > variable.dimensions.index(self.columns)
        return self.factor * (values.T if is_turned else values)[np.ix_(*self.cells)] + self.term


class Records(NamedTuple):
    """Records of one quantity, (n,) each, in the order of time and without overlap.

    Parameters
    ----------
    parts : that hold them
    part, step : number of the part, and index in it
    start, end : of the time that a record stands for, s since 1970-01-01 UTC
    """

    parts: tuple[Part, ...]
    part: IntArray
    step: IntArray
    start: IntArray
    end: IntArray


def text_of(seconds: int) -> str:
    """A time for messages."""
    return f"{EPOCH + timedelta(seconds=int(seconds)):{DATE_TEXT}}"


def seconds_of(time: datetime) -> int:
    """Seconds since 1970-01-01 UTC of an aware time."""
    return (time - EPOCH) // timedelta(seconds=1)


def find_records(
    patterns: Sequence[Path | str], grid: Grid, start: datetime, end: datetime, variables: Mapping[str, str]
) -> tuple[Records, ...]:
    """Records of every quantity that cover all hours that begin from start to before end; only axes are read.

    Arguments are those of `imgda_mpi.columns.forcing_files.open_forcing`.

    Raises
    ------
    InputError
    """
    end = start - (start - end) // timedelta(hours=1) * timedelta(hours=1)  # of the last hour
    parts: list[list[Part]] = [[] for _ in QUANTITIES]
    times: list[list[IntArray]] = [[] for _ in QUANTITIES]
    homes: list[set[str]] = [set() for _ in QUANTITIES]
    paths = [(str(pattern), path) for pattern in patterns for path in _files(pattern, start, end)]
    for pattern, path in paths:
        with opened(path) as dataset:
            for number, quantity in enumerate(QUANTITIES):
                variable = _variable(path, dataset, quantity, variables.get(quantity.name))
                if variable is not None:
                    part, intervals = _part(path, dataset, variable, quantity, grid)
                    parts[number].append(part)
                    times[number].append(intervals)
                    homes[number].add(pattern)
    for quantity, found in zip(QUANTITIES, homes, strict=True):
        if len(found) != 1:
            raise fault(
                paths[0][1],
                variables.get(quantity.name, quantity.name),
                found=f"{quantity.name} in {' and in '.join(sorted(found))}" if found else "no such variable",
                expected=f"one with standard_name {' or '.join(quantity.standard_names)}, or of the name given for it",
                do=f"give the name of the variable of {quantity.name}, or other files",
            )
    return tuple(
        _in_order(quantity, of_quantity, own, start, end)
        for quantity, of_quantity, own in zip(QUANTITIES, parts, times, strict=True)
    )


def _files(pattern: Path | str, start: datetime, end: datetime) -> list[Path]:
    """The files of all hours; of the hours before and after those that are there: they may reach into the others."""
    n = (end - start) // timedelta(hours=1)
    needed = dict.fromkeys(resolve(pattern, start + timedelta(hours=hour)) for hour in range(n))
    before, after = resolve(pattern, start - timedelta(hours=1)), resolve(pattern, end)
    return [
        *(path for path in (before,) if path not in needed and path.is_file()),
        *needed,
        *(path for path in (after,) if path not in needed and path.is_file()),
    ]


def _variable(
    path: Path, dataset: netCDF4.Dataset, quantity: Quantity, given: str | None
) -> netCDF4.Variable[Any] | None:
    if given is not None:
        return named(dataset, given)
    found = [v for v in every(dataset) if text_attribute(v, "standard_name").lower() in quantity.standard_names]
    if len(found) > 1:
        raise fault(
            path,
            ", ".join(map(full_name, found)),
            found=f"{len(found)} variables with the standard_name of {quantity.name}",
            expected="one",
            do=f"give the name of the variable of {quantity.name}",
        )
    return found[0] if found else None


def _part(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], quantity: Quantity, grid: Grid
) -> tuple[Part, IntArray]:
    """A variable, and for every record its start, and its end or -1, (n, 2) s since 1970-01-01 UTC."""
    factor, term = quantity.conversion(path, variable.name, text_attribute(variable, "units"))
    horizontal = horizontal_grid(path, variable)
    rows, columns = horizontal.dimensions
    found = horizontal.grid.find(grid)
    if found is None:
        raise fault(
            path,
            variable.name,
            found=_said(horizontal.grid),
            expected=f"the cells of the model, {_said(grid)}",
            do="remap it first (for example with cdo remapcon)",
        )
    others = {d: n for d, n in zip(variable.dimensions, variable.shape, strict=True) if d not in (rows, columns)}
    coordinates = [v for d in others for v in vectors_along(variable, d) if SINCE.search(text_attribute(v, "units"))]
    stated = [v for v in coordinates if text_attribute(v, "standard_name").lower() in ("time", "")]
    if not stated:
        raise fault(
            path,
            variable.name,
            found=f"no time along {', '.join(others) or 'any dimension'}",
            expected="a time coordinate with units like 'hours since 2000-01-01 00:00'",
            do="correct the file's time",
        )
    time = stated[0]
    further = [f"{d} ({n})" for d, n in others.items() if d not in (time.dimensions[0], VERSIONS) and n != 1]
    if further:
        raise fault(
            path,
            variable.name,
            found=f"further dimensions {', '.join(further)}",
            expected="time, latitude and longitude",
            do="extract one index of each first (for example with ncks -d)",
        )
    cells = horizontal.rows[found[0]], horizontal.columns[found[1]]
    part = Part(path, full_name(variable), time.dimensions[0], rows, columns, cells, factor, term)
    return part, _intervals(path, time)


def _said(grid: Grid) -> str:
    ends = (f"{axis[0]:g} to {axis[-1]:g}" for axis in (grid.latitude, grid.longitude))
    return "{} x {} cells, latitude {}, longitude {}".format(*grid.shape, *ends)


def _intervals(path: Path, time: netCDF4.Variable[Any]) -> IntArray:
    starts = decoded(path, time, read_values(path, time))
    names = (text_attribute(time, "bounds"), *(f"{time.name}{end}" for end in ("_bnds", "_bounds", "_bnd")))
    seen = around(time)
    bounds = next((seen[name] for name in names if name in seen), None)
    if bounds is None:
        return np.array([(seconds_of(start), -1) for start in starts])
    edges = decoded(path, bounds, read_values(path, bounds).ravel(), like=time)
    intervals = np.array([seconds_of(edge) for edge in edges])
    if intervals.size != 2 * len(starts) or (np.diff(intervals.reshape(-1, 2)) <= 0).any():
        raise fault(
            path,
            bounds.name,
            found="bounds that are no intervals of time",
            expected="for every record its start and its end",
            do="correct the bounds, or remove them: a record then holds from its time to the next",
        )
    return intervals.reshape(-1, 2)


def _in_order(quantity: Quantity, parts: list[Part], times: list[IntArray], start: datetime, end: datetime) -> Records:
    """The records of a quantity in the order of time, with ends, checked for gaps and overlaps."""
    part = np.repeat(np.arange(len(parts)), [len(own) for own in times])
    step = np.concatenate([np.arange(len(own)) for own in times])
    starts, ends = np.concatenate(times).T
    order = np.lexsort((part, starts))
    part, step, starts, ends = part[order], step[order], starts[order], ends[order]
    # Of records of one instant in two files, as of midnight between their days, the later file's is taken.
    last_of = np.append((np.diff(starts) > 0) | (np.diff(part) == 0), True)
    part, step, starts, ends = part[last_of], step[last_of], starts[last_of], ends[last_of]
    is_open = ends < 0
    if is_open.any():
        if starts.size == 1:
            raise _fault(parts[0], "one record without bounds", "two at least, or bounds of its time", "add bounds")
        # A record holds to the next, but not into a gap.
        steps = np.diff(starts)
        usual = np.sort(steps)[(steps.size - 1) // 2]
        steps = np.append(steps, usual)
        # Times in single precision are rounded: a step that is hardly longer is no gap.
        ends = np.where(is_open, starts + np.where(steps <= 1.05 * usual, steps, usual), ends)
    overlap = np.flatnonzero((np.diff(starts) == 0) | (starts[1:] < ends[:-1]))
    if overlap.size:
        at, whose = text_of(starts[overlap[0] + 1]), parts[part[overlap[0] + 1]]
        raise _fault(whose, f"two records of {quantity.name} at {at}", "one of each time", "correct the times")
    first, last = seconds_of(start), seconds_of(end)
    wanted = np.flatnonzero((ends > first) & (starts < last))
    edges = [first, *np.stack([starts, ends], axis=1)[wanted].ravel().tolist(), last]
    for until, since in zip(edges[::2], edges[1::2], strict=True):
        if since > until:
            hour = first + (until - first) // HOUR * HOUR
            near = parts[part[max(int(np.searchsorted(starts, until, side="right")) - 1, 0)]]
            raise _fault(
                near,
                f"no record of {quantity.name} for the hour from {text_of(hour)}",
                f"every hour from {text_of(first)} to {text_of(last)}",
                "add what is missing, or correct start and end",
            )
    return Records(tuple(parts), part[wanted], step[wanted], starts[wanted], ends[wanted])


def _fault(part: Part, found: str, expected: str, do: str) -> Exception:
    return fault(part.path, part.variable, found=found, expected=expected, do=do)
