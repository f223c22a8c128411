from __future__ import annotations

import numpy as np
import pytest
from problems import SELF, SMALL, noise_on, problem_of

from imgda_mpi.faults import ConfigError
from imgda_mpi.methods import optimal_interpolation
from imgda_mpi.methods.optimal_interpolation import OptimalInterpolation, interpolation_increment
from imgda_mpi.numerics.localisation import chord
from imgda_mpi.numerics.problem import Observations


def test_optimal_interpolation_is_that_of_the_dense_matrices(rng: np.random.Generator) -> None:
    given, land, length = noise_on(SMALL, rng), rng.random(SMALL.shape) < 0.8, 5e5
    h = given.observed.ravel()
    d = given.values.ravel()[h]
    places = chord(SMALL).reshape(-1, 3)
    variance = np.mean(d**2) - 0.05**2
    b = variance * np.exp(-np.linalg.norm(places[:, None] - places, axis=2) / length)
    expected = b[:, h] @ np.linalg.solve(b[np.ix_(h, h)] + 0.05**2 * np.eye(h.sum()), d)
    found = interpolation_increment(given, land, SMALL, length)
    np.testing.assert_allclose(found[land], expected.reshape(SMALL.shape)[land], rtol=0, atol=1e-13)
    assert not found[~land].any()


def test_optimal_interpolation_of_noise_alone_changes_nothing(rng: np.random.Generator) -> None:
    given = noise_on(SMALL, rng)
    quiet = Observations(given.values * 0.1, given.observed, 0.05)
    assert not interpolation_increment(quiet, np.ones(SMALL.shape, bool), SMALL, 5e5).any()


def test_a_matrix_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimal_interpolation, "MOST_PIXELS", 10)
    problem = problem_of(np.zeros(SMALL.shape), grid=SMALL)
    with pytest.raises(ConfigError, match="found optimal_interpolation with 63 observed cells, expected at most 10"):
        OptimalInterpolation(500.0).check(SMALL, problem.observations)


def test_optimal_interpolation_as_a_method_corrects_all_land(rng: np.random.Generator) -> None:
    observed = rng.random(SMALL.shape) < 0.6
    problem = problem_of(0.2 * rng.standard_normal(SMALL.shape), observed, 0.05, grid=SMALL)
    increment = OptimalInterpolation(500.0).increment(problem, SELF)
    expected = interpolation_increment(problem.innovation, problem.land, SMALL, 5e5)
    np.testing.assert_array_equal(increment.image, expected)
    assert increment.applied.all()
