"""What a twin experiment is made of: its folder, its cases, the points with profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpi4py import MPI

from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.columns.restart import OwnColumns, read_columns
from imgda_mpi.cycling.lock import OF_DRIVERS
from imgda_mpi.disk import check_free, make_whole
from imgda_mpi.example.case import write_case
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR
from imgda_mpi.faults import reading, settled_by
from imgda_mpi.parallel.failure import on_rank_0
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.document import in_force
from imgda_mpi.settings.twin import NATURE, NOT_DECIDING, Embedded, Twin
from imgda_mpi.twin.nature_case import OtherStart, check_texture, write_nature_case
from imgda_mpi.twin.places import Place
from imgda_mpi.workflow.cycle_parts import check_same


def check_folder(settings: Twin, there: TwinPaths) -> None:
    """Refuse a folder that holds something else, or an experiment of other settings. Not collective.

    Raises
    ------
    OutputError
        It says what differs.
    """
    if not there.settings.exists():
        name = there.settings.name
        begun = {*OF_DRIVERS, name, f".{name}.partial"}  # what a job has there that has just begun the experiment
        with reading(there.directory):
            is_locked = there.directory.is_dir() and {path.name for path in there.directory.iterdir()} <= begun
        if not is_locked:
            check_free(there.directory)
    if there.settings.exists():
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


def columns_of(settings: Twin, model: dict[str, Any], comm: MPI.Intracomm) -> OwnColumns:
    """The columns that all runs but the nature's start with, of a case that can have a nature. Collective.

    Raises
    ------
    InputError
    """
    start = settings.cycle.first_analysis
    with settled_by("[case], [cycle] first_analysis"):
        own = read_columns(open_restart(**model, time=start, comm=comm))
        on_rank_0(comm, lambda: check_texture(CaseFiles(**model, time=start)))
    return own


def runs_of(settings: Twin, there: TwinPaths, model: dict[str, Any], places: Sequence[Place]) -> dict[str, CycleRun]:
    """The settings of all runs by their names, the nature's first."""
    model = {**model, "points": [(place.latitude, place.longitude) for place in places]}
    cases = {NATURE: {**model, "directory": there.nature_case}, **dict.fromkeys(settings.runs, model)}
    return {name: settings.run(name, case, there.images) for name, case in cases.items()}
