"""Variables that hold something else than soil moisture in the same units."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import pytest
from image_files import GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf, read_field


@pytest.mark.parametrize(
    "standard_name",
    [
        "volume_fraction_of_condensed_water_in_soil standard_error",
        "volume_fraction_of_condensed_water_in_soil_at_wilting_point",
        "volume_fraction_of_frozen_water_in_soil",
        "soil_porosity",
    ],
)
def test_a_standard_name_of_something_else_is_refused(tmp_path: Path, standard_name: str) -> None:
    path = write_image(tmp_path / "a.nc", standard_name=standard_name)
    with pytest.raises(InputError, match=f"sm: found standard_name '{standard_name}', expected soil moisture;"):
        read_cf(path, GRID, NOON, variable="sm")
    assert read_field(path, GRID, NOON, variable="sm", max_time_offset=3).observed.any()


@pytest.mark.parametrize("words", ["sm uncertainty", "sm_std", "soil moisture anomaly", "increment", "noise"])
def test_words_for_something_else_are_said(tmp_path: Path, words: str) -> None:
    image = read_cf(write_image(tmp_path / "a.nc", long_name=words), GRID, NOON, variable="sm")
    assert image.remarks == (f"'{words}' in long_name: this may be no soil moisture",)


def test_anomalies_in_the_title_are_said_whatever_the_interval_is(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", cell_methods="time: point")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.title = "Anomalies of soil moisture"
    (remark,) = read_cf(path, GRID, NOON, variable="sm").remarks
    assert remark == "'Anomalies of soil moisture' in title: this may be no soil moisture"


@pytest.mark.parametrize(
    "names",
    [{"long_name": "Standardised, denoised soil moisture of Houston"}, {"standard_name": "soil moisture content"}],
)
def test_other_words_pass(tmp_path: Path, names: dict[str, str]) -> None:
    assert read_cf(write_image(tmp_path / "a.nc", **names), GRID, NOON, variable="sm").remarks == ()
