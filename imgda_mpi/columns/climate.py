"""What the weather of a place is about on a day: zones, seasons, and slow waves of warm and cold.

Formulas with round numbers that give a familiar globe; they are not fitted to data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.numerics.keyed_random import generator

YEAR = 365.2425  # days

KNOT = 5
"""Days between independent sets of waves."""

WAVES = np.arange(2, 8)
"""Zonal wavenumbers."""


class Places(NamedTuple):
    """Points, each (n,): latitude and longitude in degrees, elevation in m, wetness of the climate 0 to 1."""

    latitude: FloatArray
    longitude: FloatArray
    elevation: FloatArray
    wetness: FloatArray


class Climate(NamedTuple):
    """The climate of one instant, each (n,).

    Parameters
    ----------
    temperature : mean of the day, K
    swing : of temperature from its mean to the afternoon under a clear sky, K
    moisture : factor of the rain that systems bring
    vapour : pressure of water vapour away from rain, Pa
    """

    temperature: FloatArray
    swing: FloatArray
    moisture: FloatArray
    vapour: FloatArray


def declination(day: float) -> float:
    """Of the sun, radians; ``day`` counts from 1970-01-01.

    >>> bool(np.degrees(declination(171)) > 23.4)  # 21 June
    True
    """
    return float(np.radians(-23.44) * np.cos(2.0 * np.pi * (day + 10.0) / YEAR))


def climate_of(seed: int, day: int, places: Places) -> Climate:
    """The climate at the beginning of a day, counted from 1970-01-01."""
    climate = Climate(*np.empty((4, places.latitude.size)))
    _fill(places, day, declination(day), _waves(seed, day), climate)
    return climate


def _waves(seed: int, day: int) -> FloatArray:
    """Cosine and sine of the waves of the southern and northern hemisphere on a day, (2, n_waves, 2), variance 1."""
    knot, days = divmod(day, KNOT)
    turn = 0.5 * np.pi * days / KNOT
    drawn = [generator(seed, "temperature waves", k).standard_normal((2, WAVES.size, 2)) for k in (knot, knot + 1)]
    return np.asarray(np.cos(turn) * drawn[0] + np.sin(turn) * drawn[1])


@compiled
def saturation(temperature: float) -> float:
    """Vapour pressure over water, Pa, of a temperature in K: Allen et al. (1998), eq. 11."""
    pressure: float = 610.8 * np.exp(17.27 * (temperature - 273.16) / (temperature - 35.86))
    return pressure


@compiled
def _bump(distance: float) -> float:
    height: float = np.exp(-distance * distance)
    return height


@compiled
def _fill(places: Places, day: float, sun: float, waves: FloatArray, climate: Climate) -> None:
    late_july = np.cos(2.0 * np.pi * (day - 205.0) / YEAR)
    for i in range(places.latitude.size):
        latitude, longitude, wetness = places.latitude[i], places.longitude[i], places.wetness[i]
        away = abs(np.sin(np.radians(latitude)))
        # Southern land is narrow and near the sea.
        seasons = 21.0 * away**1.2 * (late_july if latitude > 0.0 else -0.6 * late_july) * (1.15 - 0.3 * wetness)
        temperature = 300.0 - 42.0 * away**2.5 - 0.0055 * places.elevation[i] + seasons
        wave, turned = 0.0, np.radians(longitude + 1.5 * latitude)
        hemisphere = 1 if latitude > 0.0 else 0
        for k in range(waves.shape[1]):
            number = WAVES[k]
            # Short waves run ahead, the longest stands.
            phase = number * (turned - np.radians((2.0 * number - 4.0) * day))
            wave += waves[hemisphere, k, 0] * np.cos(phase) + waves[hemisphere, k, 1] * np.sin(phase)
        temperature += 3.5 * (1.0 - _bump(latitude / 35.0)) * wave / np.sqrt(waves.shape[1])
        climate.temperature[i] = temperature
        noon = max(np.cos(np.radians(latitude) - sun), 0.0)
        climate.swing[i] = (8.5 - 6.0 * wetness) * np.sqrt(noon)

        # The rains follow the sun in the tropics, farthest in Asia's monsoon, and leave the winter side dry.
        eastward = (longitude - 97.0) / 30.0
        monsoon = _bump(eastward) * max(late_july, 0.0) * _bump((latitude - 22.0) / 11.0)
        belt = 4.0 + 11.0 * late_july + 8.0 * _bump(eastward) * max(late_july, 0.0)
        tropical = 1.0 / (1.0 + (abs(latitude) / 27.0) ** 6)
        rains = 0.22 + 1.35 * _bump((latitude - belt) / 14.0)
        wet = 0.12 + 0.88 * wetness + 0.25 * monsoon
        cold = min(max(np.exp(0.05 * (temperature - 287.0)), 0.15), 1.3)
        moisture = (wet / 0.65) ** 1.6 * (tropical * rains + (1.0 - tropical) * 0.75) * cold
        climate.moisture[i] = moisture
        humid = 0.22 + 0.55 * min(wet, 1.0) + 0.12 * min(moisture, 1.5)
        climate.vapour[i] = min(humid, 0.95) * saturation(temperature)
