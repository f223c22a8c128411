from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.quality import gross_check
from imgda_mpi.observations.read import check_level


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
    with pytest.raises(
        InputError,
        match=r"median 0.3, 11 of them exactly 0.9, which a mask would leave out; 11.0 % out of range, expected",
    ):
        gross_check(values, "a.nc", "sm", (0.0, 0.6))


def test_values_in_another_unit_are_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"from 10 to 57, median 33.5, which looks like percent or kg m-2; 100.0 %"):
        read_cf(write_image(tmp_path / "a.nc", 100 * FIELD), GRID, NOON, variable="sm")


def test_values_divided_twice_are_an_error_of_the_file() -> None:
    dry = np.linspace(0.0, 0.0055, 100)
    with pytest.raises(InputError, match="looks like values already divided by 100"):
        gross_check(dry, "a.nc", "sm", (0.0, 0.6))
    assert gross_check(dry[:99], "a.nc", "sm", (0.0, 0.6)).n_below == 0


def test_the_errors_of_the_values_widen_the_range_by_three_times_as_much() -> None:
    values = np.array([-0.29, -0.31, 0.89, 0.91] + [0.3] * 50)
    checked = gross_check(values, "a.nc", "sm", (0.0, 0.6), 0.10)
    np.testing.assert_array_equal(np.isfinite(checked.values[:4]), [True, False, True, False])
    assert (checked.n_below, checked.n_above) == (1, 1)
    narrow = gross_check(np.r_[values, [0.3] * 50], "a.nc", "sm", (0.0, 0.6))
    assert (narrow.n_below, narrow.n_above) == (2, 2)


def test_noise_is_not_cut_at_one_end() -> None:
    rng = np.random.default_rng(7)
    truth = rng.uniform(0.05, 0.35, 9000)
    noisy = truth + 0.10 * rng.standard_normal(truth.size)
    cut, kept = (np.nanmean(gross_check(noisy, "a.nc", "sm", (0.0, 0.6), error).values - truth) for error in (0.0, 0.1))
    assert cut > 0.005
    # Four standard deviations of a mean of so many.
    assert abs(kept) < 4 * 0.10 / np.sqrt(truth.size)


def test_what_is_cut_at_one_end_alone_is_said() -> None:
    values = np.full(1000, 0.3)
    values[:10], values[10:15] = -0.2, 0.8
    assert gross_check(values, "a.nc", "sm", (0.0, 0.6)).remark is None
    values[15:25] = -0.2
    remark = gross_check(values, "a.nc", "sm", (0.0, 0.6)).remark
    assert remark is not None
    assert remark.startswith("20 values below 0 and 5 above 0.6 m3 m-3 of 1000 are rejected")


def test_what_is_no_moisture_has_no_range() -> None:
    checked = gross_check(np.full(200, 0.005), "a.nc", "sd", None)
    assert np.isfinite(checked.values).all()
    assert (checked.n_missing, checked.n_below, checked.n_above) == (0, 0, 0)


@pytest.mark.parametrize("factor", [0.01, 0.15, 5.5, 100.0])
def test_another_level_than_the_backgrounds_is_refused(factor: float) -> None:
    background, land = FIELD, np.ones(FIELD.shape, bool)
    land[0] = False
    image = factor * background
    image[0] = background[0]
    # A few values that are plausible do not hide the others.
    image[1, :3] = 0.3
    with pytest.raises(InputError, match=r"a.nc: found a median of .* over 40 soil cells, expected .* 0.2 to 5 times"):
        check_level(image, background, land, "a.nc")


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.5])
def test_a_level_like_the_backgrounds_passes_and_so_does_no_cell(factor: float) -> None:
    check_level(factor * FIELD, FIELD, np.ones(FIELD.shape, bool), "a.nc")
    check_level(np.full(FIELD.shape, np.nan), FIELD, np.zeros(FIELD.shape, bool), "a.nc")
