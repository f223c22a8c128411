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
from imgda_mpi.netcdf import around, read_values, text_attribute
from imgda_mpi.netcdf.dates import decoded
from imgda_mpi.observations.periods import ADVERB, MONTH, hours_of, hours_of_mean
from imgda_mpi.observations.times import Chosen

LONG = 6.0  # h: from one analysis to the next
TOO_LONG = 72.0  # h: the rain of so many days is in no instant's soil; satellites' composites reach up to there

# GRIB's averages of the same hours of a month, and the streams of monthly means.
GRIB_MONTHLY = re.compile(r"avg[uiaf][a-z]|moda|mnth|edmo|ewmo")
GRIB_TYPES = {"instant": "point", "avg": "mean", "": ""}
METHODS = {"mean": "mean", "average": "mean", "point": "point", "instantaneous": "point"}
OF_TIME = {"time", "t", "valid_time", "month", "year"}


@dataclass(frozen=True)
class Interval:
    """What an image stands for, as its file states it.

    Parameters
    ----------
    ends : first and last instant, UTC; None where the file does not give them
    hours : length; 0 of an instant or where the file says nothing
    method : how the values come from it: "mean", "point" or "" where the file does not say
    doubt : what else the file says against an instant
    """

    ends: tuple[datetime, datetime] | None = None
    hours: float = 0.0
    method: str = ""
    doubt: str | None = None

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
    if interval.hours:
        return None
    if interval.method == "mean":
        return "a mean of an interval that the file does not give is taken for an instant"
    if TOO_LONG < chosen.spacing < math.inf:
        return f"times are {chosen.spacing / 24:.0f} days apart, and nothing says that the image is of an instant"
    return interval.doubt


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
    coordinate = around(variable).get(chosen.coordinate or "")
    method = _method(path, variable, coordinate)
    ends = None
    if coordinate is not None and chosen.time is not None:
        ends = _bounds(path, coordinate, chosen.time, step)
    if ends is not None:
        interval = Interval(ends, (ends[1] - ends[0]).total_seconds() / 3600.0, method)
    else:
        hours = 0.0 if method == "point" else _stated_hours(dataset, variable, coordinate)
        interval = Interval(None, hours, method, _doubt(dataset, variable, chosen))
    if interval.hours > TOO_LONG:
        # Bounds of many days contradict a point.
        what = replace(interval, method="") if method == "point" else interval
        raise _no_instant(path, variable, f"{what} ({interval.hours / 24:.1f} days)")
    return interval


def _method(path: Path, variable: netCDF4.Variable[Any], coordinate: netCDF4.Variable[Any] | None) -> str:
    """How the values come from their interval: "mean", "point", or "" where the file does not say."""
    cell_methods = text_attribute(variable, "cell_methods").lower()
    of_coordinate = coordinate is not None and text_attribute(coordinate, "climatology")
    named = {"climatology_bounds", "climatology_bnds"} & around(variable).keys()
    if of_coordinate or named or re.search(r"\b(within|over)\s+(days|years)\b", cell_methods):
        raise _no_instant(path, variable, "a climatology (cell_methods, climatology)")
    names = OF_TIME | ({coordinate.name.lower()} if coordinate is not None else set())
    methods = [
        method
        for axes, method in re.findall(r"((?:\w+\s*:\s*)+)(\w+)", re.sub(r"\([^)]*\)", "", cell_methods))
        if names & {*re.findall(r"\w+", axes)}
    ]
    if methods and methods[-1] not in METHODS:
        raise _no_instant(path, variable, f"cell_methods '{cell_methods}'")
    if methods:
        return METHODS[methods[-1]]
    kind = text_attribute(variable, "GRIB_stepType").lower()
    if kind in GRIB_TYPES or GRIB_MONTHLY.fullmatch(kind):
        return GRIB_TYPES.get(kind, "mean")
    raise _no_instant(path, variable, f"GRIB_stepType '{kind}'")


def _bounds(
    path: Path, coordinate: netCDF4.Variable[Any], time: datetime, step: int
) -> tuple[datetime, datetime] | None:
    usual, seen = (f"{coordinate.name}{end}" for end in ("_bnds", "_bounds", "_bnd")), around(coordinate)
    name = text_attribute(coordinate, "bounds") or next((n for n in usual if n in seen), "")
    if name not in seen or seen[name].size != 2 * coordinate.size:
        return None
    values = read_values(path, seen[name])
    pairs = values.T if values.shape == (2, coordinate.size) and coordinate.size != 2 else values.reshape(-1, 2)
    start, end = sorted(decoded(path, seen[name], pairs[step], like=coordinate))
    # Times in single precision are off by minutes.
    if not start - (end - start) / 4 <= time <= end + (end - start) / 4:
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
    if any(GRIB_MONTHLY.fullmatch(text_attribute(variable, name).lower()) for name in ("GRIB_stepType", "GRIB_stream")):
        return MONTH
    titles = [*_said(dataset, "title", "longname"), *_said(variable, "long_name", "statistic")]
    means = [hours_of_mean(text) for _, text in titles]
    words = [text for _, text in _said(dataset, "frequency", "time_coverage_resolution")]
    # The interval between the values of a mean, which is a lower bound of its length.
    sampled = re.findall(r"interval:([^)]*)", text_attribute(variable, "cell_methods"))
    words += [text for text in sampled if hours_of(text) > TOO_LONG]
    if coordinate is not None:
        words += [text for _, text in _said(coordinate, "time_increment", "avg_period")]
    return max([0.0, *means, *map(hours_of, words)])


def _doubt(dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], chosen: Chosen) -> str | None:
    """What speaks of a longer interval without saying that it is the image's."""
    titles = [*_said(dataset, "title", "longname", "summary", "comment"), *_said(variable, "long_name", "statistic")]
    for name, text in titles:
        adverb = ADVERB.search(text.lower())
        if adverb and hours_of(adverb[1]) > LONG:
            return f"'{adverb[1]}' in {name}, and nothing says that the image is of an instant"
    for name, text in _said(dataset, "time_coverage_duration") if math.isinf(chosen.spacing) else ():
        if hours_of(text) > LONG:
            return f"{name} is {text}, and nothing says that the image is of an instant"
    return None


def _said(owner: netCDF4.Variable[Any] | netCDF4.Dataset, *names: str) -> list[tuple[str, str]]:
    """Names and texts of the attributes that have one of some names, in capitals or not."""
    return [(name, text_attribute(owner, name)) for name in owner.ncattrs() if name.lower() in names]


def _no_instant(path: Path, variable: netCDF4.Variable[Any], found: str) -> ImgdaError:
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"soil moisture of an instant, or the mean of at most {TOO_LONG:g} h",
        do="take the product of instants, for example the 3-hourly one",
    )
