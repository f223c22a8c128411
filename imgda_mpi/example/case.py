"""The whole example: a restart of CoLM202X, an observed image, the withheld truth, and the settings file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from netCDF4 import Dataset

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_layers import overlap_weights, volumetric_water
from imgda_mpi.disk import check_free
from imgda_mpi.example.climate import make_climate
from imgda_mpi.example.const import write_const
from imgda_mpi.example.fields import make_soil_map, model_moisture, true_moisture
from imgda_mpi.example.files import CASE, TIME
from imgda_mpi.example.landdata import write_landdata
from imgda_mpi.example.observation import FILE_PATTERN, observed, write_observation
from imgda_mpi.example.state import soil_water, write_state
from imgda_mpi.example.tiles import GRID, make_tiles
from imgda_mpi.faults import writing

SEED = 20220602
ROOM = 40_000_000  # bytes

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
    tiles = make_tiles(rng)
    soil = make_soil_map(rng, tiles)
    climate = make_climate(tiles)
    truth = true_moisture(rng, tiles, soil)
    background = model_moisture(rng, truth, tiles, soil)

    case = directory / "model" / CASE
    write_landdata(case, tiles)
    write_const(case, tiles, soil, climate)
    write_state(case, tiles, soil, climate, background)

    patches = PatchMap(GRID, tiles.cell, tiles.fraction, tiles.patch_type)
    true_water = volumetric_water(*soil_water(tiles, soil, climate.soil, truth))
    surface, below = (
        patches.to_image(true_water @ overlap_weights(top, bottom)) for top, bottom in ((0.0, 0.1), (0.1, 0.4))
    )
    write_observation(directory / "observation", observed(rng, surface), observed(rng, below))
    _write_truth(directory / "truth.nc", surface)
    settings = directory / "case.toml"
    settings.write_text(SETTINGS)
    (directory / "compare.toml").write_text(COMPARISON)
    return settings


def _write_truth(path: Path, surface: FloatArray) -> None:
    """The true image as CF NetCDF, NaN where there is no soil."""
    with Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts({"Conventions": "CF-1.8", "title": "True soil moisture of the embedded example of imgda_mpi"})
        for name, standard_name, units, values in (
            ("lat", "latitude", "degrees_north", GRID.latitude),
            ("lon", "longitude", "degrees_east", GRID.longitude),
        ):
            file.createDimension(name, values.size)
            coordinate = file.createVariable(name, "f8", (name,))
            coordinate.setncatts({"units": units, "standard_name": standard_name})
            coordinate[:] = values
        moisture = file.createVariable("soil_moisture", "f8", ("lat", "lon"), zlib=True, fill_value=np.nan)
        moisture.units = "m3 m-3"
        moisture.long_name = "mean volumetric water content of 0-10 cm over the soil patches of the cell"
        moisture[:] = surface
