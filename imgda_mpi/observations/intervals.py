"""Whether an image is of an instant, or the mean of an interval, and of which."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.netcdf import read_values, text_attribute
from imgda_mpi.observations.times import Chosen, decoded

LONG = 6.0  # h: from one analysis to the next
TOO_LONG = 72.0  # h: the rain of so many days is in no instant's soil; satellites' composites reach up to there

# Hours of the words with which files state their sampling (CMIP's frequency, ISO 8601 durations, NCO's increments).
PERIODS = (
    (re.compile(r"\b(mon|month|months|monthly|p1m)(pt|c|cm)?\b"), 720.0),
    (re.compile(r"\b(yr|year|years|yearly|annual|dec|decadal|p1y)(pt)?\b"), 8760.0),
    (re.compile(r"\b(week|weekly|p7d|p1w)\b"), 168.0),
    (re.compile(r"\b(day|daily|p1d|pt24h)\b"), 24.0),
)
GRIB_MONTHLY = re.compile(r"^avg(u|i|a|f)[a-z]$")  # averages of analyses or forecasts at the same hours of a month
MEAN_OF_MONTHS = re.compile(r"month(ly)?[\s_-]*(mean|average)|climatolog", re.IGNORECASE)
OF_TIME = re.compile(r"\b(?:time|t|valid_time):\s*(?:\w+:\s*)*(\w+)")


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
        return f"{interval} stand for an instant"
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
    method = OF_TIME.findall(cell_methods)[-1] if OF_TIME.search(cell_methods) else ""
    if " within " in cell_methods or (coordinate is not None and text_attribute(coordinate, "climatology")):
        raise _no_instant(path, variable, "a climatology (cell_methods, climatology)")
    if method not in ("", "mean", "point", "instantaneous"):
        raise _no_instant(path, variable, f"cell_methods '{cell_methods}'")
    method = "point" if method == "instantaneous" else method
    interval = Interval(method=method)
    if coordinate is not None and chosen.time is not None:
        interval = _bounded(path, dataset, coordinate, chosen, step, method) or interval
    if interval.ends is None:
        interval = Interval(None, 0.0 if method == "point" else _stated_hours(dataset, variable, coordinate), method)
    if interval.hours > TOO_LONG:
        found = (
            f"{Interval(interval.ends, interval.hours, method.replace('point', ''))} ({interval.hours / 24:.1f} days)"
        )
        raise _no_instant(path, variable, found)
    return interval


def _bounded(
    path: Path,
    dataset: netCDF4.Dataset,
    coordinate: netCDF4.Variable[Any],
    chosen: Chosen,
    step: int,
    method: str,
) -> Interval | None:
    usual = (f"{coordinate.name}_bnds", f"{coordinate.name}_bounds")
    name = text_attribute(coordinate, "bounds") or next((n for n in usual if n in dataset.variables), "")
    if name not in dataset.variables or dataset.variables[name].shape != (*coordinate.shape, 2):
        return None
    bounds = dataset.variables[name]
    values = read_values(path, bounds)
    own_units = bounds if " since " in text_attribute(bounds, "units") else coordinate
    start, end = sorted(decoded(path, own_units, values[step] if coordinate.dimensions else values))
    if chosen.time is not None and not start <= chosen.time <= end:
        raise fault(
            path,
            name,
            found=f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}",
            expected=f"an interval that holds its time, {chosen.time:%Y-%m-%d %H:%M}",
            do=f"correct the bounds of {coordinate.name}, or remove them",
        )
    return Interval((start, end), (end - start).total_seconds() / 3600.0, method)


def _stated_hours(
    dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], coordinate: netCDF4.Variable[Any] | None
) -> float:
    """Length that attributes state in words, 0 where none does."""
    if GRIB_MONTHLY.match(text_attribute(variable, "GRIB_stepType").lower()):
        return 720.0
    title = f"{getattr(dataset, 'title', '')} {text_attribute(variable, 'long_name')}"
    if MEAN_OF_MONTHS.search(title):
        return 720.0
    words = [str(getattr(dataset, name, "")) for name in ("frequency", "time_coverage_resolution")]
    words += [] if coordinate is None else [text_attribute(coordinate, "time_increment")]
    for text in words:
        for pattern, hours in PERIODS:
            if pattern.search(text.lower()):
                return hours
    return 0.0


def _no_instant(path: Path, variable: netCDF4.Variable[Any], found: str) -> ImgdaError:
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"soil moisture of an instant, or the mean of at most {TOO_LONG:g} h",
        do="take the product of instants, for example the 3-hourly one",
    )
