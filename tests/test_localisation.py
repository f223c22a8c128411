from __future__ import annotations

import numpy as np
import pytest
from grids import gaussian

from imgda_mpi.grid import Grid
from imgda_mpi.numerics.localisation import Localisation, chord, gaspari_cohn

GLOBE = Grid(np.linspace(85, -85, 18), np.arange(-175.0, 180, 10))
REGION = Grid(np.linspace(20, 60, 9), np.linspace(100, 140, 11))
GAUSSIAN = gaussian(16, 32)


def dense(grid: Grid, length: float) -> np.ndarray:
    places = chord(grid).reshape(-1, 3)
    return gaspari_cohn(np.linalg.norm(places[:, None] - places, axis=2) / length)


@pytest.mark.parametrize("grid", [GLOBE, REGION, GAUSSIAN], ids=["globe", "region", "gaussian"])
@pytest.mark.parametrize("length", [4e5, 1.5e6])
def test_images_are_multiplied_by_the_matrix_of_correlations(
    grid: Grid, length: float, rng: np.random.Generator
) -> None:
    images = rng.standard_normal((3, *grid.shape))
    expected = (images.reshape(3, -1) @ dense(grid, length)).reshape(images.shape)
    np.testing.assert_allclose(Localisation(grid, length).apply(images), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])
def test_the_matrix_is_positive_definite(grid: Grid) -> None:
    assert np.linalg.eigvalsh(dense(grid, 2e6)).min() > 0


def test_correlation_is_that_of_gaspari_and_cohn() -> None:
    # The convolution of a cone with itself in three dimensions: 5/24 at its length (their eq. 4.10).
    np.testing.assert_allclose(gaspari_cohn(np.array([0.0, 1.0, 2.0, 9.0])), [1, 5 / 24, 0, 0], atol=1e-15)
    z = np.linspace(0, 3, 3001)
    values = gaspari_cohn(z)
    assert (np.diff(values) <= 1e-15).all()
    assert values.min() >= 0
    assert np.abs(np.diff(values, 2)).max() < 5e-6  # no kink


def test_grids_and_lengths_that_do_not_do_are_refused() -> None:
    with pytest.raises(ValueError, match="columns must be equally spaced"):
        Localisation(Grid(np.linspace(20, 60, 9), np.array([0.0, 1.0, 3.0])), 1e6)
    with pytest.raises(ValueError, match="needs a length above 0"):
        Localisation(REGION, 0.0)
