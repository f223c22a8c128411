"""What becomes of an output folder that is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mpi4py import MPI

from imgda_mpi.faults import OutputError
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0
from imgda_mpi.settings.fields import Section

log = logging.getLogger(__name__)

Seen = TypeVar("Seen")
Verb = Callable[[Any, MPI.Intracomm], object]


def into_new(verb: Verb, tidy: Callable[[Any], None] | None = None) -> Verb:
    """A verb that begins with a look at its output folder, which has to be new, or hold its whole result.

    It has nothing to do then, as after a job that was killed at its very end, but to ``tidy`` what that has left beside
    it. Collective; the verb raises `OutputError` where the folder holds something else.
    """

    def begin(settings: Section, comm: MPI.Intracomm) -> object:
        def is_done() -> bool:
            done = _is_done(settings)
            if done and tidy is not None:
                tidy(settings)
            return done

        if from_rank_0(comm, is_done):
            return f"nothing to do: the whole result is there already, in {_directory(settings)}"
        return verb(settings, comm)

    return begin


def whatever_is_there(check: Verb) -> Verb:
    """The check of a verb, which says what is in the output folder and takes it as no fault. Collective."""

    def begin(settings: Section, comm: MPI.Intracomm) -> object:
        def is_done() -> bool | None:
            return noted(lambda: _is_done(settings))

        said = check(settings, comm)
        # Last, where it is seen.
        if on_rank_0(comm, is_done):
            log.info("the whole result is there already, in %s", _directory(settings))
        return said

    return begin


def noted(look: Callable[[], Seen]) -> Seen | None:
    """What a look at an output folder sees; what a run would stop at there is said, and stops no plan and no check.

    Not collective.
    """
    try:
        return look()
    except OutputError as err:
        log.warning("%s", err)
        return None


def _is_done(settings: Section) -> bool:
    """Whether the output folder holds the whole result; it is refused where it holds something else."""
    directory = _directory(settings)
    if directory is None:
        return False
    from imgda_mpi.workflow.done import done  # on the one rank that asks

    return done(settings, directory)


def _directory(settings: Any) -> Path | None:
    return None if settings.output is None else settings.output.directory
