"""The images of a run in the order of time, read from the histories of its cycles one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.observations.image import Layer
from imgda_mpi.parallel.ownership import share
from imgda_mpi.results.history_file import History, open_history
from imgda_mpi.results.run_folder import HISTORY_FILE, MEND_CYCLE, Cycle, Run
from imgda_mpi.verify.score_series import Side

HOUR = timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class Instant:
    """A moment of a run, and where its images are: the history is open until the next one is asked for."""

    time: datetime
    side: Side
    history: History
    index: int


def instants(run: Run, since: datetime | None = None, until: datetime | None = None) -> Iterator[Instant]:
    """Moments of the complete cycles of a run, from ``since`` on and before ``until``, or all. Not collective.

    The end of a window and the start of the next one are before and after the analysis at that time; without an
    analysis they are the same state, which is given once. Only histories that reach into the range are opened.

    Raises
    ------
    InputError
        Where there is no cycle, one has no history, a damaged one, or one of other times, or grids differ.
    """
    cycles = run.cycles()
    if not cycles:
        raise fault(run.directory, found="no complete cycle", expected="one at least", do="run it first")
    analysed = {cycle.record.time for cycle in cycles if cycle.record.analysis is not None}
    grid: Grid | None = None
    last: datetime | None = None
    for cycle in cycles:
        if (since and cycle.record.end < since) or (until and cycle.record.time >= until):
            continue
        with _history(cycle) as history:
            grid = grid or history.grid
            _check(cycle, history, grid, last)
            for index, time in enumerate(history.times):
                begins = time == cycle.record.time
                if begins and time == last and time not in analysed:
                    continue
                last = time
                if (since and time < since) or (until and time >= until):
                    continue
                side: Side = "" if time not in analysed else "after" if begins else "before"
                yield Instant(time, side, history, index)


def time_share(run: Run, rank: int, size: int) -> tuple[datetime, datetime | None]:
    """From when on, and before when, one of so many ranks looks at a run: whole hours; the last one up to the end.

    A stretch of time, so that few ranks open the same histories.
    """
    start, end = run.description.start, run.description.end
    offsets = share(int((end - start) / HOUR), size)
    since, until = (start + int(offset) * HOUR for offset in offsets[rank : rank + 2])
    return since, None if rank == size - 1 else until


def images(run: Run, layer: Layer) -> Iterator[tuple[datetime, Side, FloatArray]]:
    """Time, side of the analysis, and image of a layer, (ny, nx) m3 m-3, of all `instants`; one is in memory at a time.

    Raises
    ------
    InputError
        As of `instants`, and where a history has no such layer.
    """
    for instant in instants(run):
        yield instant.time, instant.side, instant.history.image(layer, instant.index)


def fluxes(run: Run, *names: str) -> Iterator[tuple[datetime, datetime, *tuple[FloatArray, ...]]]:
    """Start and end of a time, and means over it of fluxes, (ny, nx) kg m-2 s-1: between all moments of a history.

    Raises
    ------
    InputError
        As of `instants`, and where a history has no such flux.
    """
    for instant in instants(run):
        if instant.index > 0:
            images = (instant.history.image(name, instant.index) for name in names)
            yield instant.history.times[instant.index - 1], instant.time, *images


def _history(cycle: Cycle) -> AbstractContextManager[History]:
    if not cycle.history.is_file():
        do = "put it back; of a run of CoLM, whose histories are files of its own, give these"
        raise fault(cycle.directory, found="no history", expected=HISTORY_FILE, do=do)
    return open_history(cycle.history)


def _check(cycle: Cycle, history: History, grid: Grid, last: datetime | None) -> None:
    """Refuse a history of another grid than the first one's, or with times outside its window or the run's order."""
    path, record = cycle.history, cycle.record
    if not history.grid.has_cells_of(grid):
        found, expected = (f"{of.shape[0]} x {of.shape[1]} cells" for of in (history.grid, grid))
        expected = f"the grid of the cycles before, {expected}, with the same centres"
        raise fault(path, "lat, lon", found=found, expected=expected, do="give a run whose cycles are of one grid")
    earliest = record.time if last is None else max(record.time, last)
    if history.times[0] < earliest or history.times[-1] > record.end:
        found, expected = (
            f"times from {start:{DATE_TEXT}} to {end:{DATE_TEXT}}"
            for start, end in ((history.times[0], history.times[-1]), (earliest, record.end))
        )
        raise fault(path, "time", found=found, expected=f"{expected} at most", do=MEND_CYCLE)
