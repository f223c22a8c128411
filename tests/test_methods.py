"""Methods without files and processes: what goes in, what comes out, and the one registry."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from every_method import NAMES, check_method, method
from mpi4py import MPI
from problems import COMMS, GLOBE, REGION, SELF, agree, half_observed, problem_of

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.faults import ConfigError
from imgda_mpi.grid import Grid
from imgda_mpi.methods.registry import ERROR_MODELS, METHODS, load, make_method
from imgda_mpi.settings.fields import FieldFile
from imgda_mpi.settings.methods import SECTIONS, OfCoefficients, OfMembers


def test_every_kind_of_the_registry_has_a_section_with_the_arguments_of_its_class() -> None:
    assert set(SECTIONS) == {*METHODS, *ERROR_MODELS}
    for kind, section in SECTIONS.items():
        of_class = set(inspect.signature(load((METHODS | ERROR_MODELS)[kind])).parameters) - {"transform"}
        of_solver = {"solver", "scales"} if issubclass(section, OfCoefficients) else set()
        assert set(section.model_fields) - {"kind"} == of_class | of_solver, kind


@pytest.mark.parametrize("name", NAMES)
def test_what_a_method_needs_is_known_from_its_section(name: str) -> None:
    made = method(name, GLOBE)
    assert made.needs_members == issubclass(SECTIONS[name.partition("/")[0]], OfMembers)
    assert "/".join(list(made.labels.values())[1:3]) in made.name


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])
@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_the_same_bits_on_any_number_of_ranks(name: str, grid: Grid, comm: MPI.Intracomm) -> None:
    alone, shared = method(name, grid), method(name, grid, comm.size)
    alone.check(grid, half_observed(grid).observations)
    expected = alone.increment(half_observed(grid), SELF)
    found = shared.increment(half_observed(grid, comm, shared), comm)
    assert agree(comm, np.array_equal(found.image, expected.image))
    assert agree(comm, found.facts == expected.facts)
    assert agree(comm, found.image.shape == found.applied.shape == grid.shape)
    unseen = half_observed(grid).land & ~half_observed(grid).observations.observed
    everywhere = "increment_unseen_rms" in found.facts
    assert agree(comm, found.applied[unseen].all() if everywhere else not found.applied[unseen].any())
    assert agree(comm, everywhere or not name.endswith("/full"))
    assert agree(comm, name == "none" or np.abs(found.image[found.applied]).max() > 0.01)
    assert agree(comm, all(fact.unit and fact.meaning for fact in found.facts.values()))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_observed_is_no_increment(name: str) -> None:
    nothing = problem_of(np.zeros(GLOBE.shape), np.zeros(GLOBE.shape, bool), members=half_observed(GLOBE).members)
    increment = method(name, GLOBE).increment(nothing, SELF)
    assert not increment.image.any()
    assert not increment.applied.any()


def test_a_method_without_its_transform_or_with_another_number_of_groups_is_refused() -> None:
    section = check_method("paper")
    with pytest.raises(ValueError, match="paper needs a transform"):
        make_method(section.kind, section.values())
    with pytest.raises(ConfigError, match="paper has no covariance of images for the full solver"):
        make_method(section.kind, section.values() | {"solver": "full"}, CurveletTransform(GLOBE.shape))
    with pytest.raises(ConfigError, match="wedge_groups = 5: 2 ranks"):
        make_method(section.kind, section.values(), CurveletTransform(GLOBE.shape), n_ranks=2, wedge_groups=5)


def test_a_file_of_a_field_is_a_value_of_a_key() -> None:
    section = check_method({"kind": "paper", "background_error": {"file": "a.nc", "variable": "sd"}})
    assert isinstance(section.values()["background_error"], FieldFile)
    assert section.label == "paper"
    assert check_method({"kind": "paper", "n_members": 20}).full_label == "paper(n_members=20)"
    assert check_method({"kind": "innovation", "solver": "full", "scales": [1, 2]}).full_label == (
        "innovation/full(scales=[1,2])"
    )
