"""Tables in parquet as rows of text, so that they are understood as those in CSV are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from imgda_mpi.faults import ConfigError, fault, reading
from imgda_mpi.paths import check_file


def parquet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers of lines and their fields, the first with the names of the columns, as `imgda_mpi.text_tables.rows_of`.

    Raises
    ------
    InputError
        Where the file is not there or damaged.
    ConfigError
        Where the package pyarrow is missing.
    """
    check_file(path, "a table in parquet")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as err:
        raise fault(
            path,
            found=f"no package to read it with ({err})",
            expected="the package pyarrow",
            do=f"install it where imgda_mpi is: {sys.executable} -m pip install pyarrow, or give a table in CSV",
            kind=ConfigError,
        ) from err
    do = "check permissions, or fetch it again: it may be damaged"
    with (
        reading(path, expected="a table in parquet", do=do, kinds=(OSError, pa.ArrowException)),
        pq.ParquetFile(path) as file,
    ):
        yield 1, list(file.schema_arrow.names)
        line = 1
        for batch in file.iter_batches():
            columns = [_texts(column, pa) for column in batch.columns]
            for fields in zip(*columns, strict=True):
                line += 1
                yield line, list(fields)


def _texts(column: Any, pa: Any) -> list[str]:
    """Values of a column as text: nothing for none, times in ISO 8601."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False)  # Python has no nanoseconds
    values = column.to_pylist()
    return ["" if one is None else one.isoformat() if isinstance(one, date) else str(one).strip() for one in values]
