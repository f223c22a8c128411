"""How well runs have the pattern of a day's departures from the mean of the period across stations."""

from __future__ import annotations

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


def day_correlations(series: AtStations, periods: BoolArray, regions: BoolArray, least: int) -> DayCorrelations:
    """Correlation across stations, for each UTC day, of its mean minus the mean of the period.

    Both means are over the times of the pairs; of a mean over a window counts the day in which it begins.

    Parameters
    ----------
    series
    periods : times that belong to each, (n_periods, n_times)
    regions : stations that belong to each, (n_regions, n_stations)
    least : stations with fewer pairs in a period are left out of it
    """
    days, day = np.unique(np.floor_divide(series.seconds, DAY).astype(np.int64), return_inverse=True)
    shape = (len(periods), len(series.runs), len(regions), days.size)
    values, n_stations = np.full(shape, np.nan), np.zeros((shape[0], *shape[2:]), np.int64)
    both = np.concatenate([series.measured[None], series.values])
    for period, of_period in enumerate(periods):
        pairs = series.pairs & of_period[:, None]
        pairs &= np.count_nonzero(pairs, axis=0) >= least
        scored = np.flatnonzero(pairs.any(axis=0))
        chosen = np.where(pairs, both, 0.0)[..., scored]
        of_all = chosen.sum(axis=1) / np.count_nonzero(pairs[:, scored], axis=0)
        for number in np.unique(day[of_period]):
            when = np.flatnonzero((day == number) & of_period)
            count = np.count_nonzero(pairs[when][:, scored], axis=0)
            has = count > 0
            away = chosen[:, when].sum(axis=1)[:, has] / count[has] - of_all[:, has]
            for region, inside in enumerate(regions[:, scored[has]]):
                n_stations[period, region, number] = np.count_nonzero(inside)
                if n_stations[period, region, number] >= LEAST_STATIONS:
                    values[period, :, region, number] = _correlations(away[1:, inside], away[0, inside])
    return DayCorrelations(days, values, n_stations)


def _correlations(runs: FloatArray, measured: FloatArray) -> FloatArray:
    """Of each run (n_runs, n) with what was measured (n,)."""
    runs, measured = runs - runs.mean(axis=1, keepdims=True), measured - measured.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (runs * measured).sum(axis=1) / np.sqrt((runs**2).sum(axis=1) * (measured**2).sum())
    return np.where(np.isfinite(r), r, np.nan)
