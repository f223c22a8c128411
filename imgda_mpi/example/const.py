"""The time-invariant files of the example's restart: land cover, soil and lakes of every patch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray
from imgda_mpi.example.climate import Climate
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR, MISSING, block_name, scalar, write_file
from imgda_mpi.example.soil import Soil, composition_variables, retention_variables, transport_variables
from imgda_mpi.example.tiles import WATER, Tiles

LAKE_DEPTH = 20.0  # m
# The model's division of a lake, as shares of its depth, from the top.
LAKE_SHARES = np.array([0.005, 0.02, 0.04, 0.06, 0.08, 0.10, 0.14, 0.14, 0.21, 0.205])

# By IGBP class 0..17, class 0 unused: height of the canopy's top and bottom, m.
CANOPY_TOP = np.array([0, 17, 35, 17, 20, 20, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.5])
CANOPY_BOTTOM = np.where(CANOPY_TOP > 10, 1.0, 0.0)

# By the model's soil class 1..12 (coarse to fine), class 0 unused: shape of the infiltration curve.
INFILTRATION = np.array([1.0, 0.30, 0.28, 0.25, 0.23, 0.22, 0.20, 0.18, 0.10, 0.09, 0.15, 0.08, 0.05])

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

_DIMENSIONS = {
    "soil": 10,
    "lake": 10,
    "band": 2,
    "rtyp": 2,
    "snow": 5,
    "snowp1": 6,
    "soilsnow": 15,
    "type": 4,
    "azi": 16,
    "zen": 101,
    "zen_p": 3,
    "type_a": 9,
}


def write_const(directory: Path, tiles: Tiles, soil: Soil, climate: Climate) -> None:
    """Write ``restart/const/`` below the folder of the case."""
    folder = directory / "restart" / "const"
    stem = f"{CASE}_restart_const_lc{LAND_COVER_YEAR}"
    write_file(folder / f"{stem}.nc", {}, {name: scalar(value) for name, value in _SCALARS.items()})
    variables = _variables(tiles, soil, climate)
    for block in np.unique(tiles.block):
        patches = tiles.in_block(int(block))
        write_file(
            folder / f"{stem}_{block_name(int(block))}.nc",
            {"patch": patches.stop - patches.start, **_DIMENSIONS},
            {name: (_axes(name, values), values[patches]) for name, values in variables.items()},
        )


def _variables(tiles: Tiles, soil: Soil, climate: Climate) -> dict[str, npt.NDArray[Any]]:
    """All variables of all patches, in the order of the file."""
    soil_class = np.clip(np.rint(0.6 + 30.0 * soil.clay), 1, 12).astype(np.int32)
    return {
        **_cover(tiles),
        **_albedo(tiles, soil),
        **composition_variables(soil),
        "BVIC": INFILTRATION[soil_class],
        **retention_variables(soil),
        "soiltext": soil_class,
        **{name: np.zeros(tiles.n_patch) for name in ("vic_b_infilt", "vic_Dsmax", "vic_Ds", "vic_Ws", "vic_c")},
        **transport_variables(soil),
        "htop": CANOPY_TOP[tiles.patch_class],
        "hbot": CANOPY_BOTTOM[tiles.patch_class],
        "elvmean": climate.elevation,
        "elvstd": 33.0 + 0.06 * climate.elevation,
        "slpratio": 0.02 + 5.0e-5 * climate.elevation,
    }


def _cover(tiles: Tiles) -> dict[str, npt.NDArray[Any]]:
    is_lake = tiles.patch_class == WATER
    depth = np.where(is_lake, LAKE_DEPTH, 0.1)
    return {
        "patchclass": tiles.patch_class.astype(np.int32),
        "patchtype": tiles.patch_type.astype(np.int32),
        "patchmask": np.ones(tiles.n_patch, dtype=np.int8),
        "patchlonr": np.radians(tiles.longitude),
        "patchlatr": np.radians(tiles.latitude),
        "lakedepth": depth,
        "dz_lake": np.where(is_lake[:, None], LAKE_DEPTH * LAKE_SHARES, 0.01),
    }


def _albedo(tiles: Tiles, soil: Soil) -> dict[str, FloatArray]:
    """Of saturated (s) and dry (d) soil, visible (v) and near infrared (n): sandy soils are bright."""
    visible = np.where(tiles.patch_type < 3, (0.05 + 0.2 * soil.sand).round(2), MISSING)
    return {
        "soil_s_v_alb": visible,
        "soil_d_v_alb": np.where(visible > 0, visible + 0.11, MISSING),
        "soil_s_n_alb": np.where(visible > 0, 2.0 * visible, MISSING),
        "soil_d_n_alb": np.where(visible > 0, 2.0 * visible + 0.11, MISSING),
    }


def _axes(name: str, values: npt.NDArray[Any]) -> tuple[str, ...]:
    if values.ndim == 1:
        return ("patch",)
    return ("patch", "lake" if name == "dz_lake" else "soil")
