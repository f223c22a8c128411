from __future__ import annotations

import numpy as np
import pytest
from problems import GLOBE, REGION, half_observed

from imgda_mpi.numerics.problem import Observations, embedded_sd


def test_observations_know_h_and_its_adjoint(rng: np.random.Generator) -> None:
    observed = rng.random(GLOBE.shape) < 0.4
    given = Observations(np.where(observed, 1.0, 0.0), observed, np.full(GLOBE.shape, 0.2))
    x, z = rng.standard_normal((2, *GLOBE.shape))
    assert np.vdot(given.apply(x), z) == pytest.approx(np.vdot(x, given.adjoint(z)))
    assert np.array_equal(given.noise > 0, observed)
    assert given.noise_power == pytest.approx(0.04 * observed.sum())
    np.testing.assert_allclose(given.minus(x).values[observed], 1.0 - x[observed])
    assert not given.minus(np.full(GLOBE.shape, np.nan)).values[~observed].any()
    part = given.rows(slice(3, 9))
    np.testing.assert_array_equal(part.apply(x[3:9]), given.apply(x)[3:9])
    np.testing.assert_array_equal(part.noise, given.noise[3:9])


def test_an_embedded_problem_has_nothing_new(rng: np.random.Generator) -> None:
    given = half_observed(REGION)
    shape = REGION.transform_shape()
    larger = given.embedded(shape)
    ny, nx = REGION.shape
    assert larger.land.shape == shape
    assert larger.land.sum() == given.land.sum()
    np.testing.assert_array_equal(larger.innovation.values[:ny, :nx], given.innovation.values)
    assert larger.innovation.noise_power == given.innovation.noise_power
    assert given.embedded(REGION.shape) is given
    sd = rng.uniform(0.1, 0.2, REGION.shape)
    field = embedded_sd(sd, given.land, shape)
    np.testing.assert_array_equal(field[:ny, :nx], sd)
    np.testing.assert_array_equal(np.unique(field[ny:]), sd[given.land].mean())
