"""What every error model has to be for the diagonal solver, and what distinguishes each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree, members_of_images, problem_of

from imgda_mpi.covariances.analytic import AnalyticErrors
from imgda_mpi.covariances.covariance import ErrorModel
from imgda_mpi.covariances.ensemble import EnsembleErrors, spread_error_ratio
from imgda_mpi.covariances.hybrid import HybridErrors
from imgda_mpi.covariances.innovation import InnovationErrors
from imgda_mpi.covariances.paper import PaperErrors
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.exchange import CoefficientExchange
from imgda_mpi.distributed.rectangle import Rectangle, holder_of_coefficients, whole_wedges
from imgda_mpi.faults import ConfigError
from imgda_mpi.methods.diagonal import DiagonalUpdate
from imgda_mpi.numerics.problem import Observations, Problem
from imgda_mpi.numerics.white_variance import expected_variance

SHAPE = (64, 96)
MODELS = {
    "paper": lambda: PaperErrors(0.15, 20),
    "analytic": lambda: AnalyticErrors(0.15),
    "innovation": InnovationErrors,
    "ensemble": lambda: EnsembleErrors(1000.0, 1.0),
    "hybrid": lambda: HybridErrors(1000.0, 1.0, 0.4),
}

N_MEMBERS = 12


def anomalies() -> np.ndarray:
    """Members that are coherent, and spread twice as much in one half of the image."""
    rng = np.random.default_rng(8)
    row, column = np.indices(SHAPE)
    low_pass = np.exp(-(np.minimum(row, SHAPE[0] - row) ** 2 + column**2) / 60.0)[:, : SHAPE[1] // 2 + 1]
    members = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((N_MEMBERS, *SHAPE))) * low_pass, s=SHAPE)
    members *= np.where(column < SHAPE[1] // 2, 1.0, 2.0) * 0.3
    return members - members.mean(axis=0)


def given(observed: np.ndarray | None = None, held: dict[int, np.ndarray] | None = None) -> Problem:
    every, noise = anomalies(), 0.1 * np.random.default_rng(9).standard_normal(SHAPE)
    members = members_of_images(dict(enumerate(every)) if held is None else held, N_MEMBERS, every)
    return problem_of(every[0] + noise, observed, members=members)


def half() -> np.ndarray:
    return np.indices(SHAPE)[1] < SHAPE[1] // 2


@pytest.fixture(params=["wavelets", "curvelets"])
def transform(request: pytest.FixtureRequest) -> CurveletTransform:
    return CurveletTransform(SHAPE, 4, finest=request.param)


def variances(errors: ErrorModel, transform: CurveletTransform, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    ranks = Rectangle(transform.layout, 1, 1)
    own = errors.coefficients(transform, ranks, CoefficientExchange(SELF, ranks, transform.dtype), (0, 0))
    return errors.variances(own, problem)


def increment(
    errors: ErrorModel, problem: Problem, transform: CurveletTransform, scales: list[int] | None = None
) -> np.ndarray:
    return DiagonalUpdate(errors, transform, Rectangle(transform.layout, 1, 1), scales).increment(problem, SELF).image


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("observed", [None, half()], ids=["full", "half"])
def test_variances_are_possible_and_alike_in_both_slots(
    name: str, observed: np.ndarray | None, transform: CurveletTransform
) -> None:
    b, r = variances(MODELS[name](), transform, given(observed))
    layout = transform.layout
    assert b.shape == r.shape == (layout.n_values,)
    assert b.min() >= 0
    assert r.min() > 0
    for wedge in layout.wedges:
        if not wedge.is_real:
            for values in (b, r):
                part = values[wedge.start : wedge.stop]
                np.testing.assert_array_equal(part[::2], part[1::2])


@pytest.mark.parametrize("name", MODELS)
def test_an_increment_is_never_larger_than_the_innovation(name: str, transform: CurveletTransform) -> None:
    problem = given()
    size = np.square(increment(MODELS[name](), problem, transform)).sum()
    assert 0 < size < np.square(problem.innovation.values).sum()


@pytest.mark.parametrize("name", MODELS)
def test_scales_are_updated_alone(name: str, transform: CurveletTransform) -> None:
    parts = [increment(MODELS[name](), given(half()), transform, scales) for scales in ([1, 2], [3, 4], None)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=0, atol=1e-13)
    assert np.abs(parts[0]).max() > 0
    assert np.abs(parts[1]).max() > 0


@pytest.mark.parametrize("name", MODELS)
def test_nothing_observed_is_no_increment(name: str, transform: CurveletTransform) -> None:
    nothing = given(np.zeros(SHAPE, bool))
    assert not np.abs(increment(MODELS[name](), nothing, transform)).any()
    b, r = variances(MODELS[name](), transform, nothing)
    assert (b >= 0).all()
    assert (r > 0).all()


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("name", [name for name in MODELS if name != "paper"])
def test_bits_do_not_depend_on_the_ranks(comm: MPI.Intracomm, name: str) -> None:
    transform = CurveletTransform(SHAPE, 4)
    alone = DiagonalUpdate(MODELS[name](), transform, Rectangle(transform.layout, 1, 1))
    shared = DiagonalUpdate(MODELS[name](), transform, whole_wedges(transform.layout, comm.size))
    held = {n: image for n, image in enumerate(anomalies()) if shared.holder(n, comm.size) == comm.rank}
    found, expected = shared.increment(given(half(), held), comm), alone.increment(given(half()), SELF)
    assert agree(comm, np.array_equal(found.image, expected.image))
    assert agree(comm, np.array_equal(found.applied, half()))
    assert agree(comm, found.facts == expected.facts)


def test_members_are_held_where_they_are_transformed() -> None:
    transform = CurveletTransform(SHAPE, 4)
    ranks = whole_wedges(transform.layout, 3)
    method = DiagonalUpdate(EnsembleErrors(1000.0, 1.0), transform, ranks)
    assert method.needs_members
    assert [method.holder(n, 3) for n in range(7)] == [holder_of_coefficients(n, ranks) for n in range(7)]


def test_analytic_is_what_paper_tends_to(transform: CurveletTransform) -> None:
    problem = given()
    limit = increment(AnalyticErrors(0.15), problem, transform)
    np.testing.assert_allclose(limit, 0.15**2 / (0.15**2 + 0.10**2) * problem.innovation.values, rtol=0, atol=1e-13)
    distance = [np.abs(increment(PaperErrors(0.15, n), problem, transform) - limit) for n in (10, 160)]
    assert distance[1].std() < 0.4 * distance[0].std()


def test_analytic_knows_gaps_and_fields(transform: CurveletTransform) -> None:
    background, noise, observed = np.linspace(0.05, 0.3, half().size).reshape(SHAPE), 0.1, half()
    problem = problem_of(np.zeros(SHAPE), observed, np.full(SHAPE, noise))
    b, r = variances(AnalyticErrors(background), transform, problem)
    np.testing.assert_allclose(b, expected_variance(transform, background * observed), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(r, expected_variance(transform, noise * observed), rtol=1e-9, atol=1e-18)


def test_innovation_variances_are_wedge_by_wedge_in_proportion_to_what_is_observed(
    transform: CurveletTransform,
) -> None:
    b, _ = variances(InnovationErrors(), transform, given(half()))
    seen = expected_variance(transform, half().astype(float))
    for wedge in transform.layout.wedges:
        part = slice(wedge.start, wedge.stop)
        share = b[part] / np.maximum(seen[part], 1e-12 * seen.max())
        well_seen = seen[part] > 1e-6 * seen.max()
        np.testing.assert_allclose(share[well_seen], share[well_seen].mean(), rtol=1e-9)


def test_ensemble_knows_where_the_members_differ(transform: CurveletTransform) -> None:
    b, _ = variances(EnsembleErrors(1000.0, 1.0), transform, given())
    wedge = transform.layout.wedge(1, 1)
    coarse = b[wedge.start : wedge.stop].reshape(wedge.shape)
    quiet, loud = np.array_split(coarse.mean(axis=0), 2)
    assert loud[1:-1].mean() / quiet[1:-1].mean() == pytest.approx(4, rel=0.5)
    # Smoothing keeps the sum over a wedge: that of the members' own powers.
    powers = sum(np.square(transform.forward(image)[wedge.start : wedge.stop]).sum() for image in anomalies())
    assert coarse.sum() == pytest.approx(powers / (N_MEMBERS - 1), rel=1e-12)


def test_hybrid_is_the_weighted_sum(transform: CurveletTransform) -> None:
    of_members, of_wedges, both = (
        variances(MODELS[name](), transform, given(half()))[0] for name in ("ensemble", "innovation", "hybrid")
    )
    np.testing.assert_allclose(both, 0.6 * of_members + 0.4 * of_wedges, rtol=1e-12, atol=1e-18)


def test_inflation_multiplies_the_members_variance(transform: CurveletTransform) -> None:
    problem = given()
    plain, twice = (variances(EnsembleErrors(1000.0, factor), transform, problem)[0] for factor in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * plain, rtol=1e-12, atol=1e-18)
    factor = EnsembleErrors(1000.0, 1.0).facts(problem)["inflation_by_innovation"].value
    by_innovation = variances(EnsembleErrors(1000.0, "innovation"), transform, problem)[0]
    np.testing.assert_allclose(by_innovation, factor * plain, rtol=1e-12, atol=1e-18)
    alike = replace(problem, members=replace(problem.members, spread=np.zeros(SHAPE)))
    with pytest.raises(ConfigError, match="the members do not differ where something is observed"):
        EnsembleErrors(1000.0, "innovation").facts(alike)


def test_spread_is_held_against_the_innovation() -> None:
    rng = np.random.default_rng(3)
    observed = half()
    noise = np.where(observed, 0.3 * rng.standard_normal(SHAPE), 0.0)
    ratio, error = spread_error_ratio(Observations(noise, observed, 0.1), np.full(SHAPE, 0.2))
    assert ratio == pytest.approx((0.3**2 - 0.1**2) / 0.2**2, abs=4 * error * 0.3**2 / (0.2**2 + 0.1**2))
    assert 0 < error < 0.1
    assert spread_error_ratio(Observations(0 * noise, observed, 0.1), np.full(SHAPE, 0.2))[0] == 0
    assert np.isnan(spread_error_ratio(Observations(0 * noise, ~observed & observed, 0.1), np.zeros(SHAPE))).all()
