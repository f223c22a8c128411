"""Runs made up for reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from made_series import LAYERS, START, MadeSeries, made
from pictures import mesh_of

from imgda_mpi.grid import Grid
from imgda_mpi.report.material import Beside, Material, Ran, Wanted
from imgda_mpi.verify.status import INDEPENDENT

GLOBE = Grid(np.linspace(85.0, -85.0, 18), np.arange(0.0, 360.0, 10.0))
REGION = Grid(np.arange(20.5, 40.0), np.arange(100.5, 125.0))
HOUR = timedelta(hours=1)
LAST = START + 24 * HOUR


def image(grid: Grid, seed: int, shift: float = 0.0) -> np.ndarray:
    """Images of three layers, (3, ny, nx), with a sea."""
    values = 0.25 + 0.05 * np.random.default_rng(seed).standard_normal((3, *grid.shape)) + shift
    values[:, :, 3:6] = np.nan
    return np.asarray(values)


def series(grid: Grid, shift: float, *, analysed: bool, n_days: int = 3) -> MadeSeries:
    """Every six hours; with analyses up to `LAST`, after which it is nearer to the truth by 0.01."""
    frames = {}
    for number in range(4 * n_days + 1):
        time = START + 6 * number * HOUR
        own = image(grid, number, shift)
        if analysed and time <= LAST:
            frames[time, "before"] = own
            frames[time, "after"] = own - 0.01
        else:
            frames[time, ""] = own
    return made(frames, grid)


def run(name: str, of_run: MadeSeries) -> Ran:
    """A run with that history; it has analyses where the history has."""
    times = sorted({time for time, side in of_run.frames if side == "after"})
    return Ran(
        name=name,
        directory=Path(name),
        times=times,
        analyses=[Path(name) / f"{time:%Y%m%dT%H}" for time in times],
        opened=lambda: of_run,
    )


def material(grid: Grid, *, n_runs: int = 1, has_reference: bool = True, wanted: Wanted | None = None) -> Material:
    """A control, which is wetter by 0.05, and runs that are so by 0.02, 0.03 and so on before their analyses."""
    shifts = {f"run{number}": 0.02 + 0.01 * number for number in range(n_runs)}
    runs = [run("control", series(grid, 0.05, analysed=False))]
    runs += [run(name, series(grid, shift, analysed=True)) for name, shift in shifts.items()]
    truth = series(grid, 0.0, analysed=False)
    beside = Beside(name="truth", status=dict.fromkeys(LAYERS, INDEPENDENT), opened=lambda: truth)
    return Material(
        title="made",
        folders=[],
        wanted=wanted or Wanted(),
        runs=runs,
        beside=[beside] if has_reference else [],
    )


def times_of(column: list[str]) -> list[datetime]:
    """Times of a CSV."""
    return [datetime.fromisoformat(text) for text in column]


def drawn(axes: Any, grid: Grid) -> np.ndarray:
    """The image of a map, (ny, nx) of a grid, which on the globe is drawn from 180 W on."""
    shown = np.ma.filled(mesh_of(axes).get_array().astype(float), np.nan)
    if not grid.is_periodic:
        return np.asarray(shown)
    order = np.argsort((grid.longitude + 180.0) % 360.0 - 180.0)
    back = np.empty_like(shown)
    back[:, order] = shown
    return np.asarray(back)
