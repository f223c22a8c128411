"""Tables in CSV: lines of fields with commas between them, the first with the names of the columns."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from imgda_mpi.disk import no_such_file
from imgda_mpi.faults import fault

NO_VALUE = ("", "na", "n/a", "nan", "null", "none")
"""What stands where there is no number, in capitals or not."""


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers of lines and their fields without blanks around them; lines without any text are passed over.

    Raises
    ------
    InputError
        Where the file, compressed if its name ends in .gz, is not there, damaged, or no text in UTF-8.
    """
    if not path.is_file():
        raise no_such_file(path, "a table in CSV")
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, skipinitialspace=True)
            for row in reader:
                fields = [field.strip() for field in row]
                if any(fields):
                    yield reader.line_num, fields
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as err:
        raise fault(
            path,
            found=f"what cannot be read ({err})",
            expected="a table in CSV, UTF-8, compressed if its name ends in .gz",
            do="check permissions, or fetch it again: it may be damaged",
        ) from err
