"""The small cases of other verbs than `analyse` that tools/fuzz.py starts from.

`verified` scores runs of both versions of the model and one of soil columns, which has an analysis, against images and
stations of both kinds, with rain of files; `estimated` has three products; `columns` runs soil columns from a restart
with weather of files; `reported` has results that a page is made of.
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
    """Two days of runs on 6 x 8 cells, and what they are scored against."""
    make_run(case / "control")
    analysed = case / "control" / "cycles" / f"{TIMES[2]:%Y%m%dT%H}" / "analysis"
    rng = np.random.default_rng(3)
    for restarts in ("background", "restart", "analysis/restart"):  # which no score reads
        for folder in (case / "control" / "cycles").glob(f"*/{restarts}"):
            shutil.rmtree(folder)
    innovation = 0.05 * rng.standard_normal(GRID.shape)
    write_diagnostics(analysed / "diagnostics.nc", TIMES[2], innovation, 0.6 * innovation, pointwise(), grid=GRID)
    background = moisture(TIMES[2])[0]
    with netCDF4.Dataset(analysed / "diagnostics.nc", "r+") as file:
        for variable, part in (("background", 0.0), ("analysis", 0.6), ("observation", 1.0)):
            image = background + part * innovation
            file.createVariable(variable, "f8", ("lat", "lon"), fill_value=np.nan)[:] = image
            file[variable].units = "m3 m-3"
        file.setncatts({"title": "made", "method": "pointwise", "observation_source": "made"})
    write_history202x(case / "new_hist_2022-06.nc", TIMES)
    for time in TIMES:
        end = time + timedelta(hours=1.5)  # of three hours whose mean a file has
        write_fluxes2014(case / f"site_2D_Fluxes_{end:%Y-%j}-{3600 * end.hour + 60 * end.minute:05d}", time)
    for name, variable, of, units in (
        ("product.nc", "soil_moisture", lambda time: profile(time)[0], "m3 m-3"),
        ("rain.nc", "pr", rain, "kg m-2 s-1"),
    ):
        with netCDF4.Dataset(case / name, "w") as file:
            _coordinates(file)
            images = np.stack([of(time) for time in TIMES])
            written = file.createVariable(variable, "f8", ("time", "lat", "lon"), fill_value=-9999.0)
            written.setncatts(
                {
                    "units": units,
                    "long_name": f"{variable} 0-10 cm".replace("pr ", "rain "),
                    "cell_methods": "time: point",
                }
            )
            written[:] = np.nan_to_num(images * (1 + 0.1 * rng.standard_normal(images.shape)), nan=-9999.0)
    lines = ["network,station,time,depth,value,latitude,longitude"]
    members = {}
    for number, (latitude, longitude) in enumerate(SITES):
        values = [0.22 + 0.02 * np.sin(time.hour) + 0.01 * rng.standard_normal() for time in TIMES]
        lines += [
            f"N,S{number},{time:%Y-%m-%dT%H:%M},0.05,{value:.4f},{latitude},{longitude}"
            for time, value in zip(TIMES, values, strict=True)
        ]
        name = f"NET_NET_S{number}_sm_0.050000_0.050000_Probe-A_20220602_20220603.stm"
        header = f"NET NET S{number} {latitude:.5f} {longitude:.5f} 120.0 0.0500 0.0500 Probe A"
        rows = [f"{time:%Y/%m/%d %H:%M} {value:.3f} G M" for time, value in zip(TIMES, values, strict=True)]
        members[f"NET/S{number}/{name}"] = "\n".join([header, *rows])
    (case / "stations.csv").write_text("\n".join([*lines, ""]))
    with zipfile.ZipFile(case / "stations.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2022, 6, 4, 0, 0, 0)), text)


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


def _coordinates(file: netCDF4.Dataset) -> None:
    for name, values, units in (
        ("lat", GRID.latitude, "degrees_north"),
        ("lon", GRID.longitude, "degrees_east"),
        (
            "time",
            np.array([time.hour + 24.0 * (time.day - START.day) for time in TIMES]),
            f"hours since {START:%Y-%m-%d %H:%M}",
        ),
    ):
        file.createDimension(name, values.size)
        file.createVariable(name, "f8", (name,))[:] = values
        file[name].units = units
    file["time"].standard_name = "time"
