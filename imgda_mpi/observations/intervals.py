"""Whether an image is of an instant, or the mean of an interval, and of which."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.netcdf import read_values, text_attribute
from imgda_mpi.observations.times import SINCE, Chosen, decoded

LONG = 6.0  # h: from one analysis to the next
TOO_LONG = 72.0  # h: the rain of so many days is in no instant's soil; satellites' composites reach up to there

# As CMIP's frequency (3hr, mon), ISO 8601 (P1M, PT6H), 8-day, 1 month; and the adverbs of them.
HOURS = {"hour": 1.0, "hr": 1.0, "h": 1.0, "day": 24.0, "d": 24.0, "week": 168.0, "w": 168.0, "month": 720.0}
HOURS |= {"mon": 720.0, "m": 720.0, "year": 8760.0, "yr": 8760.0, "y": 8760.0, "decade": 87600.0, "dec": 87600.0}
HOURS |= {"hourly": 1.0, "daily": 24.0, "weekly": 168.0, "monthly": 720.0, "yearly": 8760.0, "annual": 8760.0}
PERIOD = re.compile(
    r"(?<![\d.])(\d+(?:\.\d+)?)?[\s_-]*(hour|hr|day|week|month|mon|year|yr|decade|dec)s?(?:ly|pt|cm?)?\b"
)
ISO_PERIOD = re.compile(r"^p(t?)(\d+(?:\.\d+)?)([hdwmy])$")
ADVERB = re.compile(r"\b(hourly|daily|weekly|monthly|yearly|annual)\b")
GRIB_MONTHLY = re.compile(r"^avg(u|i|a|f)[a-z]$")  # averages of analyses or forecasts at the same hours of a month
MEAN_OF_MONTHS = re.compile(r"month(ly)?[\s_-]*(mean|average)|climatolog", re.IGNORECASE)
METHOD = re.compile(r"\b(?:time|t|valid_time):\s*(?:\w+:\s*)*(\w+)")


@dataclass(frozen=True)
class Interval:
    """What an image stands for, as its file states it.

    Parameters
    ----------
    ends : first and last instant, UTC; None where the file does not give them
    hours : length; 0 of an instant or where the file says nothing
    method : how the values come from it: "mean", "point" or "" where the file does not say
    """

    ends: tuple[datetime, datetime] | None = None
    hours: float = 0.0
    method: str = ""

    def __str__(self) -> str:
        if self.method == "point":
            return "instant"
        what = self.method or "values"
        if self.ends is not None:
            return f"{what} of {self.ends[0]:%Y-%m-%d %H:%M} to {self.ends[1]:%Y-%m-%d %H:%M}"
        if self.hours:
            return f"{what} of about {self.hours:g} h"
        return self.method


def doubts(interval: Interval, chosen: Chosen) -> str | None:
    """What is to be said where an image that is taken for an instant is of a long interval, or may be."""
    if interval.method == "point":
        return None
    if interval.hours > LONG:
        return f"{interval} is taken for an instant"
    if interval.method == "mean" and not interval.hours:
        return "a mean of an interval that the file does not give is taken for an instant"
    if not interval.hours and TOO_LONG < chosen.spacing < math.inf:
        return f"times are {chosen.spacing / 24:.0f} days apart, and nothing says that the image is of an instant"
    return None


def interval_of(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], chosen: Chosen, step: int
) -> Interval:
    """The interval of one step of a variable: bounds of its time, cell methods, climatology, frequency.

    Raises
    ------
    InputError
        Where the image is a climatology, is longer than `TOO_LONG`, is no mean but a sum, an extreme or a deviation, or
        the time is not within its bounds.
    """
    coordinate = dataset.variables.get(chosen.coordinate or "")
    cell_methods = text_attribute(variable, "cell_methods").lower()
    method = METHOD.findall(cell_methods)[-1] if METHOD.search(cell_methods) else ""
    if " within " in cell_methods or (coordinate is not None and text_attribute(coordinate, "climatology")):
        raise _no_instant(path, variable, "a climatology (cell_methods, climatology)")
    if method not in ("", "mean", "point", "instantaneous"):
        raise _no_instant(path, variable, f"cell_methods '{cell_methods}'")
    method = "point" if method == "instantaneous" else method
    ends = None
    if coordinate is not None and chosen.time is not None:
        ends = _bounds(path, dataset, coordinate, chosen.time, step)
    if ends is not None:
        interval = Interval(ends, (ends[1] - ends[0]).total_seconds() / 3600.0, method)
    else:
        hours = 0.0 if method == "point" else _stated_hours(dataset, variable, coordinate)
        interval = Interval(hours=hours, method=method)
    if interval.hours > TOO_LONG:
        # Bounds of many days contradict a point.
        what = replace(interval, method="") if method == "point" else interval
        raise _no_instant(path, variable, f"{what} ({interval.hours / 24:.1f} days)")
    return interval


def _bounds(
    path: Path, dataset: netCDF4.Dataset, coordinate: netCDF4.Variable[Any], time: datetime, step: int
) -> tuple[datetime, datetime] | None:
    usual = (f"{coordinate.name}_bnds", f"{coordinate.name}_bounds")
    name = text_attribute(coordinate, "bounds") or next((n for n in usual if n in dataset.variables), "")
    if name not in dataset.variables or dataset.variables[name].shape != (*coordinate.shape, 2):
        return None
    bounds = dataset.variables[name]
    values = read_values(path, bounds)
    own_units = bounds if SINCE.search(text_attribute(bounds, "units")) else coordinate
    start, end = sorted(decoded(path, own_units, values[step] if coordinate.dimensions else values))
    if not start <= time <= end:
        raise fault(
            path,
            name,
            found=f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}",
            expected=f"an interval that holds its time, {time:%Y-%m-%d %H:%M}",
            do=f"correct the bounds of {coordinate.name}, or remove them",
        )
    return start, end


def _stated_hours(
    dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], coordinate: netCDF4.Variable[Any] | None
) -> float:
    """Length that attributes state in words, 0 where none does."""
    if GRIB_MONTHLY.match(text_attribute(variable, "GRIB_stepType").lower()):
        return 720.0
    title = f"{text_attribute(dataset, 'title')} {text_attribute(variable, 'long_name')}"
    if MEAN_OF_MONTHS.search(title):
        return 720.0
    words = [text_attribute(dataset, name) for name in ("frequency", "time_coverage_resolution")]
    words += [] if coordinate is None else [text_attribute(coordinate, "time_increment")]
    return max(map(_hours, words))


def _hours(text: str) -> float:
    """Length of a period in words, 0 of what is none: a number alone has no unit."""
    text = text.lower().strip()
    iso, period, adverb = ISO_PERIOD.match(text), PERIOD.search(text), ADVERB.search(text)
    if iso:
        minutes = iso[1] == "t" and iso[3] == "m"
        return float(iso[2]) * (1 / 60 if minutes else HOURS[iso[3]])
    if adverb and not (period and period[1]):
        return HOURS[adverb[1]]
    return float(period[1] or 1.0) * HOURS[period[2]] if period else 0.0


def _no_instant(path: Path, variable: netCDF4.Variable[Any], found: str) -> ImgdaError:
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"soil moisture of an instant, or the mean of at most {TOO_LONG:g} h",
        do="take the product of instants, for example the 3-hourly one",
    )
