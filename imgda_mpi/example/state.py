"""The state files of the example's restart: what the model carries from one step to the next.

Soil water, ice, temperature and snow are laid out with care. What the model only reads to start its iterations
(radiation, turbulence, canopy) has simple values of the right size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.case_files import stamp
from imgda_mpi.colm.soil_layers import DENSITY_ICE, DENSITY_LIQUID, FREEZING, thickness
from imgda_mpi.example.climate import SNOW_DENSITY, Climate
from imgda_mpi.example.const import LAKE_DEPTH
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR, MISSING, Values, write_blocks
from imgda_mpi.example.soil import Soil
from imgda_mpi.example.tiles import ICE, WATER, WETLAND, Tiles

# By IGBP class 0..17, class 0 unused: leaf and stem area index, roughness length (m).
LEAF_AREA = np.array([0, 3.3, 5.0, 3.0, 3.9, 5.0, 2.0, 1.0, 2.5, 2.0, 1.8, 2.2, 2.8, 1.5, 2.8, 0, 0.05, 0])
STEM_AREA = np.array([0, 0.6, 0.8, 0.6, 0.6, 0.8, 0.3, 0.2, 0.4, 0.3, 0.3, 0.4, 0.5, 0.2, 0.5, 0, 0.01, 0])
ROUGHNESS = np.array([0, 2.1, 3.7, 2.1, 2.3, 2.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.002, 0.01, 0.001])

_DIMENSIONS = {"snow": 5, "snowp1": 6, "soilsnow": 15, "soil": 10, "lake": 10, "vegnodes": 4, "band": 2, "rtyp": 2}

_IMPURITIES = tuple(f"mss_{kind}" for kind in ("bcpho", "bcphi", "ocpho", "ocphi", "dst1", "dst2", "dst3", "dst4"))

_AXES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("z_sno", "dz_sno", "snw_rds", *_IMPURITIES), ("snow",)),
    **dict.fromkeys(("t_soisno", "wliq_soisno", "wice_soisno"), ("soilsnow",)),
    **dict.fromkeys(("smp", "hk"), ("soil",)),
    **dict.fromkeys(("t_lake", "lake_icefrc"), ("lake",)),
    **dict.fromkeys(("alb", "ssun", "ssha", "ssoi", "ssno"), ("rtyp", "band")),
    "vegwp": ("vegnodes",),
    "ssno_lyr": ("snowp1", "rtyp", "band"),
}
"""Axes beside ``patch`` of the variables that have any."""


def write_state(directory: Path, tiles: Tiles, soil: Soil, climate: Climate, moisture: FloatArray) -> None:
    """Write ``restart/<stamp>/`` below the folder of the case, with volumetric soil water (n_patch, 10) m3 m-3.

    Wetlands, lakes and ice sheets are filled as the model fills them.
    """
    variables = {
        **_ground(tiles, soil, climate, moisture),
        **_canopy(tiles, climate),
        **_radiation(tiles, climate),
        **_water_bodies(tiles, climate),
        # Grain size and impurities of snow have their values in a run without the snow radiation model.
        "snw_rds": 54.526,
        **dict.fromkeys((*_IMPURITIES, "ssno_lyr"), 0.0),
        **_near_surface(tiles, climate),
    }
    moment = stamp(climate.time)
    stem = directory / "restart" / moment / f"{CASE}_restart_{moment}_lc{LAND_COVER_YEAR}"
    write_blocks(stem, tiles, _DIMENSIONS, variables, _AXES)


def soil_water(
    tiles: Tiles, soil: Soil, temperature: FloatArray, moisture: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Liquid water and ice in the soil layers, two (n_patch, 10) arrays in kg m-2.

    From their temperature, K, and volumetric water, m3 m-3, (n_patch, 10) each. Wetlands and the ground below lakes
    are saturated; ice sheets are ice throughout.
    """
    is_full = np.isin(tiles.patch_class, (WETLAND, WATER))[:, None]
    is_ice = (tiles.patch_class == ICE)[:, None]
    water = np.where(is_full, soil.porosity, moisture)
    # In frozen soil a thin film stays liquid.
    liquid = np.where(temperature < FREEZING, np.minimum(water, 0.02), water)
    liquid, ice = np.where(is_ice, 0.0, liquid), np.where(is_ice, 1.0, water - liquid)
    return liquid * (DENSITY_LIQUID * thickness), ice * (DENSITY_ICE * thickness)


def _ground(tiles: Tiles, soil: Soil, climate: Climate, moisture: FloatArray) -> dict[str, Values]:
    """Snow and soil columns; empty snow slots are 0 throughout."""
    snow = climate.snow
    liquid, ice = soil_water(tiles, soil, climate.soil, moisture)
    # From the soil's surface upward: everything below, and half of the layer itself.
    below = np.cumsum(snow[:, ::-1], axis=1)[:, ::-1] - snow
    snow_temperature = np.where(snow > 0, np.minimum(climate.air, FREEZING - 0.1)[:, None], 0.0)
    saturation = (liquid / (DENSITY_LIQUID * thickness) - soil.residual) / (soil.porosity - soil.residual)
    # Ice sheets have no soil: the model keeps a dry value there.
    saturation = np.where((tiles.patch_class == ICE)[:, None], 0.01, np.clip(saturation, 0.01, 1.0))
    suction, conductivity = soil.suction_and_conductivity(saturation)
    return {
        "z_sno": np.where(snow > 0, -(below + 0.5 * snow), 0.0),
        "dz_sno": snow,
        "t_soisno": np.hstack([snow_temperature, climate.soil]),
        "wliq_soisno": np.hstack([np.zeros_like(snow), liquid]),
        "wice_soisno": np.hstack([SNOW_DENSITY * snow, ice]),
        "smp": suction,
        "hk": conductivity,
    }


def _canopy(tiles: Tiles, climate: Climate) -> dict[str, Values]:
    leaf, stem = LEAF_AREA[tiles.patch_class], STEM_AREA[tiles.patch_class]
    cover = (leaf > 0).astype(np.float64)
    return {
        "vegwp": -25000.0,
        "gs0sun": 1.0e4,
        "gs0sha": 1.0e4,
        "t_grnd": climate.soil[:, 0],
        "tleaf": climate.air,
        **dict.fromkeys(("ldew", "ldew_rain", "ldew_snow", "fwet_snow"), 0.0),
        "sag": np.where(climate.snow_depth > 0, 0.05, 0.0),
        "scv": SNOW_DENSITY * climate.snow_depth,
        "snowdp": climate.snow_depth,
        "fveg": cover,
        "fsno": np.tanh(climate.snow_depth / 0.05),
        **dict.fromkeys(("sigf", "green"), cover),
        **dict.fromkeys(("lai", "tlai"), leaf),
        **dict.fromkeys(("sai", "tsai"), stem),
    }


def _radiation(tiles: Tiles, climate: Climate) -> dict[str, Values]:
    """Direct and diffuse, visible and near infrared; at night the albedo is 1 and nothing is absorbed."""
    leaf = LEAF_AREA[tiles.patch_class]
    # (n_patch, 1, 2): the same for both beams.
    is_day = (climate.sun_height > 0)[:, None, None]
    is_green = (leaf > 0)[:, None, None]
    is_bright = ((tiles.patch_class == ICE) | (climate.snow_depth > 0))[:, None, None]
    albedo = np.where(is_bright, [0.80, 0.55], np.where(is_green, [0.05, 0.20], [0.15, 0.30]))
    absorbed = 1.0 - albedo
    by_leaves = np.where(is_green, 0.8 * absorbed, 0.0)
    return {
        "coszen": climate.sun_height,
        "alb": np.where(is_day, albedo, 1.0),
        **dict.fromkeys(("ssun", "ssha"), np.where(is_day, 0.5 * by_leaves, 0.0)),
        "ssoi": np.where(is_day, absorbed - by_leaves, 0.0),
        "ssno": 0.0,
        "thermk": np.where(leaf > 0, np.exp(-0.7 * leaf), 0.0),
        "extkb": np.where(leaf > 0, 1.0, 0.0),
        "extkd": np.where(leaf > 0, 0.719, 0.0),
    }


def _water_bodies(tiles: Tiles, climate: Climate) -> dict[str, Values]:
    """Ground water, wetlands and lakes."""
    is_lake = tiles.patch_class == WATER
    lake = np.clip(climate.air, FREEZING + 4.0, 303.0)[:, None] - np.linspace(0.0, 1.0, 10) * 2.0
    return {
        "zwt": np.where(tiles.patch_type < 2, 3.4, 0.0),
        "wa": 0.0,
        "wetwat": np.where(tiles.patch_class == WETLAND, 190.0, 0.0),
        "wdsrf": np.where(is_lake, 1000.0 * LAKE_DEPTH, 0.0),
        "rss": np.where(tiles.patch_type < 3, 0.0, MISSING),
        "t_lake": np.where(is_lake[:, None], lake, 285.0),
        "lake_icefrc": 0.0,
        "savedtke1": np.where(is_lake, 150.0, 0.6),
    }


def _near_surface(tiles: Tiles, climate: Climate) -> dict[str, Values]:
    is_day = climate.sun_height > 0
    humidity = 0.65 * 0.622 * 6.112 * np.exp(17.67 * (climate.air - 273.15) / (climate.air - 29.65)) / 1000.0
    return {
        "trad": climate.soil[:, 0],
        "tref": climate.air,
        "qref": humidity,
        "rst": np.where(tiles.patch_type < 3, np.where(is_day, 200.0, 5.0e5), MISSING),
        "emis": np.where(LEAF_AREA[tiles.patch_class] > 0, 1.0, 0.97),
        "z0m": ROUGHNESS[tiles.patch_class],
        "zol": np.where(is_day, -0.5, 0.5),
        "rib": np.where(is_day, -0.05, 0.05),
        "ustar": 0.25,
        "qstar": np.where(is_day, -1.0e-4, 0.0),
        "tstar": np.where(is_day, -0.1, 0.1),
        "fm": 10.0,
        "fh": 9.0,
        "fq": 9.0,
    }
