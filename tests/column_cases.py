"""Cases for runs of soil columns: parts of the embedded case, real ones, and weather in files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from image_files import write_grid
from mpi4py import MPI

from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.quantities import QUANTITIES
from imgda_mpi.columns.weather import Weather
from imgda_mpi.grid import Grid
from imgda_mpi.results.run_folder import Run, open_run
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.columns import columns

START = datetime(2022, 6, 2, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
STAMP = "2022-153-21600"
SCALARS = "restart/const/demo_restart_const_lc2005.nc"

HEIGHT = 150.0
"""At which the weather in files is made, m."""

NORTH_AMERICA = "w090_n00"
"""A block of the embedded case with all types of patches, and with frozen soil in Greenland."""


def state(block: str = NORTH_AMERICA) -> str:
    """State of a block, in the folder of the case."""
    return f"restart/{STAMP}/demo_restart_{STAMP}_lc2005_{block}.nc"


def const(block: str = NORTH_AMERICA) -> str:
    """Constants of a block, in the folder of the case."""
    return f"restart/const/demo_restart_const_lc2005_{block}.nc"


def landpatch(block: str = NORTH_AMERICA) -> str:
    """Elements and classes of a block's patches, in the folder of the case."""
    return f"landdata/landpatch/2005/landpatch_{block}.nc"


def part_of_demo(example_case: Path, folder: Path, *blocks: str) -> Path:
    """A copy of some blocks of the embedded case that a test may damage."""

    def others(_: str, names: list[str]) -> set[str]:
        of_block = {name: re.search(r"[ew]\d{3}_[ns]\d\d(?=\.nc$)", name) for name in names}
        return {name for name, found in of_block.items() if found and found[0] not in (blocks or (NORTH_AMERICA,))}

    return Path(shutil.copytree(example_case.parent / "model/demo", folder, ignore=others))


def edit(path: Path, **changes: Callable[[np.ndarray], np.ndarray]) -> None:
    """Put other values into variables of a file."""
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_mask(False)
        for name, change in changes.items():
            file[name][...] = change(file[name][...])


def cut(case: Path, patches: slice, block: str = NORTH_AMERICA) -> Path:
    """Leave some patches of a case of one block, which have to be whole elements."""
    fractions = f"landdata/landpatch/2005/patchfrac_elm_{block}.nc"
    with netCDF4.Dataset(case / landpatch(block)) as file:
        n_patch = file["eindex"].size
    for path in (case / name for name in (state(block), const(block), landpatch(block), fractions)):
        whole = path.rename(path.with_suffix(".whole"))
        with netCDF4.Dataset(whole) as old, netCDF4.Dataset(path, "w") as new:
            old.set_auto_mask(False)
            new.setncatts({name: old.getncattr(name) for name in old.ncattrs()})
            for name, dimension in old.dimensions.items():
                n = len(range(n_patch)[patches]) if dimension.size == n_patch else dimension.size
                new.createDimension(name, n)
            for name, variable in old.variables.items():
                of_patches = bool(variable.dimensions) and variable.shape[0] == n_patch
                values = variable[patches] if of_patches else variable[...]
                new.createVariable(name, variable.dtype, variable.dimensions)[...] = values
        whole.unlink()
    return case


def settings_of(
    directory: Path, output: Path, *, case: str = "demo", start: datetime = START, hours: int = 6, more: str = ""
) -> Path:
    """A settings file beside its output; ``more`` may hold keys of [run], and sections after them."""
    path = output.with_suffix(".toml")
    path.write_text(
        f'[model]\nkind = "colm202x"\ndirectory = "{directory}"\ncase = "{case}"\ntime = {start:%Y-%m-%dT%H:%M:%SZ}\n'
        f'[output]\ndirectory = "{output.name}"\n[run]\nend = {start + hours * HOUR:%Y-%m-%dT%H:%M:%SZ}\n{more}'
    )
    return path


def run(settings: Path, comm: MPI.Intracomm = MPI.COMM_SELF) -> Run:
    """The run that some settings ask for, which has to succeed. Collective."""
    read = read_settings(settings, ColumnsRun)
    columns(read, comm)
    return open_run(read.output.directory)


def write_weather(
    path: Path,
    grid: Grid,
    start: datetime,
    hours: Iterable[int],
    *,
    seed: int = 0,
    dtype: str = "f8",
    units: dict[str, str] | None = None,
    **values: Any,
) -> Path:
    """A CF file with the hours' generated weather of a seed in every cell; ``values`` by quantity replace it."""
    hours = list(hours)
    row, column = np.divmod(np.arange(grid.shape[0] * grid.shape[1]), grid.shape[1])
    source = GeneratedWeather(grid.latitude[row], grid.longitude[column], np.full(row.size, HEIGHT), seed)
    records = [source.hour(start + hour * HOUR)._asdict() for hour in hours]
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, grid)
        file.createDimension("time", len(hours))
        file.createVariable("time", "f8", ("time",))[:] = hours
        file["time"].setncatts({"units": f"hours since {start:%Y-%m-%d %H:%M:%S}", "standard_name": "time"})
        for name, quantity in zip(Weather._fields, QUANTITIES, strict=True):
            variable = file.createVariable(name, dtype, ("time", "lat", "lon"))
            variable.setncatts({"units": (units or {}).get(name, quantity.unit)})
            variable.standard_name = quantity.standard_names[0]
            made = np.stack([record[name].reshape(grid.shape) for record in records])
            variable[:] = np.broadcast_to(values.get(name, made), made.shape)
    return path


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays hold the same bits, NaN included."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
