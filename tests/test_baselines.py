from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree, members_of_images, problem_of

from imgda_mpi.distributed.rank_grid import holder_of_images
from imgda_mpi.faults import ConfigError
from imgda_mpi.grid import Grid
from imgda_mpi.methods import optimal_interpolation
from imgda_mpi.methods.letkf import Letkf, letkf_increment
from imgda_mpi.methods.optimal_interpolation import OptimalInterpolation, interpolation_increment
from imgda_mpi.numerics.localisation import chord, gaspari_cohn
from imgda_mpi.numerics.problem import Observations

GRID = Grid(np.linspace(50, 32, 7), np.linspace(10, 34, 9))
SHAPE = GRID.shape


def innovation(rng: np.random.Generator) -> Observations:
    observed = rng.random(SHAPE) < 0.6
    return Observations(np.where(observed, 0.1 * rng.standard_normal(SHAPE), 0.0), observed, 0.05)


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
    nothing = Observations(np.zeros(SHAPE), np.zeros(SHAPE, bool), 0.05)
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
    quiet = Observations(given.values * 0.1, given.observed, 0.05)
    assert not interpolation_increment(quiet, np.ones(SHAPE, bool), GRID, 5e5).any()


def test_a_matrix_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimal_interpolation, "MOST_PIXELS", 10)
    problem = problem_of(np.zeros(SHAPE), grid=GRID)
    with pytest.raises(ConfigError, match="found optimal_interpolation with 63 observed cells, expected at most 10"):
        OptimalInterpolation(500.0).check(GRID, problem.observations)


def test_optimal_interpolation_as_a_method_corrects_all_land(rng: np.random.Generator) -> None:
    observed = rng.random(SHAPE) < 0.6
    problem = problem_of(0.2 * rng.standard_normal(SHAPE), observed, 0.05, grid=GRID)
    increment = OptimalInterpolation(500.0).increment(problem, SELF)
    expected = interpolation_increment(problem.innovation, problem.land, GRID, 5e5)
    np.testing.assert_array_equal(increment.image, expected)
    assert increment.applied.all()


@pytest.mark.parametrize("comm", COMMS)
def test_letkf_as_a_method_has_the_same_bits_on_any_number_of_ranks(comm: MPI.Intracomm) -> None:
    rng = np.random.default_rng(11)
    drawn, observed = 0.1 * rng.standard_normal((7, *SHAPE)), rng.random(SHAPE) < 0.6
    anomalies = drawn - drawn.mean(axis=0)
    held = {n: image for n, image in enumerate(anomalies) if holder_of_images(n, comm.size) == comm.rank}
    land = rng.random(SHAPE) < 0.8
    problem = problem_of(
        0.2 * rng.standard_normal(SHAPE),
        observed & land,
        0.05,
        land=land,
        grid=GRID,
        members=members_of_images(held, 7, anomalies),
    )
    method = Letkf(600.0)
    assert method.needs_members
    increment = method.increment(problem, comm)
    expected = letkf_increment(problem.innovation, anomalies, land, GRID, 6e5)
    assert agree(comm, np.array_equal(increment.image, expected))
    assert agree(comm, np.array_equal(increment.applied, land))
