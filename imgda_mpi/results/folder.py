"""An output folder that appears whole or not at all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.disk import (
    check_free,
    check_replaceable,
    check_room,
    give_name,
    left_over,
    remove,
    staging_beside,
    sync,
    tree,
)
from imgda_mpi.faults import OutputError, fault, writing
from imgda_mpi.parallel.failure import same_fate

log = logging.getLogger(__name__)


@contextmanager
def new_directory(final: Path, comm: MPI.Intracomm) -> Iterator[Path]:
    """Folder to write into, which takes the name ``final`` when the block has succeeded.

    Collective over ``comm``. On an error that all ranks share the folder is removed. A job that is killed leaves a
    hidden folder ``.imgda_mpi.partial-*`` beside the final one, never a half-written result under the final name; the
    next one removes it.

    Raises
    ------
    OutputError
        Where ``final`` exists and is not empty, or cannot be written. What is whole and cannot have the name any more
        is kept under another one.
    """
    staging = Path()
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            final = final.resolve()
            _check_still_free(final)
            check_replaceable(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            _remove_left_over(final.parent)
            staging = staging_beside(final)
            staging.mkdir()
    staging = comm.bcast(staging)
    is_whole = False
    try:
        yield staging
        paths: list[str] = []
        with same_fate(comm), writing(final):
            if comm.rank == 0:
                paths = list(map(str, tree(staging)))
        paths = comm.bcast(paths)
        with same_fate(comm), writing(final):
            for path in paths[comm.rank :: comm.size]:
                sync(Path(path))
        is_whole = True
        with same_fate(comm), writing(final):
            if comm.rank == 0:
                give_name(staging, final)
    except BaseException as err:
        # Removing while other ranks may still write is only safe where all ranks have failed alike.
        if comm.rank == 0 and not is_whole and (comm.size == 1 or getattr(err, "everywhere", False)):
            shutil.rmtree(staging, ignore_errors=True)
        raise


def _check_still_free(final: Path) -> None:
    """Refuse a folder that holds something, which at the start of the verb it did not."""
    if final.is_dir() and any(final.iterdir()):
        raise fault(
            final,
            found="what another job has put there meanwhile",
            expected="an empty folder or none",
            do="start again: of the same settings and inputs there is nothing to do, for others give another folder",
            kind=OutputError,
        )
    check_free(final)


def _remove_left_over(folder: Path) -> None:
    """Remove what killed jobs have left, and say so; it may be another user's, or just have got its name."""
    with suppress(OSError):
        for path, has_ended in left_over(folder).items():
            if has_ended:
                remove(path)
                log.info("removed %s, which a job that was killed had left", path)
            else:
                log.info("%s is of a job at work, or of one that was killed; it goes when a day old", path)


def check_output(final: Path, room: Callable[[], int], comm: MPI.Intracomm) -> None:
    """Refuse an output folder that cannot be made, before anything is computed. Collective.

    Raises
    ------
    OutputError
    """
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            check_replaceable(final.resolve())
            check_room(final.resolve().parent, room())
