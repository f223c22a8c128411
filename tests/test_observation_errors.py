"""What a method takes the observation errors for: a white part, and a share of what is coherent in the innovation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree, problem_of

from imgda_mpi.covariances.covariance import Covariance
from imgda_mpi.covariances.hybrid import HybridErrors
from imgda_mpi.covariances.innovation import InnovationErrors
from imgda_mpi.covariances.noise import possible_white_part
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.rectangle import whole_wedges
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.methods.coefficients import settled_errors
from imgda_mpi.methods.diagonal import DiagonalUpdate
from imgda_mpi.methods.full import FullUpdate
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Observations, Problem

SHAPE = (64, 96)


@pytest.fixture(scope="module")
def transform() -> CurveletTransform:
    return CurveletTransform(SHAPE, 4, finest="curvelets")


def red(transform: CurveletTransform) -> Covariance:
    """Coherent errors of 0.1 m3 m-3."""
    powers = WedgePowers(transform, SELF)
    variances = 0.15 ** powers.scale.astype(float)
    return WedgeCovariance(ImageRows(SELF, SHAPE), powers, 0.01 * variances / np.sum(variances * powers.norms))


def coherent(transform: CurveletTransform, number: int) -> np.ndarray:
    return red(transform).draw(Sample(5, problem_of(np.zeros(SHAPE)).time, number))


def seen() -> np.ndarray:
    row, column = np.indices(SHAPE)
    return (row // 8 + column // 12) % 3 > 0


def with_noise(transform: CurveletTransform, white: float, *, prescribed: float, estimate: bool = False) -> Problem:
    noise = white * np.random.default_rng(3).standard_normal(SHAPE)
    problem = problem_of(coherent(transform, 1) + noise, seen(), prescribed)
    return replace(problem, observations=replace(problem.observations, estimate_sd=estimate))


def settled(problem: Problem, share: float, transform: CurveletTransform) -> tuple[Observations, dict[str, float]]:
    observations, facts = settled_errors(problem, share, WedgePowers(transform, SELF), SELF)
    return observations, {name: fact.value for name, fact in facts.items()}


def test_the_share_comes_from_the_prescribed_errors_unless_given() -> None:
    values, observed = np.zeros(SHAPE), seen()
    assert InnovationErrors().coherent_share(Observations(values, observed, 0.10)) == pytest.approx(0.01 / 0.0325)
    assert InnovationErrors().coherent_share(Observations(values, observed, 0.04)) == pytest.approx(0.0016 / 0.0241)
    field = np.where(observed, 0.05, 0.9)  # what is not observed does not count
    assert InnovationErrors().coherent_share(Observations(values, observed, field)) == pytest.approx(0.1)
    assert InnovationErrors(0.7).coherent_share(Observations(values, observed, 0.10)) == 0.7
    assert HybridErrors(1000.0, 1.0, 0.1, 0.6).coherent_share(Observations(values, observed, 0.10)) == 0.6


def test_prescribed_white_errors_stay_where_the_innovation_lets_them(transform: CurveletTransform) -> None:
    problem = with_noise(transform, 0.05, prescribed=0.05)
    observations, facts = settled(problem, 0.3, transform)
    assert facts["finest_innovation"] > 0.048
    assert facts["white_observation_error"] == pytest.approx(0.05, rel=0.05)
    assert observations.coherent_share == facts["coherent_share"] == 0.3


def test_white_errors_that_the_innovation_contradicts_become_smaller(transform: CurveletTransform) -> None:
    observations, facts = settled(with_noise(transform, 0.02, prescribed=0.1), 0.3, transform)
    finest = facts["finest_innovation"] ** 2
    assert 0.02 < facts["finest_innovation"] < 0.05
    assert observations.sd == pytest.approx(np.sqrt(finest * (0.3 + 0.7 * (finest / 0.01) ** 2)))
    field = np.linspace(0.05, 0.15, SHAPE[1]) * np.ones(SHAPE)
    problem = with_noise(transform, 0.02, prescribed=0.1)
    of_field, _ = settled(replace(problem, observations=replace(problem.observations, sd=field)), 0.3, transform)
    assert np.ptp(of_field.sd / field) == pytest.approx(0, abs=1e-12)
    assert of_field.sd.mean() < 0.05
    # Without a coherent share all errors are white, as prescribed.
    assert settled(with_noise(transform, 0.02, prescribed=0.1, estimate=False), 0.0, transform)[0].sd == 0.1


def test_less_white_noise_is_believed_the_less_there_can_be() -> None:
    possible = [possible_white_part(0.01, finest, 0.3) for finest in (0.0, 0.001, 0.005, 0.0099, 0.01, 1.0, np.nan)]
    assert possible[0] == pytest.approx(1e-4)
    assert np.all(np.diff(possible[:5]) > 0)
    assert possible[3] == pytest.approx(0.01, rel=0.03)
    assert possible[4:] == [0.01, 0.01, 0.01]


@pytest.mark.parametrize(("white", "found"), [(0.03, 0.03), (0.0, 0.05)])
def test_an_estimate_stands_in_the_place_of_what_is_prescribed(
    white: float, found: float, transform: CurveletTransform
) -> None:
    row, column = np.indices(SHAPE)
    smooth = 0.1 * np.sin(2 * np.pi * row / SHAPE[0]) * np.cos(2 * np.pi * column / SHAPE[1])
    noise = white * np.random.default_rng(3).standard_normal(SHAPE)
    problem = problem_of(smooth + noise, None, 0.05)
    problem = replace(problem, observations=replace(problem.observations, estimate_sd=True))
    observations, facts = settled(problem, 0.0, transform)
    assert np.isnan(facts["estimated_observation_error"]) == (white == 0)
    assert observations.sd == pytest.approx(found, rel=0.2)
    increment = FullUpdate(InnovationErrors(0.0), transform).increment(problem, SELF)
    assert np.isfinite(increment.image).all()


def test_an_analysis_never_stops_for_want_of_an_estimate() -> None:
    two_scales = CurveletTransform(SHAPE, 2)
    problem = with_noise(two_scales, 0.0, prescribed=0.05, estimate=True)
    for update in (
        FullUpdate(InnovationErrors(), two_scales),
        DiagonalUpdate(InnovationErrors(), two_scales, whole_wedges(two_scales.layout, 1)),
    ):
        update.check(problem.grid, problem.observations)
        increment = update.increment(problem, SELF)
        assert np.isnan(increment.facts["estimated_observation_error"].value)
        assert increment.facts["white_observation_error"].value < 0.0501
        assert np.abs(increment.image).max() > 0.01


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_diagonal_gain_leaves_the_share_to_the_observation(share: float, transform: CurveletTransform) -> None:
    problem = with_noise(transform, 0.05, prescribed=0.05)
    update = DiagonalUpdate(InnovationErrors(share), transform, whole_wedges(transform.layout, 1))
    found = update.increment(problem, SELF)
    b, r = (found.wedges.values[f"{name}_variance_mean"] for name in ("background", "observation"))
    white = 0.05**2 if share == 0 else found.facts["white_observation_error"].value ** 2
    signal = b / (1 - share)
    # The mean of R over the positions of a wedge: white noise on the observed pixels, and the share of the signal.
    everywhere = WedgePowers(transform, SELF).norms * np.prod(SHAPE)
    n_values = np.array([wedge.stop - wedge.start for wedge in transform.layout.wedges])
    on_observed = white * everywhere / n_values * seen().mean()
    np.testing.assert_allclose(r - share * signal, on_observed, rtol=2e-2, atol=1e-9)


def test_errors_are_as_large_as_said_where_the_share_is_right(transform: CurveletTransform) -> None:
    """Background errors 0.1 and observation errors 0.07, both coherent, and white noise."""
    said, true = [], []
    everywhere = np.ones(SHAPE, bool)
    for number in range(6):
        background, instrument = coherent(transform, 2 * number), 0.7 * coherent(transform, 2 * number + 1)
        noise = 0.03 * np.random.default_rng(number).standard_normal(SHAPE)
        problem = problem_of(background + instrument + noise, everywhere, 0.03, seed=number)
        found = FullUpdate(InnovationErrors(0.49 / 1.49), transform).increment(problem, SELF)
        said.append([found.facts[f"expected_error_{what}_observed"].value for what in ("background", "analysis")])
        true.append([np.sqrt(np.mean(background**2)), np.sqrt(np.mean((background - found.image) ** 2))])
    ratio = np.sqrt(np.mean(np.square(said), axis=0) / np.mean(np.square(true), axis=0))
    np.testing.assert_allclose(ratio, 1.0, atol=0.15)


@pytest.mark.parametrize("comm", COMMS)
def test_errors_are_settled_alike_on_any_number_of_ranks(comm: MPI.Intracomm, transform: CurveletTransform) -> None:
    for estimate in (False, True):
        problem = with_noise(transform, 0.03, prescribed=0.1, estimate=estimate)
        alone, shared = (FullUpdate(InnovationErrors(), transform).increment(problem, of) for of in (SELF, comm))
        assert agree(comm, np.array_equal(alone.image, shared.image))
        assert agree(comm, alone.facts == shared.facts)
