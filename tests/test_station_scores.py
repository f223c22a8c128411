"""Scores at stations and their intervals; one series and its means for each station."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from imgda_mpi.stations.choice import means, one_of_each
from imgda_mpi.stations.series import StationSeries
from imgda_mpi.verify.block_bootstrap import PLAIN, intervals
from imgda_mpi.verify.station_scores import LEAST_PAIRS, station_scores

START = datetime(2020, 6, 1, tzinfo=UTC)


def series(station: str, depth: float, values: list[float], hours: int = 1) -> StationSeries:
    times = np.datetime64("2020-06-01T00:00:00", "s") + np.arange(len(values)) * np.timedelta64(hours, "h")
    place = {"network": "N", "station": station, "latitude": 1.0, "longitude": 2.0, "depth": (depth, depth)}
    return StationSeries(**place, times=times, values=np.array(values), counts={"rows": len(values)})


def test_a_station_has_one_series_of_the_depth_in_the_middle_of_the_range() -> None:
    given = [series("A", 0.1, [0.1]), series("A", 0.05, [0.2]), series("A", 0.05, [0.4]), series("B", 0.1, [0.3])]
    chosen = one_of_each(given, (0.0, 0.1))
    assert [(one.station, one.depth[0], one.values[0]) for one in chosen] == [
        ("A", 0.05, pytest.approx(0.3)),
        ("B", 0.1, 0.3),
    ]


@pytest.mark.parametrize(("hours", "least"), [(1, 8), (3, 3), (24, 1)])
def test_a_mean_needs_a_third_of_what_the_step_of_the_station_allows(hours: int, least: int) -> None:
    window = timedelta(days=1)
    for n_valid, is_there in ((least, True), (least - 1, False)):
        values = [0.2] * n_valid + [np.nan] * (24 // hours - n_valid) + [0.9] * (24 // hours)
        first, second = means(series("A", 0.05, values, hours), [START, START + window], window)
        assert (first == pytest.approx(0.2)) == is_there
        assert np.isnan(first) != is_there
        assert second == pytest.approx(0.9)  # the end of the first window is the start of the second


def test_without_a_window_a_value_is_that_of_the_hour() -> None:
    one = series("A", 0.05, [0.1, 0.2, 0.3])
    wanted = [START + timedelta(minutes=minutes) for minutes in (0, 70, 200)]
    np.testing.assert_array_equal(means(one, wanted, None), [0.1, 0.2, np.nan])


def test_scores_are_those_of_the_pairs_that_all_methods_have(rng: np.random.Generator) -> None:
    measured, estimates = rng.random((40, 3)), rng.random((2, 40, 3))
    measured[:5, 0], estimates[1, 30:, 0] = np.nan, np.nan
    measured[LEAST_PAIRS - 1 :, 1] = np.nan
    found = station_scores(estimates, measured)
    assert found.n_pairs.tolist() == [25, LEAST_PAIRS - 1, 40]
    assert found.used.tolist() == [0, 2]
    for method in range(2):
        a, b = estimates[method, 5:30, 0], measured[5:30, 0]
        expected = [np.corrcoef(a, b)[0, 1], (a - b).std(), (a - b).mean()]
        np.testing.assert_allclose(found.values[:, method, 0], expected, rtol=1e-10)
    again = station_scores(estimates, measured)
    np.testing.assert_array_equal(found.resampled, again.resampled)


def test_an_interval_holds_the_truth_and_knows_that_neighbours_in_time_are_alike() -> None:
    """Of means of correlated series: white noise is the case in which blocks do not matter."""
    rng, n_times, hits, widths = np.random.default_rng(1), 200, 0, []
    for is_red in (False, True):
        for _ in range(30):
            noise = rng.standard_normal(n_times)
            for n in range(1, n_times) if is_red else ():
                noise[n] = 0.8 * noise[n - 1] + 0.6 * noise[n]
            found = station_scores(noise[None, :, None], np.zeros((n_times, 1)))
            ends = intervals(found.values[2, 0], found.resampled[2, 0][:, None], found.n_blocks, PLAIN)
            low, high = ends[:, 0]
            hits += low < 0 < high
            widths.append(high - low)
    assert hits >= 46
    assert np.mean(widths[30:]) > 1.5 * np.mean(widths[:30])
