from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from problems import TIME
from running_variance import RunningVariance
from scipy import stats
from transforms import impulses

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.numerics.perturbations import perturbation
from imgda_mpi.numerics.sample_variance import MEMBERS_PER_BLOCK, SampleVariance, add_member, member_blocks
from imgda_mpi.numerics.white_variance import expected_variance

SHAPE = (32, 48)
N_SCALES = 3  # one more than is usual for 32 rows, to have a scale of wedges
MANY = 2000


def noise(member: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return perturbation(shape, seed=1, time=TIME, kind="background", member=member)


def sd_map(shape: tuple[int, int]) -> np.ndarray:
    """A standard deviation that changes smoothly, jumps, and is zero somewhere."""
    row, column = np.indices(shape)
    sd = 0.2 + 0.1 * np.cos(2 * np.pi * row / shape[0])
    sd[column > shape[1] // 2] *= 0.3
    sd[:5, :7] = 0
    return sd


def sample_variance(transform: CurveletTransform, sd: np.ndarray, n_members: int) -> np.ndarray:
    variance = RunningVariance(transform.layout)
    for member in range(n_members):
        variance.add(transform.forward(sd * noise(member, transform.layout.image_shape)))
    return variance.result()


@pytest.mark.parametrize(
    ("finest", "sd"),
    [("wavelets", sd_map(SHAPE)), ("curvelets", np.full(SHAPE, 0.15))],
    ids=["wavelets-map", "curvelets-uniform"],
)
def test_ensemble_agrees_with_expectation_at_every_scale(finest: str, sd: np.ndarray) -> None:
    transform = CurveletTransform(SHAPE, N_SCALES, finest=finest)
    expected = expected_variance(transform, sd)
    few, many = RunningVariance(transform.layout), RunningVariance(transform.layout)
    for member in range(MANY):
        coefficients = transform.forward(sd * noise(member))
        many.add(coefficients)
        if member < 50:
            few.add(coefficients)
    for scale in range(1, N_SCALES + 1):
        of_scale = np.zeros(transform.layout.n_values)
        of_scale[transform.layout.scale(scale)] = 1 / expected[transform.layout.scale(scale)]
        # The sum over the scale of s^2 / sigma^2 is the quadratic form e' M e of the white noise, summed over N - 1
        # degrees of freedom: mean trace(M), variance 2 trace(M M) / (N - 1).
        matrix = np.array(
            [sd * transform.inverse(of_scale * transform.forward(sd * impulse)) for impulse in impulses(SHAPE)]
        )
        n_slots = np.count_nonzero(of_scale)
        assert np.trace(matrix.reshape(-1, math.prod(SHAPE))) == pytest.approx(n_slots, rel=1e-10)
        for variance, n_members in ((few, 50), (many, MANY)):
            error = math.sqrt(2 * np.square(matrix).sum() / (n_members - 1)) / n_slots
            assert error < 0.06
            assert abs((variance.result() * of_scale).sum() / n_slots - 1) < 4 * error


@pytest.mark.parametrize("n_members", [50, MANY])
def test_ratio_of_real_coefficients_is_chi_square(n_members: int) -> None:
    transform = CurveletTransform(SHAPE, N_SCALES)
    sd = np.full(SHAPE, 0.15)
    ratio = (n_members - 1) * sample_variance(transform, sd, n_members) / expected_variance(transform, sd)
    # Every third position, beyond which neighbours hardly correlate.
    for scale in (1, N_SCALES):
        of_wedge = transform.wedge(ratio, scale, 1)[::3, ::3].ravel()
        n = of_wedge.size
        degrees = n_members - 1
        assert abs(of_wedge.mean() - degrees) < 4 * math.sqrt(2 * degrees / n)
        # Relative error of a sample variance, from the fourth moment of chi-square.
        assert abs(of_wedge.var(ddof=1) / (2 * degrees) - 1) < 4 * math.sqrt((2 + 12 / degrees) / (n - 1))
        assert stats.kstest(of_wedge, "chi2", args=(degrees,)).pvalue > 0.01


def test_ratio_of_complex_coefficients_has_twice_the_degrees_of_freedom() -> None:
    # A wedge that holds no frequency together with its opposite has real and imaginary parts of equal variance,
    # without correlation.
    n_members = 50
    transform = CurveletTransform(SHAPE, N_SCALES)
    sd = np.full(SHAPE, 0.15)
    ratio = 2 * (n_members - 1) * sample_variance(transform, sd, n_members) / expected_variance(transform, sd)
    degrees = 2 * (n_members - 1)
    thinned = np.concatenate([transform.wedge(ratio, 2, number).real[::3, ::3].ravel() for number in range(1, 9, 2)])
    assert stats.kstest(thinned, "chi2", args=(degrees,)).pvalue > 0.01
    assert abs(thinned.mean() - degrees) < 4 * math.sqrt(2 * degrees / thinned.size)


def test_sample_variance_is_that_of_numpy_in_both_slots(rng: np.random.Generator) -> None:
    transform = CurveletTransform((33, 47))
    members = rng.standard_normal((7, transform.layout.n_values)) + 100.0
    variance = RunningVariance(transform.layout)
    for values in members:
        variance.add(values)
    for wedge in transform.layout.wedges:
        expected = transform.wedge(members, wedge.scale, wedge.number).var(axis=0, ddof=1)
        slots = transform.wedge(variance.result(), wedge.scale, wedge.number)
        np.testing.assert_allclose(slots.real, expected, rtol=1e-12)
        if not wedge.is_real:
            np.testing.assert_array_equal(slots.real, slots.imag)


def test_variance_has_the_same_bits_whichever_values_are_held_together(rng: np.random.Generator) -> None:
    n_values = 1003
    members = rng.standard_normal((11, n_values))

    def variance_of(part: slice) -> np.ndarray:
        held = members[:, part]
        variance, moments = SampleVariance(held.shape[1], np.float64), np.empty((2, held.shape[1]))
        for block in member_blocks(len(members)):
            for n_before, member in enumerate(block):
                add_member(moments, held[member], n_before)
            variance.add(slice(None), moments, block.start, len(block))
        return variance.result(len(members))

    whole = variance_of(slice(0, n_values))
    np.testing.assert_allclose(whole, members.var(axis=0, ddof=1), rtol=1e-13)
    for cuts in ([0, 1, 4, 9, n_values], [0, 500, n_values], list(range(0, n_values + 1, 17))):
        parts = [variance_of(slice(first, last)) for first, last in pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[: cuts[-1]])


def test_blocks_hold_every_member_once_in_order() -> None:
    for n_members in (1, 4, 5, 6, 50, 53):
        blocks = member_blocks(n_members)
        assert [member for block in blocks for member in block] == list(range(n_members))
        assert {len(block) for block in blocks[:-1]} <= {MEMBERS_PER_BLOCK}


def test_equal_members_have_no_variance() -> None:
    layout = CurveletTransform((32, 32)).layout
    variance = RunningVariance(layout)
    for _ in range(5):
        variance.add(np.full(layout.n_values, 0.1))
    assert not variance.result().any()


def test_too_few_members_are_refused() -> None:
    with pytest.raises(ValueError, match="1 members: a variance needs at least 2"):
        SampleVariance(3, np.float64).result(1)
