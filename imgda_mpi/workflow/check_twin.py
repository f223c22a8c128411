"""Everything a twin experiment would stop at before it begins."""

from __future__ import annotations

import logging

from mpi4py import MPI

from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.console import Stages
from imgda_mpi.disk import check_free
from imgda_mpi.faults import settled_by
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0
from imgda_mpi.results.twin_folder import TwinPlaces
from imgda_mpi.settings.twin import NOT_DECIDING, Embedded, Twin
from imgda_mpi.twin.nature_case import check_texture
from imgda_mpi.workflow.cycle_parts import check_same, windows_of
from imgda_mpi.workflow.twin_parts import columns_of, model_of

log = logging.getLogger(__name__)

BYTES_OF_CELL = 60
"""What a cycle leaves for each cell of the image, about: history and diagnostics. The images of a window are less."""


def check_twin(settings: Twin, comm: MPI.Intracomm) -> None:
    """Open and check the case and the folder of an experiment, and say what it will make. Collective.

    Raises
    ------
    ImgdaError
        The first thing that the experiment would stop at before its first run.
    """
    there, stages = TwinPlaces(settings.output.directory), Stages()
    model = model_of(settings, there)
    if isinstance(settings.case, Embedded):
        n_cells = 2 * settings.case.rows**2
    else:
        with stages.stage("case"), settled_by("[case], [cycle] first_analysis"):
            own = columns_of(settings, model, comm)
            files = CaseFiles(**model, time=settings.cycle.first_analysis)
            on_rank_0(comm, lambda: check_texture(files))
            n_cells = own.patches.grid.cell_area.size
            stages.say(own.summary)
    runs = [settings.run(name, model, there.images) for name in settings.runs]
    n_analyses = [sum(window.is_analysed for window in windows_of(run)) for run in runs]
    needed = BYTES_OF_CELL * n_cells * (sum(n_analyses) + 100)

    def check_folder() -> str:
        if there.settings.exists():
            check_same(there.directory, settings, NOT_DECIDING)
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
