"""Variables in groups, and coordinates in the same group or in one that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, LATITUDE, LONGITUDE, NOON, write_grid

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.read import open_series
from imgda_mpi.observations.cf import count_members, read_cf, read_field, read_member
from imgda_mpi.observations.point_files import read_points

SURFACE = "Geophysical_Data/sm_surface"


@dataclass
class Mask:
    """As of the settings."""

    variable: str
    min: float
    file: Path | None = None


def add(owner: netCDF4.Dataset, name: str, values: np.ndarray, dimensions: tuple[str, ...], **attributes: str) -> None:
    variable = owner.createVariable(name, "f8", dimensions, fill_value=-9999.0)
    variable[...] = np.ma.masked_invalid(values)
    variable.setncatts(attributes)


def in_group(path: Path) -> Path:
    """Moisture of a time in a group, its coordinates and bounds above it, and another time and grid beside it."""
    with netCDF4.Dataset(path, "w") as dataset:
        write_grid(dataset, GRID)
        dataset.createDimension("time", 2)
        dataset.createDimension("two", 2)
        since = {"units": "hours since 2022-06-03 00:00:00", "calendar": "standard"}
        add(dataset, "time", np.array([9.0, 12.0]), ("time",), bounds="time_bnds", **since)
        add(dataset, "time_bnds", np.array([[6.0, 9.0], [9.0, 12.0]]), ("time", "two"))
        group = dataset.createGroup("Geophysical_Data")
        values = np.stack([FIELD + 0.1, FIELD])
        add(group, "sm_surface", values, ("time", "lat", "lon"), units="m3 m-3", cell_methods="time: mean")
        add(group, "sm_surface_std", 0.2 * values, ("time", "lat", "lon"), units="m3 m-3")
        add(group, "quality", np.where(FIELD > 0.3, 0.0, 1.0), ("lat", "lon"))
        other = dataset.createGroup("Other_Data")
        other.createDimension("lat", 3)
        add(other, "lat", np.array([50.0, 51.0, 52.0]), ("lat",), units="degrees_north")
        add(other, "sm_rootzone", np.full((3, 8), 0.3), ("lat", "lon"), units="m3 m-3")
    return path


@pytest.mark.parametrize("name", [SURFACE, f"/{SURFACE}"])
def test_a_variable_in_a_group_has_the_coordinates_above_it(tmp_path: Path, name: str) -> None:
    path = in_group(tmp_path / "a.nc")
    image = read_cf(path, GRID, NOON, variable=name, max_time_offset=0, mask=Mask("Geophysical_Data/quality", 0.5))
    np.testing.assert_allclose(image.values, np.where(FIELD > 0.3, np.nan, FIELD), rtol=1e-14)
    assert image.time == NOON
    assert image.source.endswith("(mean of 2022-06-03 09:00 to 2022-06-03 12:00)")
    errors = read_field(path, GRID, NOON, variable=f"{SURFACE}_std", max_time_offset=0)
    np.testing.assert_allclose(errors.values, 0.2 * FIELD, rtol=1e-14)


def test_a_coordinate_in_the_group_comes_before_one_of_its_name_above(tmp_path: Path) -> None:
    with netCDF4.Dataset(in_group(tmp_path / "a.nc"), "a") as dataset:
        dataset["Other_Data/sm_rootzone"].long_name = "0-10 cm"
    grid = Grid(np.array([50.0, 51.0, 52.0]), LONGITUDE)
    image = read_cf(tmp_path / "a.nc", grid, NOON, variable="Other_Data/sm_rootzone", layer=(0.0, 0.1))
    np.testing.assert_array_equal(image.values, 0.3)


@pytest.mark.parametrize("name", ["sm_surface", "Geophysical_Data/sm", "Nowhere/sm_surface", "Geophysical_Data"])
def test_the_message_of_a_variable_that_is_not_there_lists_those_of_groups(tmp_path: Path, name: str) -> None:
    listed = f"time_bnds, {SURFACE}, {SURFACE}_std, Geophysical_Data/quality, Other_Data/sm_rootzone; name one of them"
    with pytest.raises(InputError, match=f"a.nc: {name}: found no such variable, expected one of {listed}"):
        read_cf(in_group(tmp_path / "a.nc"), GRID, NOON, variable=name)


def test_of_many_variables_the_message_lists_the_nearest(tmp_path: Path) -> None:
    with netCDF4.Dataset(in_group(tmp_path / "a.nc"), "a") as dataset:
        for number in range(60):
            dataset["Other_Data"].createVariable(f"brightness_{number}", "f4", ("lat", "lon"))
    with pytest.raises(InputError, match=rf"expected one of {SURFACE}, {SURFACE}_std, .* and 45 more; name"):
        read_cf(tmp_path / "a.nc", GRID, NOON, variable="sm_surface")


def test_a_series_and_members_are_read_from_groups(tmp_path: Path) -> None:
    path = in_group(tmp_path / "a.nc")
    series = open_series("cf", layers=((0.0, 0.1),), times=[NOON], file=path, variable=(SURFACE,))
    np.testing.assert_array_equal(series.at(datetime(2022, 6, 3, 11, tzinfo=UTC))[0].layer((0.0, 0.1)), FIELD)
    path = in_group(tmp_path / "b.nc")
    with netCDF4.Dataset(path, "a") as dataset:
        group = dataset.createGroup("Members")
        group.createDimension("member", 4)
        values = np.stack([FIELD + 0.01 * number for number in range(4)])
        add(group, "sm", values, ("member", "lat", "lon"), units="m3 m-3")
    assert count_members(path, NOON, "Members/sm") == 4
    image = read_member(path, GRID, NOON, variable="Members/sm", layer=None, member=2)
    np.testing.assert_allclose(image.values, FIELD + 0.02, rtol=1e-14)


def test_a_group_with_coordinates_in_two_dimensions_that_end_with_the_values(tmp_path: Path) -> None:
    # HDF5 without names of dimensions, and no coordinates where nothing is retrieved.
    is_there = np.ones(FIELD.shape, dtype=bool)
    is_there[1::2, ::3], is_there[4], is_there[:, 2] = False, False, False
    values = {
        "latitude": (np.broadcast_to(LATITUDE[:, None], FIELD.shape)[::-1], "degrees_north"),
        "longitude": (np.broadcast_to(LONGITUDE, FIELD.shape), "degrees_east"),
        "latitude_centroid": (np.broadcast_to(LATITUDE[:, None], FIELD.shape)[::-1] + 0.3 * FIELD, "degrees_north"),
        "soil_moisture": (FIELD[::-1], "cm**3/cm**3"),
        "retrieval_qual_flag": (np.where(FIELD > 0.5, 0, 1)[::-1], "1"),
    }
    path = tmp_path / "l3.h5"
    with h5py.File(path, "w") as file:
        for name, (field, units) in values.items():
            one = file.create_dataset(f"Retrieval_AM/{name}", data=np.where(is_there[::-1], field, -9999.0), dtype="f4")
            one.attrs["_FillValue"], one.attrs["units"] = np.float32(-9999.0), units
    mask = Mask("Retrieval_AM/retrieval_qual_flag", 0.5)
    image = read_cf(path, GRID, NOON, variable="Retrieval_AM/soil_moisture", mask=mask)
    seen = is_there & (FIELD <= 0.5)
    np.testing.assert_allclose(image.values, np.where(seen, FIELD, np.nan), rtol=1e-6)


def test_points_in_a_group_have_their_own_coordinates_and_times(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "l2.nc", "w") as dataset:
        group = dataset.createGroup("Soil_Moisture_Retrieval_Data")
        group.createDimension("point", 3)
        add(group, "latitude", np.array([10.0, 12.1, 15.0]), ("point",), units="degrees_north")
        add(group, "longitude", np.array([100.0, 102.9, 107.0]), ("point",), units="degrees_east")
        add(group, "time", np.array([12.0, 13.0, 36.0]), ("point",), units="hours since 2022-06-03 00:00:00")
        add(group, "soil_moisture", np.array([0.1, 0.2, 0.3]), ("point",), units="cm**3/cm**3")
    name = "Soil_Moisture_Retrieval_Data/soil_moisture"
    image = read_points(tmp_path / "l2.nc", GRID, NOON, variable=name, max_time_offset=3.0)
    assert {(int(row), int(column)) for row, column in np.argwhere(image.observed)} == {(0, 0), (2, 3)}
    np.testing.assert_array_equal(image.values[image.observed], [0.1, 0.2])
