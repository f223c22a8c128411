"""The weather that drives soil columns: what it is made of, and what gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from imgda_mpi.arrays import FloatArray

STEFAN_BOLTZMANN = 5.670374e-8  # W m-2 K-4

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From which hours and days of weather are counted."""


class Weather(NamedTuple):
    """Means of one hour at n points, each (n,).

    Parameters
    ----------
    rain : all precipitation, kg m-2 s-1
    shortwave, longwave : downward at the ground, W m-2
    temperature : of the air, K
    humidity : specific, kg kg-1
    wind : speed at 10 m, m s-1
    pressure : at the ground, Pa
    """

    rain: FloatArray
    shortwave: FloatArray
    longwave: FloatArray
    temperature: FloatArray
    humidity: FloatArray
    wind: FloatArray
    pressure: FloatArray


class WeatherSource(Protocol):
    """Gives the weather at the points that it was made for, as the own patches of a rank."""

    def hour(self, time: datetime) -> Weather:
        """The mean weather of the hour that begins at an aware time.

        Collective over the ranks for which the source was made.
        """
        ...
