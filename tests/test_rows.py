from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, agree

from imgda_mpi.parallel.ownership import share
from imgda_mpi.parallel.rows import gather_rows, scatter_rows


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", [(10,), (11, 3), (1, 2, 2), (0, 4)])
@pytest.mark.parametrize("dtype", [np.float64, np.int8, np.bool_])
def test_rows_go_to_their_owners_and_come_back(comm: MPI.Intracomm, shape: tuple[int, ...], dtype: type) -> None:
    offsets = share(shape[0], comm.size)
    whole = (np.arange(np.prod(shape)) % 100).astype(dtype).reshape(shape)
    mine = scatter_rows(comm, whole if comm.rank == 0 else None, offsets)
    assert agree(comm, np.array_equal(mine, whole[offsets[comm.rank] : offsets[comm.rank + 1]]))
    assert agree(comm, mine.dtype == dtype)
    back = gather_rows(comm, mine, offsets)
    assert agree(comm, np.array_equal(back, whole) if comm.rank == 0 else back is None)
