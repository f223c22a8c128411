from __future__ import annotations

import numpy as np
import pytest
from problems import SELF, problem_of

from imgda_mpi.covariances.innovation import InnovationErrors, wedge_variances
from imgda_mpi.covariances.noise import DIRECTIONS, estimated_white_part, powers_of_finest_modes, wedges_of_directions
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.wedge_variances import (
    PRIOR_MODES,
    drawn,
    innovation_variances,
    likelier_variances,
    means_of_scales,
    noise_variance,
)

SHAPE = (96, 144)


@pytest.fixture(params=["wavelets", "curvelets"])
def transform(request: pytest.FixtureRequest) -> CurveletTransform:
    return CurveletTransform(SHAPE, finest=request.param)


def coherent(transform: CurveletTransform, variances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random image with one variance for each wedge."""
    spectrum = np.fft.rfft2(rng.standard_normal(SHAPE)) * np.sqrt(transform.filter_of(variances))
    return np.fft.irfft2(spectrum, s=SHAPE)


def by_scale(transform: CurveletTransform) -> np.ndarray:
    """Variances that fall off from scale to scale, and differ between directions."""
    wedges = transform.layout.wedges
    return np.array([0.3**wedge.scale * (1.5 if wedge.number % 2 else 0.5) for wedge in wedges]) * 0.01


def test_closed_form_finds_the_variances_of_a_coherent_error(
    transform: CurveletTransform, rng: np.random.Generator
) -> None:
    true, everywhere = by_scale(transform), np.ones(SHAPE, bool)
    powers = WedgePowers(transform, SELF)
    found = np.mean(
        [
            wedge_variances(
                powers,
                Observations(coherent(transform, true, rng) + 0.02 * rng.standard_normal(SHAPE), everywhere, 0.02),
            )
            for _ in range(60)
        ],
        axis=0,
    )
    # Neighbouring windows overlap, and wedges are drawn to their scale: scales are found, directions in their order.
    for scale in np.unique(powers.scale):
        of_scale = powers.scale == scale
        weights = powers.norms[of_scale]
        mean = np.average(true[of_scale], weights=weights)
        assert np.average(found[of_scale], weights=weights) == pytest.approx(mean, rel=0.35)
        if np.ptp(true[of_scale]) > 0:
            assert np.corrcoef(found[of_scale], true[of_scale])[0, 1] > 0.8


def test_a_perfect_background_has_no_error_variance(transform: CurveletTransform, rng: np.random.Generator) -> None:
    noise = Observations(0.1 * rng.standard_normal(SHAPE), np.ones(SHAPE, bool), 0.1)
    found = wedge_variances(WedgePowers(transform, SELF), noise)
    assert found.min() >= 0
    assert np.average(found) < 0.1 * 0.1**2


def test_gaps_spread_no_power_in_the_most_likely_variances(rng: np.random.Generator) -> None:
    transform = CurveletTransform(SHAPE, finest="curvelets")
    wedges = transform.layout.wedges
    true = np.array([0.1**wedge.scale for wedge in wedges])
    observed = (np.indices(SHAPE)[1] + np.indices(SHAPE)[0] // 3) % 18 < 8
    powers, rows = WedgePowers(transform, SELF), ImageRows(SELF, SHAPE)
    finest = powers.scale == transform.geometry.n_scales
    closed, likely = [], []
    for seed in range(8):
        error = coherent(transform, true, rng) + 0.003 * rng.standard_normal(SHAPE)
        problem = problem_of(error, observed, 0.003, seed=seed)
        closed.append(wedge_variances(powers, problem.innovation)[finest].mean())
        covariance = InnovationErrors().covariance(rows, powers, problem)
        variances = covariance.coefficient_variances(powers, seed=problem.seed, time=problem.time)
        likely.append(variances.sum(axis=0)[finest].mean())
    expected = true[finest].mean()
    # The edges of the swaths put power of the coarse scales into the finest: the closed form takes it for its own.
    assert np.mean(closed) > 1.5 * expected
    assert abs(np.mean(likely) - expected) < 0.3 * expected
    assert abs(np.mean(likely) - expected) < 0.3 * abs(np.mean(closed) - expected)


def test_likelier_variances_stay_where_the_innovation_is_as_expected() -> None:
    variances, expected, scale = np.array([2.0, 0.5, 0.5]), np.array([50.0, 40.0, 0.0]), np.array([1, 2, 2])
    n, nothing = np.array([120.0, 60.0, 0.0]), np.zeros(3)
    found = likelier_variances(variances, expected, expected, n, 2 * n, scale)
    np.testing.assert_allclose(found, variances, rtol=1e-15)
    np.testing.assert_array_equal(likelier_variances(nothing, nothing, nothing, n, n, scale), nothing)


@pytest.mark.parametrize("estimate", [0.1, 0.01, 0.0, -5.0])
def test_an_estimate_of_few_modes_cannot_make_a_variance_huge(estimate: float) -> None:
    """Two images of random signs may say next to nothing of a wedge of few modes, or less."""
    n, s, r = np.array([20.0]), np.array([40.0]), 0.5
    weighted = n / (s + r)
    (found,) = likelier_variances(s, weighted, np.array([estimate]), n, n * r, np.array([1]))
    assert s[0] < found <= 3 * s[0]


@pytest.mark.parametrize("signal", [100.0, 1.0, 0.01, 0.0])
def test_steps_find_the_variance_of_modes_that_are_alike(signal: float) -> None:
    """Of n modes with the power s + r; however deep the signal is in the noise."""
    n, r, scale = np.array([1e8]), 1.0, np.array([1])
    for so_far in (0.3, 50.0):
        for _ in range(8):
            total = so_far + r
            weighted, expected = n * (signal + r) / total**2, n / total
            (so_far,) = likelier_variances(np.array([so_far]), weighted, expected, n, n * r, scale)
        assert so_far == pytest.approx(signal, rel=0.02, abs=1e-4)


def test_wedges_that_say_little_follow_their_scale() -> None:
    values, mean = np.array([1.0, 3.0, 0.0]), np.array([2.0, 2.0, 0.5])
    np.testing.assert_allclose(drawn(values, mean, np.full(3, 1e9)), values, atol=1e-6)
    np.testing.assert_allclose(drawn(values, mean, np.zeros(3)), mean)
    # As much of their own as of the scale.
    np.testing.assert_allclose(drawn(values, mean, PRIOR_MODES / mean**2), (values + mean) / 2)
    assert drawn(np.array([-5.0]), np.array([1.0]), np.array([1e3])).tolist() == [0.0]


def test_scales_that_say_little_follow_the_coarser_ones() -> None:
    scale, much = np.array([1, 2, 2, 3, 3]), np.full(5, 1e9)
    own = np.array([8.0, 1.0, 3.0, 0.3, 0.1])
    found = means_of_scales(own, np.array([1e9, 1e9, 3e9, 1e9, 1e9]), scale)
    np.testing.assert_allclose(found, [8.0, 2.5, 2.5, 0.2, 0.2], rtol=1e-6)
    # Of the third nothing is known: as much below the second as that is below the first.
    found = means_of_scales(own, much * (scale < 3), scale)
    np.testing.assert_allclose(found[3:], 2.0 * 2.0 / 8.0)
    rising = means_of_scales(np.array([1.0, 4.0, 4.0, 9.0, 9.0]), much * (scale < 3), scale)
    np.testing.assert_allclose(rising[3:], 4.0)
    assert means_of_scales(-own, much, scale).tolist() == [0.0] * 5
    assert means_of_scales(own, 0 * much, scale).tolist() == [0.0] * 5


def test_a_signal_that_chance_shows_in_wedges_of_noise_is_not_believed(rng: np.random.Generator) -> None:
    transform = CurveletTransform(SHAPE, finest="curvelets")
    wedges, powers = transform.layout.wedges, WedgePowers(transform, SELF)
    true = np.array([0.01 if wedge.scale == 1 else 0.0 for wedge in wedges])
    found = []
    for seed in range(6):
        error = coherent(transform, true, rng) + 0.1 * rng.standard_normal(SHAPE)
        covariance = InnovationErrors().covariance(
            ImageRows(SELF, SHAPE), powers, problem_of(error, np.ones(SHAPE, bool), 0.1, seed=seed)
        )
        found.append(float(covariance.variance[0, 0]))
    assert np.mean(found) == pytest.approx(np.sum(true * powers.norms), rel=0.25, abs=2e-4)


def test_less_power_than_noise_is_no_negative_variance() -> None:
    found = innovation_variances(np.array([1.0, 4.0]), np.array([10.0, 10.0]), np.array([2.0, 2.0]), np.array([1, 2]))
    assert found[0] == 0
    assert found[1] == pytest.approx(0.2)
    assert innovation_variances(np.zeros(1), np.zeros(1), np.zeros(1), np.ones(1, int)).tolist() == [0.0]


def test_noise_is_told_from_what_falls_off() -> None:
    # Half way from the 0.2 that do not fall off to all of the finest scale.
    assert noise_variance(np.array([9.0, 3.0, 1.0, 1 / 3]) + 0.2) == pytest.approx(0.2 + 1 / 6)
    assert noise_variance(np.array([4.0, 4.0, 4.0])) == 4.0
    assert np.isnan(noise_variance(np.array([1.0, 0.1, 0.0])))
    with pytest.raises(ValueError, match="2 scales: the noise in an image is estimated from three"):
        noise_variance(np.array([1.0, 2.0]))


def white_part(values: np.ndarray, observed: np.ndarray, transform: CurveletTransform) -> float:
    # What is prescribed is not used.
    innovation = Observations(np.where(observed, values, 0.0), observed, 5.0)
    return estimated_white_part(powers_of_finest_modes(innovation, WedgePowers(transform, SELF), SELF))


@pytest.mark.parametrize("sd", [0.02, 0.1])
def test_observation_errors_are_estimated(transform: CurveletTransform, sd: float, rng: np.random.Generator) -> None:
    falling = 0.25 ** np.array([wedge.scale for wedge in transform.layout.wedges]) * 0.05
    # A mean, which is a jump at the border of what is observed, is no noise.
    background = coherent(transform, falling, rng) + 0.3
    observed = np.indices(SHAPE)[1] > 20
    estimate = np.sqrt(white_part(background + sd * rng.standard_normal(SHAPE), observed, transform))
    # On the high side rather than on the low one.
    assert 0.97 * sd < estimate < 1.25 * sd


def test_what_is_too_little_to_estimate_from_gives_no_estimate(transform: CurveletTransform) -> None:
    row, column = np.indices(SHAPE)
    assert np.isnan(white_part(np.zeros(SHAPE), np.zeros(SHAPE, bool), transform))
    smooth = np.sin(2 * np.pi * row / SHAPE[0]) + np.cos(2 * np.pi * column / SHAPE[1])
    assert np.isnan(white_part(smooth, row >= 0, transform))
    noise = np.random.default_rng(3).standard_normal(SHAPE)
    assert np.isnan(white_part(noise, row >= 0, CurveletTransform(SHAPE, 2)))
    assert white_part(noise, row >= 0, transform) == pytest.approx(1, rel=0.2)


def test_noise_is_looked_for_all_round_in_some_directions() -> None:
    transform, rng = CurveletTransform((128, 256), 5, finest="curvelets"), np.random.default_rng(4)
    assert transform.geometry.n_wedges(5) > DIRECTIONS
    found = wedges_of_directions(transform.layout, 2)
    numbers = {scale: [wedge.number for wedge in found if wedge.scale == scale] for scale in (4, 5)}
    assert numbers == {4: list(range(1, 17)), 5: list(range(2, 33, 2))}
    assert len({wedge.scale for wedge in wedges_of_directions(transform.layout, 9)}) == 5
    image, observed = 0.1 * rng.standard_normal((128, 256)), np.ones((128, 256), bool)
    powers = powers_of_finest_modes(Observations(image, observed, 5.0), WedgePowers(transform, SELF), SELF, 1)
    assert np.sqrt(powers) == pytest.approx(0.1, rel=0.02)
