"""Failing together: an error on one rank becomes the same error on every rank."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mpi4py import MPI

from imgda_mpi.faults import SAID, ImgdaError, OutOfTime

PATIENCE = 5.0  # s

Result = TypeVar("Result")


@contextmanager
def same_fate(comm: MPI.Intracomm) -> Iterator[None]:
    """Succeed on every rank or raise the same error on every rank.

    Collective over ``comm``; the block itself must not communicate. The error of the lowest failing rank is the one
    that is raised. An error that is not meant for the user (a bug) is raised as it is on its own rank, so that
    its traceback is kept, and reported by name on the others.
    """
    error: Exception | OutOfTime | None = None
    try:
        yield
    except (Exception, OutOfTime) as err:
        error = err
    _agree(comm, error)


def on_rank_0(comm: MPI.Intracomm, work: Callable[[], Result]) -> Result | None:
    """What rank 0 makes, None elsewhere; its error on every rank. Collective over ``comm``."""
    with same_fate(comm):
        return work() if comm.rank == 0 else None


def from_rank_0(comm: MPI.Intracomm, work: Callable[[], Result]) -> Result:
    """What rank 0 makes, on every rank; its error on every rank. Collective over ``comm``."""
    made: Result = comm.bcast(on_rank_0(comm, work))
    return made


class Ranks:
    """The ranks of a communicator as a `imgda_mpi.parallel.team.Team`."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.comm = comm

    def lead(self, work: Callable[[], Result]) -> Result:
        """What rank 0 makes, on every rank. Collective."""
        return from_rank_0(self.comm, work)

    def share(self, error: ImgdaError) -> bool:
        """Whether every rank has raised an error. Not collective."""
        return self.comm.size == 1 or error.everywhere


@contextmanager
def same_fate_of_collectives(comm: MPI.Intracomm) -> Iterator[None]:
    """`same_fate` for a block in which ranks work together, as on a shared file.

    Ranks that fail alike raise together. A rank that fails alone leaves others waiting in the block: after a few
    seconds it raises its error without them, and its caller has to end the job.
    """
    error: Exception | OutOfTime | None = None
    try:
        yield
    except (Exception, OutOfTime) as err:
        error = err
    arrival = comm.Ibarrier()
    if error is None:
        arrival.Wait()
    else:
        given_up = time.monotonic() + PATIENCE
        while not arrival.Test():
            if time.monotonic() > given_up:
                if isinstance(error, SAID):
                    error.everywhere = False  # what ranks that share a file agreed on is not known to the others
                raise error
            time.sleep(0.01)
    _agree(comm, error)


def _agree(comm: MPI.Intracomm, error: Exception | OutOfTime | None) -> None:
    # One integer first: the common case costs no pickling.
    failed = comm.allreduce(comm.rank if error is not None else comm.size, op=MPI.MIN)
    if failed == comm.size:
        return
    mine = error if isinstance(error, SAID) else ImgdaError(f"rank {failed}: {type(error).__name__}: {error}")
    first = comm.bcast(mine, root=failed)
    if error is not None and not isinstance(error, SAID):
        raise error
    first.everywhere = True
    raise first
