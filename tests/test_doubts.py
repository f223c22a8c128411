"""Warnings of an analysis: each where there is a reason, and none where there is not."""

from __future__ import annotations

import numpy as np
import pytest
from problems import SELF, problem_of

from imgda_mpi.covariances.innovation import InnovationErrors
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.distributed.wedge_statistics import WedgeStatistics
from imgda_mpi.grid import Grid
from imgda_mpi.methods.full import FullUpdate
from imgda_mpi.methods.method import Increment, made
from imgda_mpi.numerics.problem import Fact, Observations
from imgda_mpi.workflow.doubts import doubts

SHAPE = (32, 64)
SOUND = {"chi2": 1.1, "innovation_mean": 0.01, "innovation_mean_expected": 0.02, "white_observation_error": 0.05}
SOUND |= {"finest_innovation": 0.06, "observation_error": 0.07, "observation_error_by_analysis": 0.08}


class Ledger:
    """Water of three patches, one of which holds no soil."""

    class patches:
        is_soil = np.array([True, True, False])

    def __init__(self, clamped: float = 0.0) -> None:
        self._terms = {"requested": np.array([2.0, -2.0, 50.0]), "clamped": np.array([clamped, 0.0, 50.0])}

    def term(self, name: str) -> np.ndarray:
        return self._terms[name]


def observations() -> Observations:
    return problem_of(np.full(SHAPE, 0.1), None, 0.05).innovation


def increment(wedges: WedgeStatistics | None = None, **changed: float) -> Increment:
    facts = {name: Fact(value, "1", "") for name, value in (SOUND | changed).items()}
    return made(problem_of(np.zeros(SHAPE)), np.zeros(SHAPE), "", facts, wedges=wedges)


def said(found: Increment, clamped: float = 0.0) -> list[str]:
    return doubts(found, observations(), Ledger(clamped))


@pytest.mark.parametrize(
    ("asked", "error", "inflation", "words"),
    [
        (
            5.0,
            0.2,
            1.0,
            "asks for 5.00+-0.20 times the members' variance, [method] inflation = 1: ",
        ),
        (0.2, 0.1, 1.5, 'inflation = 1.5: the members differ too much; set inflation = "innovation"'),
        (5.0, 3.0, 1.0, None),
        (1.8, 0.1, 1.0, None),
        (5.0, 0.2, 4.0, None),
        (5.0, 0.2, "innovation", None),
        (5.0, 0.2, None, None),
        (np.nan, np.nan, 1.0, None),
    ],
)
def test_another_spread_of_the_members_is_a_warning(
    asked: float, error: float, inflation: float | str | None, words: str | None
) -> None:
    found = increment(inflation_by_innovation=asked, inflation_by_innovation_standard_error=error)
    lines = doubts(found, observations(), Ledger(), inflation)
    assert len(lines) == (words is not None)
    assert words is None or words in lines[0]


def test_nothing_is_said_of_a_sound_analysis() -> None:
    assert said(increment()) == []
    assert said(increment(estimated_observation_error=0.06)) == []
    nothing = problem_of(np.zeros(SHAPE), np.zeros(SHAPE, bool)).innovation
    assert doubts(increment(chi2=9.0), nothing, Ledger()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"estimated_observation_error": np.nan}, ["cannot be estimated", "0.050 m3 m-3 is used"]),
        ({"estimated_observation_error": 0.15}, ["say 0.150 m3 m-3", "says 0.050: the estimate is used"]),
        (
            {"white_observation_error": 0.02},
            ["has 0.060 m3 m-3 at its finest scale", "0.020 is used", "coherent_share"],
        ),
        ({"innovation_mean": -0.05}, ["is -0.050 m3 m-3, expected within 0.020", "biased"]),
        ({"chi2": 5.0}, ["has 5.00 of the power", "inflation"]),
        ({"chi2": 0.2}, ["has 0.20 of the power"]),
        ({"observation_error_by_analysis": 0.02}, ["0.070 m3 m-3 were assumed", "says 0.020"]),
    ],
)
def test_each_doubt_is_one_line_with_its_numbers(changed: dict[str, float], words: list[str]) -> None:
    (line,) = said(increment(**changed))
    assert all(word in line for word in words)
    assert "\n" not in line


def test_increments_beyond_the_bounds_are_said() -> None:
    assert said(increment(), clamped=0.3) == []
    (line,) = said(increment(), clamped=1.0)
    assert line.startswith("25 % of the water of the increments was refused")


def test_coherent_errors_are_said_where_white_ones_were_assumed() -> None:
    scale, number = np.array([1, 2, 2, 3, 3]), np.array([1, 1, 2, 1, 2])
    white = {"background_variance_mean": np.full(5, 0.02), "observation_variance_mean": np.full(5, 0.01)}
    for coarsest, times in ((0.03, 0), (0.3, 10)):
        power = np.array([coarsest, 0.03, 0.03, 0.03, 0.03])
        wedges = WedgeStatistics(scale, number, white | {"innovation_power_mean": power})
        lines = said(increment(wedges))
        assert len(lines) == (times > 0)
        assert all(f"has {times} times the power" in line and "innovation/full" in line for line in lines)


@pytest.mark.parametrize("mean", [0.0, 0.05])
def test_the_mean_of_a_region_is_expected_of_its_coarsest_scale(mean: float, rng: np.random.Generator) -> None:
    region = Grid(5 + 0.1 * np.arange(40), 0.1 * np.arange(48))
    kind, shape = TransformKind().on(region, scales_by_size=True)
    row, column = np.indices(region.shape)
    coherent = 0.05 * np.sin(row / 3) * np.cos(column / 4)
    problem = problem_of(mean + coherent + 0.03 * rng.standard_normal(region.shape), None, 0.03, grid=region)
    update = FullUpdate(InnovationErrors(0.1), make_transform(kind, shape, SELF))
    found = update.increment(problem, SELF)
    assert not any("coarsest" in line for line in doubts(found, problem.innovation, Ledger()))
    if mean > 0:
        # All of it but the share is of the background.
        assert found.wedges.values["gain_mean"][0] == pytest.approx(0.9, abs=0.01)
