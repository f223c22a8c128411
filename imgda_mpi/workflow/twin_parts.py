"""What a twin experiment is made of: its folder, its cases, the points with profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpi4py import MPI

from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.columns.restart import OwnColumns, read_columns
from imgda_mpi.disk import check_free, make_whole
from imgda_mpi.example.case import write_case
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR
from imgda_mpi.faults import OutputError, settled_by
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.document import in_force
from imgda_mpi.settings.twin import NOT_DECIDING, Embedded, Twin
from imgda_mpi.twin.nature_case import OtherStart, write_nature_case
from imgda_mpi.twin.places import Place, choose_places
from imgda_mpi.workflow.cycle_parts import check_same


def begin(settings: Twin, there: TwinPaths) -> None:
    """Make the folder of an experiment, or see that it is that of the same one. Not collective.

    Raises
    ------
    OutputError
        Where the folder holds something else, or an experiment of other settings; it says what differs.
    """
    if not there.settings.exists():
        check_free(there.directory)

        def make(path: Path) -> None:
            path.mkdir(parents=True)
            (path / there.settings.name).write_text(in_force(settings))

        try:
            make_whole(there.directory, make)
        except OutputError:
            if not there.settings.exists():  # which another job has made at the same time
                raise
    check_same(there.directory, settings, NOT_DECIDING)


def write_cases(settings: Twin, there: TwinPaths) -> None:
    """Write the cases of an experiment that are not there yet, and the settings that it has now. Not collective.

    Raises
    ------
    InputError
        Where the case cannot be that of an experiment.
    OutputError
    """
    make_whole(there.settings, lambda path: path.write_text(in_force(settings)))
    start = settings.cycle.first_analysis
    if isinstance(settings.case, Embedded) and not there.case.exists():
        rows = settings.case.rows
        with settled_by("[case] rows"):
            make_whole(there.case, lambda path: write_case(path, rows, start))
    if there.nature_case.exists():
        return
    nature = settings.nature
    other = OtherStart(nature.start, nature.start_length, settings.seed)
    with settled_by("[case], [cycle] first_analysis"):
        files = CaseFiles(**model_of(settings, there), time=start)
        make_whole(there.nature_case, lambda path: write_nature_case(files, path, other))


def model_of(settings: Twin, there: TwinPaths) -> dict[str, Any]:
    """Directory, case and land cover year of the case that all runs start from."""
    if isinstance(settings.case, Embedded):
        return {"directory": there.case / CASE, "case": CASE, "land_cover_year": LAND_COVER_YEAR}
    return settings.case.values()


def places_of(settings: Twin, model: dict[str, Any], comm: MPI.Intracomm) -> list[Place]:
    """The points with profiles. Collective.

    Raises
    ------
    InputError
    """
    with settled_by("[case]"):
        own = columns_of(settings, model, comm)
    return choose_places(own, settings.places, settings.seed, comm)


def columns_of(settings: Twin, model: dict[str, Any], comm: MPI.Intracomm) -> OwnColumns:
    """The columns that all runs but the nature's start with. Collective.

    Raises
    ------
    InputError
    """
    return read_columns(open_restart(**model, time=settings.cycle.first_analysis, comm=comm))
