"""What an instrument sees of a true image: support, coverage, and errors of the size and coherence asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from imgda_mpi.grid import EARTH_RADIUS, Grid, global_grid
from imgda_mpi.twin.instrument import HIGHEST, LOWEST, PIXELS, Instrument, ground, n_clipped, seen

START = datetime(2022, 6, 2, tzinfo=UTC)
DAY = timedelta(days=1)
GRID = global_grid((64, 128))
EVEN = np.full(GRID.shape, 0.3)

PERFECT = Instrument(white=0.0, coherent=0.0, length=600.0, days=4.0, seed=1)
WHITE = replace(PERFECT, white=0.03)
COHERENT = replace(PERFECT, coherent=0.02)


def errors(instrument: Instrument, days: float) -> np.ndarray:
    return seen(EVEN, GRID, START + days * DAY, instrument) - 0.3


def products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.mean([np.nanmean(a * b) for a, b in pairs]))


@pytest.mark.parametrize("rows", [64, 128])
def test_without_errors_it_sees_the_truth(rows: int) -> None:
    grid = global_grid((rows, 2 * rows))

    def truth(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        wave = np.sin(np.radians(2.0 * latitude))[:, None] * np.cos(np.radians(3.0 * longitude))
        return np.asarray(0.3 + 0.1 * wave)

    image = seen(truth(grid.latitude, grid.longitude), grid, START, PERFECT)
    np.testing.assert_array_equal(np.isfinite(image), ground())
    expected = truth(PIXELS.latitude, PIXELS.longitude)
    # Straight lines between cells of up to 2.8 degrees: an error of h^2 / 8 of the second derivative.
    np.testing.assert_allclose(image[ground()], expected[ground()], atol=2e-3 * (64 / rows) ** 2)


def test_the_order_of_the_rows_does_not_matter(rng: np.random.Generator) -> None:
    image = rng.uniform(0.1, 0.4, GRID.shape)
    turned = seen(image[::-1], Grid(GRID.latitude[::-1], GRID.longitude), START, WHITE)
    np.testing.assert_allclose(turned, seen(image, GRID, START, WHITE), rtol=1e-12)


def test_near_coasts_only_cells_with_soil_count() -> None:
    land = GRID.longitude > 20.0
    image = seen(np.where(land, EVEN, np.nan), GRID, START, PERFECT)
    there = np.isfinite(image)
    np.testing.assert_allclose(image[there], 0.3, rtol=1e-12)
    np.testing.assert_array_equal(there[:, PIXELS.longitude > 21.5], ground()[:, PIXELS.longitude > 21.5])
    assert not there[:, (PIXELS.longitude < 17.0) & (PIXELS.longitude > -170.0)].any()


def test_nothing_is_seen_over_sea_lakes_and_ice() -> None:
    def is_seen(latitude: float, longitude: float) -> bool:
        return bool(ground()[int(latitude + 60), int(longitude + 180)])

    assert not any(is_seen(*place) for place in [(0, -140), (30, -40), (72.5, -41.5), (42.5, 51.5), (-0.5, 33.5)])
    assert all(is_seen(*place) for place in [(23, 10), (-5, -62), (50, 10), (-25, 133), (60, 100), (39, -95)])
    assert 0.25 < ground().mean() < 0.30


def test_white_errors_have_their_size_and_nothing_in_common() -> None:
    at = [errors(WHITE, n / 8) for n in range(20)]
    assert np.nanstd(at) == pytest.approx(0.03, rel=0.01)
    for pairs in (
        [(a, b) for a, b in zip(at[1:], at[:-1], strict=True)],
        [(a[1:], a[:-1]) for a in at],
        [(a[:, 1:], a[:, :-1]) for a in at],
    ):
        assert abs(products(pairs)) < 0.01 * 0.03**2


def test_coherent_errors_have_their_size_length_and_duration() -> None:
    # Every fourth of the e-folding time over 40 of them: 38 fields, each of some 50 independent patches of land.
    at = [errors(COHERENT, 1.0 + n) for n in range(160)]
    variance = products([(a, a) for a in at])
    assert variance == pytest.approx(0.02**2, rel=0.08)
    # Of pixels on a meridian, by the distance through the Earth.
    for rows in (3, 5, 10):
        distance = 2e-3 * EARTH_RADIUS * np.sin(np.radians(rows / 2.0))
        expected = np.exp(-(distance**2) / (2.0 * 600.0**2))
        assert products([(a[rows:], a[:-rows]) for a in at]) / variance == pytest.approx(expected, abs=0.05)
    for days, expected in ((2, 0.78), (4, 1.0 / np.e), (10, 0.0)):
        apart = products([(a, b) for a, b in zip(at[days:], at[:-days], strict=True)])
        assert apart / variance == pytest.approx(expected, abs=0.06)


def test_errors_are_keyed_by_seed_and_time_alone() -> None:
    both = replace(WHITE, coherent=0.02)
    first, later = errors(both, 3.0), errors(both, 0.0)
    np.testing.assert_array_equal(first, errors(both, 3.0))
    np.testing.assert_array_equal(later, errors(both, 0.0))
    for instrument in (WHITE, COHERENT):
        assert not np.array_equal(errors(replace(instrument, seed=2), 0.0), errors(instrument, 0.0), equal_nan=True)
    # The two kinds are drawn apart: with one more, the other is what it was.
    np.testing.assert_allclose(later, errors(WHITE, 0.0) + errors(COHERENT, 0.0), atol=1e-15)


def test_what_is_beyond_any_soil_is_clipped_and_counted() -> None:
    image = seen(np.where(GRID.latitude[:, None] > 0.0, 0.7, -0.1) + 0.0 * EVEN, GRID, START, PERFECT)
    assert (np.nanmin(image), np.nanmax(image)) == (LOWEST, HIGHEST)
    assert n_clipped(image) > 0.95 * ground().sum()
    assert n_clipped(seen(EVEN, GRID, START, WHITE)) == 0


@pytest.mark.parametrize("change", [{"white": -0.1}, {"coherent": np.nan}, {"length": 0}, {"days": 0}, {"seed": -1}])
def test_an_instrument_that_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(change))}=.*out of range"):
        replace(PERFECT, **change)
