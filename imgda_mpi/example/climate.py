"""Weather of the example's moment: temperature of air and soil, snow on the ground, sun."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import FREEZING, N_SNOW, node_depth
from imgda_mpi.example import geography
from imgda_mpi.example.files import TIME
from imgda_mpi.example.tiles import ICE, WATER, Tiles

SNOW_DENSITY = 250.0  # kg m-3
SUN_DECLINATION = 22.1  # degrees, 2 June
SLOT_DEPTH = np.array([0.02, 0.05, 0.11, 0.23])
"""Thickness of the upper snow layers, m; the lowest layer has the rest."""
DEPTH_OF_LAYERS = np.array([0.01, 0.03, 0.09, 0.20, 0.43])
"""Snow depth from which there are 1, 2, ... 5 layers, m."""


@dataclass(frozen=True)
class Snow:
    """Snow of the patches in the model's slots, which fill from the soil upward.

    Parameters
    ----------
    depth : (n_patch,) array
        m.
    thickness, node : (n_patch, 5) array
        Thickness and depth (negative: above the soil) of the layers, m; 0 in empty slots.
    """

    depth: FloatArray
    thickness: FloatArray
    node: FloatArray

    @property
    def is_filled(self) -> npt.NDArray[np.bool_]:
        """Slots that hold snow, (n_patch, 5)."""
        return self.thickness > 0


@dataclass(frozen=True)
class Climate:
    """Atmosphere and ground temperature of the patches.

    Parameters
    ----------
    elevation : (n_patch,) array
        m.
    air, skin : (n_patch,) array
        Temperature of the air and of the ground's surface, K.
    soil : (n_patch, 10) array
        Temperature of the soil layers, K.
    sun_height : (n_patch,) array
        Cosine of the sun's zenith angle, negative at night.
    snow : Snow
    """

    elevation: FloatArray
    air: FloatArray
    skin: FloatArray
    soil: FloatArray
    sun_height: FloatArray
    snow: Snow


def make_climate(tiles: Tiles) -> Climate:
    """Early summer in the north: only high mountains and the rims of the ice sheets are frozen."""
    latitude, longitude = tiles.latitude, tiles.longitude
    elevation = geography.elevation(latitude, longitude)
    # Warmest at 15 N, 5 K colder per km.
    daily = 301.7 - 45.0 * np.sin(np.radians(0.8 * (latitude - 15.0))) ** 2 - 0.005 * elevation
    hour = TIME.hour + longitude / 15.0
    afternoon = np.cos(2.0 * np.pi * (hour - 14.0) / 24.0)
    air = daily + 3.0 * afternoon
    # The day's wave reaches 0.1 m, and the deep soil of a warm place lags behind the season.
    lag = 0.25 * np.clip(daily - FREEZING - 1.0, 0.0, 20.0)
    soil = (
        daily[:, None]
        + 4.0 * afternoon[:, None] * np.exp(-node_depth / 0.1)
        - lag[:, None] * (1.0 - np.exp(-node_depth))
    )
    is_ice = tiles.patch_class == ICE
    soil = np.where(is_ice[:, None], np.minimum(soil, FREEZING - 3.0), soil)
    soil = np.where((tiles.patch_class == WATER)[:, None], np.maximum(soil, FREEZING + 4.0), soil)
    is_bare = is_ice | (tiles.patch_class == WATER)
    snow = _snow(np.where(is_bare, 0.0, 0.06 * np.clip(FREEZING - 0.5 - daily, 0.0, 10.0)))
    sun = np.radians(SUN_DECLINATION)
    sun_height = np.sin(np.radians(latitude)) * np.sin(sun) + np.cos(np.radians(latitude)) * np.cos(sun) * np.cos(
        np.radians(15.0 * (hour - 12.0))
    )
    return Climate(elevation, air, soil[:, 0].copy(), soil, sun_height, snow)


def _snow(depth: FloatArray) -> Snow:
    """Layers for a depth of snow: 2, 5, 11, 23 cm from the top, the rest below."""
    depth = np.where(depth < DEPTH_OF_LAYERS[0], 0.0, depth)
    n_layers = np.searchsorted(DEPTH_OF_LAYERS, depth, side="right")
    thickness = np.zeros((depth.size, N_SNOW))
    for n in range(1, N_SNOW + 1):
        patches = np.flatnonzero(n_layers == n)
        upper = SLOT_DEPTH[: n - 1]
        thickness[patches, N_SNOW - n : N_SNOW - 1] = upper
        thickness[patches, N_SNOW - 1] = depth[patches] - upper.sum()
    # From the soil's surface upward: everything below, and half of the layer itself.
    below = np.cumsum(thickness[:, ::-1], axis=1)[:, ::-1] - thickness
    node = np.where(thickness > 0, -(below + 0.5 * thickness), 0.0)
    return Snow(depth, thickness, node)


def freeze(moisture: FloatArray, temperature: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Liquid and frozen part of soil water.

    Parameters
    ----------
    moisture : (n_patch, 10) array
        Total, m3 m-3.
    temperature : (n_patch, 10) array
        K.

    Returns
    -------
    liquid, ice : (n_patch, 10) array
        m3 m-3. In frozen soil a thin film stays liquid.
    """
    film = np.minimum(moisture, 0.02)
    liquid = np.where(temperature < FREEZING, film, moisture)
    return liquid, moisture - liquid
