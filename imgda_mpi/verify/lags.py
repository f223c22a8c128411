"""Whether times of stations are UTC: at which lag changes of a run and of stations are most alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.verify.block_bootstrap import resamples

HOUR, DAY = 3600, 86400  # s

FARTHEST = 12
"""Lags are looked at up to so many hours either way."""

COARSEST = 6
"""Hours between times: with longer steps nothing is said."""

FAR = 4
"""Hours that are no matter of the weather: rain of a model is often some hours early, and deeper soil is late."""

CLEAR = 1.5
"""Factor by which the correlation at the best lag has to be above that at none."""

FEWEST_DAYS = 20


@dataclass(frozen=True)
class Lag:
    """How alike changes of a run and of the stations of a network are, where these are taken for later by a lag.

    Parameters
    ----------
    network : its name
    n_stations : with changes to compare
    best : lag with the highest correlation, h; positive where stations are later
    at_best, at_none : the correlations
    doubtful : whether the times of the stations may not be UTC
    """

    network: str
    n_stations: int
    best: float
    at_best: float
    at_none: float
    doubtful: bool

    def __str__(self) -> str:
        """What the lag says, in words."""
        name = self.network or "all stations"
        return (
            f"{name}: changes of {self.n_stations} stations are most like those of the first run {abs(self.best):g} h "
            f"{'later' if self.best > 0 else 'earlier'} (correlation {self.at_best:.3f}, at the same time "
            f"{self.at_none:.3f}): their times may be local, not UTC"
        )


def lags_of_networks(
    values: FloatArray, measured: FloatArray, seconds: FloatArray, networks: Sequence[str]
) -> list[Lag]:
    """The best lag of each network; none where times are too far apart, or too few to say anything.

    Compared are changes from one time to the next, without their mean at that time of day: temperature gives many
    sensors a daily cycle of their own. All stations of a network count together, each with changes of variance 1.
    The best lag is doubtful where it is `FAR` or more, better by the factor `CLEAR`, and better in every
    resample of two-day blocks.

    Parameters
    ----------
    values, measured : of a run and of stations, (n_times, n_stations) m3 m-3, NaN where missing
    seconds : since 1970, UTC, ascending, (n_times,)
    networks : of the stations, (n_stations,)
    """
    step = _step(seconds)
    if step is None:
        return []
    place = np.round((seconds - seconds[0]) / step).astype(np.int64)
    on_axis = np.abs(seconds - seconds[0] - place * step) < 60
    time_of_day = ((seconds[0] + np.arange(place[-1]) * step) % DAY) // HOUR
    n_steps = FARTHEST * HOUR // step
    changes = []
    for series in (values, measured):
        whole = np.full((place[-1] + 1, series.shape[1]), np.nan)
        whole[place[on_axis]] = series[on_axis]
        changes.append(_changes(whole, time_of_day))
    found = []
    for network in dict.fromkeys(networks):
        own = np.array([name == network for name in networks])
        a, b = (change[:, own] for change in changes)
        own_lag = _lag(network, a, b, n_steps, step)
        if own_lag is not None:
            found.append(own_lag)
    return found


def _step(seconds: FloatArray) -> int | None:
    """Usual distance of the times, s; None where it is too long, or the times are too few."""
    if seconds.size < 3:
        return None
    step = int(np.median(np.diff(seconds)))
    return step if 0 < step <= COARSEST * HOUR and seconds.size * step >= FEWEST_DAYS * DAY else None


def _changes(values: FloatArray, time_of_day: FloatArray) -> FloatArray:
    """Changes (n_times - 1, n_stations) without their mean at that time of day, of variance 1; NaN where missing."""
    changes = np.diff(values, axis=0)
    valid = np.isfinite(changes)
    for hour in np.unique(time_of_day):
        now = time_of_day == hour
        number = np.maximum(valid[now].sum(axis=0), 1)
        changes[now] -= np.where(valid[now], changes[now], 0.0).sum(axis=0) / number
    sd = np.sqrt(np.where(valid, changes**2, 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1))
    return np.asarray(np.divide(changes, sd, out=np.full(changes.shape, np.nan), where=sd > 1e-9))


def _lag(network: str, a: FloatArray, b: FloatArray, n_steps: int, step: int) -> Lag | None:
    """The lag of stations with changes ``b`` of a run with changes ``a``, (n_times, n_stations) each."""
    both = np.isfinite(a) & np.isfinite(b)
    n_stations = int(np.count_nonzero(both.any(axis=0)))
    block = 2 * DAY // step
    n_blocks = -(-a.shape[0] // block)
    if n_stations == 0 or np.count_nonzero(both.any(axis=1)) * step < FEWEST_DAYS * DAY:
        return None
    sums = _block_sums(a, b, n_steps, np.arange(a.shape[0]) // block, n_blocks)
    lags = np.arange(-n_steps, n_steps + 1)
    r = _correlations(sums.sum(axis=1))
    if not np.isfinite(r).all():
        return None
    best = int(np.argmax(r))
    drawn = _correlations(np.einsum("nb,sbl->snl", resamples(n_blocks, 1), sums))
    hours = float(lags[best] * step / HOUR)
    clear = r[best] >= CLEAR * r[n_steps] and (drawn[:, best] > drawn[:, n_steps]).all()
    doubtful = bool(abs(hours) >= FAR and clear)
    return Lag(network, n_stations, hours, float(r[best]), float(r[n_steps]), doubtful)


def _block_sums(a: FloatArray, b: FloatArray, n_steps: int, block: IntArray, n_blocks: int) -> FloatArray:
    """Sums of a b, a a and b b over stations and blocks of times for each lag, (3, n_blocks, n_lags)."""
    sums = np.zeros((3, n_blocks, 2 * n_steps + 1))
    for number, lag in enumerate(range(-n_steps, n_steps + 1)):
        first, last = max(0, -lag), min(a.shape[0], a.shape[0] - lag)
        early, late = a[first:last], b[first + lag : last + lag]
        both = np.isfinite(early) & np.isfinite(late)
        early, late = np.where(both, early, 0.0), np.where(both, late, 0.0)
        for which, product in enumerate((early * late, early**2, late**2)):
            sums[which, :, number] = np.bincount(block[first:last], product.sum(axis=1), n_blocks)
    return sums


def _correlations(sums: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[0] / np.sqrt(sums[1] * sums[2]))
