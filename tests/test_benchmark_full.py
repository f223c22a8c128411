"""What `plan` says of the full solver, beside updates of the problems that it is measured on."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from launch import ROOT

# As python does for a script in that folder.
sys.path.insert(0, str(ROOT / "tools"))

from benchmark_full import pairs, updated
from full_solver_problems import MASKS, NOISE, SIGNAL, make_problem

from imgda_mpi.planning.full import N_SPREAD

SHAPE = (128, 256)


@pytest.mark.parametrize("mask", MASKS)
def test_problems_are_what_they_are_said_to_be(mask: str) -> None:
    problem = make_problem(SHAPE, mask, features=True)
    innovation = problem.innovation
    assert innovation.values[innovation.observed].std() == pytest.approx(np.hypot(SIGNAL, NOISE), rel=0.25)
    assert 0.3 <= innovation.observed.mean() <= 0.45 or mask == "full"
    assert all(np.allclose(group.sum(axis=1), 1) for group in problem.features.values())
    again = make_problem(SHAPE, mask, features=True)
    assert np.array_equal(problem.observations.values, again.observations.values)


@pytest.mark.parametrize("mask", MASKS)
def test_iterations_are_about_as_many_as_planned(mask: str) -> None:
    found = updated(SHAPE, 1, mask)
    iterations, planned = sum(found["iterations"]), found["planned"]
    assert iterations == pytest.approx(planned["iterations"], rel=0.3)
    # An iteration has a pair in double and one in single precision; all others are counted.
    assert pairs(found["calls"]) - 2 * iterations == planned["pairs"] - 2 * planned["iterations"]
    # Others share the processor; `tools/benchmark_full.py` tells how near it is.
    assert 0.4 < found["seconds"] * found["rate"] / planned["work"] < 2.5


def test_ffts_with_features_are_as_many_as_planned() -> None:
    found = updated(SHAPE, 1, features=True)
    planned = found["planned"]
    iterations = sum(found["iterations"])
    assert pairs(found["calls"]) - 2 * iterations == planned["pairs"] - 2 * planned["iterations"]
    assert found["calls"]["sparse"] - 2 * iterations == N_SPREAD
