"""How well runs have the pattern of a day's departures from the mean of the period across stations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.verify.station_series import AtStations

LEAST_STATIONS = 10
"""With values of a day: fewer make no pattern."""

DAY = 86400  # s


@dataclass(frozen=True, eq=False)
class DayCorrelations:
    """Correlations across stations of day minus mean of the period, as in figure 12 of Bai et al. (2026).

    Parameters
    ----------
    days : since 1970, UTC, ascending, (n_days,)
    values : (n_periods, n_runs, n_regions, n_days), NaN where there are fewer than `LEAST_STATIONS`
    n_stations : that have the day, (n_periods, n_regions, n_days)
    """

    days: IntArray
    values: FloatArray
    n_stations: IntArray


def day_departures(series: AtStations, of_period: BoolArray, least: int) -> FloatArray:
    """Mean of each UTC day minus the mean of a period, (1 + n_runs, n_days, n_stations) m3 m-3: stations, then runs.

    Both means are over the times of the pairs; of a mean over a window counts the day in which it begins. NaN where
    there is no pair, and of stations with too few in the period.

    Parameters
    ----------
    series
    of_period : times that belong to it, (n_times,)
    least : stations with fewer pairs in the period are left out
    """
    days, day = days_of(series)
    both = np.concatenate([series.measured[None], series.values])
    found = np.full((both.shape[0], days.size, both.shape[2]), np.nan)
    pairs = series.pairs & of_period[:, None]
    pairs &= np.count_nonzero(pairs, axis=0) >= least
    scored = np.flatnonzero(pairs.any(axis=0))
    chosen = np.where(pairs, both, 0.0)[..., scored]
    of_all = chosen.sum(axis=1) / np.count_nonzero(pairs[:, scored], axis=0)
    for number in np.unique(day[of_period]):
        when = np.flatnonzero((day == number) & of_period)
        count = np.count_nonzero(pairs[when][:, scored], axis=0)
        has = count > 0
        found[:, number, scored[has]] = chosen[:, when].sum(axis=1)[:, has] / count[has] - of_all[:, has]
    return found


def days_of(series: AtStations) -> tuple[IntArray, IntArray]:
    """UTC days since 1970 that have times, (n_days,), and the number of that of each time, (n_times,)."""
    days, day = np.unique(np.floor_divide(series.seconds, DAY).astype(np.int64), return_inverse=True)
    return days, day


def day_correlations(series: AtStations, periods: BoolArray, regions: BoolArray, least: int) -> DayCorrelations:
    """Correlation across stations of `day_departures`.

    Parameters
    ----------
    series
    periods : times that belong to each, (n_periods, n_times)
    regions : stations that belong to each, (n_regions, n_stations)
    least : stations with fewer pairs in a period are left out of it
    """
    days, _ = days_of(series)
    shape = (len(periods), len(series.runs), len(regions), days.size)
    values, n_stations = np.full(shape, np.nan), np.zeros((shape[0], *shape[2:]), np.int64)
    for period, of_period in enumerate(periods):
        away = day_departures(series, of_period, least)
        for (region, inside), number in itertools.product(enumerate(regions), range(days.size)):
            of_day = away[:, number, inside & np.isfinite(away[0, number])]
            n_stations[period, region, number] = of_day.shape[1]
            if of_day.shape[1] >= LEAST_STATIONS:
                values[period, :, region, number] = _correlations(of_day[1:], of_day[0])
    return DayCorrelations(days, values, n_stations)


def _correlations(runs: FloatArray, measured: FloatArray) -> FloatArray:
    """Of each run (n_runs, n) with what was measured (n,)."""
    runs, measured = runs - runs.mean(axis=1, keepdims=True), measured - measured.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (runs * measured).sum(axis=1) / np.sqrt((runs**2).sum(axis=1) * (measured**2).sum())
    return np.where(np.isfinite(r), r, np.nan)
