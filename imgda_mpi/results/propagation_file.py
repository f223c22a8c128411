"""How far corrections reached into the soil as a table in CSV, written and read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imgda_mpi.text_tables import read_rows, write_rows
from imgda_mpi.verify.propagation import Propagation

NAMES = (
    "run",
    "latitude_degrees_north",
    "longitude_degrees_east",
    "vegetation",
    "depth_m",
    "reached_days_after_first_analysis",
    "stayed_days_after_last_analysis",
    "to_the_end",
)
"""Of the columns, with units."""

ENDS = {"yes": True, "no": False}


def write_propagation(path: Path, rows: Sequence[Propagation]) -> None:
    """Write ``propagation.csv``; nan where a depth was never reached. Not collective.

    Raises
    ------
    OutputError
    """
    write_rows(path, NAMES, map(_fields, rows))


def read_propagation(path: Path) -> list[Propagation]:
    """The rows of ``propagation.csv``, to the bit. Not collective.

    Raises
    ------
    InputError
        Where it is not there, damaged, or another table.
    """
    return read_rows(path, NAMES, _row)


def _fields(row: Propagation) -> list[str | float]:
    place = row.latitude, row.longitude
    to_the_end = "yes" if row.to_the_end else "no"
    return [row.run, *place, row.vegetation, row.depth, float(row.reached), float(row.stayed), to_the_end]


def _row(fields: list[str]) -> Propagation:
    run, latitude, longitude, vegetation, depth, reached, stayed, to_the_end = fields
    if to_the_end not in ENDS:
        raise ValueError(f"to_the_end '{to_the_end}'")
    numbers = float(depth), float(reached), float(stayed)
    return Propagation(run, float(latitude), float(longitude), vegetation, *numbers, ENDS[to_the_end])
