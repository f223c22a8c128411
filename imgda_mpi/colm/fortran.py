"""Sequential files of Fortran: little-endian records, each between two 4-byte markers with its length in bytes.

Compilers write a record of 2 GiB or more in parts, each between markers of its own: the one before a part is negative
where another part follows, the one behind it where another came before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import ImgdaError, fault, reading
from imgda_mpi.file_kinds import kind_of
from imgda_mpi.paths import check_file

MARKER = 4  # bytes before and after each part

Order = Literal["little", "big"]
OTHER_FORMS: dict[tuple[Order, int], tuple[str, str]] = {
    ("big", MARKER): (
        "big-endian records",
        "run the model without GFORTRAN_CONVERT_UNIT or F_UFMTENDIAN, and built without -fconvert or -convert",
    ),
    ("little", 8): ("records with markers of 8 bytes", "build the model without -frecord-marker=8"),
    ("big", 8): (
        "big-endian records with markers of 8 bytes",
        "build the model without -frecord-marker=8 and -fconvert=big-endian",
    ),
}
"""Records by byte order and length of their markers: what they are in words, and how the model writes others."""


@dataclass(frozen=True)
class Records:
    """The records of a file: of each the places in the file and the lengths of its parts, in bytes."""

    path: Path
    parts: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def lengths(self) -> list[int]:
        """Of the records, in bytes."""
        return [sum(length for _, length in parts) for parts in self.parts]

    def reals(self, record: int, start: int, count: int) -> FloatArray:
        """So many 8-byte reals (count,) from a byte of a record on; records count from 0."""
        return self._read("<f8", record, start, count).astype(np.float64, copy=False)

    def integers(self, record: int, start: int, count: int) -> IntArray:
        """So many 4-byte integers (count,) from a byte of a record on."""
        return self._read("<i4", record, start, count).astype(np.int64)

    def content(self, record: int) -> bytes:
        """All bytes of a record."""
        return self._read("u1", record, 0, self.lengths[record]).tobytes()

    def put(self, file: BinaryIO, record: int, start: int, values: FloatArray) -> None:
        """Put 8-byte reals into a file with the same records, from a byte of one of them on.

        Raises
        ------
        OSError
        """
        content, done = values.astype("<f8", copy=False).tobytes(), 0
        for position, length in self._stretches(record, start, len(content)):
            file.seek(position)
            file.write(content[done : done + length])
            done += length

    def _read(self, kind: str, record: int, start: int, count: int) -> npt.NDArray[np.generic]:
        values = np.zeros(count, kind)
        content, done = values.view(np.uint8), 0
        with reading(self.path), self.path.open("rb") as file:
            for position, length in self._stretches(record, start, content.size):
                file.seek(position)
                if file.readinto(content.data[done : done + length]) < length:
                    raise OSError("it has become shorter")
                done += length
        return values

    def _stretches(self, record: int, start: int, size: int) -> Iterator[tuple[int, int]]:
        """Places in the file and lengths of so many bytes of a record, from one of them on."""
        for position, length in self.parts[record]:
            here = min(length - start, size)
            if here > 0:
                yield position + start, here
                size -= here
            start = max(start - length, 0)


def read_records(path: Path) -> Records:
    """Where the records of a file are. Not collective.

    Raises
    ------
    InputError
        Where there is no such file, the records do not fill it, or are of another form.
    """
    check_file(path, "a restart file of CoLM2014", "correct its name or the time, or run the model to that time")
    with reading(path):
        size = path.stat().st_size
    records: list[tuple[tuple[int, int], ...]] = []
    with reading(path):
        file = path.open("rb")
    with file:
        end = 0
        while end < size:
            parts: list[tuple[int, int]] = []
            goes_on = True
            while goes_on:
                before = _marker(path, file, end)
                behind = _marker(path, file, end + MARKER + abs(before)) if before is not None else None
                if before is None or behind is None or behind != (-abs(before) if parts else abs(before)):
                    raise _broken(path, file, len(records) + 1, before or 0, size)
                parts.append((end + MARKER, abs(before)))
                end += abs(before) + 2 * MARKER
                goes_on = before < 0
            records.append(tuple(parts))
    return Records(path, tuple(records))


def _broken(path: Path, file: BinaryIO, number: int, length: int, size: int) -> ImgdaError:
    """The error where the ``number``-th record from 1 does not end with what it begins with."""
    for (order, width), (form, do) in OTHER_FORMS.items():
        first = _marker(path, file, 0, width, order)
        if first and _marker(path, file, width + abs(first), width, order) == abs(first):
            return fault(path, found=form, expected="little-endian records with markers of 4 bytes", do=do)
    other = kind_of(path) if number == 1 else None
    if other is not None:
        return fault(path, found=other.found, expected="a restart file of CoLM2014", do=other.do)
    return fault(
        path,
        f"record {number}",
        found=f"a length of {length} bytes that its end does not repeat, in a file of {size} bytes",
        expected="little-endian Fortran records",
        do="the file is truncated or of another format: copy it again from the model run",
    )


def _marker(path: Path, file: BinaryIO, position: int, width: int = MARKER, order: Order = "little") -> int | None:
    """The marker at a byte of a file; None where the file ends before it does."""
    with reading(path):
        file.seek(min(position, path.stat().st_size))
        marker = file.read(width)
    return int.from_bytes(marker, order, signed=True) if len(marker) == width else None
