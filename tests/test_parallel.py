"""Moving data and failing together, on however many ranks the tests run."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.errors import ImgdaError, InputError
from imgda_mpi.parallel.exchange import CoefficientExchange
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.parallel.rows import gather_rows, scatter_rows

COMMS = [pytest.param(MPI.COMM_SELF, id="self"), pytest.param(MPI.COMM_WORLD, id="world", marks=pytest.mark.mpi)]


def agree(comm: MPI.Intracomm, holds: bool) -> bool:
    """Whether something holds on every rank: a test must not fail on one rank alone, or the others wait for it."""
    return bool(comm.allreduce(holds, op=MPI.LAND))


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


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_owners_receive_every_member_of_a_round_in_member_order(comm: MPI.Intracomm, dtype: type) -> None:
    n_values = 23
    starts = share(n_values, comm.size)
    exchange = CoefficientExchange(comm, starts, dtype)
    # The last round of a run has fewer members than there are ranks.
    for n_holders in {comm.size, max(comm.size - 1, 1)}:
        held = np.arange(n_values, dtype=dtype) + 100 * comm.rank if comm.rank < n_holders else None
        received = exchange.to_owners(held, range(n_holders))
        expected = np.arange(n_values)[exchange.own] + 100 * np.arange(n_holders)[:, None]
        assert agree(comm, np.array_equal(received, expected))


@pytest.mark.parametrize("comm", COMMS)
def test_own_parts_make_the_whole_vector_on_rank_0(comm: MPI.Intracomm) -> None:
    starts = share(9, comm.size)
    exchange = CoefficientExchange(comm, starts, np.float64)
    whole = exchange.to_root(np.arange(9.0)[exchange.own])
    assert agree(comm, np.array_equal(whole, np.arange(9.0)) if comm.rank == 0 else whole is None)


@pytest.mark.parametrize("comm", COMMS)
def test_one_bad_rank_fails_everywhere_with_its_own_message(comm: MPI.Intracomm) -> None:
    bad = comm.size - 1
    with pytest.raises(InputError, match=r"^file x is bad$") as caught, same_fate(comm):
        if comm.rank == bad:
            raise InputError("file x is bad")
    assert agree(comm, caught.value.everywhere)


@pytest.mark.parametrize("comm", COMMS)
def test_a_bug_keeps_its_type_where_it_happened_and_is_named_elsewhere(comm: MPI.Intracomm) -> None:
    with pytest.raises((ZeroDivisionError, ImgdaError), match="by zero") as caught, same_fate(comm):
        if comm.rank == 0:
            _ = 1 // 0
    assert agree(comm, (caught.type is ZeroDivisionError) == (comm.rank == 0))


@pytest.mark.parametrize("comm", COMMS)
def test_no_failure_leaves_no_trace(comm: MPI.Intracomm) -> None:
    with same_fate(comm):
        value = comm.rank
    assert agree(comm, value == comm.rank)
