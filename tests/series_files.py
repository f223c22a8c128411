"""Files of CoLM's own output whose images tell their time, as the models write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.colm.soil_layers import N_SOIL
from imgda_mpi.grid import Grid

GRID = Grid(15.0 - np.arange(6.0), 100.0 + np.arange(8.0))
THREE = ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0))
MISSING = -1e36
ORIGIN = datetime(1900, 1, 1, tzinfo=UTC)


def profile(time: datetime, grid: Grid = GRID) -> np.ndarray:
    """Water of the soil layers, (10, ny, nx); the first cell has none."""
    ny, nx = grid.shape
    cells = 0.001 * np.arange(ny * nx).reshape(ny, nx)
    values = 0.2 + 0.001 * (time.hour + time.minute / 60) + 0.01 * np.arange(N_SOIL)[:, None, None] + cells
    values[:, 0, 0] = np.nan
    return values


def rain(time: datetime, grid: Grid = GRID) -> np.ndarray:
    """An image of rain, (ny, nx) mm s-1, everywhere."""
    return 1e-5 * (1 + time.hour + np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape))


def write_history202x(
    path: Path, times: Sequence[datetime], *, grid: Grid = GRID, units: str = "m3/m3", without: Sequence[str] = ()
) -> Path:
    """A history file of CoLM202X with records of some times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"time": None, "soil": N_SOIL, "lat": grid.shape[0], "lon": grid.shape[1]}
    with netCDF4.Dataset(path, "w") as file:
        for name, size in sizes.items():
            file.createDimension(name, size)
        for name, values, direction in (("lat", grid.latitude, "north"), ("lon", grid.longitude, "east")):
            file.createVariable(name, "f4", (name,))[:] = values
            file[name].setncatts({"long_name": name, "units": f"degrees_{direction}"})
        time = file.createVariable("time", "i4", ("time",))
        time.setncatts({"long_name": "time", "units": "minutes since 1900-1-1 0:0:0"})
        time[:] = [round((one - ORIGIN) / timedelta(minutes=1)) for one in times]
        for name, dimensions, of, unit in (
            ("f_h2osoi", ("time", "soil", "lat", "lon"), profile, units),
            ("f_xy_rain", ("time", "lat", "lon"), rain, "mm/s"),
        ):
            if name not in without:
                values = np.stack([of(one, grid) for one in times])
                variable = file.createVariable(name, "f8", dimensions)
                variable.setncatts({"units": unit, "missing_value": MISSING})
                variable[:] = np.where(np.isfinite(values), values, MISSING)
    return path


def hours(day: datetime, first: int = 0, last: int = 24) -> list[datetime]:
    """Middles of the hours of a day."""
    return [day + timedelta(hours=hour + 0.5) for hour in range(first, last)]


def write_fluxes2014(path: Path, time: datetime, *, grid: Grid = GRID, n_records: int = 99) -> Path:
    """A flux file of CoLM2014 whose images are those of ``time``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ny, nx = grid.shape
    water = profile(time, grid)
    values = {
        1: grid.longitude,
        2: grid.latitude,
        3: np.ones(ny * nx, "<i4"),
        51: rain(time, grid),
        56: np.moveaxis(np.where(np.isfinite(water), water, MISSING), 0, -1),
    }
    sizes = {45: 4, 53: 15, 54: 15, 55: 15, 61: 10, 62: 10}
    with path.open("wb") as file:
        for number in range(1, n_records + 1):
            of_number = values.get(number, np.full(ny * nx * sizes.get(number, 1), MISSING))
            body = np.ascontiguousarray(of_number).tobytes()
            marker = np.int32(len(body)).tobytes()
            file.write(marker + body + marker)
    return path
