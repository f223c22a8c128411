"""Smooth random fields on the sphere have the variance and the correlation that they should, point by point."""

from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.grid import EARTH_RADIUS
from imgda_mpi.numerics.smooth_fields import smooth_field

N_DRAWS = 4000
LENGTH = 1500.0  # km


def test_mean_variance_and_correlation_over_many_draws(rng: np.random.Generator) -> None:
    distances = np.array([0.0, 300.0, 1500.0, 3000.0, 6000.0])  # km, through the Earth, along the meridian of 170 E
    latitude = -60.0 + np.degrees(2.0 * np.arcsin(distances / (2.0 * EARTH_RADIUS / 1000.0)))
    draws = np.stack([smooth_field(latitude, np.full(5, 170.0), LENGTH, rng) for _ in range(N_DRAWS)])
    expected = np.exp(-(distances**2) / (2.0 * LENGTH**2))
    # Standard errors of a mean, a variance and a covariance of 4000 draws: 0.016 to 0.022.
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=0.07)
    np.testing.assert_allclose((draws**2).mean(axis=0), 1.0, atol=0.09)
    np.testing.assert_allclose((draws * draws[:, :1]).mean(axis=0), expected, atol=0.09)
    # Nearly normal.
    assert np.mean(draws**4) == pytest.approx(3.0, abs=0.2)


def test_it_knows_no_date_line_and_one_pole(rng: np.random.Generator) -> None:
    latitude, longitude = np.array([10.0, 10.0, 90.0, 90.0]), np.array([-180.0, 180.0, 0.0, 77.0])
    west, east, pole, same_pole = smooth_field(latitude, longitude, LENGTH, rng)
    assert west == pytest.approx(east)
    assert pole == pytest.approx(same_pole)


def test_a_point_has_the_same_bits_among_any_others(rng: np.random.Generator) -> None:
    latitude, longitude = rng.uniform(-90.0, 90.0, 101), rng.uniform(-180.0, 180.0, 101)
    everywhere = smooth_field(latitude, longitude, LENGTH, np.random.default_rng(7))
    for some in (slice(3, 4), slice(0, None, 2), slice(None, None, -1)):
        part = smooth_field(latitude[some], longitude[some], LENGTH, np.random.default_rng(7))
        np.testing.assert_array_equal(part, everywhere[some])


@pytest.mark.parametrize("length", [0.0, -1.0, np.inf, np.nan])
def test_a_length_that_is_none_is_refused(rng: np.random.Generator, length: float) -> None:
    with pytest.raises(ValueError, match="length="):
        smooth_field(np.zeros(2), np.zeros(2), length, rng)


def test_coordinates_of_different_shapes_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="latitude and longitude"):
        smooth_field(np.zeros(2), np.zeros(3), LENGTH, rng)
