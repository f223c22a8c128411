"""Rows of an array (patches) between rank 0 and their owners."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.arrays import IntArray

Array = npt.NDArray[Any]


def scatter_rows(comm: MPI.Intracomm, rows: Array | None, offsets: IntArray) -> Array:
    """Own rows of an array that rank 0 holds.

    Collective over ``comm``.

    Parameters
    ----------
    rows : (n, ...) array on rank 0, ignored elsewhere
    offsets : (size + 1,) array
        Rank r gets ``rows[offsets[r]:offsets[r + 1]]``.
    """
    dtype, trailing = comm.bcast(None if rows is None else (rows.dtype, rows.shape[1:]))
    counts = np.diff(offsets)
    mine = np.empty((int(counts[comm.rank]), *trailing), dtype)
    row = _row_type(dtype, trailing)
    whole = None if rows is None else [np.ascontiguousarray(rows), counts, offsets[:-1], row]
    comm.Scatterv(whole, [mine, mine.shape[0], row], root=0)
    row.Free()
    return mine


def gather_rows(comm: MPI.Intracomm, rows: Array, offsets: IntArray) -> Array | None:
    """All rows on rank 0 in the order of their offsets, None elsewhere.

    Collective over ``comm``; the inverse of `scatter_rows`.
    """
    rows = np.ascontiguousarray(rows)
    every = np.empty((int(offsets[-1]), *rows.shape[1:]), rows.dtype) if comm.rank == 0 else None
    row = _row_type(rows.dtype, rows.shape[1:])
    counts = np.diff(offsets)
    comm.Gatherv([rows, rows.shape[0], row], [every, counts, offsets[:-1], row] if comm.rank == 0 else None, root=0)
    row.Free()
    return every


def _row_type(dtype: np.dtype[Any], trailing: tuple[int, ...]) -> MPI.Datatype:
    # Counts in rows, not bytes, stay far below the 2^31 limit of MPI counts.
    return MPI.BYTE.Create_contiguous(dtype.itemsize * int(np.prod(trailing, dtype=np.int64))).Commit()
