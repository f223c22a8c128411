"""Weather of the moment of the example's restart: temperature of air and soil, snow on the ground, sun."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import FREEZING, N_SNOW, node_depth
from imgda_mpi.example import geography
from imgda_mpi.example.tiles import ICE, WATER, Tiles

SNOW_DENSITY = 250.0  # kg m-3
SLOT_DEPTH = np.array([0.02, 0.05, 0.11, 0.23])
"""Thickness of the upper snow layers, m; the lowest layer has the rest."""
DEPTH_OF_LAYERS = np.array([0.01, 0.03, 0.09, 0.20, 0.43])
"""Snow depth from which there are 1, 2, ... 5 layers, m."""


@dataclass(frozen=True)
class Climate:
    """Atmosphere, ground temperature and snow of the patches.

    Parameters
    ----------
    time : of the restart
    elevation : (n_patch,) m
    air : temperature of the air, (n_patch,) K
    soil : temperature of the soil layers, (n_patch, 10) K
    sun_height : cosine of the sun's zenith angle, negative at night, (n_patch,)
    snow_depth : (n_patch,) m
    snow : thickness of the snow layers in the model's slots, which fill from the soil upward, 0 where empty,
        (n_patch, 5) m
    """

    time: datetime
    elevation: FloatArray
    air: FloatArray
    soil: FloatArray
    sun_height: FloatArray
    snow_depth: FloatArray
    snow: FloatArray


def make_climate(tiles: Tiles, time: datetime) -> Climate:
    """Sun and daily wave of a time; ground as in early summer of the north, whatever the season.

    Only high mountains and the rims of the ice sheets are frozen.
    """
    latitude, longitude = tiles.latitude, tiles.longitude
    elevation = geography.elevation(latitude, longitude)
    # Warmest at 15 N, 5 K colder per km.
    daily = 301.7 - 45.0 * np.sin(np.radians(0.8 * (latitude - 15.0))) ** 2 - 0.005 * elevation
    hour = time.hour + longitude / 15.0
    afternoon = np.cos(2.0 * np.pi * (hour - 14.0) / 24.0)
    # The day's wave reaches 0.1 m, and the deep soil of a warm place lags behind the season.
    lag = 0.25 * np.clip(daily - FREEZING - 1.0, 0.0, 20.0)
    wave = np.outer(4.0 * afternoon, np.exp(-node_depth / 0.1))
    soil = daily[:, None] + wave - np.outer(lag, 1.0 - np.exp(-node_depth))
    is_ice, is_lake = tiles.patch_class == ICE, tiles.patch_class == WATER
    soil[is_ice] = np.minimum(soil[is_ice], FREEZING - 3.0)
    soil[is_lake] = np.maximum(soil[is_lake], FREEZING + 4.0)
    depth = np.where(is_ice | is_lake, 0.0, 0.06 * np.clip(FREEZING - 0.5 - daily, 0.0, 10.0))
    depth[depth < DEPTH_OF_LAYERS[0]] = 0.0
    north, sun, angle = np.radians(latitude), np.radians(sun_declination(time)), np.radians(15.0 * (hour - 12.0))
    sun_height = np.sin(north) * np.sin(sun) + np.cos(north) * np.cos(sun) * np.cos(angle)
    return Climate(time, elevation, daily + 3.0 * afternoon, soil, sun_height, depth, _snow_layers(depth))


def sun_declination(time: datetime) -> float:
    """Latitude where the sun is overhead at noon, to a tenth of a degree: a circular orbit.

    >>> sun_declination(datetime(2022, 6, 2, 6)), sun_declination(datetime(2022, 12, 21))
    (22.1, -23.4)
    """
    day = time.timetuple().tm_yday
    return round(-23.44 * math.cos(2.0 * math.pi * (day + 10) / 365.0), 1)


def _snow_layers(depth: FloatArray) -> FloatArray:
    """Thickness of the layers, (n_patch, 5): 2, 5, 11, 23 cm from the top, the rest below."""
    n_layers = np.searchsorted(DEPTH_OF_LAYERS, depth, side="right")
    thickness = np.zeros((depth.size, N_SNOW))
    for n in range(1, N_SNOW + 1):
        patches = np.flatnonzero(n_layers == n)
        upper = SLOT_DEPTH[: n - 1]
        thickness[patches, N_SNOW - n : N_SNOW - 1] = upper
        thickness[patches, N_SNOW - 1] = depth[patches] - upper.sum()
    return thickness
