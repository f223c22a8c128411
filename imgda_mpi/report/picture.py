"""A picture of a report, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from imgda_mpi.faults import writing
from imgda_mpi.results.run_records import time_text
from imgda_mpi.text_tables import write_rows

Column = npt.NDArray[np.float64] | npt.NDArray[np.int64] | Sequence[str] | Sequence[datetime] | Sequence[float]

DIGITS = 7
"""Of numbers: as many as files of single precision have."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a picture shows, as a table: columns of one length by their names, which end with the unit, as "rain_mm".

    Raises
    ------
    ValueError
        Where columns differ in length.
    """

    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of other lengths: {lengths}")

    def write(self, path: Path) -> None:
        """Write it as CSV; empty where a number is missing.

        Raises
        ------
        OutputError
        """
        write_rows(path, list(self.columns), zip(*map(_fields, self.columns.values()), strict=True))


def _fields(column: Column) -> Iterator[str]:
    # Python's own numbers: columns of maps have a million.
    for value in column.tolist() if isinstance(column, np.ndarray) else column:
        if isinstance(value, float):
            yield "" if isnan(value) else f"{value:.{DIGITS}g}"
        else:
            yield time_text(value) if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture:
    """A figure that is not written yet.

    Parameters
    ----------
    name : of its files
    figure
    numbers : behind it
    alt : what is to be seen, for those who cannot see it: a sentence with the main numbers
    caption : what it shows, with units, time, and what judges
    is_papers : whether it is of the paper's kind, and written as PDF too
    label : where pictures are stepped through, that of this one, as a day
    """

    name: str
    figure: Figure
    numbers: Numbers
    alt: str
    caption: str
    is_papers: bool = False
    label: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the page: cells in words, the first line is the head."""

    caption: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Section:
    """What a part of the page has.

    Parameters
    ----------
    text : paragraphs
    terms : sentences by what they are about
    tables, pictures
    steps : pictures of which one is shown at a time, each with a label
    details : by title, long texts that are opened on demand, as settings
    """

    text: Sequence[str] = ()
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    steps: Sequence[Picture] = ()
    details: Mapping[str, str] = field(default_factory=dict)


def write_picture(picture: Picture, directory: Path, png: Path) -> list[Path]:
    """Write a picture as PNG, one of the paper's kind as PDF too, and its numbers as CSV; the files.

    Raises
    ------
    OutputError
    """
    files = [png, directory / f"{picture.name}.csv"]
    with writing(png):
        picture.figure.savefig(png)
    picture.numbers.write(files[1])
    if picture.is_papers:
        files.append(directory / f"{picture.name}.pdf")
        with writing(files[-1]):
            picture.figure.savefig(files[-1])
    return files
