"""The full solver against dense matrices, and on however many ranks the tests run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree, members_of_images, problem_of
from transforms import impulses

from imgda_mpi.covariances import system
from imgda_mpi.covariances.covariance import Covariance, CovarianceErrors
from imgda_mpi.covariances.ensemble import EnsembleErrors
from imgda_mpi.covariances.hybrid import HybridCovariance, HybridErrors
from imgda_mpi.covariances.innovation import InnovationErrors
from imgda_mpi.covariances.likelihood import Signal
from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed import image_rows
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.rectangle import holder_of_images
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.faults import ImgdaError
from imgda_mpi.grid import Grid
from imgda_mpi.methods.coefficients import settled_errors
from imgda_mpi.methods.full import FullUpdate, expected_errors
from imgda_mpi.numerics.features import class_members
from imgda_mpi.numerics.localisation import Localisation
from imgda_mpi.numerics.perturbations import Sample, random_signs
from imgda_mpi.numerics.problem import Members, Observations, Problem

SHAPE = (32, 48)
GRID = Grid(np.linspace(50, 20, 21), np.linspace(70, 130, 31))  # in the corner of the array
MODELS: dict[str, Callable[[], CovarianceErrors]] = {
    "innovation": lambda: InnovationErrors(0.0, features=False),
    "shared": lambda: InnovationErrors(0.4, features=False),
    "featured": lambda: InnovationErrors(0.4, features=True),
    "decided": lambda: InnovationErrors(0.0),
    "ensemble": lambda: EnsembleErrors(1200.0, 1.0),
    "hybrid": lambda: HybridErrors(1200.0, 1.0, 0.3, 0.4, features=False),
    "featured hybrid": lambda: HybridErrors(1200.0, 1.0, 0.3, 0.4, features=True),
}

KINDS = [name for name in MODELS if name not in ("decided", "featured hybrid")]
"""One of each kind of covariance, a hybrid for all sums."""

SOIL = np.indices(GRID.shape)[0] * 7 // 4 % 3
"""Class of each cell."""


def land() -> np.ndarray:
    """On the grid."""
    row, column = np.indices(GRID.shape)
    return (row - 10) ** 2 + (column - 15) ** 2 < 120


def members(comm: MPI.Intracomm) -> Members:
    drawn = np.random.default_rng(5).standard_normal((7, *GRID.shape)).cumsum(axis=2) * 0.02
    anomalies = (drawn - drawn.mean(axis=0)) * land()
    held = {n: image for n, image in enumerate(anomalies) if holder_of_images(n, comm.size) == comm.rank}
    return members_of_images(held, 7, anomalies)


def given(sd: float | np.ndarray = 0.05, comm: MPI.Intracomm = SELF) -> Problem:
    """A problem on the grid."""
    row, column = np.indices(GRID.shape)
    smooth = 0.1 * np.sin(row / 5) * np.cos(column / 7)
    noise = np.random.default_rng(4).standard_normal(GRID.shape)
    observed = land() & ((row + column) % 9 < 6)
    innovation = smooth + 0.05 * (SOIL - 1) + sd * noise
    problem = problem_of(innovation, observed, sd, land=land(), grid=GRID, members=members(comm))
    return replace(problem, features={"soil": class_members(SOIL.ravel())})


@pytest.fixture(scope="module")
def transform() -> CurveletTransform:
    return CurveletTransform(SHAPE, 3, finest="curvelets")


def settled(name: str, transform: CurveletTransform, problem: Problem) -> Problem:
    """On the array, with the observation errors that a method works with."""
    embedded = problem.embedded(SHAPE)
    share = MODELS[name]().coherent_share(embedded.observations)
    if share == 0 or not embedded.observations.observed.any():
        return embedded
    observations, _ = settled_errors(embedded, share, WedgePowers(transform, SELF), SELF)
    return replace(embedded, observations=observations)


def dense(covariance: Covariance) -> np.ndarray:
    return np.array([covariance.apply(unit).ravel() for unit in impulses(SHAPE)])


def dense_signal(covariance: Covariance) -> np.ndarray:
    return np.array([covariance.apply_signal(unit).ravel() for unit in impulses(SHAPE)])


def covariance_of(name: str, transform: CurveletTransform, problem: Problem) -> Covariance:
    return MODELS[name]().covariance(
        ImageRows(SELF, SHAPE), WedgePowers(transform, SELF), settled(name, transform, problem)
    )


@pytest.mark.parametrize("name", MODELS)
def test_every_covariance_is_symmetric_and_has_no_negative_direction(name: str, transform: CurveletTransform) -> None:
    covariance = covariance_of(name, transform, given())
    matrix = dense(covariance)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-15)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.trace(matrix)
    np.testing.assert_allclose(matrix.diagonal(), covariance.variance.ravel(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_samples_have_the_covariance(name: str, transform: CurveletTransform) -> None:
    covariance = covariance_of(name, transform, given())
    n = 1500
    samples = np.array([covariance.draw(Sample(1, given().time, number)).ravel() for number in range(n)])
    expected, found = dense(covariance), samples.T @ samples / n
    # The standard error of a sample covariance: sqrt((b_ij^2 + b_ii b_jj) / n) for Gaussian samples.
    variance = expected.diagonal()
    error = np.sqrt((expected**2 + np.outer(variance, variance)) / n)
    assert error.max() > 0
    departure = np.abs(found - expected) / np.maximum(error, 1e-6 * error.max())
    assert np.quantile(departure, 0.999) < 3.6
    assert np.sqrt(np.mean(departure[error > 1e-3 * error.max()] ** 2)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("comm", COMMS)
def test_samples_do_not_depend_on_the_ranks(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", 150)
    transform, sample = CurveletTransform(SHAPE, 3), Sample(1, given().time, 2)
    for model in MODELS.values():
        alone, shared = (
            rows.whole(
                model().covariance(rows, WedgePowers(transform, of), given(comm=of).embedded(SHAPE)).draw(sample)
            )
            for of in (SELF, comm)
            for rows in [ImageRows(of, SHAPE)]
        )
        assert agree(comm, np.array_equal(alone, shared))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("sd", [0.05, "field"])
def test_a_system_is_made_once_and_solved_for_any_innovation(
    name: str, sd: float | str, transform: CurveletTransform
) -> None:
    problem = given(np.linspace(0.02, 0.2, np.prod(GRID.shape)).reshape(GRID.shape) if sd == "field" else sd)
    observations = settled(name, transform, problem).innovation
    covariance = covariance_of(name, transform, problem)
    b, h = dense(covariance), observations.observed.ravel()
    s = dense_signal(covariance)[np.ix_(h, h)] + np.diag(observations.noise.ravel()[h])
    solver = ObservedSystem(ImageRows(SELF, SHAPE), covariance, observations)
    for d in (observations.values, observations.apply(np.random.default_rng(6).standard_normal(SHAPE))):
        expected = (b[:, h] @ np.linalg.solve(s, d.ravel()[h])).reshape(SHAPE)
        solution = solver.solve(d, 1e-9)
        assert solution.residual <= 1e-9
        np.testing.assert_allclose(solver.increment(solution.values), expected, rtol=0, atol=1e-7 * np.abs(d).max())


def test_a_step_with_the_preconditioner_solves_nothing(
    transform: CurveletTransform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all is observed it is the inverse, and the step the exact one."""
    powers, rng = WedgePowers(transform, SELF), np.random.default_rng(6)
    samples = [Sample(1, given().time, number, of_signs=True) for number in (1, 2)]
    values, start = 0.02 * rng.standard_normal(SHAPE).cumsum(axis=1), np.array([0.01, 0.003, 0.0004])[powers.scale - 1]
    found = []
    for observed in (np.ones(SHAPE, bool), rng.random(SHAPE) < 0.6):
        innovation = Observations(values * observed, observed, 0.05)
        signal = Signal(powers.image_rows, powers, None, start, np.empty(0))
        exact = signal.likelier(innovation, samples, 1e-10).wedges
        with monkeypatch.context() as patched:
            patched.delattr(ObservedSystem, "solve")
            found.append(signal.likelier(innovation, samples, None).wedges / exact)
    of_all, of_some = found
    np.testing.assert_allclose(of_all, 1, rtol=1e-4)
    np.testing.assert_allclose(of_some, 1, rtol=0.3)
    assert np.abs(of_some - 1).max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_the_method_gives_the_increment_of_its_system(name: str, transform: CurveletTransform) -> None:
    problem = given()
    observations, covariance = settled(name, transform, problem).innovation, covariance_of(name, transform, problem)
    solver = ObservedSystem(ImageRows(SELF, SHAPE), covariance, observations)
    exact = solver.increment(solver.solve(observations.values, 1e-9).values)[: GRID.shape[0], : GRID.shape[1]]
    increment = FullUpdate(MODELS[name](), transform).increment(problem, SELF)
    np.testing.assert_allclose(increment.image, exact, rtol=0, atol=1e-3)
    assert np.array_equal(increment.applied, land())
    assert 0 < increment.facts["solver_residual"].value <= system.TOLERANCE
    assert increment.facts["increment_unseen_rms"].value > 0
    assert ("inflation_by_innovation" in increment.facts) == (name in ("ensemble", "hybrid", "featured hybrid"))


def test_a_share_divides_the_signal(transform: CurveletTransform) -> None:
    covariance = covariance_of("shared", transform, given())
    signal, b = dense_signal(covariance), dense(covariance)
    np.testing.assert_allclose(b, 0.6 * signal, rtol=1e-12, atol=1e-18)
    assert covariance.coherent_variance == pytest.approx(0.4 * signal[0, 0])
    # R of the observed pixels is what is not B.
    increment = FullUpdate(InnovationErrors(1.0), transform).increment(given(), SELF)
    assert not increment.image.any()


def test_coherent_observation_errors_have_no_weight_in_a_sum(transform: CurveletTransform) -> None:
    covariance, alone = (covariance_of(name, transform, given()) for name in ("hybrid", "shared"))
    found = dense_signal(covariance) - dense(covariance)
    np.testing.assert_allclose(found, dense_signal(alone) - dense(alone), rtol=0, atol=1e-9 * found.max())
    assert covariance.coherent_variance == pytest.approx(found[0, 0])
    without = HybridErrors(1200.0, 1.0, 0.0, 0.4)
    assert without.coherent_share(given().observations) == 0
    # Nor is anything said of features that have no effect.
    facts = FullUpdate(without, transform, diagnose=False).increment(given(), SELF).facts
    assert not [name for name in facts if "feature" in name]


def test_an_innovation_as_large_as_its_errors_has_a_chi2_of_1(transform: CurveletTransform) -> None:
    facts = FullUpdate(MODELS["innovation"](), transform).increment(given(), SELF).facts
    problem, covariance = given().embedded(SHAPE), covariance_of("innovation", transform, given())
    h, d = problem.observations.observed.ravel(), problem.innovation.values.ravel()
    m = dense_signal(covariance)[np.ix_(h, h)] + 0.05**2 * np.eye(h.sum())
    z = np.linalg.solve(m, d[h])
    assert facts["chi2"].value == pytest.approx(d[h] @ z / h.sum(), rel=2e-3)
    assert facts["chi2"].value == pytest.approx(1, abs=0.2)
    assert facts["innovation_mean"].value == pytest.approx(d[h].mean())
    about_the_mean = 1 - d[h].mean() ** 2 / np.mean(d[h] ** 2)
    assert facts["innovation_mean_expected"].value == pytest.approx(np.sqrt(m.mean() * about_the_mean), rel=1e-9)
    assert facts["observation_error"].value == pytest.approx(0.05)
    # R M^-1 d is observation minus analysis.
    by_analysis = np.sqrt(d[h] @ (0.05**2 * z) / h.sum())
    assert facts["observation_error_by_analysis"].value == pytest.approx(by_analysis, rel=2e-3)


def test_localised_covariance_is_the_schur_product_with_the_sample_covariance(transform: CurveletTransform) -> None:
    ny, nx = GRID.shape
    images = np.array([members(SELF).anomalies[n].ravel() for n in range(7)])
    correlation = Localisation(GRID, 1.2e6).apply(impulses(GRID.shape)).reshape(ny * nx, -1)
    expected = np.cov(images, rowvar=False) * correlation
    matrix = dense(covariance_of("ensemble", transform, given())).reshape(*SHAPE, *SHAPE)
    np.testing.assert_allclose(matrix[:ny, :nx, :ny, :nx].reshape(ny * nx, -1), expected, rtol=0, atol=1e-10)
    assert not matrix[ny:].any()


class White(Covariance):
    """Errors without correlation between pixels."""

    def __init__(self, sd: np.ndarray) -> None:
        self.variance = sd**2

    def apply(self, rows: np.ndarray) -> np.ndarray:
        return self.variance * rows

    def draw(self, sample: Sample) -> np.ndarray:
        return np.sqrt(self.variance) * sample.white(SHAPE)


@pytest.mark.parametrize("name", ["hybrid", "featured hybrid"])
def test_members_beside_wedges_take_fewer_iterations(
    name: str, transform: CurveletTransform, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = given(0.02)
    observations, covariance = settled(name, transform, problem).innovation, covariance_of(name, transform, problem)
    rows = ImageRows(SELF, SHAPE)
    found = ObservedSystem(rows, covariance, observations).solve(observations.values)
    monkeypatch.setattr(HybridCovariance, "preconditioner", Covariance.preconditioner)
    by_diagonal = ObservedSystem(rows, covariance, observations).solve(observations.values)
    assert found.iterations < 0.75 * by_diagonal.iterations
    np.testing.assert_allclose(found.values, by_diagonal.values, rtol=0, atol=0.01 * np.abs(found.values).max())


def test_members_alone_are_a_hybrid_without_weight(transform: CurveletTransform) -> None:
    hybrid = FullUpdate(HybridErrors(1200.0, 1.0, 0.0), transform).increment(given(), SELF)
    alone = FullUpdate(MODELS["ensemble"](), transform).increment(given(), SELF)
    np.testing.assert_allclose(hybrid.image, alone.image, rtol=0, atol=1e-12)


def test_uncorrelated_errors_give_the_pointwise_update() -> None:
    observations, field = given().embedded(SHAPE).innovation, np.linspace(0.01, 0.3, np.prod(SHAPE)).reshape(SHAPE)
    solver = ObservedSystem(ImageRows(SELF, SHAPE), White(field), observations)
    solution = solver.solve(observations.values)
    assert solution.iterations == 1
    expected = field**2 / (field**2 + 0.05**2) * observations.values
    np.testing.assert_allclose(solver.increment(solution.values), expected, rtol=0, atol=1e-12)


def test_the_increment_fades_out_far_from_every_observation() -> None:
    shape = (64, 192)
    transform = CurveletTransform(shape, 4, finest="curvelets")
    observed = np.zeros(shape, bool)
    observed[20:40, 10:30] = True
    values = np.where(observed, 0.1, 0.0)
    powers, rows = WedgePowers(transform, SELF), ImageRows(SELF, shape)
    covariance = WedgeCovariance(rows, powers, 0.1 ** powers.scale.astype(float))

    solver = ObservedSystem(rows, covariance, problem_of(values, observed, 0.05).innovation)
    increment = solver.increment(solver.solve(values).values)
    assert increment[30, 20] == pytest.approx(0.1, abs=0.01)
    assert increment[30, 33] > 0.03  # next to what is observed
    assert np.abs(increment[:, 90:130]).max() < 0.01


def test_a_perfect_background_is_left_alone(transform: CurveletTransform) -> None:
    noise = 0.1 * np.random.default_rng(7).standard_normal(GRID.shape)
    problem = problem_of(noise, land(), 0.1, land=land(), grid=GRID)
    kept = FullUpdate(InnovationErrors(), transform).increment(problem, SELF).image
    # The prescribed 0.15 would take over two thirds of the noise.
    assert np.sqrt(np.mean(kept[land()] ** 2)) < 0.25 * 0.1


def test_scales_are_the_part_of_the_increment_that_they_carry() -> None:
    transform = CurveletTransform(SHAPE, 3, finest="curvelets")
    problem = problem_of(np.random.default_rng(1).standard_normal(SHAPE).cumsum(axis=1) * 0.02)
    parts = [
        FullUpdate(InnovationErrors(), transform, scales).increment(problem, SELF).image
        for scales in ([1], [2, 3], None)
    ]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=0, atol=1e-13)
    np.testing.assert_allclose(parts[0], transform.reconstruct(parts[2], 1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["innovation", "shared", "featured"])
def test_expected_errors_are_the_diagonal_of_the_analysis_covariance(name: str, transform: CurveletTransform) -> None:
    problem = settled(name, transform, given())
    observations, covariance = problem.innovation, covariance_of(name, transform, given())
    b, h, rows = dense(covariance), observations.observed.ravel(), ImageRows(SELF, SHAPE)
    s = dense_signal(covariance)[np.ix_(h, h)] + np.diag(observations.noise.ravel()[h])
    a = (b - b[:, h] @ np.linalg.solve(s, b[h])).diagonal()
    signs = [random_signs(SHAPE, seed=1, time=problem.time, member=n) for n in range(200)]
    found = expected_errors(rows, covariance, ObservedSystem(rows, covariance, observations), problem, signs)
    unseen = (problem.land & ~observations.observed).ravel()
    assert found["background_observed"] == pytest.approx(np.sqrt(b.diagonal()[h].mean()), rel=1e-9)
    assert found["analysis_observed"] == pytest.approx(np.sqrt(a[h].mean()), rel=0.06)
    assert found["analysis_unseen"] == pytest.approx(np.sqrt(a[unseen].mean()), rel=0.06)
    assert found["analysis_observed"] < found["analysis_unseen"] < found["background_unseen"]
    everything = replace(problem, land=observations.observed)
    seen = expected_errors(rows, covariance, ObservedSystem(rows, covariance, observations), everything, signs[:1])
    assert np.isnan(seen["analysis_unseen"])


def test_what_the_increment_does_not_need_is_worked_out_where_it_is_wanted(transform: CurveletTransform) -> None:
    wanted = FullUpdate(InnovationErrors(), transform).increment(given(), SELF)
    without = FullUpdate(InnovationErrors(), transform, diagnose=False).increment(given(), SELF)
    assert "expected_error_analysis_unseen" in wanted.facts
    assert "expected error" in wanted.summary
    assert not any(name.startswith("expected_error") for name in without.facts)
    assert without.wedges is None
    assert set(wanted.wedges.values) >= {"gain_mean", "increment_power_mean"}
    assert np.array_equal(wanted.image, without.image)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_observed_is_no_increment(name: str, transform: CurveletTransform) -> None:
    nothing = problem_of(np.zeros(GRID.shape), np.zeros(GRID.shape, bool), grid=GRID, members=members(SELF))
    assert not FullUpdate(MODELS[name](), transform).increment(nothing, SELF).image.any()
    covariance = covariance_of(name, transform, nothing)
    solution = ObservedSystem(ImageRows(SELF, SHAPE), covariance, nothing.embedded(SHAPE).innovation).solve(
        np.zeros(SHAPE)
    )
    assert (solution.iterations, solution.values.any()) == (0, False)


def test_an_iteration_without_end_is_an_error(transform: CurveletTransform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "MAX_ITERATIONS", 2)
    with pytest.raises(ImgdaError, match=r"found a residual of .* after 2 iterations") as caught:
        FullUpdate(MODELS["ensemble"](), transform).increment(given(0.001), SELF)
    assert caught.value.everywhere


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize(("block", "scales"), [(150, None), (2**15, [1, 3])])
def test_bits_do_not_depend_on_the_ranks(
    comm: MPI.Intracomm, block: int, scales: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", block)
    transform = CurveletTransform(SHAPE, 3, finest="curvelets")
    for model in MODELS.values():
        alone, shared = (FullUpdate(model(), transform, scales).increment(given(comm=of), of) for of in (SELF, comm))
        assert agree(comm, np.array_equal(alone.image, shared.image))
        assert agree(comm, alone.facts == shared.facts)
        own, theirs = (increment.wedges.values if increment.wedges else {} for increment in (alone, shared))
        assert agree(comm, comm.rank > 0 or all(np.array_equal(own[key], theirs[key]) for key in own))
