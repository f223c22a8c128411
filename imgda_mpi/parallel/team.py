"""Those who do a job together: the ranks of a communicator, or a process alone, which then needs no MPI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from imgda_mpi.faults import ImgdaError

Result = TypeVar("Result")


class Team(Protocol):
    """What a job that runs in both ways asks of it."""

    def lead(self, work: Callable[[], Result]) -> Result:
        """What the first of them makes, for all; its error is raised by all. Collective."""

    def share(self, error: ImgdaError) -> bool:
        """Whether all of them have raised an error, and can go on together. Not collective."""


class Alone:
    """A process by itself, without MPI."""

    def lead(self, work: Callable[[], Result]) -> Result:
        """What it makes."""
        return work()

    def share(self, error: ImgdaError) -> bool:
        """Nobody else has to."""
        return True
