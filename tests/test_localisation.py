from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from grids import MODEL, gaussian

from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.numerics.localisation import Localisation, chord, gaspari_cohn

GLOBE = Grid(np.linspace(85, -85, 18), np.arange(-175.0, 180, 10))
REGION = Grid(np.linspace(20, 60, 9), np.linspace(100, 140, 11))
GAUSSIAN = gaussian(16, 32)
FINE_REGIONS = {
    "tropics": Grid(np.linspace(11, 4, 29), np.linspace(-4, 2, 25)),
    "cap": Grid(np.linspace(80.125, 89.875, 40), np.linspace(170, 190, 28)),
    "unequal": Grid(30 + np.linspace(0, 3, 30) ** 2, np.linspace(0, 8, 20)),
}
FINE_GLOBES = {
    "centred": global_grid((360, 720)),
    "poles": Grid(np.linspace(-90, 90, 361), 0.5 * np.arange(720)),
    "gaussian": gaussian(320, 640),
}


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


def matrix(grid: Grid, localisation: Localisation) -> np.ndarray:
    """All elements of L, (ny nx, ny nx)."""
    n = grid.shape[0] * grid.shape[1]
    return localisation.apply(np.eye(n).reshape(n, *grid.shape)).reshape(n, n)


@pytest.mark.parametrize(("length", "error"), [(2e5, 2.5e-3), (6e5, 2.5e-3), (1e6, 6.5e-4), (1.8e6, 2.2e-4)])
@pytest.mark.parametrize("name", FINE_REGIONS)
def test_on_a_fine_region_correlations_are_nearly_exact_up_to_its_borders(
    name: str, length: float, error: float
) -> None:
    grid = FINE_REGIONS[name]
    found = matrix(grid, Localisation(grid, length))
    assert np.abs(found - dense(grid, length)).max() < error
    np.testing.assert_allclose(found, found.T, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.diagonal(), 1, rtol=0, atol=1e-13)
    assert np.linalg.eigvalsh(found).min() > -1e-11


@pytest.mark.parametrize(("length", "error"), [(3e5, 2.5e-3), (1e6, 6.5e-4), (3e6, 1e-4)])
@pytest.mark.parametrize("name", FINE_GLOBES)
def test_on_a_fine_globe_correlations_are_nearly_exact_up_to_the_poles(name: str, length: float, error: float) -> None:
    grid = FINE_GLOBES[name]
    localisation, places = Localisation(grid, length), chord(grid)
    middle = grid.shape[0] // 2
    cells = [(0, 3), (1, 400), (2, 10), (4, 77), (9, 500), (40, 0), (middle, 1), (middle + 1, 333), (-2, 5), (-1, 639)]
    impulses = np.zeros((len(cells), *grid.shape))
    for impulse, cell in zip(impulses, cells, strict=True):
        impulse[cell] = 1
    for found, cell in zip(localisation.apply(impulses), cells, strict=True):
        expected = gaspari_cohn(np.linalg.norm(places - places[cell], axis=2) / length)
        assert np.abs(found - expected).max() < error
        assert found[cell] == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("length", [2e5, 1.8e6])
def test_where_the_grid_is_coarse_correlations_are_exact(length: float) -> None:
    localisation, places, impulse = Localisation(MODEL, length), chord(MODEL), np.zeros((1, *MODEL.shape))
    impulse[0, 20, 30] = 1
    expected = gaspari_cohn(np.linalg.norm(places - places[20, 30], axis=2) / length)
    np.testing.assert_allclose(localisation.apply(impulse)[0], expected, rtol=0, atol=1e-8)
    assert localisation.noise_shape == MODEL.shape


@pytest.mark.parametrize(
    "grid", [GLOBE, GAUSSIAN, Grid(np.linspace(4, 11, 15), np.linspace(-4, 2, 13))], ids=["globe", "gaussian", "fine"]
)
def test_the_root_is_that_of_the_matrix(grid: Grid) -> None:
    localisation = Localisation(grid, 1.5e6)
    rows, columns = localisation.noise_shape
    roots = localisation.root(np.eye(rows * columns).reshape(-1, rows, columns)).reshape(rows * columns, -1)
    np.testing.assert_allclose(roots.T @ roots, matrix(grid, localisation), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("length", "megabytes"), [(2e5, 175), (1e6, 30), (3e6, 35)])
def test_a_quarter_of_a_degree_takes_little_memory(length: float, megabytes: float) -> None:
    tracemalloc.start()
    try:
        kept = Localisation(global_grid((720, 1440)), length)
        assert tracemalloc.get_traced_memory()[0] < 1e6 * megabytes
    finally:
        tracemalloc.stop()
    assert kept.noise_shape[0] < 720


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
