"""Histories of soil columns whose images tell their time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from imgda_mpi.grid import Grid
from imgda_mpi.results.history_file import FLUXES, HistoryWriter, Moment

GRID = Grid(15.0 - np.arange(6.0), 100.0 + np.arange(8.0))


def moisture(time: datetime, shift: float | np.ndarray = 0.0) -> np.ndarray:
    """Images of the three layers, the first cell missing."""
    images = 0.2 + 0.001 * time.hour + 0.02 * np.arange(3.0)[:, None, None] + 0.001 * np.arange(48.0).reshape(6, 8)
    images[:, 0, 0] = np.nan
    return images + shift


def flux(name: str, time: datetime) -> np.ndarray:
    """An image of a flux."""
    return 1e-5 * (list(FLUXES).index(name) + 1) * (1 + time.hour + np.arange(48.0).reshape(6, 8))


def write_history(
    path: Path,
    times: Sequence[datetime],
    *,
    shift: float = 0.0,
    every_shift: float | np.ndarray = 0.0,
    grid: Grid = GRID,
    points: Sequence[tuple[float, float]] = (),
) -> Path:
    """A history of some times; ``shift`` is added to all moisture of the first one, ``every_shift`` to the images."""
    path.parent.mkdir(exist_ok=True)
    with HistoryWriter(path, grid, n_columns=40, n_left_alone=3, points=points) as writer:
        for number, time in enumerate(times):
            fluxes = {name: flux(name, time) for name in FLUXES} if number else None
            added = 0.0 if number else shift
            profiles = np.full((len(points), 10), 0.1 + 0.01 * time.hour + added) if points else None
            writer.add(Moment(time, moisture(time, added) + every_shift, fluxes, profiles))
    return path
