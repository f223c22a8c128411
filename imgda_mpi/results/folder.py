"""An output folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.disk import check_free, sync, tree
from imgda_mpi.faults import writing
from imgda_mpi.parallel.failure import same_fate


@contextmanager
def new_directory(final: Path, comm: MPI.Intracomm) -> Iterator[Path]:
    """Folder to write into, which takes the name ``final`` when the block has succeeded.

    Collective over ``comm``. On an error that all ranks share the folder is removed. A job that is killed leaves a
    hidden folder ``.imgda_mpi.partial-*`` beside the final one, never a half-written result under the final name.

    Raises
    ------
    OutputError
        Where ``final`` exists and is not empty, or cannot be written.
    """
    staging = Path()
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            final = final.resolve()
            check_free(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".imgda_mpi.partial-", dir=final.parent))
    staging = comm.bcast(staging)
    try:
        yield staging
        paths: list[str] = []
        with same_fate(comm), writing(final):
            if comm.rank == 0:
                # mkdtemp makes private folders; the result is an ordinary one.
                staging.chmod(0o777 & ~_umask())
                paths = list(map(str, tree(staging)))
        paths = comm.bcast(paths)
        with same_fate(comm), writing(final):
            for path in paths[comm.rank :: comm.size]:
                sync(Path(path))
        with same_fate(comm), writing(final):
            if comm.rank == 0:
                staging.rename(final)
                sync(final.parent)
    except BaseException as err:
        # Removing while other ranks may still write is only safe where all ranks have failed alike.
        if comm.rank == 0 and (comm.size == 1 or getattr(err, "everywhere", False)):
            shutil.rmtree(staging, ignore_errors=True)
        raise


def check_output(final: Path, room: Callable[[], int], comm: MPI.Intracomm) -> None:
    """Refuse an output folder that is in use or cannot be made, before anything is computed. Collective.

    Raises
    ------
    OutputError
    """
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            check_free(final.resolve(), room())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
