from __future__ import annotations

import numpy as np
import pytest
from problems import TIME
from running_variance import RunningVariance
from transforms import every_finest, impulses

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.numerics.kalman import coefficient_increment, gain
from imgda_mpi.numerics.perturbations import perturbation
from imgda_mpi.numerics.white_variance import expected_variance

SHAPE = (32, 33)


@pytest.fixture
def transform() -> CurveletTransform:
    return CurveletTransform(SHAPE, n_scales=3)


def test_observation_without_information_changes_nothing(
    transform: CurveletTransform, rng: np.random.Generator
) -> None:
    innovation = transform.forward(rng.standard_normal(SHAPE))
    variance = expected_variance(transform, np.full(SHAPE, 0.15))
    increment = transform.inverse(coefficient_increment(innovation, variance, 1e30 * variance))
    assert np.abs(increment).max() < 1e-28
    assert np.abs(coefficient_increment(innovation, 0 * variance, variance)).max() == 0


def test_perfect_observation_is_taken_over(transform: CurveletTransform, rng: np.random.Generator) -> None:
    innovation = rng.standard_normal(SHAPE)
    variance = expected_variance(transform, np.full(SHAPE, 0.15))
    increment = coefficient_increment(transform.forward(innovation), variance, 0 * variance)
    np.testing.assert_allclose(transform.inverse(increment), innovation, rtol=0, atol=1e-13)


def test_increment_is_that_of_the_dense_matrices(transform: CurveletTransform, rng: np.random.Generator) -> None:
    background, observation = rng.uniform(0, 0.5, (2, *SHAPE))
    layout = transform.layout
    b, r = layout.join_parts(np.square(rng.standard_normal((2, layout.n_values)))) + 1e-3
    unit = transform.forward(impulses(SHAPE))
    # The frame with all of its wedges, the opposite ones too: C is complex, one row for each coefficient.
    rows, k = [], []
    for wedge in layout.wedges:
        columns = transform.wedge(unit, wedge.scale, wedge.number).reshape(background.size, -1)
        slots = slice(wedge.start, wedge.stop, 1 if wedge.is_real else 2)
        for matrix in [columns.T] if wedge.is_real else [columns.T, columns.T.conj()]:
            rows.append(matrix)
            k.append(b[slots] / (b[slots] + r[slots]))
    c, k_diagonal = np.concatenate(rows), np.concatenate(k)
    np.testing.assert_allclose(c.conj().T @ c, np.eye(background.size), rtol=0, atol=1e-13)
    c_b, c_y = c @ background.ravel(), c @ observation.ravel()
    c_a = c_b + k_diagonal * (c_y - c_b)
    expected = (c.conj().T @ c_a).reshape(SHAPE)
    assert np.abs(expected.imag).max() < 1e-14

    increment = coefficient_increment(transform.forward(observation - background), b, r)
    np.testing.assert_allclose(background + transform.inverse(increment), expected.real, rtol=0, atol=1e-13)


def test_expected_variances_of_uniform_errors_give_the_pointwise_blend(
    transform: CurveletTransform, rng: np.random.Generator
) -> None:
    innovation = rng.standard_normal(SHAPE)
    b, r = (expected_variance(transform, np.full(SHAPE, sd)) for sd in (0.15, 0.10))
    increment = transform.inverse(coefficient_increment(transform.forward(innovation), b, r))
    blend = 0.15**2 / (0.15**2 + 0.10**2) * innovation
    np.testing.assert_allclose(increment, blend, rtol=0, atol=1e-13)


def test_ensemble_gain_approaches_the_pointwise_one_with_the_number_of_members(
    transform: CurveletTransform, rng: np.random.Generator
) -> None:
    variances = {"background": RunningVariance(transform.layout), "observation": RunningVariance(transform.layout)}
    innovation = rng.standard_normal(SHAPE)
    departures = {}
    for member in range(1600):
        for (kind, variance), sd in zip(variances.items(), (0.15, 0.10), strict=True):
            noise = perturbation(SHAPE, seed=1, time=TIME, kind=kind, member=member)
            variance.add(sd * transform.forward(noise))
        if member + 1 in (100, 1600):
            b, r = (variance.result() for variance in variances.values())
            increment = transform.inverse(coefficient_increment(transform.forward(innovation), b, r))
            departures[member + 1] = increment - 0.15**2 / (0.15**2 + 0.10**2) * innovation
    # Sampling noise of the gain falls with the root of the number of members, here to a quarter.
    assert departures[1600].std() / departures[100].std() == pytest.approx(0.25, abs=0.03)
    slope = (departures[1600] * innovation).sum() / np.square(innovation).sum()
    assert abs(slope) < 0.005


@every_finest
def test_uniform_errors_give_the_uniform_gain(finest: str) -> None:
    transform = CurveletTransform((64, 96), finest=finest)
    b, r = (expected_variance(transform, np.full((64, 96), sd)) for sd in (0.15, 0.10))
    np.testing.assert_allclose(gain(b, r), 0.15**2 / (0.15**2 + 0.10**2), rtol=1e-14)


def test_impossible_variances_are_counted() -> None:
    b = np.array([1.0, 0.0, -1.0, np.nan, 0.0])
    r = np.array([1.0, 0.0, 3.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="3 of 5 error variances"):
        gain(b, r)
    assert gain(b[[0, 4]], r[[0, 4]]).tolist() == [0.5, 0.0]
