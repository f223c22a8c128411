"""Making the folder of a run and of its cycles: each appears whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from mpi4py import MPI

from imgda_mpi import PROGRAM
from imgda_mpi.faults import OutputError, fault, writing
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.results.folder import new_directory, renamed_when_whole
from imgda_mpi.results.manifest import versions
from imgda_mpi.results.run_folder import (
    CYCLE_FILE,
    CYCLES,
    PARTIAL,
    RUN_FILE,
    SETTINGS_FILE,
    Run,
    open_run,
    read_cycle,
)
from imgda_mpi.results.run_records import Description, Record, json_text


def new_run(directory: Path, description: Description, settings: str, comm: MPI.Intracomm) -> Run:
    """Make the folder of a run, without cycles. Collective over ``comm``.

    ``settings`` is the text of the settings file.

    Raises
    ------
    OutputError
        Where the folder exists and is not empty, or cannot be written.
    """
    with new_directory(directory, comm) as staging, same_fate(comm), writing(directory):
        if comm.rank == 0:
            (staging / CYCLES).mkdir()
            (staging / SETTINGS_FILE).write_text(settings)
            content = {"program": PROGRAM, **description.as_json(), "versions": versions()}
            (staging / RUN_FILE).write_text(json_text(content))
    return from_rank_0(comm, lambda: open_run(directory))


@contextmanager
def new_cycle(run: Run, time: datetime, comm: MPI.Intracomm) -> Iterator[Path]:
    """Folder to make a cycle in, with `write_record` at its end; it takes its name when the block has succeeded.

    Collective over ``comm``. What a killed job has left of the same cycle is removed first. On an error that all ranks
    share the folder is removed. The folder changes its name: nothing in it may hold its path.

    Raises
    ------
    OutputError
        Where the cycle is there already, or cannot be written.
    InputError
        Where the block wrote no record of this time.
    ConfigError
        Where the time is no whole hour.
    """
    final = from_rank_0(comm, lambda: run.cycle_folder(time))
    partial = final.with_name(final.name + PARTIAL)
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            if final.exists():
                expected, do = "a cycle that is not there yet", "go on from the last complete cycle"
                raise fault(final, found="a complete cycle", expected=expected, do=do, kind=OutputError)
            if partial.exists():
                shutil.rmtree(partial)
            partial.mkdir(parents=True)
    with renamed_when_whole(partial, final, comm):
        yield partial
        with same_fate(comm):
            if comm.rank == 0:
                read_cycle(partial)


def write_record(directory: Path, record: Record, comm: MPI.Intracomm) -> None:
    """Write ``cycle.json`` into the folder that `new_cycle` gave. Collective over ``comm``: rank 0 writes.

    Raises
    ------
    OutputError
    """
    with same_fate(comm), writing(directory):
        if comm.rank == 0:
            (directory / CYCLE_FILE).write_text(json_text(record.as_json()))
