"""Made-up weather whose rain systems are displaced and of other strength."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.rain_systems import EVERYWHERE, Change, systems_born
from imgda_mpi.grid import EARTH_RADIUS

DAY = 19145  # 2 June 2022
CHANGE = Change(seed=3, displacement=400.0, strength=0.5)


def moved(change: Change) -> tuple[np.ndarray, np.ndarray]:
    """Eastward and northward way of the systems of 20 days, km."""
    east, north = [], []
    for day in range(DAY, DAY + 20):
        before, after = systems_born(1, day), systems_born(1, day, change)
        way = np.radians(1e-3 * EARTH_RADIUS)
        inner = np.abs(after.latitude) < 80.0
        east.append(way * ((after.longitude - before.longitude) * np.cos(np.radians(after.latitude)))[inner])
        north.append(way * (after.latitude - before.latitude)[inner])
    return np.concatenate(east), np.concatenate(north)


def test_systems_are_displaced_by_the_length_in_both_directions() -> None:
    for way in moved(CHANGE):
        assert abs(way.mean()) < 15.0
        assert way.std() == pytest.approx(400.0, rel=0.03)


def test_strengths_have_the_spread_asked_for_and_leave_the_mean_of_the_globe() -> None:
    change, latitude, longitude = CHANGE._replace(displacement=0.0), *EVERYWHERE
    factors = []
    for seed in range(12):
        before, after = systems_born(1, DAY), systems_born(1, DAY, change._replace(seed=seed))
        factors.append(after.rate / before.rate)
        np.testing.assert_array_equal(after.latitude, before.latitude)
    assert np.log(factors).std() == pytest.approx(0.5, rel=0.1)
    assert np.mean(factors) == pytest.approx(1.0, abs=0.05)
    assert latitude.size == longitude.size == 2000
    assert np.sin(np.radians(latitude)).mean() == pytest.approx(0.0, abs=1e-12)


def test_a_region_keeps_its_strength() -> None:
    """Systems born near each other on different days have nearly the same factor."""
    change = CHANGE._replace(displacement=0.0)
    days = [(systems_born(1, day), systems_born(1, day, change)) for day in (DAY, DAY + 60)]
    (place, factor), (other_place, other) = (
        (np.stack([before.latitude, before.longitude]), after.rate / before.rate) for before, after in days
    )
    distance = np.abs(place[:, :, None] - other_place[:, None]).max(axis=0)
    low_latitude = np.abs(place[0]) < 50.0
    near = np.argwhere((distance < 2.0) & low_latitude[:, None])
    assert len(near) > 20
    ratios = np.array([factor[i] / other[j] for i, j in near])
    assert np.abs(np.log(ratios)).max() < 0.15


def test_rain_is_changed_alike_whatever_the_other_points_and_no_change_is_the_weather_of_the_seed() -> None:
    rng = np.random.default_rng(0)
    latitude, longitude = 120.0 * rng.random(300) - 60.0, 360.0 * rng.random(300) - 180.0
    time = datetime(2022, 6, 2, 6, tzinfo=UTC) + timedelta(hours=5)

    def rain(points: slice, change: Change | None) -> np.ndarray:
        weather = GeneratedWeather(latitude[points], longitude[points], np.zeros(300)[points], 1, change)
        return weather.hour(time).rain

    every, some = rain(slice(None), CHANGE), rain(slice(7, 90), CHANGE)
    assert every[7:90].tobytes() == some.tobytes()
    assert (every != rain(slice(None), None)).mean() > 0.1
    same = rain(slice(None), Change(3, 0.0, 0.0))
    np.testing.assert_allclose(same, rain(slice(None), None), rtol=1e-12)


def test_a_seed_of_the_change_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="seed=-1"):
        GeneratedWeather(np.zeros(1), np.zeros(1), np.zeros(1), 1, CHANGE._replace(seed=-1))
