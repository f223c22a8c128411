"""Outlines of land, made of the land mask that comes with the program: no download."""

from __future__ import annotations

from functools import cache, lru_cache

import contourpy
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.example.geography import is_land

SMALLEST = 16
"""Corners of an outline, below which it is left out: specks at the scale of a map of the globe."""

STEP = 0.25
"""Of the mask, degrees."""


@cache
def _coasts() -> list[FloatArray]:
    """Lines along coasts, each (n, 2): longitude from 180 W to 180 E and latitude, degrees. Lakes are land."""
    latitude = np.arange(-90.0 + STEP / 2, 90.0, STEP)
    longitude = np.arange(-180.0 + STEP / 2, 180.0, STEP)
    land = is_land(latitude[:, None], longitude).astype(np.float64)
    lines = contourpy.contour_generator(longitude, latitude, land).lines(0.5)
    return [np.asarray(line) for line in lines if len(line) >= SMALLEST]


@lru_cache(maxsize=8)
def coasts_within(west: float, east: float, south: float, north: float) -> list[FloatArray]:
    """Lines along coasts that reach into a rectangle, each (n, 2): longitude, counted as its own is, and latitude."""
    found = []
    for turn in (-360.0, 0.0, 360.0, 720.0):
        for line in _coasts():
            (first_x, first_y), (last_x, last_y) = line.min(axis=0), line.max(axis=0)
            if first_x + turn <= east and last_x + turn >= west and first_y <= north and last_y >= south:
                found.append(line + np.array([turn, 0.0]))
    return found
