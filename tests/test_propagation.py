"""How fast and how long corrections are felt in the depth, and the table of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from runs import START

from imgda_mpi.colm.soil_layers import node_depth
from imgda_mpi.faults import InputError
from imgda_mpi.results.propagation_file import read_propagation, write_propagation
from imgda_mpi.results.run_scores import Profiles, propagations
from imgda_mpi.verify.propagation import Propagation, at_depth, felt

DAY = timedelta(days=1)
TIMES = [START + n * DAY for n in range(11)]
FIRST, LAST = START + DAY, START + 6 * DAY


def test_between_nodes_profiles_are_linear() -> None:
    profiles = np.stack([2.0 + 3.0 * node_depth, 1.0 - node_depth])
    for depth in (0.5, 1.0, node_depth[0], node_depth[4], node_depth[-1]):
        np.testing.assert_allclose(at_depth(profiles, node_depth, depth), [2.0 + 3.0 * depth, 1.0 - depth])
    for depth in (0.001, 3.0):
        with pytest.raises(ValueError, match="is not within the nodes"):
            at_depth(profiles, node_depth, depth)


@pytest.mark.parametrize(
    ("days_felt", "reached", "stayed", "to_the_end"),
    [
        ((), np.nan, np.nan, False),
        (range(3, 11), 2.0, 4.0, True),
        (range(3, 9), 2.0, 3.0, False),
        ((3, 4, 6, 7, 9, 10), 2.0, 2.0, False),  # what comes back after the last analysis is another matter
        ((3, 4), 2.0, 0.0, False),
        ((8, 9), 7.0, 4.0, False),  # first felt after the last analysis
        ((0,), np.nan, np.nan, False),  # before the first analysis
        ((10,), 9.0, 4.0, True),
    ],
)
def test_when_a_correction_is_felt(days_felt: list[int], reached: float, stayed: float, to_the_end: bool) -> None:
    difference = np.full(11, 0.0199)
    difference[3] = np.nan
    difference[list(days_felt)] = -0.0201
    np.testing.assert_equal(felt(TIMES, difference, FIRST, LAST), (reached, stayed, to_the_end))


def test_points_are_compared_with_the_control_at_both_depths() -> None:
    control = 0.3 * np.ones((11, 2, 10))
    values = control.copy()
    values[4:, 0, node_depth < 0.7] += 0.05  # the nodes around 0.5 m, and the upper one of those around 1 m
    values[6:, 1] -= 0.03
    points = np.array([[35.0, 104.25], [-10.0, 20.5]])
    every = (Profiles(TIMES, points, of_run) for of_run in (values, control))
    found = propagations(*every, "pointwise", ["corn", "grass"], (FIRST, LAST))
    assert [(row.vegetation, row.latitude, row.longitude, row.depth) for row in found] == [
        ("corn", 35.0, 104.25, 0.5),
        ("corn", 35.0, 104.25, 1.0),
        ("grass", -10.0, 20.5, 0.5),
        ("grass", -10.0, 20.5, 1.0),
    ]
    np.testing.assert_equal([row.reached for row in found], [3.0, np.nan, 5.0, 5.0])
    np.testing.assert_equal([row.stayed for row in found], [4.0, np.nan, 4.0, 4.0])
    assert [row.to_the_end for row in found] == [True, False, True, True]


ROWS = [
    Propagation("paper, N = 50", 35.0, 104.1, "Non-arctic grass", 0.5, 4.125, 30.0, True),
    Propagation("pointwise", -10.0, 20.5, "Corn", 1.0, np.nan, np.nan, False),
]


def test_propagation_is_read_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "propagation.csv"
    write_propagation(path, ROWS)
    assert repr(read_propagation(path)) == repr(ROWS)
    assert path.read_text().splitlines()[2] == "pointwise,-10.0,20.5,Corn,1.0,nan,nan,no"
    path.write_text(path.read_text().replace("yes", "maybe"))
    with pytest.raises(InputError, match=r"propagation\.csv: line 2: found what cannot be understood .*'maybe'"):
        read_propagation(path)
