"""How long a classic NetCDF file has to be: the library reads what is cut off as zeros."""

from __future__ import annotations

import math
import struct
from pathlib import Path

NUMBER_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}  # bytes, by nc_type
WITHOUT_LENGTH = {">I": 0xFFFFFFFF, ">Q": 0xFFFFFFFFFFFFFFFF}
"""Number of records of a file whose writer did not know it: its length says it."""


def least_size(path: Path) -> int:
    """Bytes up to the last number of the last variable, by the header of a file of version 1, 2 or 5.

    After NetCDF's "File Format Specifications". Padding at the end does not count: some writers leave it out. Only for
    files that the library could open.
    """
    with path.open("rb") as file:

        def number(kind: str) -> int:
            return int(struct.unpack(kind, file.read(struct.calcsize(kind)))[0])

        def entries() -> range:
            number(">I")  # a tag
            return range(number(count))

        def skip(n_bytes: int) -> None:
            file.seek(padded(n_bytes), 1)

        def skip_attributes() -> None:
            for _ in entries():
                skip(number(count))
                size = NUMBER_SIZES[number(">I")]
                skip(number(count) * size)

        version = file.read(4)[3]
        count, place = (">Q" if version == 5 else ">I"), (">I" if version == 1 else ">Q")
        n_records, lengths, ends, of_records = number(count), list[int](), [0], list[tuple[int, int]]()
        for _ in entries():
            skip(number(count))
            lengths.append(number(count))
        skip_attributes()
        for _ in entries():
            skip(number(count))
            shape = [lengths[number(count)] for _ in range(number(count))]
            skip_attributes()
            size = NUMBER_SIZES[number(">I")]
            number(count)  # bytes of the variable, of a large one none that are right
            begin = number(place)
            # The dimension of the records has the length 0, and is the first.
            if shape[:1] == [0]:
                of_records.append((begin, size * math.prod(shape[1:])))
            else:
                ends.append(begin + size * math.prod(shape))
    if n_records in (0, WITHOUT_LENGTH[count]):
        return max(ends)
    # A variable that is alone in its records is not padded.
    step = of_records[0][1] if len(of_records) == 1 else sum(padded(size) for _, size in of_records)
    return max(ends + [begin + (n_records - 1) * step + size for begin, size in of_records])


def padded(n_bytes: int) -> int:
    """Rounded up to a multiple of four."""
    return n_bytes + -n_bytes % 4
