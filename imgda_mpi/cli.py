"""The command line: one verb, one file. MPI starts after the arguments are understood, and only where it is needed."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgda_mpi.arguments import parser
from imgda_mpi.console import configure_logging
from imgda_mpi.faults import INTERRUPTED, SAID, ImgdaError, OutOfTime, as_permitted
from imgda_mpi.lazy import load
from imgda_mpi.parallel.launcher import leave_networks
from imgda_mpi.paths import check_sayable, check_working_folder
from imgda_mpi.streams import open_streams, tell

if TYPE_CHECKING:
    from mpi4py import MPI

    from imgda_mpi.settings.fields import Section

log = logging.getLogger(__name__)

BY_THE_USER = "ended by Ctrl-C"


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status: 0 done, 1 a fault of the program, others as of `imgda_mpi.faults`."""
    warnings.filterwarnings("ignore", "suspicious MPI execution environment")  # `check_alone` says it, and once
    with open_streams():
        arguments = parser().parse_args(argv)
        return alone(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    for given in vars(arguments).values():
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, Path):
                check_working_folder()
                check_sayable(one)
    # What verbs load may start MPI. Without a launcher Open MPI would start a daemon, for ranks never asked for.
    os.environ.setdefault("OMPI_MCA_ess_singleton_isolated", "1")
    if arguments.verb != "cycle":  # which starts jobs that have ranks
        leave_networks(os.environ)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else all installed packages are asked for one
    left_out = _leave_out_tmpdir(os.environ)
    if left_out is not None:
        log.warning("TMPDIR=%s is no folder that can be written: it is left out", left_out)
    status: int = load(f"verbs:{arguments.verb}")(arguments)
    return status


def alone(work: Callable[[], int | None]) -> int:
    """The exit status of some work on this process."""
    configure_logging(0)
    try:
        with _own_modules(), as_permitted():
            return work() or 0
    except SAID as err:
        log.log(_level(err), "%s", err)
        return err.status
    except KeyboardInterrupt:
        log.info("%s", BY_THE_USER)
        return INTERRUPTED


@contextmanager
def _own_modules() -> Iterator[None]:
    """Tell what goes wrong with modules of somebody else's from what is wrong here."""
    try:
        yield
    except (ImgdaError, KeyboardInterrupt):
        raise
    except (Exception, SystemExit) as err:  # of code that is not ours
        from imgda_mpi.strangers import told_from_own

        raise told_from_own(err) from err.__cause__


def _level(error: ImgdaError | OutOfTime) -> int:
    """Of what is said of an error; that there is no time left is none."""
    return logging.INFO if isinstance(error, OutOfTime) else logging.ERROR


def on_all_ranks(settings_file: Path, kind: type[Section], verb: Callable[..., object]) -> int:
    """Read the settings on rank 0, and run a verb on all ranks."""

    def read() -> Section:
        from imgda_mpi.settings.file import read_settings  # on the one rank that reads

        return read_settings(settings_file, kind)

    return with_rank_0(read, verb)


def with_rank_0(read: Callable[[], Any], work: Callable[[Any, MPI.Intracomm], object]) -> int:
    """Do something on all ranks with what rank 0 has read."""

    def with_read(comm: MPI.Intracomm) -> object:
        from imgda_mpi.parallel.failure import from_rank_0

        return work(from_rank_0(comm, read), comm)

    return together(with_read)


def together(work: Callable[[MPI.Intracomm], object]) -> int:
    """Do something on all ranks, and end them all together whatever happens.

    Text that is returned on rank 0 is printed.
    """
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    configure_logging(comm.rank)
    message, status, level = "", 1, logging.ERROR
    try:
        if comm.size == 1:
            from imgda_mpi.parallel.launcher import check_alone

            check_alone(os.environ)
        with _own_modules(), as_permitted():
            said = work(comm)
        if isinstance(said, str) and comm.rank == 0:
            tell(said)
    except SAID as err:
        message, status, level = str(err), err.status, _level(err)
        if comm.size > 1 and not err.everywhere:
            if comm.rank == 0 or not isinstance(err, OutOfTime):  # all have the signal
                log.log(level, "%s", message)
            return _abort(status, comm)
    except KeyboardInterrupt:
        message, status, level = BY_THE_USER, INTERRUPTED, logging.INFO
        if comm.size > 1:
            return _abort(status, comm)
    except BaseException:
        traceback.print_exc()
        if comm.size > 1:
            return _abort(status, comm)
    else:
        return 0
    # Only here, outside the handler, the error's frames are gone and with them the files that ranks had open together.
    if comm.rank == 0 and message:
        log.log(level, "%s", message)
    # Launchers end all ranks as soon as one has ended, and mpi4py aborts what has not ended in order: first the
    # message, then the orderly end of MPI.
    comm.Barrier()
    MPI.Finalize()
    return status


def _leave_out_tmpdir(environment: MutableMapping[str, str]) -> str | None:
    """Take out a ``TMPDIR`` that cannot be written, in which an MPI would not start, and return it; or None."""
    folder = environment.get("TMPDIR")
    if not folder:
        return None
    tried = Path(folder, f"imgda_mpi-{os.getpid()}")
    try:
        tried.mkdir()
        try:
            (tried / "file").write_bytes(bytes(2**17))
        finally:
            shutil.rmtree(tried)
    except OSError:
        return environment.pop("TMPDIR")
    return None


def _abort(status: int, comm: MPI.Intracomm) -> int:
    """End all ranks from one that failed alone; the others may be waiting for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    comm.Abort(status)
    return status
