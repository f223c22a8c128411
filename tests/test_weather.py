"""Made-up weather: its bits, its numbers, its shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from launch import python

from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.rain_systems import LONGEST, SMALLEST, systems_born
from imgda_mpi.columns.weather import Weather
from imgda_mpi.example.geography import elevation, is_ice, is_land, wetness
from imgda_mpi.grid import global_grid

JUNE = datetime(2022, 6, 2, 6, tzinfo=UTC)
GLOBE = global_grid((128, 256))  # cells of 1.4 degrees


def hours(*numbers: float, since: datetime = JUNE) -> list[datetime]:
    return [since + timedelta(hours=number) for number in numbers]


def globe(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    grid = global_grid((rows, columns))
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    return latitude.ravel(), longitude.ravel()


def land() -> tuple[np.ndarray, np.ndarray]:
    """Land without ice every 3.75 degrees."""
    latitude, longitude = globe(48, 96)
    chosen = is_land(latitude, longitude) & ~is_ice(latitude, longitude)
    return latitude[chosen], longitude[chosen]


def at(latitude: np.ndarray, longitude: np.ndarray, seed: int = 3) -> GeneratedWeather:
    return GeneratedWeather(latitude, longitude, elevation(latitude, longitude), seed)


def bits(weather: Weather) -> bytes:
    return b"".join(values.tobytes() for values in weather)


def part(weather: Weather, chosen: np.ndarray) -> Weather:
    return Weather(*(values[chosen] for values in weather))


def test_a_point_has_the_same_bits_whatever_the_other_points(rng: np.random.Generator) -> None:
    latitude, longitude = land()
    every = at(latitude, longitude)
    subsets = [rng.permutation(latitude.size)[:n] for n in (1, 2, 3, 7, 500)] + [np.arange(latitude.size)[::-1]]
    subsets += [np.array([i]) for i in range(0, latitude.size, 97)]
    for chosen in subsets:
        own = at(latitude[chosen], longitude[chosen])
        for time in hours(0, 13):
            assert bits(own.hour(time)) == bits(part(every.hour(time), chosen))


def test_hours_have_the_same_bits_in_any_order() -> None:
    times = hours(0, 1, 17, 18, 19, 240, -5000)
    forward, backward = at(*land()), at(*land())
    expected = {time: bits(forward.hour(time)) for time in times}
    assert {time: bits(backward.hour(time)) for time in times[::-1]} == expected
    assert len({*expected.values()}) == len(times)


def test_an_hour_alone_in_a_new_process_has_the_same_bits() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_weather as t;"
        "from hashlib import sha256;"
        "print(sha256(t.bits(t.at(*t.land()).hour(t.JUNE + 30 * (t.JUNE - t.JUNE.replace(hour=5))))).hexdigest())"
    )
    weather = at(*land())
    for time in hours(0, 29):
        weather.hour(time)
    done = python("-c", code)
    assert done.stdout.strip() == sha256(bits(weather.hour(*hours(30)))).hexdigest(), done.stderr


def test_another_seed_is_another_weather_and_another_zone_the_same_instant() -> None:
    one, two = (at(*land(), seed=seed).hour(JUNE) for seed in (1, 2))
    assert all((a != b).any() for a, b in ((one.rain, two.rain), (one.temperature, two.temperature)))
    beijing = JUNE.astimezone(timezone(timedelta(hours=8)))
    assert bits(at(*land(), seed=1).hour(beijing)) == bits(one)


def test_longitudes_of_0_to_360_are_the_same_places() -> None:
    latitude, longitude = np.array([10.0, 45.0, -20.0]), np.array([-100.0, -10.0, -60.0])
    for west, east in zip(at(latitude, longitude).hour(JUNE), at(latitude, longitude + 360.0).hour(JUNE), strict=True):
        np.testing.assert_allclose(west, east, rtol=1e-12, atol=1e-15)


def test_no_points_have_no_weather() -> None:
    assert all(values.shape == (0,) for values in at(np.empty(0), np.empty(0)).hour(JUNE))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        at(*land(), seed=seed)


def test_a_time_without_a_zone_and_vectors_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        at(*land()).hour(JUNE.replace(tzinfo=None))
    with pytest.raises(ValueError, match="one length"):
        GeneratedWeather(np.zeros(2), np.zeros(2), np.zeros(3), 1)


@pytest.fixture(scope="module")
def year() -> tuple[np.ndarray, np.ndarray, list[datetime], Weather]:
    """Weather of every hour of 61 days of a year on land, (time, point)."""
    latitude, longitude = land()
    weather = at(latitude, longitude)
    days = [datetime(2022, 1, 3, tzinfo=UTC) + timedelta(days=6 * day) for day in range(61)]
    times = [day + timedelta(hours=hour) for day in days for hour in range(24)]
    return latitude, longitude, times, Weather(*map(np.array, zip(*map(weather.hour, times), strict=True)))


Year = tuple[np.ndarray, np.ndarray, list[datetime], Weather]


def test_values_are_those_of_a_surface(year: Year) -> None:
    *_, weather = year
    ranges = ((0, 60 / 3600), (0, 1200), (80, 520), (215, 325), (1e-6, 0.032), (0.5, 15), (4.5e4, 1.02e5))
    for name, values, (low, high) in zip(weather._fields, weather, ranges, strict=True):
        assert low <= values.min() < values.max() <= high, name
        assert np.isfinite(values).all()
    celsius = weather.temperature - 273.16
    saturated = 610.8 * np.exp(17.27 * celsius / (celsius + 237.3))
    vapour = weather.humidity * weather.pressure / (0.622 + 0.378 * weather.humidity)
    assert (vapour <= 0.971 * saturated).all()


def test_rain_is_that_of_its_climate(year: Year) -> None:
    latitude, longitude, _, weather = year
    rain = 86400.0 * weather.rain.mean(axis=0)  # mm a day
    wet_hours = (weather.rain > 0).mean(axis=0)
    wet = wetness(latitude, longitude)
    assert 2.0 <= np.average(rain, weights=np.cos(np.radians(latitude))) <= 2.5
    assert rain[wet < 0.1].mean() < 0.3
    assert wet_hours[wet < 0.1].mean() < 0.08
    assert 5.0 <= rain[(wet > 0.7) & (np.abs(latitude) < 12)].mean() <= 8.0
    assert 0.08 <= wet_hours[wet > 0.45].mean() <= 0.20
    assert 10.0 < 3600.0 * weather.rain.max() < 30.0


def test_seasons_are_those_of_the_hemispheres_and_of_the_monsoon(year: Year) -> None:
    latitude, longitude, times, weather = year
    months = np.array([time.month for time in times])
    winter, summer = np.isin(months, (12, 1, 2)), np.isin(months, (6, 7, 8))

    def change(values: np.ndarray, where: np.ndarray) -> float:
        return float(values[summer][:, where].mean() - values[winter][:, where].mean())

    north, south = latitude > 45, latitude < -25
    for values, least in ((weather.temperature, 5.0), (weather.shortwave, 50.0), (weather.humidity, 0.001)):
        assert change(values, north) > least
        assert change(values, south) < -least
    india = (latitude > 12) & (latitude < 28) & (longitude > 72) & (longitude < 90)
    sahel = (latitude > 9) & (latitude < 16) & (longitude > -15) & (longitude < 35)
    brazil = (latitude > -22) & (latitude < -5) & (longitude > -60) & (longitude < -40)
    assert 86400 * change(weather.rain, india) > 2.0
    assert 86400 * change(weather.rain, sahel) > 1.0
    assert 86400 * change(weather.rain, brazil) < -1.0


def test_days_follow_local_time(year: Year) -> None:
    latitude, longitude, times, weather = year
    hour = np.array([time.hour + 0.5 for time in times])[:, None] + longitude / 15.0
    near = np.abs(latitude) < 35

    def mean(values: np.ndarray, local: float) -> float:
        return float(values[(np.abs((hour - local + 12) % 24 - 12) < 1) & near].mean())

    assert mean(weather.shortwave, 0) == 0.0
    assert mean(weather.shortwave, 12) > 1.5 * mean(weather.shortwave, 8) > 100.0
    assert mean(weather.temperature, 15) > mean(weather.temperature, 3) + 5.0
    assert mean(weather.rain, 17) > 1.5 * mean(weather.rain, 5)


def test_rain_comes_with_clouds_moist_air_and_wind(year: Year) -> None:
    latitude, _, _, weather = year
    warm = (np.abs(latitude) < 20)[None, :] & (weather.shortwave > 0)
    rainy, dry = warm & (weather.rain > 1e-4), warm & (weather.rain == 0)
    assert weather.shortwave[rainy].mean() < 0.6 * weather.shortwave[dry].mean()
    assert weather.wind[rainy].mean() > weather.wind[dry].mean() + 1.0
    assert weather.humidity[rainy].mean() > weather.humidity[dry].mean()
    assert weather.temperature[rainy].mean() < weather.temperature[dry].mean()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Rain of every third hour of eight days on the globe, mm h-1."""
    latitude, longitude = globe(*GLOBE.shape)
    weather = GeneratedWeather(latitude, longitude, np.zeros(latitude.size), 5)
    return 3600.0 * np.array([weather.hour(time).rain.reshape(GLOBE.shape) for time in hours(*range(0, 192, 3))])


TROPICS, WESTERLIES = np.abs(GLOBE.latitude) < 15, np.abs(np.abs(GLOBE.latitude) - 46) < 10


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a, b, strict=True)]))


@pytest.mark.parametrize(("rows", "least"), [(TROPICS, 0.6), (WESTERLIES, 0.75)])
def test_rain_is_not_white_at_the_resolution_of_a_model(images: np.ndarray, rows: np.ndarray, least: float) -> None:
    band = images[:, rows]
    assert correlation(band, np.roll(band, 1, axis=2)) > least
    assert correlation(images[:, 1:], images[:, :-1]) > 0.6
    assert correlation(band, np.roll(band, 12, axis=2)) < 0.15


@pytest.mark.parametrize(("rows", "downstream"), [(TROPICS, -1), (WESTERLIES, 1)])
def test_rain_moves_with_the_winds(images: np.ndarray, rows: np.ndarray, downstream: int) -> None:
    band = images[:, rows]
    later = {shift: correlation(band[:-3], np.roll(band[3:], -shift, axis=2)) for shift in range(-6, 7)}
    best = max(later, key=later.__getitem__)
    assert best * downstream > 0
    assert later[best] > later[0] + 0.05


def test_systems_of_a_day_are_small_and_large_and_do_not_outlive_their_days() -> None:
    systems = systems_born(1, 19145)
    assert systems.width.min() >= SMALLEST > 150.0
    assert 600.0 < systems.width.max() <= 1000.0
    assert (systems.width < 300).sum() > 5 * (systems.width > 600).sum() > 0
    assert (systems.duration <= 24 * LONGEST).all()
    assert ((systems.born >= 24 * 19145) & (systems.born < 24 * 19146)).all()
