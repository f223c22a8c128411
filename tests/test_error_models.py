"""What every error model has to be for the diagonal solver, and what distinguishes each."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from mpi4py import MPI

from imgda_mpi.analysis import Innovation, large_scale_increment, pointwise_increment
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.error_models.analytic import AnalyticErrors
from imgda_mpi.error_models.ensemble import EnsembleErrors, spread_error_ratio
from imgda_mpi.error_models.hybrid import HybridErrors
from imgda_mpi.error_models.innovation import InnovationErrors
from imgda_mpi.error_models.paper import PaperErrors
from imgda_mpi.parallel.exchange import CoefficientExchange
from imgda_mpi.parallel.rank_grid import RankGrid, holder_of_coefficients, whole_wedges
from imgda_mpi.solvers.diagonal import diagonal_increment
from imgda_mpi.solvers.own_coefficients import OwnCoefficients
from imgda_mpi.solvers.wedge_powers import wedge_filter
from imgda_mpi.spectral_errors import expected_variance

SHAPE = (64, 96)
TIME = datetime(2022, 6, 1, tzinfo=UTC)
SELF = MPI.COMM_SELF
COMMS = [pytest.param(SELF, id="self"), pytest.param(MPI.COMM_WORLD, id="world", marks=pytest.mark.mpi)]
MODELS = ("paper", "analytic", "innovation", "ensemble", "hybrid")

N_MEMBERS = 12


def agree(comm: MPI.Intracomm, holds: bool) -> bool:
    return bool(comm.allreduce(bool(holds), op=MPI.LAND))


def anomalies() -> np.ndarray:
    """Members that are coherent, and spread twice as much in one half of the image."""
    rng = np.random.default_rng(8)
    row, column = np.indices(SHAPE)
    low_pass = np.exp(-(np.minimum(row, SHAPE[0] - row) ** 2 + column**2) / 60.0)[:, : SHAPE[1] // 2 + 1]
    members = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((N_MEMBERS, *SHAPE))) * low_pass, s=SHAPE)
    members *= np.where(column < SHAPE[1] // 2, 1.0, 2.0) * 0.3
    return members - members.mean(axis=0)


def model(name: str, held: dict[int, np.ndarray]) -> object:
    ensemble = EnsembleErrors(held, N_MEMBERS, None, SHAPE)
    innovation = InnovationErrors(1, TIME)
    return {
        "paper": PaperErrors(0.15, 0.10, 20, 1, TIME),
        "analytic": AnalyticErrors(0.15),
        "innovation": innovation,
        "ensemble": ensemble,
        "hybrid": HybridErrors(ensemble, innovation, 0.4),
    }[name]


def given(observed: np.ndarray | None = None) -> Innovation:
    rng = np.random.default_rng(9)
    observed = np.ones(SHAPE, bool) if observed is None else observed
    return Innovation(np.where(observed, anomalies()[0] + 0.1 * rng.standard_normal(SHAPE), 0.0), observed, 0.10)


def half() -> np.ndarray:
    return np.indices(SHAPE)[1] < SHAPE[1] // 2


@pytest.fixture(params=["wavelets", "curvelets"])
def transform(request: pytest.FixtureRequest) -> CurveletTransform:
    return CurveletTransform(SHAPE, 4, finest=request.param)


def alone(transform: CurveletTransform) -> OwnCoefficients:
    grid = RankGrid(transform.layout, 1, 1)
    return OwnCoefficients(transform, grid, CoefficientExchange(SELF, grid, transform.dtype), (0, 0))


def increment(name: str, innovation: Innovation, transform: CurveletTransform, **options: object) -> np.ndarray:
    errors = model(name, dict(enumerate(anomalies())))
    grid = RankGrid(transform.layout, 1, 1)
    return diagonal_increment(innovation, errors, transform, grid, SELF, **options)[0]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("observed", [None, half()], ids=["full", "half"])
def test_variances_are_possible_and_alike_in_both_slots(
    name: str, observed: np.ndarray | None, transform: CurveletTransform
) -> None:
    b, r = model(name, dict(enumerate(anomalies()))).variances(alone(transform), given(observed))
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
    innovation = given()
    size = np.square(increment(name, innovation, transform)).sum()
    assert 0 < size < np.square(innovation.values).sum()


@pytest.mark.parametrize("name", MODELS)
def test_scales_are_updated_alone(name: str, transform: CurveletTransform) -> None:
    innovation = given(half())
    parts = [increment(name, innovation, transform, scales=scales) for scales in ([1, 2], [3, 4], None)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=0, atol=1e-13)
    assert np.abs(parts[0]).max() > 0
    assert np.abs(parts[1]).max() > 0


@pytest.mark.parametrize("name", MODELS)
def test_nothing_observed_is_no_increment(name: str, transform: CurveletTransform) -> None:
    nothing = Innovation(np.zeros(SHAPE), np.zeros(SHAPE, bool), 0.1)
    assert not np.abs(increment(name, nothing, transform)).any()


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("name", [name for name in MODELS if name != "paper"])
def test_bits_do_not_depend_on_the_ranks(comm: MPI.Intracomm, name: str) -> None:
    transform, innovation = CurveletTransform(SHAPE, 4), given(half())
    expected = increment(name, innovation, transform)
    grid = whole_wedges(transform.layout, comm.size)
    held = {n: image for n, image in enumerate(anomalies()) if holder_of_coefficients(n, grid) == comm.rank}
    found, _, _ = diagonal_increment(innovation, model(name, held), transform, grid, comm)
    assert agree(comm, comm.rank > 0 or np.array_equal(found, expected))


def test_analytic_is_what_paper_tends_to(transform: CurveletTransform) -> None:
    innovation = given()
    limit = increment("analytic", innovation, transform)
    np.testing.assert_allclose(limit, pointwise_increment(innovation.values, 0.15, 0.10), rtol=0, atol=1e-13)
    grid = RankGrid(transform.layout, 1, 1)
    distance = [
        np.abs(diagonal_increment(innovation, PaperErrors(0.15, 0.10, n, 1, TIME), transform, grid, SELF)[0] - limit)
        for n in (10, 160)
    ]
    assert distance[1].std() < 0.4 * distance[0].std()


def test_analytic_knows_gaps_and_fields(transform: CurveletTransform) -> None:
    background, noise, observed = np.linspace(0.05, 0.3, half().size).reshape(SHAPE), 0.1, half()
    innovation = Innovation(np.zeros(SHAPE), observed, np.full(SHAPE, noise))
    b, r = AnalyticErrors(background).variances(alone(transform), innovation)
    np.testing.assert_allclose(b, expected_variance(transform, background * observed), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(r, expected_variance(transform, noise * observed), rtol=1e-9, atol=1e-18)


def test_innovation_variances_are_wedge_by_wedge_in_proportion_to_what_is_observed(
    transform: CurveletTransform,
) -> None:
    innovation = given(half())
    b, _ = model("innovation", {}).variances(alone(transform), innovation)
    seen = expected_variance(transform, innovation.observed.astype(float))
    for wedge in transform.layout.wedges:
        part = slice(wedge.start, wedge.stop)
        share = b[part] / np.maximum(seen[part], 1e-12 * seen.max())
        well_seen = seen[part] > 1e-6 * seen.max()
        np.testing.assert_allclose(share[well_seen], share[well_seen].mean(), rtol=1e-9)


def test_ensemble_knows_where_the_members_differ(transform: CurveletTransform) -> None:
    b, _ = model("ensemble", dict(enumerate(anomalies()))).variances(alone(transform), given())
    wedge = transform.layout.wedge(1, 1)
    coarse = b[wedge.start : wedge.stop].reshape(wedge.shape)
    quiet, loud = np.array_split(coarse.mean(axis=0), 2)
    assert loud[1:-1].mean() / quiet[1:-1].mean() == pytest.approx(4, rel=0.5)
    # Smoothing keeps the sum over a wedge: that of the members' own powers.
    powers = sum(np.square(transform.forward(image)[wedge.start : wedge.stop]).sum() for image in anomalies())
    assert coarse.sum() == pytest.approx(powers / (N_MEMBERS - 1), rel=1e-12)


def test_hybrid_is_the_weighted_sum(transform: CurveletTransform) -> None:
    held, innovation = dict(enumerate(anomalies())), given(half())
    of_members, of_wedges, both = (
        model(name, held).variances(alone(transform), innovation)[0] for name in ("ensemble", "innovation", "hybrid")
    )
    np.testing.assert_allclose(both, 0.6 * of_members + 0.4 * of_wedges, rtol=1e-12, atol=1e-18)


def test_spread_is_held_against_the_innovation() -> None:
    rng = np.random.default_rng(3)
    observed = half()
    noise = np.where(observed, 0.3 * rng.standard_normal(SHAPE), 0.0)
    ratio, error = spread_error_ratio(Innovation(noise, observed, 0.1), np.full(SHAPE, 0.2))
    assert ratio == pytest.approx((0.3**2 - 0.1**2) / 0.2**2, abs=4 * error * 0.3**2 / (0.2**2 + 0.1**2))
    assert 0 < error < 0.1
    assert spread_error_ratio(Innovation(0 * noise, observed, 0.1), np.full(SHAPE, 0.2))[0] == 0
    assert np.isnan(spread_error_ratio(Innovation(0 * noise, ~observed & observed, 0.1), np.zeros(SHAPE))).all()


def test_large_scale_is_the_minimum_of_its_cost(transform: CurveletTransform) -> None:
    d = given(half()).values
    wanted = np.array([float(wedge.scale <= 2) for wedge in transform.layout.wedges])
    found = large_scale_increment(d, 0.15, 0.10, wedge_filter(transform, wanted))

    def cost(x: np.ndarray) -> float:
        misfit = transform.forward(d - x)
        misfit[transform.layout.scale(2).stop :] = 0
        return float(np.square(x).sum() / 0.15**2 + transform.layout.inner(misfit, misfit) / 0.10**2)

    rng = np.random.default_rng(1)
    least = cost(found)
    for _ in range(10):
        step = 1e-3 * rng.standard_normal(SHAPE)
        up, down = cost(found + step), cost(found - step)
        assert min(up, down) > least
        # At a minimum the cost is even in every direction.
        assert abs(up - down) < 1e-9 * least
