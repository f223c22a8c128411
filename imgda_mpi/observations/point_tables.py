"""Points in a table: a text file of comma-separated columns with a header."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.netcdf.coordinates import DEGREES, LATITUDE, LONGITUDE, Axis
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.intervals import LONG
from imgda_mpi.observations.layers import check_depths, check_layer
from imgda_mpi.observations.points import PointList, Taken, point_list, take_points
from imgda_mpi.observations.times import NAMES, OTHER_TIMES, WORDS, without_time
from imgda_mpi.text_tables import NO_VALUE, rows_of

ENDINGS = (".csv", ".csv.gz")

HEADING = re.compile(r"(?P<name>.*?)\s*(?:[\[(](?P<units>[^\[\]()]*)[\])])?")
"""Of a column: its name, and its units in brackets."""

INSTANT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


@dataclass(frozen=True, eq=False)
class Column:
    """Name and units of a column, its texts, and the line of the file that each is in."""

    path: Path
    name: str
    units: str
    texts: Sequence[str]
    lines: Sequence[int]

    def numbers(self) -> FloatArray:
        """Its numbers (n,), NaN where there is none.

        Raises
        ------
        InputError
            Where a text is no number.
        """
        return np.array([self._number(text, line) for text, line in zip(self.texts, self.lines, strict=True)], float)

    def instants(self) -> list[datetime]:
        """Its times, UTC where they have no zone.

        Raises
        ------
        InputError
            Where a text is no time.
        """
        return [self._instant(text, line) for text, line in zip(self.texts, self.lines, strict=True)]

    def _number(self, text: str, line: int) -> float:
        try:
            return math.nan if text.lower() in NO_VALUE else float(text)
        except ValueError as err:
            raise self._wrong(text, line, "a number, or nothing where there is none") from err

    def _instant(self, text: str, line: int) -> datetime:
        try:
            if not INSTANT.fullmatch(text):
                raise ValueError(text)
            instant = datetime.fromisoformat(text)
            return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
        except (ValueError, OverflowError) as err:
            raise self._wrong(text, line, "a time in UTC, as 2022-06-02T06:00:00Z") from err

    def _wrong(self, text: str, line: int, expected: str) -> ImgdaError:
        return fault(self.path, self.name, found=f"'{text}' in line {line}", expected=expected, do="correct the line")


def read_table(
    path: Path,
    time: datetime,
    name: str,
    layer: Layer | None,
    max_time_offset: float,
    units: str | None,
    *,
    is_moisture: bool = True,
) -> PointList:
    """The points of a table; arguments as of `imgda_mpi.observations.point_files.read_list`.

    The first line has the names of the columns: latitude (or lat), longitude (or lon), the variable, and time or
    valid_time where the points have times. Units may follow a name in brackets, as ``sm [m3 m-3]``.

    Raises
    ------
    InputError
        Where the file is missing or damaged, has no such columns, or something in them is no number or no time.
    """
    columns = _columns(path)
    coordinates = [_coordinate(path, columns, axis) for axis in (LATITUDE, LONGITUDE)]
    variable = _column(path, columns, (name,), name)
    latitude, longitude = (column.numbers() for column in coordinates)
    taken = _taken(path, columns, name, time, max_time_offset, needs_time=is_moisture)
    interval = taken.interval
    said: list[str | None] = []
    if is_moisture:
        for depth in (column for column in columns if column.name.lower() == "depth"):
            check_depths(path, depth.name, depth.numbers(), depth.units, layer)
        said.append(f"{interval} is taken for an instant" if interval.hours > LONG else None)
        said.append(check_layer(path, name, layer))
    return point_list(
        path,
        name,
        time,
        latitude=latitude,
        longitude=longitude,
        values=variable.numbers(),
        units=variable.units,
        meaning=variable.name,
        layer=layer,
        taken=taken,
        interval=interval,
        stated=units,
        remarks=said,
    )


def _taken(
    path: Path, columns: list[Column], name: str, time: datetime, max_time_offset: float, *, needs_time: bool
) -> Taken:
    """The points of the time wanted, by the column of times where there is one."""
    n_points = len(columns[0].texts)
    if n_points == 0:
        return Taken(np.ones(0, dtype=bool), None)
    if any(column.name.lower() in NAMES for column in columns):
        times = _column(path, columns, NAMES, "time").instants()
        return take_points(path, name, times, time, max_time_offset)
    for column in columns:
        words = {*re.split(r"[\W_]+", column.name.lower())}
        if words & {*WORDS} and not OTHER_TIMES.search(column.name):
            raise fault(
                path,
                column.name,
                found="what may be the time, in a column of another name",
                expected="a column time, in UTC, as 2022-06-02T06:00:00Z",
                do="name and write it so, or leave it out of the file",
            )
    if needs_time and math.isfinite(max_time_offset):
        raise without_time(path, name, time, max_time_offset)
    return Taken(np.ones(n_points, dtype=bool), None)


def _coordinate(path: Path, columns: list[Column], axis: Axis) -> Column:
    column = _column(path, columns, axis.usual, axis.name)
    if "_".join(column.units.lower().split()) not in axis.units + DEGREES:
        expected = f"degrees, as {axis.units[0]}"
        raise fault(path, column.name, found=f"units '{column.units}'", expected=expected, do="convert it to degrees")
    return column


def _column(path: Path, columns: list[Column], names: Sequence[str], meant: str) -> Column:
    """The one column that has one of some names, in capitals or not."""
    found = [column for column in columns if column.name.lower() in {name.lower() for name in names}]
    if len(found) != 1:
        raise fault(
            path,
            meant,
            found=f"{len(found) or 'no'} such columns among {', '.join(column.name for column in columns)}",
            expected=f"one named {' or '.join(names)}",
            do="correct the first line of the file, its columns separated by commas, or name another variable",
        )
    return found[0]


def _columns(path: Path) -> list[Column]:
    """All columns, by the first line that is not empty."""
    read = list(rows_of(path))
    if not read:
        raise fault(path, found="an empty file", expected="a line with the names of columns", do="give another file")
    lines, rows = zip(*read, strict=True)
    for line, row in read:
        if len(row) != len(rows[0]):
            raise fault(
                path,
                found=f"{len(row)} columns in line {line}",
                expected=f"{len(rows[0])}, as the first line has",
                do="correct the line; the file may be cut",
            )
    columns = []
    for heading, *texts in zip(*rows, strict=True):
        parts = HEADING.fullmatch(heading)
        name, units = (heading, "") if parts is None else (parts["name"], parts["units"] or "")
        columns.append(Column(path, name, units, texts, lines[1:]))
    return columns
