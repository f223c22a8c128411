"""The full solver against dense matrices, and on however many ranks the tests run."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.analysis import Innovation, pointwise_increment
from imgda_mpi.conjugate_gradients import conjugate_gradients
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.error_models.analytic import AnalyticErrors
from imgda_mpi.error_models.ensemble import EnsembleErrors
from imgda_mpi.error_models.hybrid import HybridErrors
from imgda_mpi.error_models.innovation import InnovationErrors
from imgda_mpi.error_models.paper import PaperErrors
from imgda_mpi.errors import ImgdaError
from imgda_mpi.grid import Grid, embed
from imgda_mpi.localisation import Localisation
from imgda_mpi.parallel import image_rows
from imgda_mpi.parallel.image_rows import ImageRows
from imgda_mpi.parallel.rank_grid import holder_of_images
from imgda_mpi.perturbations import random_signs
from imgda_mpi.solvers import full
from imgda_mpi.solvers.full import Covariance, FullUpdate, WedgeCovariance
from imgda_mpi.solvers.wedge_powers import WedgePowers

SHAPE = (32, 48)
GRID = Grid(np.linspace(50, 20, 21), np.linspace(70, 130, 31))  # in the corner of the array
TIME = datetime(2022, 6, 1, tzinfo=UTC)
SELF = MPI.COMM_SELF
COMMS = [pytest.param(SELF, id="self"), pytest.param(MPI.COMM_WORLD, id="world", marks=pytest.mark.mpi)]


def agree(comm: MPI.Intracomm, holds: bool) -> bool:
    return bool(comm.allreduce(bool(holds), op=MPI.LAND))


def land() -> np.ndarray:
    inside = np.indices(GRID.shape)
    return embed((inside[0] - 10) ** 2 + (inside[1] - 15) ** 2 < 120, SHAPE)


def innovation(sd: float | np.ndarray = 0.05) -> Innovation:
    row, column = np.indices(SHAPE)
    smooth = 0.1 * np.sin(row / 5) * np.cos(column / 7)
    noise = np.random.default_rng(4).standard_normal(SHAPE)
    observed = land() & ((row + column) % 9 < 6)
    return Innovation(np.where(observed, smooth + sd * noise, 0.0), observed, sd)


def ensemble(comm: MPI.Intracomm) -> EnsembleErrors:
    members = np.random.default_rng(5).standard_normal((7, *GRID.shape)).cumsum(axis=2) * 0.02
    anomalies = [embed(image, SHAPE) * land() for image in members - members.mean(axis=0)]
    held = {n: image for n, image in enumerate(anomalies) if holder_of_images(n, comm.size) == comm.rank}
    return EnsembleErrors(held, 7, Localisation(GRID, 1.2e6), GRID.shape)


def models(comm: MPI.Intracomm) -> dict[str, object]:
    from_innovation = InnovationErrors(3, TIME)
    return {
        "analytic": AnalyticErrors(0.15),
        "innovation": from_innovation,
        "ensemble": ensemble(comm),
        "hybrid": HybridErrors(ensemble(comm), from_innovation, 0.3),
    }


MODELS = list(models(SELF))


@pytest.fixture(scope="module")
def transform() -> CurveletTransform:
    return CurveletTransform(SHAPE, 3, finest="curvelets")


def dense(covariance: Covariance) -> np.ndarray:
    return np.array([covariance.apply(unit).ravel() for unit in np.eye(np.prod(SHAPE)).reshape(-1, *SHAPE)])


def covariance_of(name: str, transform: CurveletTransform, given: Innovation) -> Covariance:
    return models(SELF)[name].covariance(ImageRows(SELF, SHAPE), WedgePowers(transform, SELF), given)


@pytest.mark.parametrize("name", MODELS)
def test_every_covariance_is_symmetric_and_has_no_negative_direction(name: str, transform: CurveletTransform) -> None:
    covariance = covariance_of(name, transform, innovation())
    matrix = dense(covariance)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-15)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.trace(matrix)
    np.testing.assert_allclose(matrix.diagonal(), covariance.variance.ravel(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sd", [0.05, "field"])
def test_increment_is_that_of_the_dense_matrices(
    name: str, sd: float | str, transform: CurveletTransform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "TOLERANCE", 1e-9)
    monkeypatch.setattr(full.ObservedSystem.solve, "__defaults__", (1e-9,))
    given = innovation(np.linspace(0.02, 0.2, np.prod(SHAPE)).reshape(SHAPE) if sd == "field" else sd)
    b = dense(covariance_of(name, transform, given))
    h = given.observed.ravel()
    s = b[np.ix_(h, h)] + np.diag(given.observation_variance.ravel()[h])
    expected = (b[:, h] @ np.linalg.solve(s, given.values.ravel()[h])).reshape(SHAPE)
    update = FullUpdate(given, models(SELF)[name], transform, SELF)
    np.testing.assert_allclose(update.increment, expected, rtol=0, atol=1e-8)
    assert update.residual <= 1e-9


def test_localised_covariance_is_the_schur_product_with_the_sample_covariance(transform: CurveletTransform) -> None:
    errors = ensemble(SELF)
    ny, nx = GRID.shape
    members = np.array([errors.anomalies[n][:ny, :nx].ravel() for n in range(7)])
    correlation = errors.localisation.apply(np.eye(ny * nx).reshape(-1, ny, nx)).reshape(ny * nx, -1)
    expected = np.cov(members, rowvar=False) * correlation
    matrix = dense(covariance_of("ensemble", transform, innovation())).reshape(*SHAPE, *SHAPE)
    np.testing.assert_allclose(matrix[:ny, :nx, :ny, :nx].reshape(ny * nx, -1), expected, rtol=0, atol=1e-10)
    assert not matrix[ny:].any()


def test_uncorrelated_errors_give_the_pointwise_update(transform: CurveletTransform) -> None:
    given = innovation()
    update = FullUpdate(given, AnalyticErrors(0.15), transform, SELF)
    np.testing.assert_allclose(update.increment, pointwise_increment(given.values, 0.15, 0.05), rtol=0, atol=1e-12)
    field = np.linspace(0.01, 0.3, land().size).reshape(SHAPE)
    for errors in (AnalyticErrors(field), PaperErrors(field, 0.05, 2, 0, TIME)):
        update = FullUpdate(given, errors, transform, SELF)
        np.testing.assert_allclose(update.increment, pointwise_increment(given.values, field, 0.05), atol=1e-12)
        assert update.iterations <= 1


def test_the_increment_fades_out_far_from_every_observation() -> None:
    shape = (64, 192)
    transform = CurveletTransform(shape, 4, finest="curvelets")
    observed = np.zeros(shape, bool)
    observed[20:40, 10:30] = True
    values = np.where(observed, 0.1, 0.0)
    powers, rows = WedgePowers(transform, SELF), ImageRows(SELF, shape)
    covariance = WedgeCovariance(rows, powers, 0.1 ** powers.scale.astype(float))

    class Known:
        def covariance(self, *_: object) -> WedgeCovariance:
            return covariance

    increment = FullUpdate(Innovation(values, observed, 0.05), Known(), transform, SELF).increment
    assert increment[30, 20] == pytest.approx(0.1, abs=0.01)
    assert increment[30, 33] > 0.03  # next to what is observed
    assert np.abs(increment[:, 90:130]).max() < 0.01


def test_a_perfect_background_is_left_alone(transform: CurveletTransform) -> None:
    noise = 0.1 * np.random.default_rng(7).standard_normal(SHAPE)
    given = Innovation(np.where(land(), noise, 0.0), land(), 0.1)
    kept = FullUpdate(given, InnovationErrors(0, TIME), transform, SELF).increment
    # The prescribed 0.15 would take over two thirds of the noise.
    assert np.sqrt(np.mean(kept[land()] ** 2)) < 0.25 * 0.1


def test_scales_are_the_part_of_the_increment_that_they_carry(transform: CurveletTransform) -> None:
    given, errors = innovation(), InnovationErrors(0, TIME)
    parts = [FullUpdate(given, errors, transform, SELF, scales).increment for scales in ([1], [2, 3], None)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=0, atol=1e-13)
    np.testing.assert_allclose(parts[0], transform.reconstruct(parts[2], 1), rtol=0, atol=1e-13)


def test_expected_errors_are_the_diagonal_of_the_analysis_covariance(transform: CurveletTransform) -> None:
    given = innovation()
    b = dense(covariance_of("innovation", transform, given))
    h = given.observed.ravel()
    s = b[np.ix_(h, h)] + 0.05**2 * np.eye(h.sum())
    a = (b - b[:, h] @ np.linalg.solve(s, b[h])).diagonal()
    update = FullUpdate(given, InnovationErrors(3, TIME), transform, SELF)
    signs = [random_signs(SHAPE, seed=1, time=TIME, member=n) for n in range(200)]
    found = update.expected_errors(land(), signs)
    unseen = (land() & ~given.observed).ravel()
    assert found.background_observed == pytest.approx(np.sqrt(b.diagonal()[h].mean()), rel=1e-9)
    assert found.analysis_observed == pytest.approx(np.sqrt(a[h].mean()), rel=0.06)
    assert found.analysis_unseen == pytest.approx(np.sqrt(a[unseen].mean()), rel=0.06)
    assert found.analysis_observed < found.analysis_unseen < found.background_unseen
    everything_seen = FullUpdate(Innovation(given.values, land(), 0.05), InnovationErrors(3, TIME), transform, SELF)
    assert np.isnan(everything_seen.expected_errors(land(), signs[:1]).analysis_unseen)


def test_nothing_observed_is_no_increment(transform: CurveletTransform) -> None:
    nothing = Innovation(np.zeros(SHAPE), np.zeros(SHAPE, bool), 0.1)
    for name in MODELS:
        update = FullUpdate(nothing, models(SELF)[name], transform, SELF)
        assert not update.increment.any()
        assert update.iterations == 0


def test_an_iteration_without_end_is_an_error(transform: CurveletTransform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full, "MAX_ITERATIONS", 2)
    with pytest.raises(ImgdaError, match=r"found a residual of .* after 2 iterations") as caught:
        FullUpdate(innovation(0.001), ensemble(SELF), transform, SELF)
    assert caught.value.everywhere


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("block", [150, 2**15])
def test_bits_do_not_depend_on_the_ranks(comm: MPI.Intracomm, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", block)
    transform, given = CurveletTransform(SHAPE, 3, finest="curvelets"), innovation()
    signs = [random_signs(SHAPE, seed=1, time=TIME, member=0)]
    for name in MODELS:
        alone = FullUpdate(given, models(SELF)[name], transform, SELF, [1, 3])
        shared = FullUpdate(given, models(comm)[name], transform, comm, [1, 3])
        assert agree(comm, np.array_equal(alone.increment, shared.increment))
        assert agree(comm, (alone.iterations, alone.residual) == (shared.iterations, shared.residual))
        assert agree(comm, alone.expected_errors(land(), signs) == shared.expected_errors(land(), signs))
        own, theirs = alone.statistics.values, shared.statistics.values
        assert agree(comm, all(np.array_equal(own[key], theirs[key]) for key in own))


def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_eigenvalues(rng: np.random.Generator) -> None:
    vectors = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    matrix = vectors @ np.diag(np.repeat([1.0, 5.0, 20.0], 10)) @ vectors.T
    right = rng.standard_normal(30)
    solution = conjugate_gradients(
        matrix.__matmul__, right, np.copy, lambda a, b: float(a @ b), tolerance=1e-10, max_iterations=50
    )
    assert solution.iterations == 3
    np.testing.assert_allclose(matrix @ solution.values, right, rtol=0, atol=1e-9)
