"""The time-invariant files of the example's restart: land cover, soil and lakes of every patch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgda_mpi.example.climate import Climate
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR, MISSING, Values, write_blocks, write_file
from imgda_mpi.example.soil import Soil, soil_variables
from imgda_mpi.example.tiles import WATER, Tiles

LAKE_DEPTH = 20.0  # m
# The model's division of a lake, as shares of its depth, from the top.
LAKE_SHARES = np.array([0.005, 0.02, 0.04, 0.06, 0.08, 0.10, 0.14, 0.14, 0.21, 0.205])

# By IGBP class 0..17, class 0 unused: height of the canopy's top, m.
CANOPY_TOP = np.array([0, 17, 35, 17, 20, 20, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.5])

_SCALARS = {
    "zlnd": 0.01,
    "zsno": 0.0024,
    "csoilc": 0.004,
    "dewmx": 0.1,
    "capr": 0.34,
    "cnfac": 0.5,
    "ssi": 0.033,
    "wimp": 0.05,
    "pondmx": 10.0,
    "smpmax": -1.5e5,
    "smpmin": -1.0e8,
    "smpmax_hr": -200.0,
    "smpmin_hr": -2.0e5,
    "trsmx0": 2.0e-4,
    "tcrit": 2.5,
    "wetwatmax": 200.0,
}

_DIMENSIONS = {"soil": 10, "lake": 10, "band": 2, "rtyp": 2, "snow": 5, "snowp1": 6, "soilsnow": 15}
# Of the model's downscaling of the weather to terrain, which is off: no variable has them.
_TERRAIN_DIMENSIONS = {"type": 4, "azi": 16, "zen": 101, "zen_p": 3, "type_a": 9}


def write_const(directory: Path, tiles: Tiles, soil: Soil, climate: Climate) -> None:
    """Write ``restart/const/`` below the folder of the case."""
    stem = directory / "restart" / "const" / f"{CASE}_restart_const_lc{LAND_COVER_YEAR}"
    write_file(stem.with_name(f"{stem.name}.nc"), {}, {name: ((), value) for name, value in _SCALARS.items()})
    variables = _variables(tiles, soil, climate)
    layered = {name for name, values in variables.items() if np.ndim(values) == 2}
    axes = {name: ("lake" if name == "dz_lake" else "soil",) for name in layered}
    write_blocks(stem, tiles, {**_DIMENSIONS, **_TERRAIN_DIMENSIONS}, variables, axes)


def _variables(tiles: Tiles, soil: Soil, climate: Climate) -> dict[str, Values]:
    """All variables of all patches, in the order of the file."""
    is_lake, has_soil = tiles.patch_class == WATER, tiles.patch_type < 3
    canopy_top = CANOPY_TOP[tiles.patch_class]
    # Sandy soils are bright, dry ones brighter than saturated ones, in the near infrared more than in the visible.
    albedo = (0.05 + 0.2 * soil.sand).round(2)
    return {
        "patchclass": tiles.patch_class.astype(np.int32),
        "patchtype": tiles.patch_type.astype(np.int32),
        "patchmask": np.int8(1),
        "patchlonr": np.radians(tiles.longitude),
        "patchlatr": np.radians(tiles.latitude),
        "lakedepth": np.where(is_lake, LAKE_DEPTH, 0.1),
        "dz_lake": np.where(is_lake[:, None], LAKE_DEPTH * LAKE_SHARES, 0.01),
        "soil_s_v_alb": np.where(has_soil, albedo, MISSING),
        "soil_d_v_alb": np.where(has_soil, albedo + 0.11, MISSING),
        "soil_s_n_alb": np.where(has_soil, 2.0 * albedo, MISSING),
        "soil_d_n_alb": np.where(has_soil, 2.0 * albedo + 0.11, MISSING),
        **soil_variables(soil),
        "htop": canopy_top,
        "hbot": np.where(canopy_top > 10, 1.0, 0.0),
        "elvmean": climate.elevation,
        "elvstd": 33.0 + 0.06 * climate.elevation,
        "slpratio": 0.02 + 5.0e-5 * climate.elevation,
    }
