"""Innovations told apart by scale."""

from __future__ import annotations

import numpy as np
import pytest
from problems import SELF

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.verify.innovation_scales import SUMS, InnovationScales, scale_statistics
from imgda_mpi.verify.innovations import Images

SHAPE = (64, 96)
S_O = 0.02


@pytest.fixture(scope="module")
def transform() -> CurveletTransform:
    return CurveletTransform(SHAPE, 4)


@pytest.fixture(scope="module")
def of_scales(transform: CurveletTransform) -> InnovationScales:
    return InnovationScales(transform)


@pytest.fixture(scope="module")
def variances(transform: CurveletTransform) -> np.ndarray:
    """Of background errors, larger at the coarse scales, (n_wedges,)."""
    return np.array([0.05**2 * 8.0 ** (2 - wedge.scale) for wedge in transform.layout.wedges])


def table(transform: CurveletTransform, variances: np.ndarray, s_o: float = S_O) -> WedgeStatistics:
    """Statistics of wedges as an analysis has them, as if all was observed."""
    wedges = transform.layout.wedges
    norms = WedgePowers(transform, SELF).norms * np.prod(SHAPE) / np.array([w.stop - w.start for w in wedges])
    values = {"background_variance_mean": norms * variances, "observation_variance_mean": norms * s_o**2}
    scale, number = np.array([(wedge.scale, wedge.number) for wedge in wedges]).T
    return WedgeStatistics(scale, number, values)


def drawn(transform: CurveletTransform, variances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Errors with these variances."""
    spectrum = np.fft.rfft2(rng.standard_normal(SHAPE)) * np.sqrt(transform.filter_of(variances))
    return np.fft.irfft2(spectrum, s=SHAPE)


def analysed(transform: CurveletTransform, variances: np.ndarray, rng: np.random.Generator) -> Images:
    """An optimal analysis of observations everywhere."""
    innovation = S_O * rng.standard_normal(SHAPE) - drawn(transform, variances, rng)
    covariance = transform.filter_of(variances)
    increment = np.fft.irfft2(np.fft.rfft2(innovation) * covariance / (covariance + S_O**2), s=SHAPE)
    return Images(innovation, increment, increment)


def test_errors_of_scales_are_found_where_analyses_are_optimal(
    transform: CurveletTransform, of_scales: InnovationScales, variances: np.ndarray, rng: np.random.Generator
) -> None:
    seen = np.ones(SHAPE, bool)
    used = of_scales.used(table(transform, variances), seen, everywhere=True)
    sums = np.sum([of_scales.sums(analysed(transform, variances, rng), used) for _ in range(60)], axis=0)
    found = scale_statistics(sums)
    np.testing.assert_allclose(found["scale_chi2"], 1.0, rtol=0, atol=0.12)
    for name in ("background_error", "observation_error"):
        np.testing.assert_allclose(found[f"scale_{name}"], found[f"scale_{name}_used"], rtol=0.08, atol=0)
    # All scales together are the whole.
    of_pixel = transform.filter_of(variances)
    assert np.square(found["scale_observation_error_used"]).sum() == pytest.approx(S_O**2, rel=1e-3)
    whole = np.fft.irfft2(of_pixel, s=SHAPE)[0, 0]
    assert np.square(found["scale_background_error_used"]).sum() == pytest.approx(whole, rel=0.06)


def test_sums_of_all_scales_are_those_of_cells(
    transform: CurveletTransform, of_scales: InnovationScales, variances: np.ndarray, rng: np.random.Generator
) -> None:
    images = analysed(transform, variances, rng)
    images.innovation[rng.uniform(size=SHAPE) < 0.4] = np.nan
    sums = dict(zip(SUMS, of_scales.sums(images, None), strict=True))
    seen = images.seen
    b, i = (image[seen] - image[seen].mean() for image in (images.innovation, images.increment))
    for name, expected in (("b2", b @ b), ("ib", i @ b), ("ab", (b - i) @ b)):
        assert sums[name].sum() == pytest.approx(expected, rel=1e-9)
    assert sums["cells"].tolist() == [seen.sum()] * 4
    assert not sums["used"].any()
    assert np.isnan(scale_statistics(np.array(list(sums.values())))["scale_chi2"]).all()


def test_expected_power_of_scales_on_some_cells_is_that_of_draws(
    transform: CurveletTransform, of_scales: InnovationScales, variances: np.ndarray, rng: np.random.Generator
) -> None:
    seen = np.zeros(SHAPE, bool)
    seen[10:40, 20:60] = rng.uniform(size=(30, 40)) < 0.7
    used = of_scales.used(table(transform, variances, 1e-9), seen, everywhere=True)
    assert used is not None
    draws = []
    for _ in range(300):
        errors = np.where(seen, drawn(transform, variances, rng), np.nan)
        draws.append(of_scales.sums(Images(errors, errors, errors), None)[1] / seen.sum())
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - used[0]) < 3.5 * error).all()
    # Without the mask's part in it the expectation would be far off.
    everywhere = of_scales.used(table(transform, variances), np.ones(SHAPE, bool), everywhere=True)
    assert everywhere is not None
    assert abs(used[0][0] / everywhere[0][0] - 1) > 0.3


def test_wedges_of_another_transform_or_without_variances_tell_nothing(
    transform: CurveletTransform, of_scales: InnovationScales, variances: np.ndarray
) -> None:
    seen, known = np.ones(SHAPE, bool), table(transform, variances)
    assert of_scales.used(WedgeStatistics(known.scale, known.wedge, {}), seen, everywhere=True) is None
    other = CurveletTransform((64, 64), 3)
    assert of_scales.used(table(other, variances[: len(other.layout.wedges)]), seen, everywhere=True) is None
    assert of_scales.used(known, np.zeros(SHAPE, bool), everywhere=True) is None


def test_variances_of_the_observed_cells_are_taken_as_they_are(
    transform: CurveletTransform, of_scales: InnovationScales, variances: np.ndarray
) -> None:
    seen = np.zeros(SHAPE, bool)
    seen[:32] = True
    known = table(transform, variances)
    half = WedgeStatistics(known.scale, known.wedge, {name: values / 2 for name, values in known.values.items()})
    used = of_scales.used(half, seen, everywhere=False)
    assert used is not None
    assert used[1].sum() == pytest.approx(S_O**2, rel=1e-9)


def test_an_analysis_of_nothing_adds_nothing(of_scales: InnovationScales) -> None:
    nothing = np.full(SHAPE, np.nan)
    assert not of_scales.sums(Images(nothing, nothing, nothing), None).any()
