from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.analysis import Innovation
from imgda_mpi.baselines import optimal_interpolation
from imgda_mpi.baselines.letkf import letkf_increment
from imgda_mpi.baselines.optimal_interpolation import interpolation_increment
from imgda_mpi.grid import Grid
from imgda_mpi.localisation import chord, gaspari_cohn

GRID = Grid(np.linspace(50, 32, 7), np.linspace(10, 34, 9))
SHAPE = GRID.shape


def innovation(rng: np.random.Generator) -> Innovation:
    observed = rng.random(SHAPE) < 0.6
    return Innovation(np.where(observed, 0.1 * rng.standard_normal(SHAPE), 0.0), observed, 0.05)


def test_letkf_is_the_kalman_filter_of_each_cell(rng: np.random.Generator) -> None:
    given, n_members, length = innovation(rng), 6, 6e5
    members = 0.1 * rng.standard_normal((n_members, *SHAPE))
    anomalies = members - members.mean(axis=0)
    land = rng.random(SHAPE) < 0.8
    found = letkf_increment(given, anomalies, land, GRID, length)
    places, h = chord(GRID), given.observed
    for row, column in np.argwhere(land):
        # In the space of observations: K = cov(x, y) (cov(y, y) + R)^-1, with R divided by the correlation.
        weight = gaspari_cohn(np.linalg.norm(places[h] - places[row, column], axis=1) / length)
        near = weight > 0
        y, x = anomalies[:, h][:, near], anomalies[:, row, column]
        s = y.T @ y / (n_members - 1) + np.diag(0.05**2 / weight[near])
        expected = x @ y / (n_members - 1) @ np.linalg.solve(s, given.values[h][near])
        assert found[row, column] == pytest.approx(expected, abs=1e-12)
    assert not found[~land].any()


def test_letkf_without_observations_changes_nothing(rng: np.random.Generator) -> None:
    nothing = Innovation(np.zeros(SHAPE), np.zeros(SHAPE, bool), 0.05)
    assert not letkf_increment(nothing, rng.standard_normal((4, *SHAPE)), np.ones(SHAPE, bool), GRID, 1e6).any()


def test_optimal_interpolation_is_that_of_the_dense_matrices(rng: np.random.Generator) -> None:
    given, land, length = innovation(rng), rng.random(SHAPE) < 0.8, 5e5
    h = given.observed.ravel()
    d = given.values.ravel()[h]
    places = chord(GRID).reshape(-1, 3)
    variance = np.mean(d**2) - 0.05**2
    b = variance * np.exp(-np.linalg.norm(places[:, None] - places, axis=2) / length)
    expected = b[:, h] @ np.linalg.solve(b[np.ix_(h, h)] + 0.05**2 * np.eye(h.sum()), d)
    found = interpolation_increment(given, land, GRID, length)
    np.testing.assert_allclose(found[land], expected.reshape(SHAPE)[land], rtol=0, atol=1e-13)
    assert not found[~land].any()


def test_optimal_interpolation_of_noise_alone_changes_nothing(rng: np.random.Generator) -> None:
    given = innovation(rng)
    quiet = Innovation(given.values * 0.1, given.observed, 0.05)
    assert not interpolation_increment(quiet, np.ones(SHAPE, bool), GRID, 5e5).any()


def test_a_matrix_that_is_too_large_is_refused(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimal_interpolation, "MOST_PIXELS", 10)
    with pytest.raises(ValueError, match="observed pixels: optimal interpolation by a dense matrix takes up to 10"):
        interpolation_increment(innovation(rng), np.ones(SHAPE, bool), GRID, 5e5)
