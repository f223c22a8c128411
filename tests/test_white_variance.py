from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from transforms import every_finest, impulses

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.numerics.white_variance import Shear, expected_variance


@pytest.mark.parametrize(
    ("shape", "n_angles", "finest", "sampling"),
    [
        (shape, n_angles, finest, sampling)
        for shape, finest, sampling in product([(32, 32), (33, 40)], ["wavelets", "curvelets"], ["fast", "reference"])
        for n_angles in ((16,) if shape[0] % 2 else (16, 8))
    ],
)
def test_expected_variance_is_the_sum_over_impulses(
    shape: tuple[int, int], n_angles: int, finest: str, sampling: str, rng: np.random.Generator
) -> None:
    transform = CurveletTransform(shape, n_angles=n_angles, finest=finest, sampling=sampling)
    sd = rng.uniform(0, 2, shape)
    uniform, varying = np.zeros((2, transform.layout.n_values))
    for impulse in impulses(shape):
        power = transform.layout.join_parts(np.square(transform.forward(impulse)))
        uniform += power
        varying += float((sd * impulse).sum()) ** 2 * power
    np.testing.assert_allclose(expected_variance(transform, sd), varying, rtol=0, atol=1e-12)
    np.testing.assert_allclose(expected_variance(transform, np.full(shape, 0.3)), 0.3**2 * uniform, rtol=1e-12)


def test_expected_power_of_the_frame_is_the_power_of_the_image(rng: np.random.Generator) -> None:
    transform = CurveletTransform((101, 64))
    sd = rng.uniform(0, 1, (101, 64))
    # Both slots of a complex coefficient have its whole variance: it counts twice, for its opposite.
    assert expected_variance(transform, sd).sum() == pytest.approx(np.square(sd).sum(), rel=1e-12)


@every_finest
def test_expected_variance_is_never_negative_where_there_are_no_errors(finest: str) -> None:
    transform = CurveletTransform((64, 96), finest=finest)
    sd = np.zeros((64, 96))
    sd[:8, :8] = 1
    variance = expected_variance(transform, sd)
    assert variance.min() >= 0
    assert variance.sum() == pytest.approx(64, rel=1e-12)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sd has shape \(48, 32\): need \(32, 48\)"):
        expected_variance(CurveletTransform((32, 48)), np.zeros((48, 32)))


def test_windows_that_lie_aslant_are_sheared_to_narrow_boxes() -> None:
    weight = np.zeros((40, 90))
    for row in range(40):
        weight[row, 2 * row : 2 * row + 10] = 1 + np.arange(10) + row / 100
    for given, slope in ((weight, 2), (weight[:, ::-1], -2), (np.ones((40, 10)), 0)):
        shear = Shear.of(given)
        sheared = shear.sheared(given)
        assert shear.slope == slope
        assert sheared.shape == (40, 10)
        assert shear.size == sheared.size
        np.testing.assert_array_equal(np.sort(sheared[sheared > 0]), np.sort(given[given > 0]))
        # The autocorrelation at (1, slope) is that of the sheared window at (1, 0).
        moved = np.roll(given, slope, axis=1)
        if slope:
            assert np.sum(given[1:] * moved[:-1]) == pytest.approx(np.sum(sheared[1:] * sheared[:-1]))
