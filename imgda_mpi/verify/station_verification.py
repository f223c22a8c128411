"""Scores of runs at many stations and in several periods, with intervals, and differences from a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.verify.block_bootstrap import (
    FISHER,
    LOGARITHM,
    N_RESAMPLES,
    PLAIN,
    block_length,
    intervals,
    resamples,
    usual_length,
)
from imgda_mpi.verify.pytesmo_metrics import departures, pair_scores
from imgda_mpi.verify.station_scores import weighted_scores
from imgda_mpi.verify.station_series import AtStations

NAMES = ("R", "ubRMSE", "bias", "RMSE", "anomaly R")
"""Scores; the last one is R of departures from a moving window."""

SCALES = (FISHER, LOGARITHM, PLAIN, LOGARITHM, FISHER)

CHUNK = 64
"""Stations that are scored together: always the same ones, on whichever rank."""


@dataclass(frozen=True, eq=False)
class ChunkScores:
    """Scores at some stations in all periods.

    Parameters
    ----------
    n_pairs : (n_periods, n_stations)
    values : (n_scores, n_periods, n_runs, n_stations), NaN where there are too few pairs
    ends : of their 95 % intervals, (2, n_scores, n_periods, n_runs, n_stations)
    difference_ends : the same of the differences from the first run
    total, number : sum over stations of the scores of resampled times and how many are defined, by region,
        (n_scores, n_periods, n_runs, n_regions, n_resamples)
    """

    n_pairs: IntArray
    values: FloatArray
    ends: FloatArray
    difference_ends: FloatArray
    total: FloatArray
    number: FloatArray


@dataclass(frozen=True, eq=False)
class StationResults:
    """Scores at all stations, and their means over regions.

    Parameters
    ----------
    n_pairs, values, ends, difference_ends : of stations, as of `ChunkScores`
    blocks : times in a block of the resamples, (n_periods,)
    n_scored : stations with enough pairs, (n_periods, n_regions)
    means : over them, (n_scores, n_periods, n_runs, n_regions)
    mean_ends : of their 95 % intervals over the times, (2, n_scores, n_periods, n_runs, n_regions)
    mean_differences, mean_difference_ends : from the first run, as of ``means`` and ``mean_ends``
    """

    n_pairs: IntArray
    values: FloatArray
    ends: FloatArray
    difference_ends: FloatArray
    blocks: IntArray
    n_scored: IntArray
    means: FloatArray
    mean_ends: FloatArray
    mean_differences: FloatArray
    mean_difference_ends: FloatArray


def block_lengths(series: AtStations, periods: BoolArray, least: int) -> IntArray:
    """Times in a block for each period, (n_periods,), see `imgda_mpi.verify.block_bootstrap`.

    They are for the median over runs and the stations that are scored.

    Parameters
    ----------
    series
    periods : times that belong to each, (n_periods, n_times)
    least : pairs that are needed
    """
    differences = np.where(series.pairs, series.values - series.measured, np.nan)
    lengths = []
    for of_period in periods:
        chosen = differences[:, of_period]
        enough = np.isfinite(chosen[0]).sum(axis=0) >= least
        n_times = int(np.count_nonzero(of_period))
        scored = chosen[..., enough].swapaxes(-1, -2)
        lengths.append(usual_length(scored) if scored.size else block_length(n_times, 0.0))
    return np.array(lengths, np.int64)


def score_chunk(
    series: AtStations, periods: BoolArray, blocks: IntArray, regions: BoolArray, least: int
) -> ChunkScores:
    """Scores at the stations of a chunk, over the times at which all runs and the station have a value.

    Parameters
    ----------
    series : of these stations
    periods : times that belong to each, (n_periods, n_times)
    blocks : times in a block, (n_periods,)
    regions : stations that belong to each, (n_regions, n_stations)
    least : stations with fewer pairs in a period are not scored in it
    """
    pairs = series.pairs
    n_runs, n_stations, n_periods = len(series.runs), pairs.shape[1], len(periods)
    shape = (len(NAMES), n_periods, n_runs, n_stations)
    values, ends, difference_ends = np.full(shape, np.nan), np.full((2, *shape), np.nan), np.full((2, *shape), np.nan)
    sums = np.zeros((2, len(NAMES), n_periods, n_runs, len(regions), N_RESAMPLES))
    n_pairs = np.array([np.count_nonzero(pairs[of_period], axis=0) for of_period in periods])
    estimates, measured = np.where(pairs, series.values, np.nan), np.where(pairs, series.measured, np.nan)
    needed = np.asarray((n_pairs >= least).any(axis=0))
    anomalies = [_departures(given, series.seconds, needed) for given in (estimates, measured[None])]
    for period, of_period in enumerate(periods):
        used = np.flatnonzero(n_pairs[period] >= least)
        if used.size == 0:
            continue
        there = pairs[of_period][:, used]
        absolute = estimates[:, of_period][..., used], measured[of_period][:, used]
        departing = anomalies[0][:, of_period][..., used], anomalies[1][0, of_period][:, used]
        found = _values(*absolute, *departing, there)
        weights = resamples(there.shape[0], int(blocks[period]))
        resampled = np.where(
            np.isfinite(found)[..., None, :], _resampled(*absolute, *departing, there, weights), np.nan
        )
        values[:, period][..., used] = found
        n_blocks = there.shape[0] // int(blocks[period])
        for score, scale in enumerate(SCALES):
            of_all, of_draws = found[score], np.moveaxis(resampled[score], 1, 0)
            ends[:, score, period][..., used] = intervals(of_all, of_draws, n_blocks, scale)
            minus_first = of_all[1:] - of_all[:1], of_draws[:, 1:] - of_draws[:, :1]
            difference_ends[:, score, period, 1:][..., used] = intervals(*minus_first, n_blocks, PLAIN)
        for region, inside in enumerate(regions[:, used]):
            chosen = resampled[..., inside]
            sums[0, :, period, :, region] = np.nansum(chosen, axis=-1)
            sums[1, :, period, :, region] = np.isfinite(chosen).sum(axis=-1)
    return ChunkScores(n_pairs, values, ends, difference_ends, *sums)


def _departures(values: FloatArray, seconds: FloatArray, needed: BoolArray) -> FloatArray:
    """`departures` of series (n, n_times, n_stations) of the stations that are needed, NaN of others."""
    made = np.full(values.shape, np.nan)
    for number in range(values.shape[0]):
        for station in np.flatnonzero(needed):
            made[number, :, station] = departures(values[number, :, station], seconds)
    return made


def _values(a: FloatArray, b: FloatArray, a_away: FloatArray, b_away: FloatArray, there: BoolArray) -> FloatArray:
    """Scores (n_scores, n_runs, n_stations) of values and departures (n_runs, n_times, n_stations) and of stations."""
    found = np.empty((len(NAMES), a.shape[0], a.shape[2]))
    for run, station in np.ndindex(*found.shape[1:]):
        when = there[:, station]
        found[:4, run, station] = pair_scores(a[run, when, station], b[when, station])
        found[4, run, station] = pair_scores(a_away[run, when, station], b_away[when, station])[0]
    return found


def _resampled(
    a: FloatArray, b: FloatArray, a_away: FloatArray, b_away: FloatArray, there: BoolArray, weights: FloatArray
) -> FloatArray:
    """Scores of resampled times, (n_scores, n_runs, n_resamples, n_stations)."""
    a, b, a_away, b_away = (np.where(there, values, 0.0) for values in (a, b, a_away, b_away))
    r, ubrmse, bias = weighted_scores(a, b, there, weights)
    anomaly_r = weighted_scores(a_away, b_away, there, weights)[0]
    return np.stack([r, ubrmse, bias, np.sqrt(ubrmse**2 + bias**2), anomaly_r])


def joined(
    chunks: Sequence[ChunkScores], periods: BoolArray, blocks: IntArray, regions: BoolArray, least: int
) -> StationResults:
    """The results at all stations from those of chunks, in their order; the same bits however they were shared out.

    Other arguments as of `score_chunk`.
    """
    n_pairs, values, ends, difference_ends = (
        np.concatenate([getattr(chunk, name) for chunk in chunks], axis=-1)
        for name in ("n_pairs", "values", "ends", "difference_ends")
    )
    total, number = np.zeros_like(chunks[0].total), np.zeros_like(chunks[0].number)
    for chunk in chunks:
        total += chunk.total
        number += chunk.number
    with np.errstate(invalid="ignore"):
        resampled = np.moveaxis(total / number, -1, 0)
    means = _means(values, regions)
    differences = means - means[:, :, :1]
    mean_ends, mean_difference_ends = np.full((2, 2, *means.shape), np.nan)
    for score, period in np.ndindex(means.shape[:2]):
        n_blocks = int(np.count_nonzero(periods[period])) // int(blocks[period])
        of_draws = resampled[:, score, period]
        mean_ends[:, score, period] = intervals(means[score, period], of_draws, n_blocks, SCALES[score])
        minus_first = differences[score, period], of_draws - of_draws[:, :1]
        mean_difference_ends[:, score, period] = intervals(*minus_first, n_blocks, PLAIN)
    return StationResults(
        n_pairs=n_pairs,
        values=values,
        ends=ends,
        difference_ends=difference_ends,
        blocks=blocks,
        n_scored=(n_pairs >= least).astype(np.int64) @ regions.T.astype(np.int64),
        means=means,
        mean_ends=mean_ends,
        mean_differences=differences,
        mean_difference_ends=mean_difference_ends,
    )


def _means(values: FloatArray, regions: BoolArray) -> FloatArray:
    """Means (..., n_regions) over the stations of each region that have a value, NaN where there is none."""
    means = np.full((*values.shape[:-1], len(regions)), np.nan)
    for region, inside in enumerate(regions):
        chosen = values[..., inside]
        number = np.isfinite(chosen).sum(axis=-1)
        np.divide(np.nansum(chosen, axis=-1), number, out=means[..., region], where=number > 0)
    return means
