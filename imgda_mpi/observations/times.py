"""Which of a file's times is taken."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.netcdf import around, read_values, text_attribute, vectors_along
from imgda_mpi.netcdf.dates import DATE_TEXT, SINCE, decoded_where_real

NAMES = ("time", "valid_time")
WORDS = (*NAMES, "times", "date", "dates", "datetime", "year", "month", "season", "doy", "dayofyear")
"""Names of what states a time, in whatever way."""

OF_TIME = re.compile(
    r"\b(since|years?|months?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|julian|date|time|utc|epoch)\b"
    r"|%y|yyyy|^[dhs]$",
    re.IGNORECASE,
)
"""Units of times, also of those that are not understood."""

OTHER_TIMES = re.compile(
    r"creat|process|produc|reference|initial|written|modif|retriev|start|begin|end\b|bound|edge|ingest|update|download",
    re.IGNORECASE,
)
"""Names of what is a time, but not that of the image."""

STARTS = re.compile(
    r"^(forecast[\s_]*)?(init\w*|reference|ref|start|run|base|issue|cycle|model[\s_]*run)[\s_]*\d*($|[\s_]*(time|date))"
    r"|^forecast[\s_]date",
    re.IGNORECASE,
)
"""Names of the start of a forecast."""

LEADS = ("step", "lead", "leadtime", "lead_time", "forecast_period", "forecast_hour", "forecast_time0", "tau")
"""Names of the time from the start of a forecast to the image."""


@dataclass(frozen=True)
class Chosen:
    """What a file has of the time that is wanted.

    Parameters
    ----------
    time : UTC; None where the file has no time
    dimension : of the variable, along which the time lies; None where it does not
    steps : indices along it that have this very time: several where records are there twice
    coordinate : name of the coordinate; None where the file has no time
    spacing : hours to the nearest other time of the file; infinity where there is none
    """

    time: datetime | None = None
    dimension: str | None = None
    steps: tuple[int, ...] = (0,)
    coordinate: str | None = None
    spacing: float = math.inf


@dataclass(frozen=True)
class Times:
    """All times of the records of a variable.

    Parameters
    ----------
    of_step : by the index along the dimension, UTC; several are the same where records are there twice. A record whose
        date is none of ours is not among them.
    dimension, coordinate : as of `Chosen`
    """

    of_step: dict[int, datetime]
    dimension: str | None
    coordinate: str

    @property
    def every(self) -> list[datetime]:
        """In the order of the file."""
        return list(self.of_step.values())

    def at(self, time: datetime) -> Chosen:
        """What the file has of one of its times."""
        steps = tuple(step for step, own in self.of_step.items() if own == time)
        apart = (abs(own - time).total_seconds() / 3600.0 for own in self.every if own != time)
        return Chosen(time, self.dimension, steps, self.coordinate, min(apart, default=math.inf))


def all_times(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], horizontal: tuple[str, ...]
) -> Times | None:
    """The times of a variable; None where its file has none. ``horizontal`` as of `nearest_time`.

    Raises
    ------
    InputError
        Where the file has a time that is not understood.
    """
    coordinate = _time_coordinate(path, dataset, variable, horizontal)
    if coordinate is None:
        return None
    if coordinate.size == 0:
        found = f"no record along {', '.join(coordinate.dimensions)}"
        raise fault(path, variable.name, found=found, expected="an image", do="give another file")
    of_step = decoded_where_real(path, coordinate, read_values(path, coordinate).ravel())
    sizes = {d: n for d, n in zip(coordinate.dimensions, coordinate.shape, strict=True) if d in variable.dimensions}
    along = max(sizes, key=sizes.__getitem__, default=None)
    return Times(of_step, along, coordinate.name)


def nearest_time(
    path: Path,
    dataset: netCDF4.Dataset,
    variable: netCDF4.Variable[Any],
    horizontal: tuple[str, ...],
    time: datetime,
    max_time_offset: float,
    *,
    needs_time: bool,
) -> Chosen:
    """The file's time nearest to the one wanted, the earlier of two.

    ``time`` is aware, ``max_time_offset`` in hours: infinity takes the nearest however far it is. A file without any
    time is taken unless it ``needs_time``. ``horizontal`` are the dimensions of latitude and longitude, along which no
    time is looked for.

    Raises
    ------
    InputError
        Where there is no time so near, or the file has a time that is not understood.
    """
    times = all_times(path, dataset, variable, horizontal)
    if times is None:
        if not needs_time:
            return Chosen()
        raise without_time(path, variable.name, time, max_time_offset, _along_others(variable))
    do = "give another file, raise max_time_offset, or set time to the time found"
    if not needs_time:
        do = "give the file of that time, or raise its max_time_offset"
    return times.at(nearest_of(path, variable.name, times.every, time, max_time_offset, do=do))


def times_within(
    path: Path,
    dataset: netCDF4.Dataset,
    variable: netCDF4.Variable[Any],
    horizontal: tuple[str, ...],
    time: datetime,
    window: timedelta,
) -> list[Chosen]:
    """The file's times from ``time``, aware, to ``time + window``, this end left out; arguments as of `nearest_time`.

    Raises
    ------
    InputError
        Where there is none, or the file has no time or one that is not understood.
    """
    wanted = time.astimezone(UTC)
    expected = f"records of {wanted:{DATE_TEXT}} to before {wanted + window:{DATE_TEXT}}"
    do = "give another file, or correct window or the times"
    times = all_times(path, dataset, variable, horizontal)
    if times is None:
        raise fault(path, variable.name, found="no time coordinate", expected=expected, do=do)
    within = sorted({own for own in times.every if wanted <= own < wanted + window})
    if not within:
        found = f"{min(times.every):{DATE_TEXT}} to {max(times.every):{DATE_TEXT}} in {len(times.every)} record(s)"
        raise fault(path, variable.name, found=found, expected=expected, do=do)
    return [times.at(own) for own in within]


def nearest_of(
    path: Path, name: str, times: Sequence[datetime], time: datetime, max_time_offset: float, *, do: str
) -> datetime:
    """The time nearest to the one wanted, the earlier of two; arguments as of `nearest_time`.

    Raises
    ------
    InputError
        Where there is none so near.
    """
    wanted = time.astimezone(UTC)
    nearest = min(times, key=lambda own: (abs(own - wanted), own))
    if abs(nearest - wanted).total_seconds() > 3600.0 * max_time_offset:
        found = f"{nearest:{DATE_TEXT}} as the nearest of {len(times)} time(s)"
        raise fault(path, name, found=found, expected=_text(wanted, max_time_offset), do=do)
    return nearest


def without_time(
    path: Path, name: str, time: datetime, max_time_offset: float, others: Sequence[str] = ()
) -> ImgdaError:
    """The error of a file without any time, or with ``others`` alone; arguments as of `nearest_time`."""
    expected = _text(time.astimezone(UTC), max_time_offset)
    do = "give another file, or set max_time_offset to inf and state the time"
    found = "no time coordinate" + (f" of the image (but {', '.join(others)})" if others else "")
    return fault(path, name, found=found, expected=expected, do=do)


def stated_elsewhere(dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], time: datetime) -> str | None:
    """What a file without times of its images says of times all the same.

    These are such as pixels have of their own, and the days that it covers, if ``time``, which is stated, is on none of
    them.
    """
    others = _along_others(variable)
    if others:
        return f"the file has times {', '.join(others)} that are not read: the image's is the one that is stated"
    start, end = (text_attribute(dataset, f"time_coverage_{name}") for name in ("start", "end"))
    try:
        first, last = (datetime.fromisoformat(text) for text in (start, end or start))
    except ValueError:
        return None
    if first.date() <= time.astimezone(UTC).date() <= last.date():
        return None
    return f"the file covers {start} to {end or start} by its attributes, which is not the time that is stated"


def _along_others(variable: netCDF4.Variable[Any]) -> list[str]:
    """Times of usual names that are no vectors along a dimension of the images, as those of each pixel."""
    times = [v for v in around(variable).values() if v.name.lower() in NAMES]
    return [f"{v.name}({', '.join(v.dimensions)})" for v in times if SINCE.search(text_attribute(v, "units"))]


def _text(wanted: datetime, max_time_offset: float) -> str:
    return f"{wanted:{DATE_TEXT}} ± {max_time_offset:g} h"


def _time_coordinate(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], horizontal: tuple[str, ...]
) -> netCDF4.Variable[Any] | None:
    """The time of the images: by standard name, else the dimension's own, else another that can only be it.

    What looks like the time and is not understood is an error: nothing else stands in for it.
    """
    dimensions = [d for d in variable.dimensions if d not in horizontal]
    seen = around(variable)
    # Also those that are vectors but for dimensions of one index, as the valid_time of one step of many forecasts.
    along = [v for dimension in dimensions for v in vectors_along(variable, dimension)]
    tables = [v for v in seen.values() if v.ndim > 1 and {*v.dimensions} <= {*dimensions}]
    along += [v for v in tables if 1 < v.size == max(v.shape)]
    named = {*f"{text_attribute(variable, 'coordinates')} {text_attribute(dataset, 'coordinates')}".split(), *NAMES}
    single = [v for v in seen.values() if v.size == 1 and v not in along]
    stated = [v for v in [*along, *single] if _standard_name(v) == "time"]
    related = [*along, *(v for v in single if v.name in named)]
    candidates = [v for v in related if _looks_like_time(v)]
    own = [v for v in candidates if v.dimensions == (v.name,)]
    named_so = [v for v in candidates if v.name.lower() in NAMES]
    others = [
        v
        for v in candidates
        if not (v in along and v.dimensions[0] in seen)
        and not OTHER_TIMES.search(f"{v.name} {text_attribute(v, 'long_name')}")
    ]
    for found in (stated, own, named_so, others):
        if found is others and len(found) > 1:
            several = f"times {', '.join(v.name for v in found)}"
            raise _not_understood(path, found[0], several, "one that is the time")
        if found:
            units = text_attribute(found[0], "units")
            if not SINCE.search(units):
                raise _not_understood(path, found[0], f"units '{units}'", "units like 'hours since 2000-01-01 00:00'")
            leads = [] if found is stated else [v for v in [*along, *single] if _is_lead(path, v)]
            if leads:
                said = f"the start of a forecast, and {leads[0].name} from there"
                raise _not_understood(path, found[0], said, "also the time that the image is valid for")
            return found[0]
    starts = [v for v in related if _is_start_of_forecast(v)]
    if starts:
        expected = "also the time that the image is valid for"
        raise _not_understood(path, starts[0], "the start of a forecast as the only time", expected)
    words = [
        v
        for v in seen.values()
        if v.name.lower() in WORDS
        and not set(v.dimensions) & {*horizontal}
        and (v.size == 1 or set(v.dimensions) & {*dimensions} or (v.dtype == "S1" and v.ndim == 1))
    ]
    if words:
        raise _not_understood(path, words[0], "a time in words or numbers", "units like 'hours since 2000-01-01 00:00'")
    return None


def _is_lead(path: Path, variable: netCDF4.Variable[Any]) -> bool:
    """Whether it is the time from the start of a forecast, and not 0."""
    named = variable.name.lower() in LEADS and OF_TIME.search(text_attribute(variable, "units")) is not None
    is_one = _standard_name(variable) == "forecast_period" or named
    return is_one and getattr(variable.dtype, "kind", "") in "iuf" and bool(read_values(path, variable).any())


def _standard_name(variable: netCDF4.Variable[Any]) -> str:
    return text_attribute(variable, "standard_name").lower()


def _is_start_of_forecast(variable: netCDF4.Variable[Any]) -> bool:
    if _standard_name(variable):
        return _standard_name(variable) == "forecast_reference_time"
    names = (variable.name, text_attribute(variable, "long_name"))
    return SINCE.search(text_attribute(variable, "units")) is not None and any(map(STARTS.search, names))


def _looks_like_time(variable: netCDF4.Variable[Any]) -> bool:
    if _standard_name(variable) or _is_start_of_forecast(variable):
        return _standard_name(variable) == "time"
    marked = text_attribute(variable, "axis") == "T" or variable.name.lower() in NAMES
    return marked or OF_TIME.search(text_attribute(variable, "units")) is not None


def _not_understood(path: Path, coordinate: netCDF4.Variable[Any], found: str, expected: str) -> ImgdaError:
    do = "set standard_name to 'time' and such units on the file's time (for example with ncatted, or cdo -r copy)"
    return fault(path, coordinate.name, found=found, expected=expected, do=do)
