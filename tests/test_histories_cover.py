"""The vegetation of cells from the patches of a case."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from colm2014_files import SmallCase

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.cover import covers_of_2014


def test_cells_have_the_vegetation_of_their_largest_soil_patch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = SmallCase(6, 7)
    case.classes[case.types == 0] = np.where(np.arange(np.count_nonzero(case.types == 0)) % 2, 7, 11)  # grass, trees
    with caplog.at_level(logging.WARNING):
        covers = covers_of_2014(Grid(case.lats, case.lons), case.write_const(tmp_path / "S-rstTimeConst"))
    expected = {"trees": np.zeros((6, 7), bool), "grass and savanna": np.zeros((6, 7), bool)}
    for cell in np.unique(case.cell[case.types == 0]):
        own = np.flatnonzero((case.cell == cell) & (case.types == 0))
        name = "grass and savanna" if case.classes[own[np.argmax(case.weight[own])]] == 7 else "trees"
        expected[name][np.unravel_index(cell, (6, 7))] = True
    assert set(covers) == set(expected)
    for name, image in expected.items():
        np.testing.assert_array_equal(covers[name], image)
    assert not caplog.records


def test_a_case_of_other_cells_is_refused_and_one_of_fewer_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = SmallCase(6, 7)
    const = case.write_const(tmp_path / "S-rstTimeConst")
    with pytest.raises(InputError, match=r"found patches on 6 x 7 cells, expected cells of the runs' grid"):
        covers_of_2014(Grid(case.lats + 1.0, case.lons), const)
    larger = Grid(50.0 - 2.0 * np.arange(9), case.lons)
    with caplog.at_level(logging.WARNING):
        covers = covers_of_2014(larger, const)
    assert "has patches on 6 x 7 of the 9 x 7 cells of the runs: others have no vegetation" in caplog.text
    assert not any(image[6:].any() for image in covers.values())
