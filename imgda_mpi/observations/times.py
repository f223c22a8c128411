"""Which of a file's times is taken."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.faults import fault
from imgda_mpi.netcdf import read_values, text_attribute, vectors_along

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
STEP_TEXT = "%Y-%m-%d %H:%M UTC"


def _time_coordinate(dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]) -> netCDF4.Variable[Any] | None:
    """Time along a dimension of the variable, else the single time that its file has for everything."""
    for dimension in variable.dimensions:
        for vector in vectors_along(dataset, dimension):
            if " since " in text_attribute(vector, "units"):
                return vector
    named = [*text_attribute(variable, "coordinates").split(), "time"]
    single = [dataset.variables[name] for name in named if name in dataset.variables]
    return next((v for v in single if v.size == 1 and " since " in text_attribute(v, "units")), None)


def _decoded(path: Path, coordinate: netCDF4.Variable[Any]) -> list[datetime]:
    """Times in UTC to the second (days in floating point carry rounding far below that)."""
    units = text_attribute(coordinate, "units")
    calendar = text_attribute(coordinate, "calendar").lower() or "standard"
    values = read_values(path, coordinate).ravel()
    try:
        if calendar not in CALENDARS or values.size == 0 or not np.isfinite(values).all():
            raise ValueError(f"{np.isfinite(values).sum()} of {values.size} values")
        dates: Any = netCDF4.num2date(values, units, calendar)
        exact = [datetime(d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, tzinfo=UTC) for d in dates]
    except (ValueError, OverflowError) as err:
        raise fault(
            path,
            coordinate.name,
            found=f"times that give no dates: units '{units}', calendar '{calendar}' ({err})",
            expected=f"times in the calendar {', '.join(CALENDARS)}, none missing",
            do="correct the time coordinate",
        ) from err
    return [(t + timedelta(milliseconds=500)).replace(microsecond=0) for t in exact]


def nearest_step(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], time: datetime, max_time_offset: float
) -> tuple[datetime | None, str | None, int]:
    """The file's time nearest to the one wanted (the earlier of two), its dimension if it has one, and its index.

    ``time`` is aware, ``max_time_offset`` in hours: infinity takes the nearest step however far it is, and a file
    without time (None is returned for it).

    Raises
    ------
    InputError
        Where there is no time so near.
    """
    coordinate = _time_coordinate(dataset, variable)
    wanted = time.astimezone(UTC)
    if coordinate is None:
        if math.isinf(max_time_offset):
            return None, None, 0
        found = "no time coordinate"
    else:
        steps = _decoded(path, coordinate)
        index = min(range(len(steps)), key=lambda step: abs(steps[step] - wanted))
        if abs(steps[index] - wanted).total_seconds() <= 3600.0 * max_time_offset:
            along = coordinate.dimensions[0] if set(coordinate.dimensions) & set(variable.dimensions) else None
            return steps[index], along, index
        found = f"{steps[index]:{STEP_TEXT}} as the nearest of {len(steps)} time(s)"
    raise fault(
        path,
        variable.name,
        found=found,
        expected=f"{wanted:{STEP_TEXT}} ± {max_time_offset:g} h",
        do="give another file, raise max_time_offset, or set time to the time found",
    )
