from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.quality import gross_check


def test_bounds_of_the_valid_range_and_rounding_below_zero_are_kept() -> None:
    values = np.array([0.0, 0.6, -7e-20, 0.3, np.float32(0.6), -1e-3, 0.61] + [0.2] * 20)
    checked = gross_check(values, "a.nc", "sm", (0.0, 0.6))
    assert (checked.n_missing, checked.n_below, checked.n_above) == (0, 1, 1)
    np.testing.assert_array_equal(np.isfinite(checked.values), [True] * 5 + [False] * 2 + [True] * 20)
    np.testing.assert_array_equal(checked.values[:5], values[:5])


def test_a_tenth_of_the_values_out_of_range_is_the_limit() -> None:
    values = np.full(100, 0.3)
    values[:10] = 0.9
    assert gross_check(values, "a.nc", "sm", (0.0, 0.6)).n_above == 10
    values[10] = 0.9
    with pytest.raises(InputError, match=r"from 0.3 to 0.9, median 0.3; 11.0 % out of range, expected m3 m-3"):
        gross_check(values, "a.nc", "sm", (0.0, 0.6))


def test_values_in_another_unit_are_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"from 10 to 57, median 33.5, which looks like percent or kg m-2; 100.0 %"):
        read_cf(write_image(tmp_path / "a.nc", 100 * FIELD), GRID, NOON, variable="sm")


def test_values_divided_twice_are_an_error_of_the_file() -> None:
    dry = np.linspace(0.0, 0.0055, 100)
    with pytest.raises(InputError, match="looks like values already divided by 100"):
        gross_check(dry, "a.nc", "sm", (0.0, 0.6))
    assert gross_check(dry[:99], "a.nc", "sm", (0.0, 0.6)).n_below == 0
