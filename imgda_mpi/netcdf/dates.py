"""Dates of a file: numbers in units like "hours since 2000-01-01" of a calendar."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.netcdf.files import text_attribute

CALENDARS = (
    "standard",
    "gregorian",
    "proleptic_gregorian",
    "julian",
    "noleap",
    "365_day",
    "all_leap",
    "366_day",
    "360_day",
)
"""A date of any of them is taken for ours of the same year, month and day, where there is such a one."""

DATE_TEXT = "%Y-%m-%d %H:%M UTC"
"""How messages say a time in UTC."""

SINCE_1970 = "seconds since 1970-01-01 00:00:00"
"""Unit of the times of files that are written."""

SINCE = re.compile(r"\bsince\b", re.IGNORECASE)

# The library passes over zones that it does not know, as "-6:00" and "EST".
UNITS = re.compile(
    r"\s*\w+\s+since\s+[+-]?\d+-\d+-\d+([\sT_,]+\d+(:\d+(:\d+(\.\d*)?)?)?)?\s*(?P<zone>\S.*)?", re.IGNORECASE
)
YEAR_0 = re.compile(r"since\s+[+-]?0+-", re.IGNORECASE)
UTC_ZONE = re.compile(r"\(?(Z|UTC?|GMT|Zulu|Etc/UTC)?\.?([+-]?0{1,2}(:?00)?)?\)?", re.IGNORECASE)
ZONE = re.compile(r"([+-])(\d{1,2})(?::?(\d\d))?")


def decoded(
    path: Path, coordinate: netCDF4.Variable[Any], values: FloatArray, *, like: netCDF4.Variable[Any] | None = None
) -> list[datetime]:
    """Times in UTC to the second (days in floating point carry rounding far below that) of values in its units.

    What the coordinate does not say of units and calendar, as bounds need not, the one says that it is ``like``.

    Raises
    ------
    InputError
        Where one gives no date, is missing, or is a date of its calendar that is none of ours.
    """
    dates, unreal = _dates(path, coordinate, values, like)
    if unreal is not None:
        raise unreal
    return list(dates.values())


def decoded_where_real(path: Path, coordinate: netCDF4.Variable[Any], values: FloatArray) -> dict[int, datetime]:
    """As `decoded`, by their numbers, without dates of its calendar that are none of ours, as 30 February.

    Raises
    ------
    InputError
        As of `decoded`; of dates that are none of ours only where there is no other.
    """
    dates, unreal = _dates(path, coordinate, values, None)
    if unreal is not None and not dates:
        raise unreal
    return dates


def _dates(
    path: Path, coordinate: netCDF4.Variable[Any], values: FloatArray, like: netCDF4.Variable[Any] | None
) -> tuple[dict[int, datetime], ImgdaError | None]:
    """Dates that are ours, by number, and the error of the first other one."""
    own = like if like is not None and not SINCE.search(text_attribute(coordinate, "units")) else coordinate
    units = text_attribute(own, "units")
    calendar = (
        text_attribute(coordinate, "calendar") or text_attribute(own if like is None else like, "calendar")
    ).lower() or "standard"
    if calendar not in CALENDARS:
        raise fault(
            path,
            coordinate.name,
            found=f"calendar '{calendar}'",
            expected=f"one of {', '.join(CALENDARS)}",
            do="correct the attribute, or convert the file's time (for example with cdo setcalendar)",
        )
    readable = _plain(units)
    if readable is None:
        raise fault(
            path,
            coordinate.name,
            found=f"units '{units}'",
            expected="units like 'hours since 2000-01-01 00:00', in UTC or with a zone like +08:00",
            do="correct the units (for example with ncatted)",
        )
    n_missing = int(np.count_nonzero(~np.isfinite(values)))
    if n_missing or not values.size:
        found = f"{n_missing} of {values.size} without a value" if n_missing else "no value"
        raise fault(path, coordinate.name, found=found, expected="a date for each record", do="correct the time")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of years that the conventions do not have
            stated: Any = netCDF4.num2date(values.ravel(), readable, calendar)
        rounded = [_to_second(date) for date in stated]
    except (ValueError, OverflowError, TypeError) as err:
        found, expected, do = f"times that give no dates ({err})", "dates", "correct the time coordinate"
        if "units" in str(err):  # the library knows no such unit, or none of one length
            found, expected = "a unit not known, or not of one length", "days, hours, minutes or seconds since a date"
            do = "convert the time (for example with cdo settunits,hours)"
        elif YEAR_0.search(units):
            found, expected = "a year 0, which that calendar has not", "a date of the calendar"
            do = "count from another date, or set calendar to proleptic_gregorian if that is meant"
        said = f"units '{units}', calendar '{calendar}': {found}"
        raise fault(path, coordinate.name, found=said, expected=expected, do=do) from err
    dates, others = {}, []
    for number, d in enumerate(rounded):
        try:
            dates[number] = datetime(d.year, d.month, d.day, d.hour, d.minute, d.second, tzinfo=UTC)
        except ValueError:
            others.append(d)
    if not others:
        return dates, None
    unreal = fault(
        path,
        coordinate.name,
        found=f"{others[0].year}-{others[0].month:02d}-{others[0].day:02d} of calendar '{calendar}', no date of ours",
        expected="dates that there are",
        do="give another file, or convert its time (for example with cdo setcalendar)",
    )
    return dates, unreal


def _to_second(date: Any) -> Any:
    """A date of any calendar without its microseconds, half a second of them rounded up: to the next of its days."""
    return date + timedelta(microseconds=1_000_000 - date.microsecond) if date.microsecond >= 500_000 else date


def _plain(units: str) -> str | None:
    """Units as the library reads all of them: its zone in two digits and two, none for UTC; None where it cannot."""
    parts = UNITS.fullmatch(units)
    if parts is None:
        return None
    zone = (parts["zone"] or "").strip()
    date = re.sub(r"[_,]+", " ", units[: parts.start("zone")] if zone else units).strip()
    if UTC_ZONE.fullmatch(zone):
        return date
    of_hours = ZONE.fullmatch(zone)
    return of_hours and f"{date} {of_hours[1]}{int(of_hours[2]):02d}:{of_hours[3] or '00'}"
