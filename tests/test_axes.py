"""Rows and columns of a file in the order of a grid, and values that go along with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import horizontal_grid
from imgda_mpi.netcdf.axes import longitudes
from imgda_mpi.observations.cf import read_cf

LATITUDE, LONGITUDE = np.arange(-90.0, 91.0, 30.0), np.arange(0.0, 360.0, 30.0)
GLOBAL = Grid(LATITUDE, LONGITUDE)
ROWS, COLUMNS = np.arange(LATITUDE.size), np.arange(LONGITUDE.size)
IMAGE = 0.1 + 0.005 * np.arange(84.0).reshape(7, 12)


def written(path: Path, rows: Sequence[int], columns: Sequence[int], latitude=None, longitude=None) -> Path:
    """The image in a file that has these rows and columns of it, by other coordinates where these are given."""
    rows, columns = np.asarray(rows), np.asarray(columns)
    vectors = {
        "lat": (LATITUDE[rows] if latitude is None else np.asarray(latitude), {"units": "degrees_north"}),
        "lon": (LONGITUDE[columns] if longitude is None else np.asarray(longitude), {"units": "degrees_east"}),
    }
    return write_image(path, IMAGE[np.ix_(rows, columns)], coordinates=vectors)


def read(path: Path, grid: Grid = GLOBAL) -> tuple[np.ndarray, tuple[str, ...]]:
    image = read_cf(path, grid, NOON, variable="sm")
    return image.values, image.remarks


MIXED_ROWS, MIXED_COLUMNS = [3, 0, 6, 2, 5, 1, 4], [7, 2, 11, 0, 4, 9, 1, 10, 3, 8, 6, 5]


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (ROWS[::-1], COLUMNS, ()),
        (ROWS, COLUMNS[::-1], ()),
        (MIXED_ROWS, COLUMNS, ("lat does not ascend or descend: rows are put in order",)),
        (ROWS, MIXED_COLUMNS, ("lon does not ascend: columns are put in order",)),
        (ROWS, [*COLUMNS[6:], *COLUMNS[:6]], ()),
        (ROWS, [*COLUMNS[5::-1], *COLUMNS[:5:-1]], ()),
        (ROWS, [*COLUMNS, 0], ()),
        (ROWS, [0, *COLUMNS[::-1]], ()),
    ],
    ids=["down", "westward", "mixed rows", "mixed columns", "starts again", "both", "closed", "westward and closed"],
)
def test_rows_and_columns_are_put_in_order_with_their_values(tmp_path: Path, rows, columns, said) -> None:
    values, remarks = read(written(tmp_path / "a.nc", rows, columns))
    np.testing.assert_allclose(values, IMAGE, rtol=1e-14)
    assert remarks == said


@pytest.mark.parametrize(
    ("columns", "longitude"),
    [
        ([*COLUMNS, 0], np.arange(0.0, 361.0, 30.0)),
        ([*COLUMNS, 0], np.r_[LONGITUDE, 360.00003]),
        ([*COLUMNS, 0], np.r_[LONGITUDE, 359.99998]),
        ([*COLUMNS[6:], *COLUMNS[:7]], np.arange(-180.0, 181.0, 30.0)),
        ([0, *COLUMNS[::-1]], np.arange(360.0, -1.0, -30.0)),
        ([11, *COLUMNS, 0, 1], np.arange(-30.0, 391.0, 30.0)),
        ([*COLUMNS[:7], *COLUMNS[6:]], np.r_[LONGITUDE[:7], LONGITUDE[6:] - 360.0]),
        ([*COLUMNS[6:], *COLUMNS[:7]], np.r_[LONGITUDE[6:] - 360.00001, LONGITUDE[:7]]),
    ],
    ids=["0 and 360", "above", "below", "-180 and 180", "westward", "several", "180 and -180 inside", "noise"],
)
def test_of_columns_that_are_there_twice_the_first_are_kept(tmp_path: Path, columns, longitude) -> None:
    path = written(tmp_path / "a.nc", ROWS, columns, longitude=longitude)
    with netCDF4.Dataset(path, "a") as dataset:
        again = [number for number, column in enumerate(columns) if column in columns[:number]]
        for number in again:
            dataset["sm"][:, number] = 0.55
    values, remarks = read(path)
    np.testing.assert_allclose(values, IMAGE, rtol=1e-4)  # a column that lies 1e-5 degrees off
    assert (len(again) > 0, remarks) == (True, ())


@pytest.mark.parametrize("beyond", [90.00001, 90.0005])
def test_a_pole_beyond_90_by_the_noise_of_single_precision_is_the_pole(tmp_path: Path, beyond: float) -> None:
    latitude = np.r_[-beyond, LATITUDE[1:-1], beyond].astype("f4")
    path = written(tmp_path / "a.nc", ROWS, COLUMNS, latitude=latitude)
    np.testing.assert_allclose(read(path)[0], IMAGE, rtol=1e-14)
    with netCDF4.Dataset(path) as dataset:
        np.testing.assert_array_equal(horizontal_grid(path, dataset["sm"]).grid.latitude, LATITUDE)


def test_steps_of_any_size_are_no_reason_to_take_columns_for_the_same() -> None:
    stretched = 100.0 + np.cumsum(np.geomspace(0.01, 10.0, 25))
    found = longitudes(Path("a.nc"), "lon", stretched[::-1])
    np.testing.assert_array_equal(found.degrees, stretched)
    np.testing.assert_array_equal(found.number, np.arange(24, -1, -1))
    assert found.remark is None


@pytest.mark.parametrize("turn", [0.0, 360.0])
def test_a_part_across_greenwich_is_read_in_any_order_and_range(tmp_path: Path, turn: float) -> None:
    columns = [11, 0, 1, 10]
    stored = np.where(np.array(columns) > 6, LONGITUDE[columns] - turn, LONGITUDE[columns])
    path = written(tmp_path / "a.nc", ROWS, columns, longitude=stored)
    values, _ = read(path, Grid(LATITUDE, np.array([-60.0, -30.0, 0.0, 30.0])))
    np.testing.assert_allclose(values, IMAGE[:, [10, 11, 0, 1]], rtol=1e-14)


@pytest.mark.parametrize(
    ("latitude", "longitude", "message"),
    [
        (LATITUDE[[0, 1, 2, 2, 4, 5, 6]], LONGITUDE, "lat: found -30 twice, expected each row once; remove the row"),
        (LATITUDE, LONGITUDE[[0, 1, 2, 2, *range(4, 12)]], "lon: found 60 twice, expected each column once; remove"),
        (LATITUDE, LONGITUDE[[0] * 12], "lon: found 0 twice"),
        (LATITUDE + 0.5, LONGITUDE, "lat: found 90.5 as a latitude, expected -90 to 90 degrees"),
        (LATITUDE, 1e6 * LONGITUDE, r"lon: found 3.3e\+08 as a longitude, expected degrees"),
        (LATITUDE, np.r_[LONGITUDE[:-1], np.nan], "lon: found 1 of 12 without a value, expected all of them"),
    ],
)
def test_coordinates_that_make_no_grid_are_refused(tmp_path: Path, latitude, longitude, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "a.nc", ROWS, COLUMNS, latitude, longitude))


def test_a_grid_of_one_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lat: found 1 of them, expected at least 2"):
        read(written(tmp_path / "a.nc", [3], COLUMNS))


def test_any_order_of_any_turn_of_a_grid_is_the_grid(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for number in range(20):
        rows, columns = rng.permutation(ROWS), rng.permutation(COLUMNS)
        longitude = LONGITUDE[columns] + 360.0 * rng.integers(-1, 2, columns.size)
        values, _ = read(written(tmp_path / f"{number}.nc", rows, columns, longitude=longitude))
        np.testing.assert_allclose(values, IMAGE, rtol=1e-13)


def fields(path: Path, latitude: np.ndarray, longitude: np.ndarray, values: np.ndarray = IMAGE, **names: str) -> Path:
    """The image in a file with coordinates in two dimensions, missing where they are NaN."""
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in zip(("y", "x"), values.shape, strict=True):
            dataset.createDimension(name, size)
        for name, degrees, units in (("lat", latitude, "degrees_north"), ("lon", longitude, "degrees_east")):
            one = dataset.createVariable(names.get(name, name), "f4", ("y", "x"), fill_value=-9999.0)
            one[:] = np.ma.masked_invalid(degrees)
            one.units = units
        dataset.createVariable("sm", "f8", ("y", "x"))[:] = values
        dataset["sm"].units = "m3 m-3"
    return path


def test_fields_that_are_constant_along_rows_and_columns_are_a_grid(tmp_path: Path) -> None:
    latitude, longitude = np.meshgrid(LATITUDE[::-1], LONGITUDE - 180.0, indexing="ij")
    path = fields(tmp_path / "a.nc", latitude, longitude, IMAGE[::-1])
    np.testing.assert_allclose(read(path, Grid(LATITUDE, LONGITUDE - 180.0))[0], IMAGE, rtol=1e-14)
    # Pixels without coordinates, and a row without any: nothing is known of it, and the rest is read.
    holes = np.zeros(IMAGE.shape)
    holes[::2, ::3], holes[4] = np.nan, np.nan
    values, _ = read(fields(tmp_path / "b.nc", latitude + holes, longitude + holes, IMAGE[::-1]), GLOBAL)
    lost = np.isin(ROWS, 2)
    np.testing.assert_allclose(values[~lost], np.roll(IMAGE, 6, axis=1)[~lost], rtol=1e-14)
    # Turned: latitude along the second dimension.
    path = fields(tmp_path / "c.nc", latitude.T, longitude.T, IMAGE[::-1].T)
    np.testing.assert_allclose(read(path)[0], np.roll(IMAGE, 6, axis=1), rtol=1e-14)


def test_fields_that_are_curvilinear_are_refused(tmp_path: Path) -> None:
    latitude, longitude = np.meshgrid(0.9 * LATITUDE, LONGITUDE, indexing="ij")
    path = fields(tmp_path / "a.nc", latitude + 0.01 * longitude, longitude)
    with pytest.raises(InputError, match=r"found latitude lat\(y, x\).*only rectilinear grids are read"):
        read(path)


@pytest.mark.parametrize("name", ["lat", "lon"])
def test_coordinates_that_rounding_has_not_quite_made_the_same_are_refused(tmp_path: Path, name: str) -> None:
    rounded = (LATITUDE if name == "lat" else LONGITUDE).copy()
    rounded[4] = rounded[3] + 1e-6
    path = written(tmp_path / "a.nc", ROWS, COLUMNS, **{"latitude" if name == "lat" else "longitude": rounded})
    with pytest.raises(InputError, match=rf"{name}: found \S+ twice, .*or write the coordinate with all digits"):
        read(path)
