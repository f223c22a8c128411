"""What one sensor measured in time, and its means."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import BoolArray, FloatArray

Times = npt.NDArray[np.datetime64]

FILL = -9999.0
"""What networks write where nothing was measured."""

POSSIBLE = (0.0, 1.0)  # m3 m-3: no soil holds less or more


@dataclass(frozen=True, kw_only=True)
class StationSeries:
    """Soil moisture that one sensor, or several merged ones of a station and depth, measured in time.

    Parameters
    ----------
    network : "" where it is not said
    station
    sensor : "" where it is not said
    latitude, longitude : degrees north and east
    depth : top and bottom of what is measured, m; equal for a sensor at one depth
    times : (n) datetime64[s], UTC, ascending, none twice
    values : (n) m3 m-3, NaN where there is none that is good
    counts : ``rows`` of the file, and of these ``repeated time`` (left out), ``bad flag``, ``missing`` and ``out of
        range``, each row under one reason; all others are the valid ones
    """

    network: str
    station: str
    sensor: str = ""
    latitude: float
    longitude: float
    depth: tuple[float, float]
    times: Times
    values: FloatArray
    counts: Mapping[str, int]


class Sensors(list[StationSeries]):
    """Series of all sensors of a file, and how many are left out: of files not read, and of values of another unit."""

    n_unread = 0
    n_odd = 0


def sorted_out(times: Times, values: FloatArray, good: BoolArray) -> tuple[Times, FloatArray, dict[str, int]]:
    """Times, values and counts of a `StationSeries` from the rows of a file, (n) each, in any order.

    ``values`` are m3 m-3, NaN or -9999 where there is none; ``good`` is what the flags say. Of several rows of one time
    the first valid one stays.
    """
    missing = np.isnan(values) | (values == FILL)
    in_range = (values >= POSSIBLE[0]) & (values <= POSSIBLE[1])
    valid = good & in_range
    order = np.lexsort((~valid, times))
    ascending = times[order]
    first = np.ones(times.size, bool)
    first[1:] = ascending[1:] != ascending[:-1]
    kept = order[first]
    counts = {
        "rows": times.size,
        "repeated time": times.size - kept.size,
        "bad flag": int(np.count_nonzero(~good[kept])),
        "missing": int(np.count_nonzero((good & missing)[kept])),
        "out of range": int(np.count_nonzero((good & ~missing & ~in_range)[kept])),
    }
    return times[kept].astype("datetime64[s]"), np.where(valid, values, np.nan)[kept], counts


def merged(series: Sequence[StationSeries]) -> StationSeries:
    """Several sensors of one station and depth as one: at each time the mean of those that have a value.

    Times are those of any of them, the place is the first one's, counts are added up.

    Raises
    ------
    ValueError
        Where there is none, or they are of several stations or depths.
    """
    places = {(one.network, one.station, one.depth) for one in series}
    if len(places) != 1:
        raise ValueError(f"sensors of one station and depth are merged, not of {len(places)}")
    first = series[0]
    if len(series) == 1:
        return first
    values = np.concatenate([one.values for one in series])
    times, place = np.unique(np.concatenate([one.times for one in series]), return_inverse=True)
    valid = np.isfinite(values)
    total = np.bincount(place[valid], values[valid], times.size)
    number = np.bincount(place[valid], minlength=times.size)
    counts: Counter[str] = Counter()
    for one in series:
        counts.update(one.counts)
    return StationSeries(
        network=first.network,
        station=first.station,
        sensor=" + ".join(one.sensor for one in series if one.sensor),
        latitude=first.latitude,
        longitude=first.longitude,
        depth=first.depth,
        times=times,
        values=np.divide(total, number, out=np.full(times.size, np.nan), where=number > 0),
        counts=dict(counts),
    )


def window_means(series: StationSeries, starts: Sequence[datetime], ends: Sequence[datetime], least: int) -> FloatArray:
    """Means of the valid values from each of ``starts`` to its end, both included, (n_windows,) m3 m-3.

    NaN where they are fewer than ``least``, or none at all.

    Parameters
    ----------
    series
    starts, ends : aware; they count to the second
    least : number of values

    Raises
    ------
    ValueError
        Where a time has no zone.
    """
    valid = np.isfinite(series.values)
    times, values = series.times[valid], series.values[valid]
    first, last = times.searchsorted(instants(starts), "left"), times.searchsorted(instants(ends), "right")
    enough = last - first >= max(least, 1)
    return np.array([values[i:j].mean() if good else np.nan for i, j, good in zip(first, last, enough, strict=True)])


def instants(times: Sequence[datetime]) -> Times:
    """Aware times as datetime64[s], UTC, (n_times,).

    Raises
    ------
    ValueError
        Where a time has no zone.
    """
    for time in times:
        if time.tzinfo is None:
            raise ValueError(f"time {time} must have a time zone")
    return np.array([math.floor(time.timestamp()) for time in times], "datetime64[s]")
