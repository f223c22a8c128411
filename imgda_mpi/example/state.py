"""The state files of the example's restart: what the model carries from one step to the next.

Soil water, ice, temperature and snow are laid out with care. What the model only reads to start its iterations
(radiation, turbulence, canopy) has simple values of the right size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import DENSITY_ICE, DENSITY_LIQUID, FREEZING, thickness
from imgda_mpi.example.climate import SNOW_DENSITY, Climate, freeze
from imgda_mpi.example.const import LAKE_DEPTH
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR, MISSING, STAMP, block_name, write_file
from imgda_mpi.example.soil import Soil
from imgda_mpi.example.tiles import ICE, WATER, WETLAND, Tiles

# By IGBP class 0..17, class 0 unused: leaf and stem area index, roughness length (m).
LEAF_AREA = np.array([0, 3.3, 5.0, 3.0, 3.9, 5.0, 2.0, 1.0, 2.5, 2.0, 1.8, 2.2, 2.8, 1.5, 2.8, 0, 0.05, 0])
STEM_AREA = np.array([0, 0.6, 0.8, 0.6, 0.6, 0.8, 0.3, 0.2, 0.4, 0.3, 0.3, 0.4, 0.5, 0.2, 0.5, 0, 0.01, 0])
ROUGHNESS = np.array([0, 2.1, 3.7, 2.1, 2.3, 2.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.002, 0.01, 0.001])

_DIMENSIONS = {
    "snow": 5,
    "snowp1": 6,
    "soilsnow": 15,
    "soil": 10,
    "lake": 10,
    "vegnodes": 4,
    "band": 2,
    "rtyp": 2,
}

_SNOW_IMPURITIES = ("bcpho", "bcphi", "ocpho", "ocphi", "dst1", "dst2", "dst3", "dst4")

_AXES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("z_sno", "dz_sno", "snw_rds"), ("snow",)),
    **{f"mss_{name}": ("snow",) for name in _SNOW_IMPURITIES},
    **dict.fromkeys(("t_soisno", "wliq_soisno", "wice_soisno"), ("soilsnow",)),
    **dict.fromkeys(("smp", "hk"), ("soil",)),
    **dict.fromkeys(("t_lake", "lake_icefrc"), ("lake",)),
    **dict.fromkeys(("alb", "ssun", "ssha", "ssoi", "ssno"), ("rtyp", "band")),
    "vegwp": ("vegnodes",),
    "ssno_lyr": ("snowp1", "rtyp", "band"),
}
"""Axes beside ``patch`` of the variables that have any."""


def write_state(directory: Path, tiles: Tiles, soil: Soil, climate: Climate, moisture: FloatArray) -> None:
    """Write ``restart/<stamp>/`` below the folder of the case.

    Parameters
    ----------
    moisture : (n_patch, 10) array
        Volumetric soil water, m3 m-3; wetlands, lakes and ice sheets are filled as the model fills them.
    """
    folder = directory / "restart" / STAMP
    sun_is_up = climate.sun_height > 0
    variables: dict[str, npt.NDArray[Any]] = {
        **_ground(tiles, soil, climate, moisture),
        **_canopy(tiles, climate),
        **_radiation(tiles, climate, sun_is_up),
        **_water_bodies(tiles, climate),
        **_snow_optics(tiles.n_patch),
        **_near_surface(tiles, climate, sun_is_up),
    }
    for block in np.unique(tiles.block):
        patches = tiles.in_block(int(block))
        write_file(
            folder / f"{CASE}_restart_{STAMP}_lc{LAND_COVER_YEAR}_{block_name(int(block))}.nc",
            {"patch": patches.stop - patches.start, **_DIMENSIONS},
            {name: (("patch", *_AXES.get(name, ())), values[patches]) for name, values in variables.items()},
        )


def soil_water(
    tiles: Tiles, soil: Soil, temperature: FloatArray, moisture: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Liquid water and ice in the soil layers, two (n_patch, 10) arrays in kg m-2.

    Wetlands and the ground below lakes are saturated; ice sheets are ice throughout.
    """
    saturated = np.isin(tiles.patch_class, (WETLAND, WATER))
    liquid, ice = freeze(np.where(saturated[:, None], soil.porosity, moisture), temperature)
    is_ice = (tiles.patch_class == ICE)[:, None]
    liquid, ice = np.where(is_ice, 0.0, liquid), np.where(is_ice, 1.0, ice)
    return liquid * (DENSITY_LIQUID * thickness), ice * (DENSITY_ICE * thickness)


def _ground(tiles: Tiles, soil: Soil, climate: Climate, moisture: FloatArray) -> dict[str, FloatArray]:
    """Snow and soil columns; empty snow slots are 0 throughout."""
    snow = climate.snow
    liquid, ice = soil_water(tiles, soil, climate.soil, moisture)
    snow_temperature = np.where(snow.is_filled, np.minimum(climate.air, FREEZING - 0.1)[:, None], 0.0)
    snow_ice = SNOW_DENSITY * snow.thickness
    porosity, residual = soil.porosity, soil.residual
    saturation = np.clip((liquid / (DENSITY_LIQUID * thickness) - residual) / (porosity - residual), 0.01, 1.0)
    # Ice sheets have no soil: the model keeps a dry value there.
    saturation = np.where((tiles.patch_class == ICE)[:, None], 0.01, saturation)
    return {
        "z_sno": snow.node,
        "dz_sno": snow.thickness,
        "t_soisno": np.concatenate([snow_temperature, climate.soil], axis=1),
        "wliq_soisno": np.concatenate([np.zeros_like(snow_ice), liquid], axis=1),
        "wice_soisno": np.concatenate([snow_ice, ice], axis=1),
        "smp": soil.suction(saturation),
        "hk": soil.conductivity(saturation),
    }


def _canopy(tiles: Tiles, climate: Climate) -> dict[str, FloatArray]:
    n = tiles.n_patch
    leaf, stem = LEAF_AREA[tiles.patch_class], STEM_AREA[tiles.patch_class]
    cover = (leaf > 0).astype(np.float64)
    snow = climate.snow
    return {
        "vegwp": np.full((n, 4), -25000.0),
        "gs0sun": np.full(n, 1.0e4),
        "gs0sha": np.full(n, 1.0e4),
        "t_grnd": climate.skin,
        "tleaf": climate.air,
        "ldew": np.zeros(n),
        "ldew_rain": np.zeros(n),
        "ldew_snow": np.zeros(n),
        "fwet_snow": np.zeros(n),
        "sag": np.where(snow.depth > 0, 0.05, 0.0),
        "scv": SNOW_DENSITY * snow.depth,
        "snowdp": snow.depth,
        "fveg": cover,
        "fsno": np.tanh(snow.depth / 0.05),
        "sigf": cover,
        "green": cover,
        "lai": leaf,
        "tlai": leaf,
        "sai": stem,
        "tsai": stem,
    }


def _radiation(tiles: Tiles, climate: Climate, sun_is_up: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Direct and diffuse, visible and near infrared; at night the albedo is 1 and nothing is absorbed."""
    n = tiles.n_patch
    is_vegetated = LEAF_AREA[tiles.patch_class] > 0
    is_bright = (tiles.patch_class == ICE) | (climate.snow.depth > 0)
    albedo = np.where(is_bright[:, None], [0.80, 0.55], np.where(is_vegetated[:, None], [0.05, 0.20], [0.15, 0.30]))

    def both_beams(values: FloatArray, night: float) -> FloatArray:
        return np.repeat(np.where(sun_is_up[:, None], values, night)[:, None, :], 2, axis=1)

    absorbed = 1.0 - albedo
    leaves = np.where(is_vegetated[:, None], 0.8 * absorbed, 0.0)
    return {
        "coszen": climate.sun_height,
        "alb": both_beams(albedo, 1.0),
        "ssun": both_beams(0.5 * leaves, 0.0),
        "ssha": both_beams(0.5 * leaves, 0.0),
        "ssoi": both_beams(absorbed - leaves, 0.0),
        "ssno": np.zeros((n, 2, 2)),
        "thermk": np.where(is_vegetated, np.exp(-0.7 * LEAF_AREA[tiles.patch_class]), 0.0),
        "extkb": np.where(is_vegetated, 1.0, 0.0),
        "extkd": np.where(is_vegetated, 0.719, 0.0),
    }


def _water_bodies(tiles: Tiles, climate: Climate) -> dict[str, FloatArray]:
    """Ground water, wetlands and lakes."""
    n = tiles.n_patch
    is_lake, is_wetland = tiles.patch_class == WATER, tiles.patch_class == WETLAND
    is_soil_column = tiles.patch_type < 2
    lake = np.clip(climate.air, FREEZING + 4.0, 303.0)[:, None] - np.linspace(0.0, 1.0, 10) * 2.0
    return {
        "zwt": np.where(is_soil_column, 3.4, 0.0),
        "wa": np.zeros(n),
        "wetwat": np.where(is_wetland, 190.0, 0.0),
        "wdsrf": np.where(is_lake, 1000.0 * LAKE_DEPTH, 0.0),
        "rss": np.where(tiles.patch_type < 3, 0.0, MISSING),
        "t_lake": np.where(is_lake[:, None], lake, 285.0),
        "lake_icefrc": np.zeros((n, 10)),
        "savedtke1": np.where(is_lake, 150.0, 0.6),
    }


def _snow_optics(n: int) -> dict[str, FloatArray]:
    """Grain size and impurities of snow, at their values in a run without the snow radiation model."""
    return {
        "snw_rds": np.full((n, 5), 54.526),
        **{f"mss_{name}": np.zeros((n, 5)) for name in _SNOW_IMPURITIES},
        "ssno_lyr": np.zeros((n, 6, 2, 2)),
    }


def _near_surface(tiles: Tiles, climate: Climate, sun_is_up: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    n = tiles.n_patch
    humidity = 0.65 * 0.622 * 6.112 * np.exp(17.67 * (climate.air - 273.15) / (climate.air - 29.65)) / 1000.0
    resistance = np.where(sun_is_up, 200.0, 5.0e5)
    return {
        "trad": climate.skin,
        "tref": climate.air,
        "qref": humidity,
        "rst": np.where(tiles.patch_type < 3, resistance, MISSING),
        "emis": np.where(LEAF_AREA[tiles.patch_class] > 0, 1.0, 0.97),
        "z0m": ROUGHNESS[tiles.patch_class],
        "zol": np.where(sun_is_up, -0.5, 0.5),
        "rib": np.where(sun_is_up, -0.05, 0.05),
        "ustar": np.full(n, 0.25),
        "qstar": np.where(sun_is_up, -1.0e-4, 0.0),
        "tstar": np.where(sun_is_up, -0.1, 0.1),
        "fm": np.full(n, 10.0),
        "fh": np.full(n, 9.0),
        "fq": np.full(n, 9.0),
    }
