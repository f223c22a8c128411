"""One series for each station, and its means of many windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.numerics.window_means import least_of
from imgda_mpi.stations.series import StationSeries, instants, merged, window_means

ABOUT = timedelta(minutes=30)
"""Values so near to a time are its own, where there is no window."""

SECOND = timedelta(seconds=1)


def one_of_each(series: Sequence[StationSeries], depth: tuple[float, float]) -> list[StationSeries]:
    """A series for each station, in the order of the file: of several depths that nearest to the middle of the range.

    Sensors of this depth are merged. ``depth`` is the range, m; of two as near it is the upper one.
    """
    middle = 0.5 * sum(depth)
    of_station: dict[tuple[str, str], list[StationSeries]] = {}
    for one in series:
        of_station.setdefault((one.network, one.station), []).append(one)
    chosen = []
    for sensors in of_station.values():
        best = min({one.depth for one in sensors}, key=lambda own: (round(abs(0.5 * sum(own) - middle), 6), own))
        chosen.append(merged([one for one in sensors if one.depth == best]))
    return chosen


def means(series: StationSeries, times: Sequence[datetime], window: timedelta | None) -> FloatArray:
    """Mean from each time on to before the end of its window, (n_times,) m3 m-3, NaN where too few values are valid.

    Needed is a third of the values that the station's usual step allows. Without a window it is the mean of the values
    within half an hour of the time.
    """
    if window is None:
        return window_means(series, [time - ABOUT for time in times], [time + ABOUT for time in times], 1)
    steps = np.diff(series.times).astype(np.int64)  # s
    step = float(np.median(steps)) if steps.size else window.total_seconds()
    least = least_of(window.total_seconds() / step)
    return window_means(series, times, [time + window - SECOND for time in times], least)


def nearest(series: StationSeries, times: Sequence[datetime], match: timedelta) -> FloatArray:
    """The valid value that is nearest to each time, (n_times,) m3 m-3, NaN where none is within ``match`` of it.

    Of two as near it is the earlier one.
    """
    valid = np.isfinite(series.values)
    if not valid.any():
        return np.full(len(times), np.nan)
    own, values = series.times[valid].astype(np.int64), series.values[valid]
    wanted = instants(times).astype(np.int64)
    after = np.minimum(np.searchsorted(own, wanted), own.size - 1)
    before = np.maximum(after - 1, 0)
    chosen = np.where(np.abs(own[before] - wanted) <= np.abs(own[after] - wanted), before, after)
    return np.where(np.abs(own[chosen] - wanted) <= match.total_seconds(), values[chosen], np.nan)
