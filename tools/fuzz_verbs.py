"""The small cases of other verbs than `analyse` that tools/fuzz.py starts from.

`verified` scores runs of both versions of the model and one of soil columns, which has an analysis, against images and
stations of both kinds, with rain of files; `estimated` has three products; `columns` runs soil columns from a restart
with weather of files.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import netCDF4
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from column_cases import write_weather  # noqa: E402
from full_solver_problems import red_field  # noqa: E402
from histories import moisture  # noqa: E402
from image_files import write_grid  # noqa: E402
from innovations_made import pointwise, write_diagnostics  # noqa: E402
from runs import START, make_run  # noqa: E402
from series_files import GRID, profile, rain, write_fluxes2014, write_history202x  # noqa: E402

from imgda_mpi.grid import Grid, global_grid  # noqa: E402

TIMES = [START + timedelta(hours=hour) for hour in range(0, 25, 3)]
"""Of the runs."""

SITES = ((12.2, 101.7), (13.6, 105.1))
"""Latitude and longitude of stations."""


def write_verified(case: Path) -> None:
    """A day of runs on 6 x 8 cells, and what they are scored against."""
    rng = np.random.default_rng(3)
    _write_run(rng, case / "control")
    write_history202x(case / "new_hist_2022-06.nc", TIMES)
    for time in TIMES:
        end = time + timedelta(hours=1.5)  # of three hours whose mean a file has
        write_fluxes2014(case / f"site_2D_Fluxes_{end:%Y-%j}-{3600 * end.hour + 60 * end.minute:05d}", time)
    moist = np.stack([profile(time)[0] for time in TIMES])
    attributes = {"long_name": "soil moisture 0-10 cm", "units": "m3 m-3", "cell_methods": "time: point"}
    _write_images(case / "product.nc", "soil_moisture", moist + 0.02 * rng.standard_normal(moist.shape), attributes)
    _write_images(case / "rain.nc", "pr", np.stack([rain(time) for time in TIMES]), {"units": "kg m-2 s-1"})
    _write_stations(rng, case)


def _write_run(rng: np.random.Generator, folder: Path) -> None:
    """A run of soil columns with one analysis."""
    make_run(folder)
    for restarts in ("background", "restart", "analysis/restart"):  # which no score reads
        for found in (folder / "cycles").glob(f"*/{restarts}"):
            shutil.rmtree(found)
    diagnostics = folder / "cycles" / f"{TIMES[2]:%Y%m%dT%H}" / "analysis" / "diagnostics.nc"
    innovation = 0.05 * rng.standard_normal(GRID.shape)
    write_diagnostics(diagnostics, TIMES[2], innovation, 0.6 * innovation, pointwise(), grid=GRID)
    with netCDF4.Dataset(diagnostics, "r+") as file:
        for variable, part in (("background", 0.0), ("analysis", 0.6), ("observation", 1.0)):
            image = file.createVariable(variable, "f8", ("lat", "lon"), fill_value=np.nan)
            image.units = "m3 m-3"
            image[:] = moisture(TIMES[2])[0] + part * innovation
        file.setncatts({"title": "made", "method": "pointwise", "observation_source": "made"})


def _write_images(path: Path, name: str, images: np.ndarray, attributes: dict[str, str]) -> None:
    """Images of the times."""
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, GRID)
        file.createDimension("time", len(TIMES))
        time = file.createVariable("time", "f8", ("time",))
        time.setncatts({"units": f"hours since {START:%Y-%m-%d %H:%M}", "standard_name": "time"})
        time[:] = [(one - START) / timedelta(hours=1) for one in TIMES]
        variable = file.createVariable(name, "f8", ("time", "lat", "lon"), fill_value=-9999.0)
        variable.setncatts(attributes)
        variable[:] = np.nan_to_num(images, nan=-9999.0)


def _write_stations(rng: np.random.Generator, case: Path) -> None:
    """The same stations as a table and as an archive of ISMN."""
    lines = ["network,station,time,depth,value,latitude,longitude"]
    with zipfile.ZipFile(case / "stations.zip", "w") as archive:
        for number, (latitude, longitude) in enumerate(SITES):
            values = [0.22 + 0.02 * np.sin(time.hour) + 0.01 * rng.standard_normal() for time in TIMES]
            rows = [f"NET NET S{number} {latitude:.5f} {longitude:.5f} 120.0 0.0500 0.0500 Probe A"]
            for time, value in zip(TIMES, values, strict=True):
                lines.append(f"N,S{number},{time:%Y-%m-%dT%H:%M},0.05,{value:.4f},{latitude},{longitude}")
                rows.append(f"{time:%Y/%m/%d %H:%M} {value:.3f} G M")
            name = f"NET/S{number}/NET_NET_S{number}_sm_0.050000_0.050000_Probe-A_20220602_20220603.stm"
            archive.writestr(zipfile.ZipInfo(name, (2022, 6, 4, 0, 0, 0)), "\n".join(rows))
    (case / "stations.csv").write_text("\n".join([*lines, ""]))


def write_estimated(case: Path) -> None:
    """Three images of one truth."""
    rng, grid = np.random.default_rng(5), global_grid((64, 128))
    truth = 0.25 + 0.08 * red_field(rng, grid.shape)
    for name in ("one", "two", "three"):
        with netCDF4.Dataset(case / f"{name}.nc", "w") as file:
            write_grid(file, grid)
            file.createDimension("time", 1)
            file.createVariable("time", "f8", ("time",))[:] = 6.0
            file["time"].units = f"hours since {START:%Y-%m-%d %H:%M}"
            image = file.createVariable("soil_moisture", "f4", ("time", "lat", "lon"))
            image.setncatts({"units": "m3 m-3", "long_name": "soil moisture 0-10 cm"})
            image[0] = truth + 0.03 * red_field(rng, grid.shape) + 0.01 * rng.standard_normal(grid.shape)


def write_columns(case: Path, grid: Grid) -> None:
    """Weather of the hours of a run, beside a case of CoLM202X in ``model``."""
    write_weather(case / "weather.nc", grid, START + timedelta(hours=6), range(3), dtype="f4")
