"""Problems and methods without files and processes: what goes in, what comes out, and the one registry."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree, grid_of, members_of_images, problem_of
from pydantic import TypeAdapter

from imgda_mpi.covariances.covariance import CovarianceErrors
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.faults import ConfigError
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Method
from imgda_mpi.methods.registry import ERROR_MODELS, METHODS, load, make_method, needs_transform
from imgda_mpi.methods.simple import Insert, LargeScale, Pointwise, PointwiseFitted
from imgda_mpi.numerics.problem import Observations, Problem, embedded_sd
from imgda_mpi.settings.fields import FieldFile
from imgda_mpi.settings.methods import SECTIONS, ComparedMethod, MethodSettings, OfCoefficients, OfMembers

GLOBE = (32, 64)
REGION = Grid(np.linspace(50, 32, 19), np.linspace(10, 34, 25))
N_MEMBERS = 6
NAMES = [
    *METHODS,
    *(f"{kind}/diagonal" for kind in ERROR_MODELS),
    *(f"{kind}/full" for kind, place in ERROR_MODELS.items() if issubclass(load(place), CovarianceErrors)),
]


def check_method(value: object) -> MethodSettings:
    """The section of a name, or of a table."""
    return TypeAdapter(ComparedMethod).validate_python(value)


def problem(grid: Grid, comm: MPI.Intracomm = SELF, method: Method | None = None) -> Problem:
    """Half of the land is observed; members are coherent, the innovation too."""
    rng, shape = np.random.default_rng(2), grid.shape
    drawn = 0.02 * rng.standard_normal((N_MEMBERS, *shape)).cumsum(axis=2)
    row, column = np.indices(shape)
    land = (row + column) % 7 > 0
    anomalies = np.where(land, drawn - drawn.mean(axis=0), 0.0)
    held = {n: image for n, image in enumerate(anomalies) if method is None or method.holder(n, comm.size) == comm.rank}
    innovation = 0.1 * np.sin(row / 4) + 0.05 * rng.standard_normal(shape)
    members = members_of_images(held, N_MEMBERS, anomalies)
    return problem_of(innovation, land & (column < shape[1] // 2), 0.05, land=land, grid=grid, members=members)


def method(name: str, grid: Grid, n_ranks: int = 1) -> Method:
    section = check_method(name)
    transform = CurveletTransform(grid.transform_shape()) if needs_transform(section.kind) else None
    return make_method(section.kind, section.parameters, transform, n_ranks=n_ranks)


def test_every_kind_of_the_registry_has_a_section_with_the_arguments_of_its_class() -> None:
    assert set(SECTIONS) == {*METHODS, *ERROR_MODELS}
    for kind, section in SECTIONS.items():
        of_class = set(inspect.signature(load((METHODS | ERROR_MODELS)[kind])).parameters) - {"transform"}
        of_solver = {"solver", "scales"} if issubclass(section, OfCoefficients) else set()
        assert set(section.model_fields) - {"kind"} == of_class | of_solver, kind


@pytest.mark.parametrize("name", NAMES)
def test_what_a_method_needs_is_known_from_its_section(name: str) -> None:
    made = method(name, grid_of(GLOBE))
    assert made.needs_members == issubclass(SECTIONS[name.partition("/")[0]], OfMembers)
    assert "/".join(list(made.labels.values())[1:3]) in made.name


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("grid", [grid_of(GLOBE), REGION], ids=["globe", "region"])
@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_the_same_bits_on_any_number_of_ranks(name: str, grid: Grid, comm: MPI.Intracomm) -> None:
    alone, shared = method(name, grid), method(name, grid, comm.size)
    alone.check(grid, problem(grid).observations)
    expected = alone.increment(problem(grid), SELF)
    found = shared.increment(problem(grid, comm, shared), comm)
    assert agree(comm, np.array_equal(found.image, expected.image))
    assert agree(comm, found.facts == expected.facts)
    assert agree(comm, found.image.shape == found.applied.shape == grid.shape)
    unseen = problem(grid).land & ~problem(grid).observations.observed
    everywhere = "increment_unseen_rms" in found.facts
    assert agree(comm, found.applied[unseen].all() if everywhere else not found.applied[unseen].any())
    assert agree(comm, everywhere or not name.endswith("/full"))
    assert agree(comm, name == "none" or np.abs(found.image[found.applied]).max() > 0.01)
    assert agree(comm, all(fact.unit and fact.meaning for fact in found.facts.values()))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_observed_is_no_increment(name: str) -> None:
    grid = grid_of(GLOBE)
    nothing = problem_of(np.zeros(GLOBE), np.zeros(GLOBE, bool), members=problem(grid).members)
    increment = method(name, grid).increment(nothing, SELF)
    assert not increment.image.any()
    assert not increment.applied.any()


def test_simple_methods_are_their_formulas() -> None:
    given = problem(grid_of(GLOBE))
    d, observed = given.innovation.values, given.observations.observed
    np.testing.assert_array_equal(Insert().increment(given, SELF).image, d)
    pointwise = Pointwise(0.15).increment(given, SELF)
    np.testing.assert_allclose(pointwise.image, 0.15**2 / (0.15**2 + 0.05**2) * d, rtol=1e-14)
    assert np.array_equal(pointwise.applied, observed)
    fitted = PointwiseFitted().increment(given, SELF).image
    np.testing.assert_allclose(fitted, (1 - 0.05**2 * observed.sum() / np.square(d).sum()) * d, rtol=1e-12)


def test_large_scale_takes_the_coarser_half_unless_told() -> None:
    given, transform = problem(grid_of(GLOBE)), CurveletTransform(GLOBE, 3)
    usual, coarse, both = (
        LargeScale(transform, 0.15, scales).increment(given, SELF).image for scales in (None, [1], [1, 2])
    )
    np.testing.assert_array_equal(usual, coarse)
    assert np.abs(both - usual).max() > 1e-3
    with pytest.raises(ConfigError, match=r"scales = \[1, 4\]: this transform has the scales 1 to 3"):
        LargeScale(transform, 0.15, [1, 4]).check(given.grid, given.observations)


def test_an_estimate_of_the_noise_needs_three_scales() -> None:
    section = check_method("innovation/full")
    made = make_method(section.kind, section.parameters, CurveletTransform(GLOBE, 2))
    estimated = Observations(np.zeros(GLOBE), np.ones(GLOBE, bool), 0.1, estimate_sd=True)
    with pytest.raises(ConfigError, match="cannot be estimated: that needs three scales, this transform has 2"):
        made.check(grid_of(GLOBE), estimated)


def test_a_method_without_its_transform_or_with_another_number_of_groups_is_refused() -> None:
    section = check_method("paper")
    with pytest.raises(ValueError, match="paper needs a transform"):
        make_method(section.kind, section.parameters)
    with pytest.raises(ConfigError, match="paper has no covariance of images for the full solver"):
        make_method(section.kind, section.parameters | {"solver": "full"}, CurveletTransform(GLOBE))
    with pytest.raises(ConfigError, match="wedge_groups = 5: 2 ranks"):
        make_method(section.kind, section.parameters, CurveletTransform(GLOBE), n_ranks=2, wedge_groups=5)


def test_observations_know_h_and_its_adjoint(rng: np.random.Generator) -> None:
    observed = rng.random(GLOBE) < 0.4
    given = Observations(np.where(observed, 1.0, 0.0), observed, np.full(GLOBE, 0.2))
    x, z = rng.standard_normal((2, *GLOBE))
    assert np.vdot(given.apply(x), z) == pytest.approx(np.vdot(x, given.adjoint(z)))
    assert np.array_equal(given.noise > 0, observed)
    assert given.noise_power == pytest.approx(0.04 * observed.sum())
    np.testing.assert_allclose(given.minus(x).values[observed], 1.0 - x[observed])
    assert not given.minus(np.full(GLOBE, np.nan)).values[~observed].any()
    part = given.rows(slice(3, 9))
    np.testing.assert_array_equal(part.apply(x[3:9]), given.apply(x)[3:9])
    np.testing.assert_array_equal(part.noise, given.noise[3:9])


def test_an_embedded_problem_has_nothing_new(rng: np.random.Generator) -> None:
    given = problem(REGION)
    shape = REGION.transform_shape()
    larger = given.embedded(shape)
    ny, nx = REGION.shape
    assert larger.land.shape == shape
    assert larger.land.sum() == given.land.sum()
    np.testing.assert_array_equal(larger.innovation.values[:ny, :nx], given.innovation.values)
    assert larger.innovation.noise_power == given.innovation.noise_power
    assert given.embedded(REGION.shape) is given
    sd = rng.uniform(0.1, 0.2, REGION.shape)
    field = embedded_sd(sd, given.land, shape)
    np.testing.assert_array_equal(field[:ny, :nx], sd)
    np.testing.assert_array_equal(np.unique(field[ny:]), sd[given.land].mean())


def test_a_file_of_a_field_is_a_value_of_a_key() -> None:
    section = check_method({"kind": "paper", "background_error": {"file": "a.nc", "variable": "sd"}})
    assert isinstance(section.parameters["background_error"], FieldFile)
    assert section.label == "paper"
    assert check_method({"kind": "paper", "n_members": 20}).full_label == "paper(n_members=20)"
    assert check_method({"kind": "innovation", "solver": "full", "scales": [1, 2]}).full_label == (
        "innovation/full(scales=[1,2])"
    )
