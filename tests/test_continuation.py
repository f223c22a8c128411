"""A continuation of what is observed, and the full solver's preconditioner that is made with it."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree

from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed import continuation, image_rows
from imgda_mpi.distributed.continuation import Continuation
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.long_waves import LongWaves
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.problem import Observations
from imgda_mpi.numerics.wave_kriging import WaveKriging, limits_of, most_waves

SHAPES = [(64, 96), (75, 50), (133, 267), (61, 45)]  # with even and odd numbers at every level
FEWEST = [continuation.FEWEST, 12]  # with more levels, some of them on rank 0
NOISE = 0.04**2


def red(shape: tuple[int, int], slope: float = 3.0, sd: float = 0.1) -> np.ndarray:
    """Filter of a signal whose power falls off with the wave number."""
    ny, nx = shape
    waves = np.hypot(np.fft.fftfreq(ny)[:, None] * ny, np.fft.rfftfreq(nx) * nx)
    power = (4.0 + waves**2) ** (-slope / 2)
    return sd**2 * power / np.fft.irfft2(power, s=shape)[0, 0]


def filtered(image: np.ndarray, factors: np.ndarray) -> np.ndarray:
    return np.fft.irfft2(np.fft.rfft2(image) * factors, s=image.shape)


def masks(shape: tuple[int, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Where something is observed."""
    row, column = np.indices(shape)
    hills = filtered(rng.standard_normal(shape), np.sqrt(red(shape)))
    return {
        "blocks": np.kron(rng.random((8, 8)) < 0.4, np.ones((shape[0] // 8, shape[1] // 8))) > 0,
        "swaths": (column + row // 3) % 24 < 9,
        "random": rng.random(shape) < 0.3,
        "few": rng.random(shape) < 0.02,
        "coasts": hills > np.quantile(hills, 0.65),
        "all": np.ones(shape, bool),
    }


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fewest", FEWEST)
def test_values_stay_where_they_are_and_the_adjoint_is_one(
    shape: tuple[int, int], fewest: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuation, "FEWEST", fewest)
    for mask in (rng.random(shape) < 0.3, np.indices(shape)[1] < 9, np.zeros(shape, bool)):
        extend = Continuation(ImageRows(SELF, shape), mask, red(shape), NOISE)
        values, image = mask * rng.standard_normal(shape), rng.standard_normal(shape)
        continued = extend(values)
        np.testing.assert_allclose(continued[mask], values[mask], rtol=0, atol=1e-6)
        there, back = np.vdot(continued, image), np.vdot(values, extend.adjoint(image.astype(np.float32)))
        assert there == pytest.approx(back, abs=1e-5 * np.linalg.norm(image) * max(np.linalg.norm(continued), 1))


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fewest", FEWEST)
def test_no_pixel_depends_on_the_ranks(
    comm: MPI.Intracomm, shape: tuple[int, int], fewest: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", 1000)
    monkeypatch.setattr(continuation, "FEWEST", fewest)
    mask = rng.random(shape) < 0.3
    values, image = mask * rng.standard_normal(shape), rng.standard_normal(shape).astype(np.float32)
    found = []
    for of in (SELF, comm):
        rows = ImageRows(of, shape)
        extend = Continuation(rows, mask[rows.own], red(shape), NOISE)
        every = extend(values[rows.own]), extend.adjoint(image[rows.own])
        found.append([rows.whole(one.astype(np.float64)) for one in every])
    assert agree(comm, all(np.array_equal(*pair) for pair in zip(*found, strict=True)))


def test_the_preconditioner_bounds_the_inverse_closely(rng: np.random.Generator) -> None:
    shape = (96, 192)
    powers = WedgePowers(CurveletTransform(shape, 4, finest="curvelets"), SELF)
    covariance = WedgeCovariance(powers.image_rows, powers, wedges_of(powers, red(shape)))
    factors = powers.transform.filter_of(wedges_of(powers, red(shape)))
    for name, mask in masks(shape, rng).items():
        signal = filtered(rng.standard_normal(shape), np.sqrt(factors))
        innovation = Observations(mask * (signal + 0.04 * rng.standard_normal(shape)), mask, 0.04)
        system, values = ObservedSystem(powers.image_rows, covariance, innovation), innovation.values
        exact = np.vdot(values, system.solve(values, 1e-6).values)
        bound = np.vdot(values, system.precondition(values))
        left = np.vdot(values, filtered(values, 1 / (factors + 0.04**2)))
        assert exact * (1 - 1e-4) <= bound <= 1.25 * exact, name
        assert name == "all" or bound < left, name


@pytest.mark.parametrize("slope", [0.5, 3.0, 4.0, 6.0])
@pytest.mark.parametrize("sd", [0.01, 0.04, 0.12])
def test_few_iterations_solve_a_system_whatever_is_observed(slope: float, sd: float, rng: np.random.Generator) -> None:
    shape = (96, 192)
    powers = WedgePowers(CurveletTransform(shape, 4, finest="curvelets"), SELF)
    signal = filtered(rng.standard_normal(shape), np.sqrt(red(shape, slope)))
    covariance = WedgeCovariance(powers.image_rows, powers, wedges_of(powers, red(shape, slope)))
    for name, mask in masks(shape, rng).items():
        innovation = Observations(mask * (signal + sd * rng.standard_normal(shape)), mask, sd)
        solution = ObservedSystem(powers.image_rows, covariance, innovation).solve(innovation.values)
        assert solution.residual <= 1e-3
        assert solution.iterations <= (1 if name == "all" else 10), name


def test_no_image_has_many_times_the_energy_that_it_needs(rng: np.random.Generator) -> None:
    shape, slope, sd = (192, 384), 4.0, 0.01
    powers = WedgePowers(CurveletTransform(shape, 5, finest="curvelets"), SELF)
    covariance = WedgeCovariance(powers.image_rows, powers, wedges_of(powers, red(shape, slope)))
    signal = filtered(rng.standard_normal(shape), np.sqrt(red(shape, slope)))
    for name, mask in masks(shape, rng).items():
        innovation = Observations(mask * (signal + sd * rng.standard_normal(shape)), mask, sd)
        system = ObservedSystem(powers.image_rows, covariance, innovation)
        image = mask * rng.standard_normal(shape)
        for _ in range(15):  # towards the one that has most
            before = image / np.linalg.norm(image)
            there = system.apply(covariance.apply_signal(system.adjoint(before))) + sd**2 * before
            image = system.preconditioned(there)
        # Without finer pixels that tell slopes 4.1 times for pixels at random.
        assert np.linalg.norm(image) < (1.001 if name == "all" else 3.6), name


def wedges_of(powers: WedgePowers, spectrum: np.ndarray) -> np.ndarray:
    """Variances of wedges of a signal with a filter."""
    impulse = np.zeros(powers.image_rows.shape)
    impulse[0, 0] = 1.0
    return powers.of(filtered(impulse, spectrum), impulse) / powers.norms


def test_a_signal_without_large_scales_is_not_continued(rng: np.random.Generator) -> None:
    shape = (96, 192)
    powers = WedgePowers(CurveletTransform(shape, 4, finest="curvelets"), SELF)
    variances = np.where(powers.scale == 4, 0.02, 0.0)
    covariance = WedgeCovariance(powers.image_rows, powers, variances)
    mask = masks(shape, rng)["coasts"]
    fine = filtered(rng.standard_normal(shape), np.sqrt(powers.transform.filter_of(variances)))
    innovation = Observations(mask * (fine + 0.04 * rng.standard_normal(shape)), mask, 0.04)
    values = innovation.values
    spectrum = np.fft.rfft2(values) / (powers.transform.filter_of(variances) + 0.04**2)
    np.testing.assert_allclose(
        covariance.preconditioner(innovation)(values), np.fft.irfft2(spectrum, s=shape), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("shape", [(24, 32), (15, 21)])
def test_long_waves_are_what_dense_matrices_say(shape: tuple[int, int], rng: np.random.Generator) -> None:
    (m, n), rows, mask = (3, 4), ImageRows(SELF, shape), rng.random(shape) < 0.3
    spectrum = red(shape) * np.exp(rng.standard_normal((shape[0], shape[1] // 2 + 1)))  # other in each direction
    variances = spectrum[np.arange(-m, m + 1), : n + 1]
    variances[: m + 1, 0] = variances[m:, 0][::-1]  # of the same waves
    waves, twice = LongWaves(rows, (m, n)), LongWaves(rows, (2 * m, 2 * n))
    kriging = WaveKriging(variances, twice.of(mask.astype(np.float32)), mask.size, NOISE)
    of_waves = np.zeros_like(spectrum)
    of_waves[np.arange(-m, m + 1), : n + 1] = variances
    pixels = np.eye(mask.size).reshape(-1, *shape)
    covariance = np.array([filtered(pixel, of_waves).ravel() for pixel in pixels])
    known = np.flatnonzero(mask)
    values = mask * rng.standard_normal(shape)
    weights = np.linalg.solve(covariance[np.ix_(known, known)] + NOISE * np.eye(known.size), values.ravel()[known])
    found = np.empty(shape, np.float32)
    waves.spread(kriging(waves.of(values.astype(np.float32))), found)
    np.testing.assert_allclose(found.ravel(), covariance[:, known] @ weights, rtol=0, atol=1e-5)


@pytest.mark.parametrize("noise", [1e-6, 1e-9, 1e-12])
def test_long_waves_of_a_small_box_that_has_next_to_no_noise(noise: float) -> None:
    """Of which the known pixels, by rounded sums, tell many only in theory."""
    shape, (m, n) = (180, 360), (12, 12)
    mask = np.zeros(shape, bool)
    mask[:60, :120] = True
    spectrum = red(shape, slope=8.0)
    sums = LongWaves(ImageRows(SELF, shape), (2 * m, 2 * n)).of(mask.astype(np.float32))
    kriging = WaveKriging(spectrum[np.arange(-m, m + 1), : n + 1], sums, mask.size, noise)
    waves, found = LongWaves(ImageRows(SELF, shape), (m, n)), np.empty(shape, np.float32)
    known = filtered(np.random.default_rng(3).standard_normal(shape), np.sqrt(spectrum))
    waves.spread(kriging(waves.of((mask * known).astype(np.float32))), found)
    assert (found - known)[mask].std() < 0.1 * known[mask].std()
    assert np.abs(found).max() < 10 * np.abs(known).max()


def test_long_waves_are_those_of_most_variance(rng: np.random.Generator) -> None:
    shape = (128, 256)
    alike, flat = limits_of(red(shape), shape), red(shape)
    flat[1:] *= 1e-3
    along = limits_of(flat, shape)
    for m, n, _ in (alike, along):
        assert 0.8 * most_waves(shape) < (2 * m + 1) * (2 * n + 1) <= most_waves(shape)
    assert abs(alike.along - alike.across) <= 1
    assert along.along < alike.along
    spectrum, beyond = red(shape), alike.along + 1
    assert spectrum[beyond, alike.across] < alike.beyond < spectrum[beyond, 0]
    assert limits_of(np.zeros((5, 4)), (5, 7)) == (0, 0, 0.0)
    assert limits_of(red((5, 7)), (5, 7))[:2] == (2, 1)
