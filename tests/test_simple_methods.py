from __future__ import annotations

import numpy as np
import pytest
from problems import GLOBE, SELF, half_observed, problem_of
from transforms import every_finest

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.faults import ConfigError
from imgda_mpi.methods.simple import Insert, LargeScale, Pointwise, PointwiseFitted

SHAPE = (64, 96)


def test_simple_methods_are_their_formulas() -> None:
    given = half_observed(GLOBE)
    d, observed = given.innovation.values, given.observations.observed
    np.testing.assert_array_equal(Insert().increment(given, SELF).image, d)
    pointwise = Pointwise(0.15).increment(given, SELF)
    np.testing.assert_allclose(pointwise.image, 0.15**2 / (0.15**2 + 0.05**2) * d, rtol=1e-14)
    assert np.array_equal(pointwise.applied, observed)
    fitted = PointwiseFitted().increment(given, SELF).image
    np.testing.assert_allclose(fitted, (1 - 0.05**2 * observed.sum() / np.square(d).sum()) * d, rtol=1e-12)


def test_pointwise_is_the_scalar_kalman_update() -> None:
    innovation = np.array([[1.0, -2.0], [0.5, 0.0]])
    background_sd = np.array([[0.3, 0.4], [0.0, 0.1]])
    problem = problem_of(innovation, sd=np.array([[0.4, 0.3], [0.1, 0.2]]))
    found = Pointwise(background_sd).increment(problem, SELF).image
    np.testing.assert_allclose(found, [[0.36, -1.28], [0.0, 0.0]], rtol=1e-15)
    uniform = Pointwise(0.3).increment(problem_of(innovation, sd=0.4), SELF).image
    np.testing.assert_allclose(uniform, 0.36 * innovation, rtol=1e-15)


def test_large_scale_takes_the_coarser_half_unless_told() -> None:
    given, transform = half_observed(GLOBE), CurveletTransform(GLOBE.shape, 3)
    usual, coarse, both = (
        LargeScale(transform, 0.15, scales).increment(given, SELF).image for scales in (None, [1], [1, 2])
    )
    np.testing.assert_array_equal(usual, coarse)
    assert np.abs(both - usual).max() > 1e-3
    with pytest.raises(ConfigError, match=r"scales = \[1, 4\]: this transform has the scales 1 to 3"):
        LargeScale(transform, 0.15, [1, 4]).check(given.grid, given.observations)


@every_finest
def test_large_scale_is_the_minimum_of_its_cost(finest: str, rng: np.random.Generator) -> None:
    transform = CurveletTransform(SHAPE, 4, finest=finest)
    problem = problem_of(0.3 * rng.standard_normal(SHAPE), np.indices(SHAPE)[1] < SHAPE[1] // 2)
    d = problem.innovation.values
    found = LargeScale(transform, 0.15, [1, 2]).increment(problem, SELF).image

    def cost(x: np.ndarray) -> float:
        misfit = d - x
        of_scales = (misfit * transform.reconstruct(misfit, 2)).sum()  # the sum of squares of their coefficients
        return float(np.square(x).sum() / 0.15**2 + of_scales / 0.10**2)

    least = cost(found)
    for _ in range(10):
        step = 1e-3 * rng.standard_normal(SHAPE)
        up, down = cost(found + step), cost(found - step)
        assert min(up, down) > least
        # At a minimum the cost is even in every direction.
        assert abs(up - down) < 1e-9 * least
