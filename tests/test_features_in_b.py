"""The part of B on features of the cells, against dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from problems import SELF, TIME
from scipy.stats import multivariate_normal
from test_full_solver import GRID, SHAPE, SOIL, dense_signal, given, land
from transforms import impulses

from imgda_mpi.covariances import held_back, likelihood
from imgda_mpi.covariances.features import FeaturedCovariance
from imgda_mpi.covariances.held_back import tried_signal
from imgda_mpi.covariances.innovation import InnovationErrors, groups_of
from imgda_mpi.covariances.likelihood import Signal, fitted_weights, likely_signal, with_features
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.methods.full import FullUpdate
from imgda_mpi.numerics.features import class_members, embed_cells
from imgda_mpi.numerics.perturbations import Sample
from imgda_mpi.numerics.problem import Observations, Problem

NOISE = 0.05


@pytest.fixture(scope="module")
def powers() -> WedgePowers:
    return WedgePowers(CurveletTransform(SHAPE, 3, finest="curvelets"), SELF)


def problem() -> Problem:
    """On the array, with a background that is not the same everywhere, and which errors do not follow."""
    row, column = np.indices(GRID.shape)
    background = np.where(land(), 0.2 + 0.01 * (row % 5) + 0.002 * column, 0.0)
    made = given(NOISE)
    return replace(made, background=background, observations=made.observations.minus(-background)).embedded(SHAPE)


def dense_features(problem: Problem) -> np.ndarray:
    """Z: each feature less its mean over the land."""
    on_land = problem.land.ravel()[:, None]
    every = np.hstack([one.toarray() for one in groups_of(problem).values()]) * on_land
    return (every - every.sum(axis=0) / on_land.sum()) * on_land


def features(problem: Problem) -> CellFeatures:
    return CellFeatures(ImageRows(SELF, SHAPE), groups_of(problem), problem.land)


def test_features_are_a_matrix_of_the_land() -> None:
    found, z = features(problem()), dense_features(problem())
    assert found.names == ["moisture", "soil"]
    assert np.bincount(found.group).tolist() == [8, 3]
    image, weights = np.random.default_rng(1).standard_normal(SHAPE), np.linspace(-1, 2, 11)
    np.testing.assert_allclose(found.of(image), z.T @ image.ravel(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.spread(weights).ravel(), z @ weights, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.squares(weights).ravel(), (z**2) @ weights, rtol=0, atol=1e-14)


def test_the_signal_is_that_of_wedges_and_of_features(powers: WedgePowers) -> None:
    rows, variances = ImageRows(SELF, SHAPE), 0.1 ** powers.scale.astype(float)
    wedges = WedgeCovariance(rows, powers, variances, 0.3)
    covariance = FeaturedCovariance(wedges, features(problem()), np.array([0.01, 0.002]), 0.3)
    z = dense_features(problem())
    low_rank = z * np.repeat([0.01, 0.002], [8, 3]) @ z.T
    np.testing.assert_allclose(dense_signal(covariance), dense_signal(wedges) + low_rank, rtol=0, atol=1e-15)
    image = np.random.default_rng(1).standard_normal(SHAPE)
    parts = covariance.parts(image)
    np.testing.assert_allclose(
        parts["soil"].ravel(), 0.7 * 0.002 * z[:, 8:] @ (z[:, 8:].T @ image.ravel()), rtol=0, atol=1e-15
    )
    total = parts["moisture"] + parts["soil"] + wedges.apply(image)
    np.testing.assert_allclose(total, covariance.apply(image), rtol=0, atol=1e-14)


def test_the_preconditioner_is_the_inverse_where_that_of_the_wedges_is(powers: WedgePowers) -> None:
    """With everything observed and one error of all observations, it is exact."""
    rows, values = ImageRows(SELF, SHAPE), np.random.default_rng(4).standard_normal(SHAPE)
    innovation = Observations(values, np.ones(SHAPE, bool), NOISE)
    whole = replace(problem(), land=np.ones(SHAPE, bool))
    wedges = WedgeCovariance(rows, powers, 0.1 ** powers.scale.astype(float))
    groups = np.array([0.01, 0.002])
    covariance = FeaturedCovariance(wedges, features(whole), groups)
    inverse = np.linalg.inv(dense_signal(covariance) + NOISE**2 * np.eye(values.size))
    precondition = covariance.preconditioner(innovation)
    found = np.array([precondition(unit).ravel() for unit in impulses(SHAPE)[:40]])
    np.testing.assert_allclose(found, inverse[:40], rtol=0, atol=1e-5 * inverse.max())
    z = dense_features(whole)
    of_features = np.einsum("ik,ij,jk->k", z, inverse, z)
    group = features(whole).group
    np.testing.assert_allclose(precondition.traces, np.bincount(group, of_features), rtol=1e-4)
    # One that was made for other variances of the features is as good.
    other = FeaturedCovariance(wedges, features(whole), 9 * groups).preconditioner(innovation)
    near = other.with_variances(groups[group])
    np.testing.assert_allclose(near.traces, precondition.traces, rtol=1e-6)


def log_likelihood(signal: Signal, innovation: Observations) -> float:
    h = innovation.observed.ravel()
    matrix = dense_signal(signal.covariance())[np.ix_(h, h)] + np.diag(innovation.noise.ravel()[h])
    return float(multivariate_normal(cov=matrix).logpdf(innovation.values.ravel()[h]))


def test_steps_lead_to_likelier_variances(powers: WedgePowers) -> None:
    innovation, rows = problem().innovation, ImageRows(SELF, SHAPE)
    with_features, without = (
        likely_signal(rows, powers, innovation, of, seed=1, time=TIME) for of in (features(problem()), None)
    )
    start = replace(with_features, groups=np.full(2, 0.01), near=None)
    nothing = replace(with_features, groups=np.zeros(2), near=None)
    # The innovation follows the class of soil, and not the background's moisture: what two steps have come
    # to is as likely as what many come to.
    many = likely_signal(rows, powers, innovation, features(problem()), tolerances=[0.01] * 5, seed=1, time=TIME)
    found = log_likelihood(with_features, innovation)
    assert found > log_likelihood(many, innovation) - 0.1
    for signal, most in ((many, 1e-6), (with_features, 0.2)):
        moisture, soil = signal.groups
        assert moisture < most * soil
        assert soil == pytest.approx(0.05**2 * 2 / 3, rel=0.5)
    for other in (start, nothing, without):
        assert found > log_likelihood(other, innovation) + 2


@pytest.mark.parametrize("slope", [0.1, 10.0], ids=["large scales", "fine scales alone"])
def test_features_join_by_what_is_observed_alone(
    powers: WedgePowers, monkeypatch: pytest.MonkeyPatch, slope: float
) -> None:
    """Whether their preconditioner continues values into the gaps or not."""
    innovation, rows = problem().innovation, ImageRows(SELF, SHAPE)
    assert (problem().land & ~innovation.observed).any()
    variances = slope ** powers.scale.astype(float)
    wedges, of = Signal(rows, powers, None, variances * 1e-4 / variances.max(), np.empty(0)), features(problem())
    stepped, said = likelihood.likelier_group_variances, []
    monkeypatch.setattr(likelihood, "likelier_group_variances", lambda *of: said.append(of) or stepped(*of))
    with_features(wedges, of, np.full(11, 0.03), innovation)
    ((groups, weighted, _, _),) = said
    precondition = replace(wedges, features=of, groups=groups).covariance().preconditioner(innovation)
    seen = of.within(innovation.observed)
    image = precondition(innovation.values)
    np.testing.assert_allclose(weighted, seen.group_products(image, image), rtol=1e-5)


def test_nothing_observed_has_no_weights(powers: WedgePowers) -> None:
    nothing = Observations(np.zeros(SHAPE), np.zeros(SHAPE, bool), NOISE)
    assert not fitted_weights(features(problem()), nothing).any()


def test_a_step_counts_what_the_dense_matrices_say(powers: WedgePowers) -> None:
    innovation, rows = problem().innovation, ImageRows(SELF, SHAPE)
    start = Signal(rows, powers, features(problem()), 0.1 ** powers.scale.astype(float), np.array([1e-3, 2e-3]))
    samples = [Sample(1, TIME, number, of_signs=True) for number in range(40)]
    found = start.likelier(innovation, samples, 1e-3).groups / start.groups
    h, z = innovation.observed.ravel(), dense_features(problem())
    inverse = np.linalg.inv(dense_signal(start.covariance())[np.ix_(h, h)] + np.diag(innovation.noise.ravel()[h]))
    weighted = (z[h].T @ inverse @ innovation.values.ravel()[h]) ** 2
    expected = np.einsum("ik,ij,jk->k", z[h], inverse, z[h])
    for group, number, n in ((slice(8), 0, 8), (slice(8, 11), 1, 3)):
        trace = expected[group].sum()
        information = n * (start.groups[number] * trace / n) ** 2
        factor = weighted[group].sum() / trace * information / (information + 2)
        assert found[number] == pytest.approx(factor, rel=0.1)


def test_expected_powers_of_wedges_are_near_in_those_of_few_modes_too(
    powers: WedgePowers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against dense matrices: two draws of n modes vary by the square root of 1 / n, none of 25 wedges by 3."""
    innovation, rows = problem().innovation, ImageRows(SELF, SHAPE)
    start = Signal(rows, powers, None, 0.1 ** powers.scale.astype(float), np.empty(0))
    stepped, said = likelihood.likelier_variances, []
    monkeypatch.setattr(likelihood, "likelier_variances", lambda *of: said.append(of) or stepped(*of))
    samples = [Sample(2, TIME, number, of_signs=True) for number in range(2)]
    start.likelier(innovation, samples, 1e-3)
    ((_, _, expected, observed, _, _),) = said
    h = innovation.observed.ravel()
    inverse = np.linalg.inv(dense_signal(start.covariance())[np.ix_(h, h)] + np.diag(innovation.noise.ravel()[h]))
    root = np.zeros((inverse.shape[0], *SHAPE))
    root[:, innovation.observed] = np.linalg.cholesky(inverse).T
    exact = np.sum([powers.of(image) for image in root], axis=0)
    assert observed.max() < 16
    assert (np.abs(expected / exact - 1) < 3 / np.sqrt(observed)).all()


def test_images_that_say_less_than_nothing_do_not_end_a_group(
    powers: WedgePowers, monkeypatch: pytest.MonkeyPatch
) -> None:
    innovation, rows = problem().innovation, ImageRows(SELF, SHAPE)
    start = Signal(rows, powers, features(problem()), 0.1 ** powers.scale.astype(float), np.array([1e-3, 2e-3]))
    products, said = CellFeatures.group_products, [np.full(2, -1e9)] * 2
    monkeypatch.setattr(CellFeatures, "group_products", lambda *of: said.pop() if said else products(*of))
    samples = [Sample(1, TIME, number, of_signs=True) for number in range(2)]
    assert (start.likelier(innovation, samples, 1e-3).groups > 0).all()
    assert not said


def soil_of_kind(*, follows: bool) -> Problem:
    """Errors follow the class of soil, or classes were dealt out at random and errors follow none."""
    made = problem()
    if follows:
        return made
    dealt = class_members(np.random.default_rng(3).permutation(SOIL.ravel()))
    by_class = np.pad(0.05 * (SOIL - 1), [(0, more) for more in np.subtract(SHAPE, GRID.shape)])
    return replace(
        made,
        features={"soil": embed_cells(dealt, GRID.shape, SHAPE)},
        observations=made.observations.minus(by_class),
    )


@pytest.mark.parametrize("follows", [True, False])
def test_held_back_cells_decide_on_features(powers: WedgePowers, follows: bool) -> None:
    made, rows = soil_of_kind(follows=follows), ImageRows(SELF, SHAPE)
    signal, gain = tried_signal(rows, powers, made.innovation, features(made), seed=3, time=TIME)
    assert (gain > 0.05) == follows
    assert (signal.features is not None) == (gain > 0)
    covariance = InnovationErrors(0.0).covariance(rows, powers, made)
    assert isinstance(covariance, FeaturedCovariance) == (gain > 0)
    assert covariance.facts["gain_by_features"].value == gain
    assert ("no features (" in covariance.summary) == (gain <= 0)
    assert f"({gain:+.3f} in the log likelihood of a held-back cell)" in covariance.summary


def test_the_gain_is_that_of_the_errors_of_held_back_cells(
    powers: WedgePowers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by dense matrices from the others, with the same signals."""
    made, rows = soil_of_kind(follows=True), ImageRows(SELF, SHAPE)
    found: list[tuple[Signal, Observations]] = []

    def kept(*given: object, **how: object) -> Signal:
        found.append((likely_signal(*given, **how), given[2]))
        return found[-1][0]

    monkeypatch.setattr(held_back, "likely_signal", kept)
    monkeypatch.setattr(held_back, "TOLERANCES", (1e-9, 1e-9))
    _, gain = tried_signal(rows, powers, made.innovation, features(made), seed=3, time=TIME)
    errors = []
    for signal, others in found:
        h, values = others.observed.ravel(), made.innovation.values.ravel()
        held = made.innovation.observed.ravel() & ~h
        assert held.sum() == made.innovation.observed.sum() // 10
        s = dense_signal(signal.covariance())
        told = s[np.ix_(held, h)] @ np.linalg.solve(s[np.ix_(h, h)] + np.diag(others.noise.ravel()[h]), values[h])
        errors.append(np.sqrt(np.mean((values[held] - told) ** 2)))
    assert gain == pytest.approx(np.log(errors[1] / errors[0]), rel=1e-5)


def test_features_reach_land_that_is_far_from_every_observation() -> None:
    """Two halves alike in soil, one of them observed: distance carries nothing over, soil does."""
    shape = (32, 128)
    row, column = np.indices(shape)
    observed, soil = column < 50, row // 4 % 2
    land_everywhere = np.ones(shape, bool)
    rng = np.random.default_rng(4)
    truth = 0.08 * (soil - 0.5)
    values = np.where(observed, truth + 0.03 * rng.standard_normal(shape), 0.0)
    seen = Observations(values, observed, 0.03)
    whole = replace(
        problem(),
        grid=replace(GRID, latitude=np.linspace(30, -1, 32), longitude=np.linspace(0, 127, 128)),
        background=np.zeros(shape),
        land=land_everywhere,
        observations=seen,
        features={"soil": class_members(soil.ravel())},
    )
    transform = CurveletTransform(whole.grid.transform_shape(4), 4, finest="curvelets")
    far = column > 100
    errors = {}
    for used in (True, False):
        image = FullUpdate(InnovationErrors(0.0, features=used), transform).increment(whole, SELF).image
        errors[used] = np.sqrt(np.mean((image - truth)[far] ** 2))
    assert errors[True] < 0.3 * errors[False]
    assert errors[False] == pytest.approx(0.04, rel=0.3)
