"""Everything a twin experiment would stop at before it begins."""

from __future__ import annotations

import logging

from mpi4py import MPI

from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.console import Stages
from imgda_mpi.disk import check_free
from imgda_mpi.faults import settled_by
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.twin import BETWEEN_IMAGES, NOT_DECIDING, Embedded, Twin
from imgda_mpi.twin.nature_case import check_texture
from imgda_mpi.workflow.cycle_parts import check_same, existing_run, windows_of
from imgda_mpi.workflow.twin_parts import columns_of, model_of

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
    model = model_of(settings, there)
    if isinstance(settings.case, Embedded):
        n_cells = 2 * settings.case.rows**2
        restart = OF_RESTART * n_cells
    else:
        with stages.stage("case"), settled_by("[case], [cycle] first_analysis"):
            own = columns_of(settings, model, comm)
            files = CaseFiles(**model, time=settings.cycle.first_analysis)
            on_rank_0(comm, lambda: check_texture(files))
            n_cells, restart = own.patches.grid.cell_area.size, own.restart.room()
            stages.say(own.summary)
    runs = [settings.run(name, model, there.images) for name in settings.runs]
    n_analyses = [sum(window.is_analysed for window in windows_of(run)) for run in runs]
    n_images = (settings.cycle.end - settings.cycle.first_analysis) // BETWEEN_IMAGES + 1
    needed = (OF_CELL * n_cells + OF_CYCLE) * sum(n_analyses) + OF_IMAGE * n_images
    needed += restart * (4 + SETS * (2 + len(settings.variants)))  # with two cases, of constants and a restart each

    def check_folder() -> str:
        if there.settings.exists():
            check_same(there.directory, settings, NOT_DECIDING)
            for run in runs:
                existing_run(run)
            return "goes on"
        check_free(there.directory, needed)
        return "new"

    with settled_by("[output] directory"):
        state = from_rank_0(comm, check_folder)
    if comm.rank == 0:
        of_cases = ", ".join(f"{name} ({n} analyses)" for name, n in zip(settings.runs, n_analyses, strict=True))
        log.info("runs         nature, %s; on %d cells", of_cases, n_cells)
        log.info("output       %s (%s; about %.0f MB)", there.directory, state, needed / 1e6)
        log.info("nothing stands in the way of the experiment")
