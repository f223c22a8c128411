"""Failing together, on however many ranks the tests run."""

from __future__ import annotations

import pytest
from mpi4py import MPI
from problems import COMMS, agree

from imgda_mpi.faults import ImgdaError, InputError
from imgda_mpi.parallel.failure import same_fate


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
