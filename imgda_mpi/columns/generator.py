"""Made-up weather: any hour of any seed, the same bits for a point whatever else is asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.columns.climate import Climate, Places, climate_of, declination, saturation
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.columns.rain_systems import LONGEST, Change, Points, Systems, add_systems, systems_born
from imgda_mpi.columns.weather import EPOCH, STEFAN_BOLTZMANN, Weather
from imgda_mpi.example.geography import wetness

SUN = 1361.0  # W m-2

DRIZZLE = 0.12  # mm h-1 of a system that evaporate before they reach the ground
DOWNPOUR = 40.0  # mm h-1 that no hour exceeds


class _Sky(NamedTuple):
    """What the hour needs of the points, each (n,)."""

    north: FloatArray  # sine of latitude
    out: FloatArray  # cosine of latitude
    cosine: FloatArray  # of longitude
    sine: FloatArray
    clear: FloatArray  # transmissivity of the clear sky
    pressure: FloatArray  # Pa
    wind: FloatArray  # m s-1


class GeneratedWeather:
    """Synthetic weather of a seed at n points: a `WeatherSource`.

    Rain systems (`imgda_mpi.columns.rain_systems`) cross a map of climates (`imgda_mpi.columns.climate`) with seasons,
    slow waves of warm and cold, and a diurnal cycle in local solar time. Clouds of the systems take sunshine, add
    longwave radiation, cool, bring moist air, wind and lower pressure. Radiation follows Allen et al. (1998): clear sky
    by their eq. 37, clouds by eq. 35, net longwave by eq. 39.

    It is nobody's weather, and made for twin experiments. Left out: dynamics (fields agree with each other only as far
    as said), sea and relief but for height, snow (all precipitation is rain), rain finer than some 100 km, years that
    differ in climate, the equation of time. The hour is taken at its middle.

    Parameters
    ----------
    latitude, longitude : (n,) degrees; n may be 0
    elevation : (n,) m
    seed : 0 to 2^64 - 1
    change : of the rain systems of the seed; its own seed has the same range

    Raises
    ------
    ValueError
        Where a seed is out of range, or the vectors differ in shape.
    """

    def __init__(
        self,
        latitude: FloatArray,
        longitude: FloatArray,
        elevation: FloatArray,
        seed: int,
        change: Change | None = None,
    ) -> None:
        for number in (seed, 0 if change is None else change.seed):
            if not 0 <= number < 2**64:
                raise ValueError(f"seed={number}: needs 0 to 2**64 - 1")
        if latitude.ndim != 1 or not latitude.shape == longitude.shape == elevation.shape:
            raise ValueError("latitude, longitude and elevation must be vectors of one length")
        self.seed, self.change = seed, change
        self._order: IntArray = np.argsort(latitude, kind="stable")
        latitude, longitude, elevation = latitude[self._order], longitude[self._order], elevation[self._order]
        longitude = (longitude + 180.0) % 360.0 - 180.0
        self._places = Places(latitude, longitude, elevation, wetness(latitude, longitude))
        sky, points = np.empty((7, latitude.size)), np.empty((4, latitude.size))
        self._sky, self._points = _Sky(*sky), Points(*points)
        _fill_static(self._places, self._points, self._sky)
        self._rain, self._cloud = np.empty((2, latitude.size))
        self._climates: dict[int, Climate] = {}
        self._systems: dict[int, Systems] = {}

    def hour(self, time: datetime) -> Weather:
        """The mean weather of the hour that begins at an aware time."""
        if time.utcoffset() is None:
            raise ValueError(f"time={time}: needs a time zone")
        middle = (time - EPOCH) / timedelta(hours=1) + 0.5
        day = int(middle // 24)
        self._keep(day)
        self._rain[:] = self._cloud[:] = 0.0
        for born in range(day - LONGEST, day + 1):
            add_systems(self._systems[born], middle, self._points, self._rain, self._cloud)
        weather = Weather(*np.empty((7, self._order.size)))
        _fill_hour(
            middle / 24.0 - day,
            declination(day),
            self._climates[day],
            self._climates[day + 1],
            self._places,
            self._sky,
            self._rain,
            self._cloud,
            self._order,
            weather,
        )
        return weather

    def _keep(self, day: int) -> None:
        """Have the climate around a day and the systems that may be alive, and no other."""
        self._climates = {
            d: self._climates[d] if d in self._climates else climate_of(self.seed, d, self._places)
            for d in (day, day + 1)
        }
        self._systems = {
            d: self._systems[d] if d in self._systems else systems_born(self.seed, d, self.change)
            for d in range(day - LONGEST, day + 1)
        }


# Scalar arithmetic for each point: vectorised functions may round differently at the end of an array.
@compiled
def _fill_static(places: Places, points: Points, sky: _Sky) -> None:
    for i in range(places.latitude.size):
        latitude, longitude = np.radians(places.latitude[i]), np.radians(places.longitude[i])
        elevation = places.elevation[i]
        sky.north[i], sky.out[i] = np.sin(latitude), np.cos(latitude)
        sky.cosine[i], sky.sine[i] = np.cos(longitude), np.sin(longitude)
        points.latitude[i] = latitude
        points.x[i], points.y[i], points.z[i] = sky.out[i] * sky.cosine[i], sky.out[i] * sky.sine[i], sky.north[i]
        sky.clear[i] = 0.75 + 2e-5 * elevation
        sky.pressure[i] = 101325.0 * (1.0 - 2.25577e-5 * elevation) ** 5.25588  # ISO 2533
        sky.wind[i] = 2.5 + 1.5 * sky.north[i] * sky.north[i]


@compiled
def _fill_hour(
    fraction: float,
    sun: float,
    before: Climate,
    after: Climate,
    places: Places,
    sky: _Sky,
    brought: FloatArray,
    cloud: FloatArray,
    order: IntArray,
    weather: Weather,
) -> None:
    sine, cosine = np.sin(sun), np.cos(sun)
    turn = 2.0 * np.pi * fraction
    # Cosines of the local time from 12, 15 and 17 h are these sums over cosine and sine of the longitude.
    noon_c, noon_s = np.cos(turn - np.pi), -np.sin(turn - np.pi)
    warm_c, warm_s = np.cos(turn - 1.25 * np.pi), -np.sin(turn - 1.25 * np.pi)
    late_c, late_s = np.cos(turn - 17.0 / 12.0 * np.pi), -np.sin(turn - 17.0 / 12.0 * np.pi)
    for i in range(order.size):
        mean = before.temperature[i] + fraction * (after.temperature[i] - before.temperature[i])
        swing = before.swing[i] + fraction * (after.swing[i] - before.swing[i])
        moisture = before.moisture[i] + fraction * (after.moisture[i] - before.moisture[i])
        vapour = before.vapour[i] + fraction * (after.vapour[i] - before.vapour[i])

        # Showers of warm air come late in the day.
        showers = 0.5 * min(max((mean - 281.0) / 14.0, 0.0), 1.0)
        late = late_c * sky.cosine[i] + late_s * sky.sine[i]
        rain = max(brought[i] * moisture * (1.0 + showers * late) - DRIZZLE, 0.0)
        rain = DOWNPOUR * rain / (DOWNPOUR + rain)
        thick = 0.15 * places.wetness[i] + 1.8 * cloud[i] * min(moisture, 1.2) + 0.5 * min(rain, 2.0)
        cover = thick / (0.5 + thick)

        height = sky.north[i] * sine + sky.out[i] * cosine * (noon_c * sky.cosine[i] + noon_s * sky.sine[i])
        shortwave = SUN * max(height, 0.0) * sky.clear[i] * (1.0 - 0.67 * cover)
        afternoon = warm_c * sky.cosine[i] + warm_s * sky.sine[i]
        temperature = mean + swing * (1.0 - 0.6 * cover) * afternoon + 1.0 - 3.0 * cover
        saturated = saturation(temperature)
        vapour = min(vapour * (1.0 + 0.2 * cover), 0.97 * saturated)
        vapour += 0.7 * rain / (1.0 + rain) * (0.97 * saturated - vapour)
        pressure = sky.pressure[i] * (1.0 - 0.008 * cover)
        black = STEFAN_BOLTZMANN * temperature**4
        net = (0.34 - 0.14 * np.sqrt(0.001 * vapour)) * (1.0 - 0.9 * cover)

        point = order[i]
        weather.rain[point] = rain / 3600.0
        weather.shortwave[point] = shortwave
        weather.longwave[point] = black * (1.0 - net)
        weather.temperature[point] = temperature
        weather.humidity[point] = 0.622 * vapour / (pressure - 0.378 * vapour)
        weather.wind[point] = sky.wind[i] * (1.0 + 0.3 * afternoon) + 3.5 * cover * cover
        weather.pressure[point] = pressure
