"""Analyses one after the other on the same ranks, which sleep in between."""

from __future__ import annotations

import logging
import sys
import time
from functools import partial
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.cycling.analysis_commands import ANSWER
from imgda_mpi.faults import ImgdaError
from imgda_mpi.parallel.failure import Ranks
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.streams import tell
from imgda_mpi.workflow.analyse import analyse

log = logging.getLogger(__name__)

NAP = 0.01
"""Seconds between two looks for the next analysis, which take a third of a percent of a core."""


def analyse_one_after_the_other(comm: MPI.Intracomm) -> None:
    """Make the analyses of the settings files that standard input names, one a line, until it ends. Collective.

    Rank 0 answers each with a line on standard output: `ANSWER` and what would be the status of the command. A rank
    that fails alone ends all, as in the command. The transform is made once, as long as the settings ask for the same.
    """
    ranks = Ranks(comm)
    transform: CurveletTransform | None = None
    while name := _next(comm):
        status = 0
        try:
            settings = ranks.lead(partial(_read, name))
            transform = analyse(settings, comm, transform=transform).transform
        except ImgdaError as err:
            if not ranks.share(err):
                raise
            status = err.status
            if comm.rank == 0:
                log.error("%s", err)
        if comm.rank == 0:
            tell(f"{ANSWER}{status}")


def _next(comm: MPI.Intracomm) -> str:
    """The next line of standard input, empty at its end. Collective; ranks that wait for it sleep."""
    line = sys.stdin.readline().strip() if comm.rank == 0 else ""
    arrival = comm.Ibarrier()
    while not arrival.Test():
        time.sleep(NAP)
    every: str = comm.bcast(line)
    return every


def _read(name: str) -> Settings:
    from imgda_mpi.settings.file import read_settings

    return read_settings(Path(name), Settings)
