"""Tables in CSV: lines of fields with commas between them, the first with the names of the columns."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from imgda_mpi.faults import fault, reading, writing
from imgda_mpi.file_kinds import GZIP, SIGNATURES, kind_of
from imgda_mpi.paths import check_file

Row = TypeVar("Row")

DAMAGED = (OSError, EOFError, UnicodeError, csv.Error, zlib.error)

NO_VALUE = ("", "na", "n/a", "nan", "null", "none")
"""What stands where there is no number, in capitals or not."""


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers of lines and their fields without blanks around them; lines without any text are passed over.

    Raises
    ------
    InputError
        Where the file, compressed if its name ends in .gz, is not there, damaged, or no text in UTF-8.
    """
    check_file(path, "a table in CSV")
    is_packed = path.suffix.lower() == ".gz"
    kind = kind_of(path)  # a web page is text, too
    if kind is not None and not (is_packed and kind == SIGNATURES[GZIP]):
        raise fault(path, found=kind.found, expected="a table in CSV", do=kind.do)
    opener = gzip.open if is_packed else open
    expected = "a table in CSV, UTF-8, compressed if its name ends in .gz"
    do = "check permissions, or fetch it again: it may be damaged"
    with (
        reading(path, expected=expected, do=do, kinds=DAMAGED),
        opener(path, "rt", encoding="utf-8-sig", newline="") as text,
    ):
        reader = csv.reader(text, skipinitialspace=True)
        for row in reader:
            fields = [field.strip() for field in row]
            if any(fields):
                yield reader.line_num, fields


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Sequence[str | float]]) -> None:
    """Write a table: a line of column names, then a line for each row; numbers with all their digits. Not collective.

    Raises
    ------
    OutputError
    """
    with writing(path), path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def read_rows(path: Path, names: Sequence[str], row: Callable[[list[str]], Row]) -> list[Row]:
    """The rows of a table that `write_rows` wrote; ``row`` makes one of its fields, and raises ValueError of others.

    Raises
    ------
    InputError
        As of `rows_of`, and where columns have other names, or a line cannot be understood.
    """
    rows = rows_of(path)
    line, header = next(rows, (1, []))
    if header != list(names):
        found, expected = ", ".join(header) or "no columns", ", ".join(names)
        raise fault(path, f"line {line}", found=found, expected=expected, do="give a table that this program wrote")
    made = []
    for line, fields in rows:
        try:
            if len(fields) != len(names):
                raise ValueError(f"{len(fields)} fields")
            made.append(row(fields))
        except ValueError as err:
            expected = f"values of {', '.join(names)}"
            do = "correct the line, or write the table again"
            raise fault(
                path, f"line {line}", found=f"what cannot be understood ({err})", expected=expected, do=do
            ) from err
    return made
