"""Tables of station data in CSV or parquet: a row for each value."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imgda_mpi.faults import fault
from imgda_mpi.stations.depths import Depth, none_within, within
from imgda_mpi.stations.parquet import parquet_rows
from imgda_mpi.stations.series import Sensors, StationSeries, sorted_out
from imgda_mpi.text_tables import NO_VALUE, rows_of

NEEDED = ("station", "time", "depth", "value", "latitude", "longitude")
OPTIONAL = ("network", "flag")
"""Columns by their names, in any order and case."""

GOOD = ("", "G")
"""Flags of good values: none, or that of ISMN."""

PLACE = ("network", "station", "depth", "latitude", "longitude")

LIMITS = {
    "depth": (0.0, math.inf, "m"),
    "latitude": (-90.0, 90.0, "degrees north"),
    "longitude": (-180.0, 360.0, "degrees east"),
}


@dataclass
class _Sensor:
    """Rows of one station and depth."""

    network: str
    station: str
    depth: float
    latitude: float
    longitude: float
    seconds: array[int] = field(default_factory=lambda: array("q"))  # since 1970, UTC
    values: array[float] = field(default_factory=lambda: array("d"))
    good: array[int] = field(default_factory=lambda: array("b"))

    @property
    def place(self) -> tuple[float, float]:
        return self.latitude, self.longitude

    @property
    def series(self) -> StationSeries:
        times, values, counts = sorted_out(
            np.asarray(self.seconds, np.int64).astype("datetime64[s]"),
            np.asarray(self.values, np.float64),
            np.asarray(self.good, np.bool_),
        )
        return StationSeries(
            network=self.network,
            station=self.station,
            latitude=self.latitude,
            longitude=self.longitude,
            depth=(self.depth, self.depth),
            times=times,
            values=values,
            counts=counts,
        )


def read_table(file: Path, depth: Depth) -> Sensors:
    """Series of all stations and depths, in the order of their first rows. Not collective.

    Parameters
    ----------
    file : CSV, also compressed (.csv.gz), with one line of column names: `NEEDED`, `OPTIONAL` and any others; or the
        same columns in parquet (.parquet). Times are ISO 8601, UTC or with an offset from it; depths m, values m3 m-3
    depth : top and bottom of the range of depth to take, m

    Raises
    ------
    InputError
        Where it is not there or damaged; a column is missing or twice; something in a row cannot be understood, or a
        station has two places (the line and column are named); no sensor is in the range.
    ConfigError
        Where the package that reads parquet is missing.
    """
    rows = parquet_rows(file) if file.suffix.lower() == ".parquet" else rows_of(file)
    columns = _columns(file, *next(rows, (1, [])))
    sensors = _sensors(file, rows, columns)
    inside = [sensor for sensor in sensors if within((sensor.depth, sensor.depth), depth)]
    if not inside:
        raise none_within(file, depth, ((sensor.depth, sensor.depth) for sensor in sensors))
    return Sensors(sensor.series for sensor in inside)


def _columns(file: Path, line: int, header: list[str]) -> dict[str, int]:
    """Numbers of the columns by their names, which a line has."""
    names = [name.lower() for name in header]
    missing = [name for name in NEEDED if name not in names]
    twice = [name for name in (*NEEDED, *OPTIONAL) if names.count(name) > 1]
    if missing or twice:
        raise fault(
            file,
            f"line {line}",
            found=f"columns {', '.join(header) or 'without names'}",
            expected=f"{', '.join(missing)} too" if missing else f"{', '.join(twice)} once",
            do="name the columns in the first line, with commas between them",
        )
    return {name: names.index(name) for name in (*NEEDED, *OPTIONAL) if name in names}


def _sensors(file: Path, rows: Iterator[tuple[int, list[str]]], columns: dict[str, int]) -> list[_Sensor]:
    """Sensors with all their rows."""
    width = max(columns.values()) + 1
    of_place = [(name, columns[name]) for name in PLACE if name in columns]
    time, value, flag = columns["time"], columns["value"], columns.get("flag")
    written: dict[tuple[str, ...], _Sensor] = {}  # by the text of its place, of which numbers may have several
    sensors: dict[tuple[str, str, float], _Sensor] = {}
    stations: dict[tuple[str, str], _Sensor] = {}  # the first of each
    for line, row in rows:
        if len(row) < width:
            found, expected = f"{len(row)} fields", f"{width} or more"
            raise fault(file, f"line {line}", found=found, expected=expected, do="complete or remove the line")
        text = tuple(row[column] for _, column in of_place)
        if text not in written:
            new = _placed(file, line, {name: row[column] for name, column in of_place})
            written[text] = sensors.setdefault((new.network, new.station, new.depth), new)
            _check_place(file, line, new, stations.setdefault((new.network, new.station), new))
        sensor = written[text]
        sensor.seconds.append(_seconds(file, line, row[time]))
        sensor.values.append(math.nan if row[value].lower() in NO_VALUE else _number(file, line, "value", row[value]))
        sensor.good.append(flag is None or row[flag].upper() in GOOD)
    if not sensors:
        raise fault(file, found="no rows", expected="a row for each value", do="give a table with values")
    return list(sensors.values())


def _placed(file: Path, line: int, text: dict[str, str]) -> _Sensor:
    """The sensor, still without rows, that the fields of a line name."""
    numbers = {}
    for name, (low, high, unit) in LIMITS.items():
        numbers[name] = _number(file, line, name, text[name])
        if not low <= numbers[name] <= high:
            raise fault(
                file,
                f"line {line}, {name}",
                found=f"{numbers[name]:g}",
                expected=f"{low:g} to {high:g} {unit}",
                do="correct the line",
            )
    depth, latitude, longitude = numbers.values()
    return _Sensor(text.get("network", ""), text["station"], depth, latitude, longitude)


def _check_place(file: Path, line: int, new: _Sensor, first: _Sensor) -> None:
    """Refuse a sensor that is not at the place of the first one of its station."""
    if new.place != first.place:
        raise fault(
            file,
            f"line {line}, latitude and longitude",
            found=f"station {new.station} at {new.place[0]:g}, {new.place[1]:g}",
            expected=f"{first.place[0]:g}, {first.place[1]:g} as in lines before",
            do="give each station one place, or two stations two names",
        )


def _number(file: Path, line: int, column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as err:
        raise fault(
            file, f"line {line}, {column}", found=f"'{text}'", expected="a number", do="correct the line"
        ) from err


def _seconds(file: Path, line: int, text: str) -> int:
    """Seconds since 1970 in UTC; fractions of a second are left out."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as err:
        raise fault(
            file,
            f"line {line}, time",
            found=f"'{text}'",
            expected="ISO 8601 in UTC or with an offset, as 2020-06-01T06:00 or 2020-06-01T14:00+08:00",
            do="correct the line",
        ) from err
    return math.floor((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
