"""Evaporation of well-watered short grass in the weather of an hour.

Allen, R. G., L. S. Pereira, D. Raes and M. Smith (1998): Crop evapotranspiration. FAO Irrigation and Drainage Paper 56,
chapter 4, eq. 53 for the hour.
"""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.columns.weather import STEFAN_BOLTZMANN, Weather

ALBEDO = 0.23
TO_2_M = 4.87 / np.log(67.8 * 10.0 - 5.42)  # of the wind at 10 m, eq. 47


def reference_evaporation(weather: Weather) -> FloatArray:
    """Reference evapotranspiration of the hour, (n,) kg m-2 s-1, 0 where dew would fall.

    Penman-Monteith with albedo 0.23. Net longwave is what comes down less the emission of a black body as warm as the
    air. The ground takes a tenth of net radiation by day and half of it at night (no shortwave).

    Examples
    --------
    >>> noon = Weather(*(np.array([v]) for v in (0.0, 800.0, 380.0, 303.0, 0.012, 3.0, 1e5)))
    >>> round(float(3600 * reference_evaporation(noon)[0]), 2)  # mm in the hour
    0.58
    """
    evaporation = np.empty(weather.temperature.size)
    _fill(weather, evaporation)
    return evaporation


# Scalar arithmetic for each point: vectorised functions may round differently at the end of an array.
@compiled
def _fill(weather: Weather, evaporation: FloatArray) -> None:
    for i in range(evaporation.size):
        kelvin, pressure = weather.temperature[i], 0.001 * weather.pressure[i]  # kPa
        celsius = kelvin - 273.16
        wind = TO_2_M * weather.wind[i]
        saturated = 0.6108 * np.exp(17.27 * celsius / (celsius + 237.3))  # kPa, eq. 11
        slope = 4098.0 * saturated / (celsius + 237.3) ** 2  # kPa K-1, eq. 13
        vapour = weather.humidity[i] * pressure / (0.622 + 0.378 * weather.humidity[i])
        psychrometric = 0.665e-3 * pressure  # kPa K-1, eq. 8
        net = (1.0 - ALBEDO) * weather.shortwave[i] + weather.longwave[i] - STEFAN_BOLTZMANN * kelvin**4
        kept = net * (0.9 if weather.shortwave[i] > 0.0 else 0.5)  # eq. 45 and 46
        radiation = 0.408 * slope * 0.0036 * kept  # W m-2 to MJ m-2 h-1
        drying = psychrometric * 37.0 / (celsius + 273.0) * wind * (saturated - vapour)
        hourly = (radiation + drying) / (slope + psychrometric * (1.0 + 0.34 * wind))
        evaporation[i] = max(hourly, 0.0) / 3600.0
