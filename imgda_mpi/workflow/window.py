"""A window of soil columns in the folder of its cycle: run to its end, with a history, and the restart there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.columns.model import HOUR, ColumnModel
from imgda_mpi.disk import link
from imgda_mpi.faults import OutputError, settled_by, writing
from imgda_mpi.parallel.failure import on_rank_0, same_fate
from imgda_mpi.results.history_file import HistoryWriter, Moment
from imgda_mpi.results.run_folder import HISTORY_FILE
from imgda_mpi.results.run_records import RESTART

BETWEEN_MOMENTS = 3
"""Hours between the moments of a history."""


def run_window(
    model: ColumnModel,
    end: datetime,
    hours: Iterator[object],
    points: Sequence[tuple[float, float]],
    cells: Sequence[int],
    folder: Path,
    comm: MPI.Intracomm,
) -> list[Path]:
    """Run columns to the end of a window; its history and restart go into the folder of its cycle. Collective.

    Gives the files of the restart, on every rank.

    Parameters
    ----------
    end : of the window, whole hours after the time of the model
    hours : gives something for every hour, as `imgda_mpi.console.progress` does
    points, cells : latitude and longitude of points with profiles, degrees, and flat indices of their cells

    Raises
    ------
    InputError
        Where the weather cannot be read.
    OutputError
        Where the history or the restart cannot be written.
    ArithmeticError
        On the ranks whose columns have no solution alone: a fault of the program.
    """
    own, start = model.own, model.time
    history: HistoryWriter | None = None

    def opened() -> HistoryWriter:
        path = folder / HISTORY_FILE
        with writing(path):
            path.parent.mkdir()
        grid = own.patches.grid
        numbers = {"n_columns": own.n_columns, "n_left_alone": own.n_frozen}
        return HistoryWriter(path, grid, **numbers, restart=own.restart.name, points=points)

    def keep() -> None:
        moment = moment_of(model, cells, with_fluxes=model.time > start)
        with same_fate(comm):
            if history is not None and moment is not None:
                history.add(moment)

    history = on_rank_0(comm, opened)
    try:
        keep()
        while model.time < end:
            with settled_by("[weather]"):
                model.hour()
            next(hours)
            if model.time == end or not (model.time - start) % (BETWEEN_MOMENTS * HOUR):
                keep()
    except BaseException:
        if history is not None:  # not together: where a rank has failed alone, the others never come here
            with suppress(OutputError):
                history.close()
        raise
    with same_fate(comm):
        if history is not None:
            history.close()
    return own.write(folder / RESTART, end)


def lay_out(folder: Path, directory: Path, began_with: Path | None = None) -> None:
    """Make the folder of a cycle a case of its own, by links to the constants and landdata of a case. Not collective.

    Parameters
    ----------
    directory : of the case
    began_with : folder of a set to link to under its own name, beside the restarts to come

    Raises
    ------
    OutputError
    """
    with writing(folder):
        (folder / RESTART).mkdir()
    cycles = folder.parent
    link(folder / RESTART / "const", directory / RESTART / "const", cycles)
    link(folder / "landdata", directory / "landdata", cycles)
    if began_with is not None:
        link(folder / RESTART / began_with.name, began_with, cycles)


def moment_of(model: ColumnModel, cells: Sequence[int], *, with_fluxes: bool) -> Moment | None:
    """The columns as the history has them, on rank 0. Collective."""
    own = model.own
    moisture = own.images(model.moisture())
    fluxes = None
    if with_fluxes:
        of_patches = model.mean_fluxes()
        images = own.images(np.stack(list(of_patches.values()), axis=1))
        fluxes = None if images is None else dict(zip(of_patches, images, strict=True))
    numbers = sorted(set(cells))
    profiles = own.at_cells(model.profiles(), numbers) if cells else None
    if moisture is None:
        return None
    at_points = None if profiles is None else profiles[np.searchsorted(numbers, cells)]
    return Moment(model.time, moisture, fluxes, at_points)
