"""Which vegetation the cells of a verification have."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from imgda_mpi.arrays import BoolArray
from imgda_mpi.faults import settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.histories import cover
from imgda_mpi.results.run_folder import SETTINGS_FILE
from imgda_mpi.settings.cycle import CycleRun, RunOfColumns
from imgda_mpi.settings.file import peek, read_settings
from imgda_mpi.settings.verify import Verification

log = logging.getLogger(__name__)


def covers_of(settings: Verification, grid: Grid) -> dict[str, BoolArray]:
    """Cells by the vegetation of their largest soil patch, (ny, nx); none where no case is known. On rank 0.

    Raises
    ------
    ImgdaError
    """
    if settings.classes is not None:
        with settled_by("[classes]"):
            return dict(cover.OF_KIND[settings.classes.kind](grid, **settings.classes.values()))
    found = covers_of_runs(settings.run_folders, grid)
    if not found:
        log.info("no scores by vegetation: no run folder of soil columns; [classes] can tell the case")
    return found


def covers_of_runs(folders: Mapping[str, Path], grid: Grid) -> dict[str, BoolArray]:
    """The same of the case of the first of some runs, by name, that is of soil columns. On one rank.

    Raises
    ------
    ImgdaError
    """
    for name, directory in folders.items():
        case = _case_of(directory)
        if case is not None:
            with settled_by(f"[runs.{name}], [classes]"):
                return cover.covers_of_202x(grid, case.directory, case.case, case.land_cover_year)
    return {}


def _case_of(run: Path) -> RunOfColumns | None:
    """The case of a run of soil columns; None of other runs, or where it is gone."""
    if peek(run / SETTINGS_FILE, "model", "kind") != "columns":
        return None
    model = read_settings(run / SETTINGS_FILE, CycleRun).model
    return model if isinstance(model, RunOfColumns) and model.directory.is_dir() else None
