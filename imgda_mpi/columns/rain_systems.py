"""Rain systems: ellipses of rain and wider ones of cloud that are born, move, grow and die.

Those born on one day are a small table, drawn for this day of this seed alone. Numbers and shapes are made up so that
maps, frequencies and amounts look familiar; they are not fitted to data.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.grid import EARTH_RADIUS
from imgda_mpi.numerics.keyed_random import generator
from imgda_mpi.numerics.smooth_fields import smooth_field

LONGEST = 3
"""Days from the birth of a system to its end, at most."""

BORN_PER_DAY = 460
SMALLEST, LARGEST, LARGEST_TROPICAL = 190.0, 1000.0, 450.0  # half widths, km
STEEPNESS = 2.2  # births fall with this power of the half width (beyond the first)
CLOUD_REACH = 1.5  # clouds go beyond the rain by this factor
RATE = 4.2  # mm h-1, the median of the smallest

REGION = 2000.0
"""Length over which the strengths of changed systems are alike, km."""


_NUMBER = np.arange(2000) + 0.5
EVERYWHERE = np.degrees(np.arcsin(1.0 - _NUMBER / 1000.0)), np.degrees(np.pi * (1.0 + 5.0**0.5) * _NUMBER) % 360.0
"""Latitude and longitude of points that are evenly spread over the globe, a spiral, degrees."""


class Systems(NamedTuple):
    """Rain systems, each (n,).

    Parameters
    ----------
    born : hours since 1970-01-01 UTC
    duration : h
    latitude, longitude : of the centre when it is born, degrees
    eastward, northward : velocity, m s-1
    width, length : half axes of the ellipse in which it rains, km
    orientation : of the longer axis, radians from east towards north
    rate : of rain at the centre at the height of its life in a wet climate, mm h-1
    """

    born: FloatArray
    duration: FloatArray
    latitude: FloatArray
    longitude: FloatArray
    eastward: FloatArray
    northward: FloatArray
    width: FloatArray
    length: FloatArray
    orientation: FloatArray
    rate: FloatArray


class Change(NamedTuple):
    """Other rain systems than those of a seed, but near to them: what one model of the air makes of another's weather.

    Parameters
    ----------
    seed : of what is random in it
    displacement : of each system from where it was born, standard deviation eastward and northward, km
    strength : standard deviation of the logarithm of a factor of rain, which belongs to a region and stays; its mean
        over the globe is 1
    """

    seed: int
    displacement: float
    strength: float


class Points(NamedTuple):
    """Points in ascending latitude, each (n,): latitude in radians and the unit vector from the Earth's centre."""

    latitude: FloatArray
    x: FloatArray
    y: FloatArray
    z: FloatArray


def systems_born(seed: int, day: int, change: Change | None = None) -> Systems:
    """All systems that are born on a day, counted from 1970-01-01.

    Tropical ones are small and move west, those of middle latitudes are of all sizes and move east and poleward.
    """
    systems = _systems_born(seed, day)
    return systems if change is None else _changed(systems, change, day)


def _changed(systems: Systems, change: Change, day: int) -> Systems:
    """The systems that are born on a day, elsewhere and of other strength."""
    away = generator(change.seed, "displacements", day).standard_normal((2, systems.born.size))
    degrees = np.degrees(1000.0 * change.displacement / EARTH_RADIUS)
    latitude = np.clip(systems.latitude + degrees * away[0], -88.0, 88.0)
    longitude = systems.longitude + degrees * away[1] / np.cos(np.radians(latitude))
    factor = _strengths(change.seed, change.strength, latitude, longitude)
    rate = systems.rate * factor / _mean_strength(change.seed, change.strength)
    return systems._replace(latitude=latitude, longitude=longitude, rate=rate)


def _strengths(seed: int, strength: float, latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    field = smooth_field(latitude, longitude, REGION, generator(seed, "strengths", 0))
    return np.asarray(np.exp(strength * field))


@functools.lru_cache(maxsize=8)
def _mean_strength(seed: int, strength: float) -> float:
    """Over the globe."""
    return float(_strengths(seed, strength, *EVERYWHERE).mean())


def _systems_born(seed: int, day: int) -> Systems:
    draw = generator(seed, "rain systems", day)
    uniform = draw.random((6, BORN_PER_DAY))
    normal = draw.standard_normal((4, BORN_PER_DAY))
    latitude = np.degrees(np.arcsin(2.0 * uniform[1] - 1.0))
    tropical = 1.0 / (1.0 + (np.abs(latitude) / 26.0) ** 8)
    largest = LARGEST + (LARGEST_TROPICAL - LARGEST) * tropical
    # A power law between two sizes, by its inverse cumulative distribution.
    small, large = SMALLEST**-STEEPNESS, largest**-STEEPNESS
    width = (small + uniform[3] * (large - small)) ** (-1.0 / STEEPNESS)
    size = width / SMALLEST
    westerlies = 11.0 * np.exp(-(((np.abs(latitude) - 48.0) / 20.0) ** 2))
    return Systems(
        born=24.0 * (day + uniform[0]),
        duration=np.clip(11.0 * size**0.8 * np.exp(0.25 * normal[0]), 5.0, 24.0 * LONGEST),
        latitude=latitude,
        longitude=360.0 * uniform[2] - 180.0,
        eastward=-6.0 * tropical + westerlies * (1.0 - tropical) + 2.0 * normal[1],
        northward=2.0 * np.sign(latitude) * (1.0 - tropical) + 1.5 * normal[2],
        width=width,
        length=width * (1.0 + 1.2 * uniform[4]),
        orientation=np.pi * uniform[5],
        rate=RATE * size**-0.6 * np.exp(0.5 * normal[3]),
    )


@compiled
def add_systems(systems: Systems, time: float, points: Points, rain: FloatArray, cloud: FloatArray) -> None:
    """Add what the systems of a table bring at an instant.

    Each point sees the systems in the order of the table, so that its sum does not depend on the other points.

    Parameters
    ----------
    systems : those not alive bring nothing
    time : hours since 1970-01-01 UTC
    points : (n,)
    rain : (n,) mm h-1 in a wet climate, added to
    cloud : (n,) about 1 under the middle of a cloud in a wet climate, added to
    """
    radius = EARTH_RADIUS / 1000.0
    for s in range(systems.born.size):
        hours = time - systems.born[s]
        age = hours / systems.duration[s]
        if age <= 0.0 or age >= 1.0:
            continue
        growth = 4.0 * age * (1.0 - age)
        way = np.degrees(3.6 * hours / radius)  # degrees of a great circle for each m s-1
        latitude = min(max(systems.latitude[s] + systems.northward[s] * way, -88.0), 88.0)
        longitude = np.radians(systems.longitude[s] + systems.eastward[s] * way / np.cos(np.radians(latitude)))
        latitude = np.radians(latitude)
        up, out, east, north = np.sin(latitude), np.cos(latitude), np.cos(longitude), np.sin(longitude)
        # Centre, and the two axes of the ellipse on the plane that touches the globe there.
        cx, cy, cz = out * east, out * north, up
        cosine, sine = np.cos(systems.orientation[s]), np.sin(systems.orientation[s])
        long, wide = radius / systems.length[s], radius / systems.width[s]
        ax, ay, az = (
            long * (-cosine * north - sine * up * east),
            long * (cosine * east - sine * up * north),
            long * sine * out,
        )
        bx, by, bz = (
            wide * (sine * north - cosine * up * east),
            wide * (-sine * east - cosine * up * north),
            wide * cosine * out,
        )
        reach = CLOUD_REACH * systems.length[s] / radius
        nearest = np.sqrt(1.0 - reach * reach)
        south = np.searchsorted(points.latitude, latitude - np.arcsin(reach))
        end = np.searchsorted(points.latitude, latitude + np.arcsin(reach), side="right")
        rate = systems.rate[s] * growth
        for i in range(south, end):
            x, y, z = points.x[i], points.y[i], points.z[i]
            if x * cx + y * cy + z * cz < nearest:
                continue
            a = x * ax + y * ay + z * az
            b = x * bx + y * by + z * bz
            square = a * a + b * b
            if square < 1.0:
                rain[i] += rate * (1.0 - square) ** 2
            if square < CLOUD_REACH * CLOUD_REACH:
                cloud[i] += growth * (1.0 - square / (CLOUD_REACH * CLOUD_REACH)) ** 2
