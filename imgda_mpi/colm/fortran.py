"""Sequential files of Fortran: little-endian records, each between two 4-byte markers with its length in bytes.

Records of 2 GiB and more, which compilers split, are not supported.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.disk import check_file
from imgda_mpi.faults import fault, reading

MARKER = 4  # bytes before and after each record


def reals(path: Path, start: int, count: int) -> FloatArray:
    """So many 8-byte reals (count,) from a byte of the file on."""
    with reading(path):
        return np.fromfile(path, "<f8", count, offset=start).astype(np.float64, copy=False)


def integers(path: Path, start: int, count: int) -> IntArray:
    """So many 4-byte integers (count,) from a byte of the file on."""
    with reading(path):
        return np.fromfile(path, "<i4", count, offset=start).astype(np.int64)


def record_lengths(path: Path) -> list[int]:
    """Lengths in bytes of the records of a file.

    Raises
    ------
    InputError
        Where there is no such file, or the records do not fill it.
    """
    check_file(path, "a restart file of CoLM2014", "correct its name")
    with reading(path):
        size = path.stat().st_size
    lengths: list[int] = []
    position = 0
    with reading(path):
        file = path.open("rb")
    with file:
        while position < size:
            marker = _marker(path, file, position)
            length = int.from_bytes(marker, "little", signed=True)
            if length < 0 or len(marker) < MARKER or _marker(path, file, position + MARKER + length) != marker:
                raise fault(
                    path,
                    f"record {len(lengths) + 1}",
                    found=f"a length of {length} bytes that its end does not repeat, in a file of {size} bytes",
                    expected="little-endian Fortran records",
                    do="the file is truncated or of another format: copy it again from the model run",
                )
            lengths.append(length)
            position += length + 2 * MARKER
    return lengths


def _marker(path: Path, file: BinaryIO, position: int) -> bytes:
    with reading(path):
        file.seek(position)
        return file.read(MARKER)
