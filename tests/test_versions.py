"""Final and preliminary versions of values along a dimension, as ERA5 and ERA5T are."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image
from mpi4py import MPI
from test_forcing_files import DAY, write_weather

from imgda_mpi.columns.forcing_files import open_forcing
from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf

EASTERN = np.zeros(FIELD.shape, bool)
EASTERN[:, 4:] = True
ALL, NONE = np.ones(FIELD.shape, bool), np.zeros(FIELD.shape, bool)


def write_versions(path: Path, first: np.ndarray, second: np.ndarray) -> Path:
    """The field in two versions, each with a value in some pixels alone."""
    versions = np.where(np.stack([first, second]), FIELD, np.nan)[None]
    return write_image(
        path,
        versions,
        ("valid_time", "expver", "lat", "lon"),
        {
            "valid_time": (np.array([12.0]), {"units": "hours since 2022-06-03 00:00:00"}),
            "expver": (np.array([1, 5]), {}),
        },
    )


@pytest.mark.parametrize(("first", "second"), [(ALL, NONE), (NONE, ALL), (EASTERN, ~EASTERN), (EASTERN, NONE)])
def test_each_value_is_taken_from_the_version_that_has_it(
    tmp_path: Path, first: np.ndarray, second: np.ndarray
) -> None:
    image = read_cf(write_versions(tmp_path / "a.nc", first, second), GRID, NOON, variable="sm", max_time_offset=0)
    np.testing.assert_array_equal(image.values, np.where(first | second, FIELD, np.nan))


def test_a_value_in_two_versions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.nc: sm: found values of several versions along expver in 24 of 48 pixels"):
        read_cf(write_versions(tmp_path / "a.nc", ALL, EASTERN), GRID, NOON, variable="sm")


def test_weather_is_merged_too(tmp_path: Path) -> None:
    whole, path = write_weather(tmp_path / "whole.nc", range(24)), tmp_path / "a.nc"
    with netCDF4.Dataset(whole) as of, netCDF4.Dataset(path, "w") as to:
        for name, dimension in of.dimensions.items():
            to.createDimension(name, dimension.size)
        to.createDimension("expver", 2)
        for name, variable in of.variables.items():
            is_field = variable.ndim == 3
            dimensions = ("time", "expver", "lat", "lon") if is_field else variable.dimensions
            copy = to.createVariable(name, "f8", dimensions, fill_value=-9999.0)
            copy.setncatts({key: value for key, value in variable.__dict__.items() if key != "_FillValue"})
            if is_field:
                copy[:12, 0], copy[12:, 1] = variable[:12], variable[12:]
            else:
                copy[:] = variable[:]
    where = {"grid": GRID, "cell": np.arange(4), "start": DAY, "end": DAY.replace(hour=23)}
    for hour in (0, 11, 12, 22):
        one, other = (
            open_forcing(MPI.COMM_SELF, [file], **where).hour(DAY.replace(hour=hour)) for file in (whole, path)
        )
        np.testing.assert_array_equal(np.stack(one), np.stack(other))
