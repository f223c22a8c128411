from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SMALL, agree, members_of_images, noise_on, problem_of

from imgda_mpi.distributed.rectangle import holder_of_images
from imgda_mpi.methods.letkf import Letkf, letkf_increment
from imgda_mpi.numerics.localisation import chord, gaspari_cohn
from imgda_mpi.numerics.problem import Observations


def test_letkf_is_the_kalman_filter_of_each_cell(rng: np.random.Generator) -> None:
    given, n_members, length = noise_on(SMALL, rng), 6, 6e5
    members = 0.1 * rng.standard_normal((n_members, *SMALL.shape))
    anomalies = members - members.mean(axis=0)
    land = rng.random(SMALL.shape) < 0.8
    found = letkf_increment(given, anomalies, land, SMALL, length)
    places, h = chord(SMALL), given.observed
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
    nothing = Observations(np.zeros(SMALL.shape), np.zeros(SMALL.shape, bool), 0.05)
    anomalies, land = rng.standard_normal((4, *SMALL.shape)), np.ones(SMALL.shape, bool)
    assert not letkf_increment(nothing, anomalies, land, SMALL, 1e6).any()


@pytest.mark.parametrize("comm", COMMS)
def test_letkf_as_a_method_has_the_same_bits_on_any_number_of_ranks(comm: MPI.Intracomm) -> None:
    rng = np.random.default_rng(11)
    drawn, observed = 0.1 * rng.standard_normal((7, *SMALL.shape)), rng.random(SMALL.shape) < 0.6
    anomalies = drawn - drawn.mean(axis=0)
    held = {n: image for n, image in enumerate(anomalies) if holder_of_images(n, comm.size) == comm.rank}
    land = rng.random(SMALL.shape) < 0.8
    problem = problem_of(
        0.2 * rng.standard_normal(SMALL.shape),
        observed & land,
        0.05,
        land=land,
        grid=SMALL,
        members=members_of_images(held, 7, anomalies),
    )
    method = Letkf(600.0)
    assert method.needs_members
    increment = method.increment(problem, comm)
    expected = letkf_increment(problem.innovation, anomalies, land, SMALL, 6e5)
    assert agree(comm, np.array_equal(increment.image, expected))
    assert agree(comm, np.array_equal(increment.applied, land))
