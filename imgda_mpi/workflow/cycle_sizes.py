"""What the cycles of a run need on the disk, by the files that they start from and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from imgda_mpi.colm.history202x import VALUES_OF_A_CELL as VALUES_202X
from imgda_mpi.colm.run2014 import VALUES_OF_A_CELL as VALUES_2014
from imgda_mpi.cycling.pace import HOUR, LATEST
from imgda_mpi.cycling.rehearsal import read_rehearsal
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.cycling.thinning import NEVER, is_kept
from imgda_mpi.faults import reading
from imgda_mpi.model.restart import Restart
from imgda_mpi.planning.cycles import Amount, CycleStep, Needs, Sizes, needs_of
from imgda_mpi.results.history_file import FLUXES
from imgda_mpi.results.run_folder import Cycle
from imgda_mpi.settings.cycle import CycleRun, RunOfColm202x, RunOfColm2014
from imgda_mpi.workflow.prepare import room
from imgda_mpi.workflow.window import BETWEEN_MOMENTS

RESULT = 7
"""Diagnostics, manifest, folders, settings, log, and the mark of CoLM2014."""

REST = 16
"""Record, namelist, logs, folders, and links to what does not change."""

REST_BYTES = 500_000
"""Of logs, mostly."""


def needs_of_run(
    settings: CycleRun, windows: Sequence[Window], restart: Restart, n_files: int, done: Sequence[Cycle]
) -> tuple[Needs, str]:
    """What some windows of a run need, and what is known of their histories, in words. On rank 0.

    Parameters
    ----------
    restart : of the start, of so many files
    done : complete cycles of the run

    Raises
    ------
    InputError
        Where the history of a complete cycle cannot be read.
    """
    model, times = settings.model, settings.cycle
    history, said = _history(settings, restart, done)
    sizes = Sizes(
        restart=Amount(n_files + 1, restart.room()),
        result=Amount(RESULT, room(restart) - restart.room()),
        history=history,
        rest=Amount(REST, REST_BYTES),
        spare=HOUR / model.restart_every if isinstance(model, RunOfColm2014) else 0.0,
    )
    steps = [
        CycleStep(
            window.length / HOUR,
            window.is_analysed,
            *(is_kept(time, times.start, times.keep_every) for time in (window.start, window.end)),
        )
        for window in windows
    ]
    return needs_of(steps, sizes, NEVER), said


def _history(settings: CycleRun, restart: Restart, done: Sequence[Cycle]) -> tuple[Amount, str]:
    """Of an hour of the model: as it was, in the run or in a rehearsal, or else what it is at most."""
    newest = done[-LATEST:]
    if newest:
        with reading(newest[-1].directory):
            files = [path.stat().st_size for cycle in newest for path in _files(cycle.directory / "history")]
        hours = sum((cycle.record.end - cycle.record.time for cycle in newest), timedelta()) / HOUR
        return Amount(len(files), sum(files)) * (1 / hours), f"as in the last {len(newest)} cycles"
    rehearsed = read_rehearsal(settings.output.directory)
    if rehearsed is not None:
        return Amount(rehearsed.history_files, rehearsed.history_bytes), "as in the rehearsal"
    n_cells = restart.patches.grid.cell_area.size
    if isinstance(settings.model, RunOfColm2014):
        return Amount(1 / 3, 8 * VALUES_2014 * n_cells / 3), "a guess: all of it, every 3 h; a rehearsal tells"
    if isinstance(settings.model, RunOfColm202x) and restart.all_patches is not None:
        n_land = np.unique(restart.all_patches.cell).size
        return Amount(1 / 6, 8 * VALUES_202X * n_land), "a guess: all that the model can write; a rehearsal tells"
    return Amount(1 / 6, 4 * (3 + len(FLUXES)) * n_cells / BETWEEN_MOMENTS), "as soil columns write it"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
