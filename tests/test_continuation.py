"""A continuation of what is observed, and the full solver's preconditioner that is made with it."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree

from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed import image_rows
from imgda_mpi.distributed.continuation import Continuation
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.numerics.coarse_kriging import CoarseKriging, covariance_of_means
from imgda_mpi.numerics.problem import Observations

SHAPES = [(64, 96), (75, 50), (133, 267), (61, 45)]  # with even and odd numbers at every level
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
def test_values_stay_where_they_are_and_the_adjoint_is_one(shape: tuple[int, int], rng: np.random.Generator) -> None:
    for mask in (rng.random(shape) < 0.3, np.indices(shape)[1] < 9, np.zeros(shape, bool)):
        extend = Continuation(ImageRows(SELF, shape), mask, red(shape), NOISE)
        values, image = mask * rng.standard_normal(shape), rng.standard_normal(shape)
        continued = extend(values)
        np.testing.assert_allclose(continued[mask], values[mask], rtol=0, atol=1e-6)
        there, back = np.vdot(continued, image), np.vdot(values, extend.adjoint(image.astype(np.float32)))
        assert there == pytest.approx(back, abs=1e-5 * np.linalg.norm(image) * max(np.linalg.norm(continued), 1))


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_pixel_depends_on_the_ranks(
    comm: MPI.Intracomm, shape: tuple[int, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", 1000)
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
        assert exact * (1 - 1e-4) <= bound <= (1.6 if name == "few" else 1.25) * exact, name
        assert name == "all" or bound < left, name


@pytest.mark.parametrize("slope", [0.5, 2.0, 3.0, 4.0])
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
        assert solution.iterations <= (1 if name == "all" else 15), name


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


def test_kriging_is_what_dense_matrices_say(rng: np.random.Generator) -> None:
    shape, number = (48, 64), 3
    spectrum = red(shape, 4.0)
    mask = rng.random(shape) < 0.4
    counts = mask.reshape(6, 8, 8, 8).sum(axis=(1, 3)).astype(np.float32)
    counts[2, 3:6] = 0
    covariance = covariance_of_means(spectrum, shape, number, (6, 8))
    # Means of an image that is red are nearly all in its long waves.
    means = np.kron(np.eye(48).reshape(48, 6, 8), np.ones((1, 8, 8))) / 64
    exact = np.array([[np.vdot(a, filtered(b, spectrum)) for a in means] for b in means])
    np.testing.assert_allclose(covariance, exact, rtol=0, atol=0.02 * exact.max())
    known = np.flatnonzero(counts)
    of_known = counts.ravel()[known].astype(np.float64)
    errors = np.diag((NOISE + 1e-4 * (1 - of_known / 64)) / of_known)
    kriging = CoarseKriging(counts, spectrum, shape, number, NOISE, 1e-4)
    sums = (counts * rng.standard_normal((6, 8))).astype(np.float32)
    matrix = covariance[:, known] @ np.linalg.inv(covariance[np.ix_(known, known)] + errors) / of_known
    np.testing.assert_allclose(kriging(sums).ravel(), matrix @ sums.ravel()[known], rtol=1e-4, atol=1e-5)
    back = rng.standard_normal((6, 8)).astype(np.float32)
    assert np.vdot(kriging(sums), back) == pytest.approx(np.vdot(sums, kriging.adjoint(back)), rel=1e-4)
