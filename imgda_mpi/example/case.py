"""The whole example: a restart of CoLM202X, an observed image, the withheld truth, and the settings file.

Or the restart alone, on a grid of another size and at another time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from netCDF4 import Dataset

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_layers import overlap_weights, volumetric_water
from imgda_mpi.disk import check_free
from imgda_mpi.example.climate import Climate, make_climate
from imgda_mpi.example.const import write_const
from imgda_mpi.example.fields import make_soil_map, model_moisture, true_moisture
from imgda_mpi.example.files import CASE, TIME
from imgda_mpi.example.landdata import write_landdata
from imgda_mpi.example.observation import FILE_PATTERN, observed, write_observation
from imgda_mpi.example.soil import Soil
from imgda_mpi.example.state import soil_water, write_state
from imgda_mpi.example.tiles import Tiles, make_tiles
from imgda_mpi.faults import ConfigError, writing
from imgda_mpi.grid import Grid, global_grid

SEED = 20220602

ROWS = 128
"""Of the example's grid, the paper's, 1.40625 degrees."""
ROOM = 40_000_000  # bytes

FEWEST_ROWS, MOST_ROWS = 32, 256

SETTINGS = f"""\
# The embedded example: correct the model's soil moisture with an observed image.
# Paths are relative to this file. Every other setting has a default.

method = {{kind = "innovation/full", coherent_share = 0.0}}  # or "paper", the scheme of Bai et al. (2026)

[model]                         # the restart to correct
kind = "colm202x"
directory = "model/{CASE}"
case = "{CASE}"
time = {TIME:%Y-%m-%dT%H:%M:%SZ}

[observation]                   # the image to correct it with
kind = "gldas"
file = "observation/{FILE_PATTERN}"

[output]                        # corrected restart and diagnostics: a new folder
directory = "analysis"

[errors]
observation = 0.02              # m3 m-3: what this instrument has; it is white, so that no share is of coherent errors
"""

COMPARISON = f"""\
# Methods compared on noisy images of the embedded case's truth: run after its analysis, which saved the background.

methods = [
    "none", "pointwise", "pointwise_fitted", "large_scale", "paper", "innovation/diagonal", "innovation/full",
    {{kind = "innovation", solver = "full", coherent_share = 0.0}},  # the noise added here is white, all of it
]
time = {TIME:%Y-%m-%dT%H:%M:%SZ}
noise = 0.10                    # m3 m-3
seeds = 5

[background]
kind = "cf"
file = "analysis/diagnostics.nc"
variable = "background"

[truth]
kind = "cf"
file = "truth.nc"
variable = "soil_moisture"
max_time_offset = inf           # the file has no time

[coverage]
kind = "swaths"                 # remove this section to see all land

[output]
directory = "comparison"
"""


def write_example(directory: Path) -> Path:
    """Write the example case: about 30 MB in a few seconds, the same bytes every time.

    The directory, new or empty, gets ``model/``, ``observation/``, ``truth.nc``, ``compare.toml``, and ``case.toml``,
    whose path is returned.

    Raises
    ------
    OutputError
        Where the directory holds something or cannot be made.
    """
    check_free(directory, ROOM)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    world = _make_world(rng, global_grid((ROWS, 2 * ROWS)), TIME)
    world.write(directory / "model" / CASE)

    grid, tiles = world.tiles.grid, world.tiles
    patches = PatchMap(grid, tiles.cell, tiles.fraction, tiles.patch_type)
    true_water = volumetric_water(*soil_water(tiles, world.soil, world.climate.soil, world.truth))
    surface, below = (
        patches.to_image(true_water @ overlap_weights(top, bottom)) for top, bottom in ((0.0, 0.1), (0.1, 0.4))
    )
    write_observation(directory / "observation", TIME, observed(rng, surface, grid), observed(rng, below, grid))
    _write_truth(directory / "truth.nc", surface, grid)
    settings = directory / "case.toml"
    settings.write_text(SETTINGS)
    (directory / "compare.toml").write_text(COMPARISON)
    return settings


def write_case(directory: Path, rows: int, time: datetime) -> Path:
    """Write the model's case alone, on a grid of another size and with a restart of another time.

    Land, soils and moisture are made as those of the example, from the same seed; another grid has other draws. The sun
    and the daily wave of temperature are those of the time, the season is always that of the example. The same
    arguments give the same bytes. Not collective.

    Parameters
    ----------
    directory : need not be there yet
    rows : of the grid, which has twice as many columns: an even number, 32 to 256
    time : of the restart, aware; a whole hour

    Returns
    -------
    Path
        The folder of the case, named `CASE`, which is new. Of a job that is killed meanwhile it holds a part.

    Raises
    ------
    ConfigError
        Where the rows or the time are others.
    OutputError
        Where the folder of the case holds something or cannot be made.
    """
    if rows % 2 or not FEWEST_ROWS <= rows <= MOST_ROWS:
        expected = f"an even number, {FEWEST_ROWS} to {MOST_ROWS}"
        raise ConfigError(f"rows = {rows}: expected {expected}; take 64 (2.8 degrees) or 128 (1.4 degrees)")
    if time.utcoffset() is None or time.minute or time.second or time.microsecond:
        raise ConfigError(f"time = {time.isoformat()}: expected a whole hour with a time zone; give one, as {TIME}")
    case = directory / CASE
    check_free(case, ROOM * rows**2 // ROWS**2)
    with writing(case):
        case.mkdir(parents=True, exist_ok=True)
    _make_world(np.random.default_rng(SEED), global_grid((rows, 2 * rows)), time.astimezone(UTC)).write(case)
    return case


@dataclass(frozen=True)
class _World:
    """What a case is written from; the soil's true and modelled moisture are (n_patch, 10) m3 m-3."""

    tiles: Tiles
    soil: Soil
    climate: Climate
    truth: FloatArray
    background: FloatArray

    def write(self, case: Path) -> None:
        """Write the folder of the case, with the modelled moisture."""
        write_landdata(case, self.tiles)
        write_const(case, self.tiles, self.soil, self.climate)
        write_state(case, self.tiles, self.soil, self.climate, self.background)


def _make_world(rng: np.random.Generator, grid: Grid, time: datetime) -> _World:
    tiles = make_tiles(rng, grid)
    soil = make_soil_map(rng, tiles)
    truth = true_moisture(rng, tiles, soil)
    return _World(tiles, soil, make_climate(tiles, time), truth, model_moisture(rng, truth, tiles, soil))


def _write_truth(path: Path, surface: FloatArray, grid: Grid) -> None:
    """The true image as CF NetCDF, NaN where there is no soil."""
    with Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts({"Conventions": "CF-1.8", "title": "True soil moisture of the embedded example of imgda_mpi"})
        for name, standard_name, units, values in (
            ("lat", "latitude", "degrees_north", grid.latitude),
            ("lon", "longitude", "degrees_east", grid.longitude),
        ):
            file.createDimension(name, values.size)
            coordinate = file.createVariable(name, "f8", (name,))
            coordinate.setncatts({"units": units, "standard_name": standard_name})
            coordinate[:] = values
        moisture = file.createVariable("soil_moisture", "f8", ("lat", "lon"), zlib=True, fill_value=np.nan)
        moisture.units = "m3 m-3"
        moisture.long_name = "mean volumetric water content of 0-10 cm over the soil patches of the cell"
        moisture[:] = surface
