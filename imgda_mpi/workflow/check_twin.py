"""Everything a twin experiment would stop at before it begins."""

from __future__ import annotations

import logging

from mpi4py import MPI

from imgda_mpi.console import Stages
from imgda_mpi.disk import check_room
from imgda_mpi.faults import settled_by
from imgda_mpi.parallel.failure import from_rank_0
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.twin import BETWEEN_IMAGES, Embedded, Twin
from imgda_mpi.twin.places import choose_places
from imgda_mpi.workflow.cycle_parts import existing_run, windows_of
from imgda_mpi.workflow.output import noted
from imgda_mpi.workflow.twin_parts import check_folder, columns_of, model_of, runs_of

log = logging.getLogger(__name__)

OF_CELL, OF_CYCLE, OF_IMAGE = 60, 200_000, 90_000
"""Bytes that a cycle leaves for each cell of the image, and beside them; of an observed image. About."""

OF_RESTART = 600
"""Bytes of a restart of the embedded case for each cell of the image, about."""

SETS = 5
"""Restarts that a run keeps: of its start, and of the last two cycles two each."""


def check_twin(settings: Twin, comm: MPI.Intracomm) -> None:
    """Open and check the case and the folder of an experiment, and say what it will make. Collective.

    Raises
    ------
    ImgdaError
        The first thing that the experiment would stop at before its first run.
    """
    there, stages = TwinPaths(settings.output.directory), Stages()

    def has_begun() -> bool:
        with settled_by("[output] directory"):
            check_folder(settings, there)
        return there.settings.exists()

    begun = from_rank_0(comm, lambda: noted(has_begun))  # None where the folder is taken
    model, own = model_of(settings, there), None
    # The embedded case of another experiment is none of this one.
    if not isinstance(settings.case, Embedded) or (begun and there.case.exists()):
        with stages.stage("case"):
            own = columns_of(settings, model, comm)
            stages.say(own.summary)
    places = [] if own is None else choose_places(own, settings.places, settings.seed, comm)
    runs = runs_of(settings, there, model, places)
    if isinstance(settings.case, Embedded):
        n_cells = 2 * settings.case.rows**2
    else:
        n_cells = own.patches.grid.cell_area.size if own is not None else 0
    restart = OF_RESTART * n_cells if own is None else own.restart.room()
    n_analyses = {name: sum(window.is_analysed for window in windows_of(run)) for name, run in runs.items()}
    n_images = (settings.cycle.end - settings.cycle.first_analysis) // BETWEEN_IMAGES + 1
    needed = (OF_CELL * n_cells + OF_CYCLE) * sum(n_analyses.values()) + OF_IMAGE * n_images
    needed += restart * (4 + SETS * len(runs))  # with two cases, of constants and a restart each

    def goes_on() -> bool:
        with settled_by("[output] directory"):
            for run in runs.values() if own is not None else ():  # without its case no run has begun
                existing_run(run)
        return True

    def state() -> str:
        if begun is False:
            with settled_by("[output] directory"):
                check_room(there.directory, needed)
            return "new"
        is_own = begun is not None and noted(goes_on)
        return "goes on" if is_own else "taken"

    said = from_rank_0(comm, state)
    if comm.rank == 0:
        of_runs = ", ".join(f"{name} ({n} analyses)" for name, n in n_analyses.items())
        log.info("runs         %s; on %d cells", of_runs, n_cells)
        log.info("output       %s (%s; about %.0f MB)", there.directory, said, needed / 1e6)
        log.info("nothing stands in the way of the experiment")
