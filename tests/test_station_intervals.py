"""Blocks of the bootstrap, correlations across stations, and lags of stations in local time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from station_runs import inputs_of, said, series_of, verified

from imgda_mpi.grid import Grid
from imgda_mpi.stations.choice import nearest
from imgda_mpi.stations.series import StationSeries
from imgda_mpi.verify.block_bootstrap import PLAIN, block_length, intervals, lag_1, resamples, usual_length
from imgda_mpi.verify.day_correlations import LEAST_STATIONS, day_correlations
from imgda_mpi.verify.lags import FEWEST_DAYS, lags_of_networks
from imgda_mpi.verify.station_series import AtStations
from imgda_mpi.verify.station_verification import block_lengths

START = datetime(2020, 6, 1, tzinfo=UTC)
HOUR = 3600.0
GRID = Grid(20.5 - np.arange(12.0), 100.5 + np.arange(14.0))


def red(rng: np.random.Generator, n_times: int, n: int, rho: float) -> np.ndarray:
    noise = rng.standard_normal((n_times, n))
    for time in range(1, n_times):
        noise[time] = rho * noise[time - 1] + np.sqrt(1 - rho**2) * noise[time]
    return noise


# --- Blocks -----------------------------------------------------------------------------------------------------------


def test_blocks_are_as_long_as_errors_last() -> None:
    n = 1000
    for rho in (0.3, 0.6, 0.9):
        factor = (np.sqrt(6) * rho / (1 - rho**2)) ** (2 / 3)
        assert block_length(n, rho) == np.ceil(max(factor, 1) * n ** (1 / 3))
    assert [block_length(n, rho) for rho in (-0.5, 0.0, np.nan)] == [10, 10, 10]
    assert block_length(n, 0.999) == block_length(n, 1.0) == n // 4
    assert [block_length(n, 0.5) for n in (0, 1, 3)] == [1, 1, 1]


def test_the_correlation_of_neighbours_passes_over_gaps(rng: np.random.Generator) -> None:
    series = red(rng, 4000, 3, 0.8).T
    np.testing.assert_allclose(lag_1(series), 0.8, atol=0.04)
    series[:, ::5] = np.nan
    np.testing.assert_allclose(lag_1(series), 0.8, atol=0.04)
    assert usual_length(series) == block_length(4000, float(np.median(lag_1(series))))
    assert np.isnan(lag_1(np.array([[1.0, np.nan, 2.0], [0.3, 0.3, 0.3]]))).all()


def test_intervals_hold_means_of_red_series_more_often_with_such_blocks(rng: np.random.Generator) -> None:
    n_times, rho, n = 400, 0.9, 200
    series = red(rng, n_times, n, rho)
    hits = {}
    for length in (block_length(n_times, 0.0), usual_length(series.T)):
        draws = resamples(n_times, length) @ series / n_times
        low, high = intervals(series.mean(axis=0), draws, n_times // length, PLAIN)
        hits[length] = np.mean((low < 0) & (high > 0))
    short, long = hits.values()
    assert long > 0.88
    assert long > short + 0.1


def test_blocks_are_of_the_stations_that_are_scored(rng: np.random.Generator) -> None:
    measured = np.zeros((400, 3))
    measured[10:, 2] = np.nan
    values = np.stack([red(rng, 400, 3, 0.9)])
    values[0, :, 2] = rng.standard_normal(400)
    series = AtStations(runs=["a"], seconds=HOUR * np.arange(400), values=values, measured=measured)
    periods = np.array([np.ones(400, bool), np.arange(400) < 5])
    assert block_lengths(series, periods, 30).tolist() == [usual_length(values[:, :, :2].swapaxes(1, 2)), 1]


# --- Correlation across stations --------------------------------------------------------------------------------------


def test_day_correlations_are_those_across_stations_of_day_minus_period(rng: np.random.Generator) -> None:
    n_times, n = 12 * 8, 15
    values, measured = rng.random((2, n_times, n)), rng.random((n_times, n))
    measured[:, 14] = np.nan
    measured[10:14, 3] = np.nan
    measured[8:16, :8] = np.nan  # the second day has too few
    seconds = START.timestamp() + 3 * HOUR * np.arange(n_times)
    series = AtStations(runs=["a", "b"], seconds=seconds, values=values, measured=measured)
    periods = np.array([np.arange(n_times) < 40, np.arange(n_times) >= 40])
    regions = np.array([np.ones(n, bool), np.arange(n) < 12])
    found = day_correlations(series, periods, regions, 20)
    assert found.days[0] == START.timestamp() // 86400
    assert found.values.shape == (2, 2, 2, 12)
    assert np.isnan(found.values[0, ..., 1]).all()
    assert found.n_stations[0, 0, 1] == 6 < LEAST_STATIONS
    for period, days in enumerate(((0, 2, 3, 4), range(5, 12))):
        of_period = periods[period]
        for region, last in enumerate((14, 12)):
            for day in days:
                now = slice(8 * day, 8 * day + 8)
                pairs = np.isfinite(measured) & of_period[:, None]
                departures = [
                    np.array([one[now, s].mean() - one[pairs[:, s], s].mean() for s in range(last)])
                    for one in (measured, *values)
                ]
                for run in range(2):
                    expected = np.corrcoef(departures[0], departures[run + 1])[0, 1]
                    assert found.values[period, run, region, day] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(found.values[1, ..., :5]).all()


# --- Lags -------------------------------------------------------------------------------------------------------------


def rainy(rng: np.random.Generator, n_hours: int, n: int) -> np.ndarray:
    """Soil that rain wets and that dries, with a daily cycle."""
    rain = np.where(rng.random((n_hours, n)) < 0.02, rng.random((n_hours, n)) * 0.1, 0.0)
    water = np.full((n_hours, n), 0.2)
    for hour in range(1, n_hours):
        water[hour] = 0.995 * water[hour - 1] + rain[hour]
    return water


@pytest.mark.parametrize("step", [1, 3, 6])
def test_stations_in_local_time_are_doubtful_and_those_in_utc_are_not(step: int, rng: np.random.Generator) -> None:
    n_hours, n = 60 * 24, 30
    truth = rainy(rng, n_hours + 48, n)
    hours = np.arange(0, n_hours, step)
    # Sensors have a daily cycle of their own, three hours before that of the run.
    cycle = 0.01 * np.sin(2 * np.pi * hours / 24)[:, None]
    run = truth[24 + hours] + 0.01 * np.sin(2 * np.pi * (hours - 3) / 24)[:, None]
    noise = 0.005 * rng.standard_normal((hours.size, n))
    seconds = START.timestamp() + HOUR * hours
    networks = ["N"] * n
    for later, doubtful in ((0, False), (8, True), (-6, True), (2, False)):
        measured = truth[24 + hours - later] + cycle + noise
        (lag,) = lags_of_networks(run, measured, seconds, networks)
        assert abs(lag.best - later) <= step - 1
        assert lag.doubtful == doubtful
    said = str(lags_of_networks(run, truth[24 + hours - 8], seconds, networks)[0])
    assert said.startswith("N: changes of 30 stations are most like those of the first run ")
    assert "h later (correlation " in said


def test_only_the_network_in_local_time_is_doubtful(rng: np.random.Generator) -> None:
    hours = np.arange(0, 60 * 24, 3)
    truth = rainy(rng, hours[-1] + 49, 20)
    measured = truth[24 + hours]
    measured[:, :10] = truth[24 + hours - 6][:, :10]
    measured[50:60] = np.nan
    found = lags_of_networks(truth[24 + hours], measured, HOUR * hours, ["A"] * 10 + ["B"] * 10)
    assert [(lag.network, lag.best, lag.doubtful) for lag in found] == [("A", 6.0, True), ("B", 0.0, False)]


def test_series_that_are_not_alike_say_nothing_of_lags(rng: np.random.Generator) -> None:
    hours = np.arange(0, 60 * 24, 3)
    found = [
        lag
        for _ in range(20)
        for lag in lags_of_networks(
            rainy(rng, 60 * 24, 5)[hours], rainy(rng, 60 * 24, 5)[hours], HOUR * hours, ["N"] * 5
        )
    ]
    assert len(found) == 20
    assert sum(lag.doubtful for lag in found) <= 1


def test_lags_cannot_be_seen_of_daily_or_few_values(rng: np.random.Generator) -> None:
    values = rng.random((100, 2))
    assert lags_of_networks(values, values, 24 * HOUR * np.arange(100), ["N"] * 2) == []
    few = (FEWEST_DAYS - 1) * 8
    assert lags_of_networks(values[:few], values[:few], 3 * HOUR * np.arange(100)[:few], ["N"] * 2) == []
    assert lags_of_networks(values[:1], values[:1], np.zeros(1), ["N"] * 2) == []
    constant = np.full((400, 2), 0.2)
    assert lags_of_networks(constant, constant, 3 * HOUR * np.arange(400), ["N"] * 2) == []


def test_stations_in_local_time_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = [START + timedelta(hours=3 * n) for n in range(60 * 8)]
    water = rainy(np.random.default_rng(2), 60 * 24, GRID.cell_area.size).reshape(-1, *GRID.shape)[::3]
    of_time = dict(zip(times, water, strict=True))
    inputs = inputs_of({"run": series_of(lambda time, depth: of_time[time], GRID, times)}, times)
    for later, doubtful in ((0, False), (8, True)):
        lines = ["network,station,time,depth,value,latitude,longitude"]
        for name, row, column in (("a", 3, 4), ("b", 8, 2), ("c", 6, 9)):
            for time in times:
                stated = time + timedelta(hours=later)
                place = f"{GRID.latitude[row]},{GRID.longitude[column]}"
                lines.append(f"CMA,{name},{stated:%Y-%m-%dT%H:%M},0.05,{of_time[time][row, column]:.4f},{place}")
        (tmp_path / "stations.csv").write_text("\n".join(lines) + "\n")
        caplog.clear()
        section = {"file": str(tmp_path / "stations.csv"), "cell": "nearest", "match": "90 min"}
        part, found = verified(inputs, tmp_path, **section)
        assert [lag.doubtful for lag in found.lags] == [doubtful]
        words = "CMA: changes of 3 stations are most like those of the first run 9 h later"
        assert (f"WARNING: {words}" in said(part)) == doubtful
        assert (f"stations sites: {words}" in caplog.text) == doubtful


# --- Nearest values ---------------------------------------------------------------------------------------------------


def test_the_nearest_valid_value_within_a_distance_counts() -> None:
    times = np.datetime64("2020-06-01T00:00:00", "s") + np.array([0, 60, 100, 200]) * np.timedelta64(1, "m")
    place = {"network": "N", "station": "A", "latitude": 1.0, "longitude": 2.0, "depth": (0.05, 0.05)}
    one = StationSeries(**place, times=times, values=np.array([0.1, np.nan, 0.3, 0.4]), counts={})
    wanted = [START + timedelta(minutes=minutes) for minutes in (-31, -30, 30, 50, 51, 130, 131, 150, 999)]
    found = nearest(one, wanted, timedelta(minutes=30))
    np.testing.assert_array_equal(found, [np.nan, 0.1, 0.1, np.nan, np.nan, 0.3, np.nan, np.nan, np.nan])
    assert nearest(one, [START + timedelta(minutes=50)], timedelta(hours=1)).tolist() == [0.1]  # of two the earlier one
    nothing = StationSeries(**place, times=times, values=np.full(4, np.nan), counts={})
    assert np.isnan(nearest(nothing, wanted, timedelta(days=9))).all()
