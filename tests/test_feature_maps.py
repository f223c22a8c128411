"""Features of cells from maps in files, against what is counted pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import LATITUDE, LONGITUDE, NOON, write_image
from test_features import hats_of

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.observations.feature_maps import read_features

CLASSES = np.array([[1, 1, 2, 3], [1, 2, 2, 9], [5, 5, 5, 9]], float)


def write_map(path: Path, values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, **more: object) -> Path:
    coordinates = {
        "lat": (latitude, {"units": "degrees_north"}),
        "lon": (longitude, {"units": "degrees_east"}),
    }
    dimensions = ("time", "lat", "lon")[-values.ndim :]
    return write_image(path, values, dimensions, coordinates, units="1", **more)


def fractions(path: Path, grid: Grid, land: np.ndarray | None = None) -> np.ndarray:
    land = np.ones(grid.shape, bool) if land is None else land
    return read_features(path, grid, land, NOON, variable="sm", has_classes=True).toarray()


@pytest.mark.parametrize("turned", [False, True])
def test_cells_have_the_fractions_of_the_classes_in_them(turned: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    latitude, longitude = np.arange(-89.0, 90.0, 2.0), np.arange(1.0, 360.0, 3.0)
    values = rng.choice([4.0, 7.0, 20.0], (90, 120))
    values[rng.random(values.shape) < 0.2] = -9.0
    values[:20] = -9.0
    grid = global_grid((9, 16))  # north first, from 180 W
    land = rng.random(grid.shape) < 0.7
    expected = np.zeros((9 * 16, 3))
    for row, north in enumerate(grid.latitude_edges[:-1]):
        for column, west in enumerate(grid.longitude_edges[:-1]):
            rows = (latitude < north) & (latitude >= north - 20.0)
            columns = (longitude - west) % 360.0 < 22.5
            inside = values[np.ix_(rows, columns)]
            n_known = np.count_nonzero(inside > 0)
            if land[row, column] and n_known:
                expected[16 * row + column] = [np.count_nonzero(inside == c) / n_known for c in (4.0, 7.0, 20.0)]
    if turned:  # descending, and from 180 W, with a time
        path = write_map(
            tmp_path / "a.nc", np.roll(values, 60, axis=1)[None, ::-1], latitude[::-1].copy(), longitude - 180.0
        )
        with netCDF4.Dataset(path, "a") as file:
            file.createVariable("time", "f8", ("time",))[:] = 3.0
            file["time"].units = "days since 1999-01-01"
            file["sm"].missing_value = -9.0
    else:
        path = write_map(tmp_path / "a.nc", values, latitude, longitude, valid_range=np.array([1.0, 100.0]))
    np.testing.assert_allclose(fractions(path, grid, land), expected, atol=1e-12)


def test_a_cell_without_the_centre_of_a_pixel_has_the_class_of_the_one_it_lies_in(tmp_path: Path) -> None:
    path = write_map(tmp_path / "a.nc", CLASSES, np.array([10.0, 20.0, 30.0]), np.arange(100.0, 140.0, 10.0))
    fine = Grid(np.arange(6.5, 36.0, 3.0), np.arange(96.5, 134.0, 3.0))
    row = np.abs(fine.latitude[:, None] - [10.0, 20.0, 30.0]).argmin(axis=1)
    column = np.abs(fine.longitude[:, None] - np.arange(100.0, 140.0, 10.0)).argmin(axis=1)
    found = fractions(path, fine)
    there = np.array([1.0, 2.0, 3.0, 5.0, 9.0])
    np.testing.assert_array_equal(there[found.argmax(axis=1)], CLASSES[np.ix_(row, column)].ravel())
    np.testing.assert_array_equal(found.sum(axis=1), 1.0)


@pytest.mark.parametrize("more", [0.0, 0.25])
def test_values_that_look_like_classes_are_said(more: float, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.add.outer(np.arange(6.0), np.arange(8.0)) + more
    path, grid = write_map(tmp_path / "a.nc", values, LATITUDE, LONGITUDE), Grid(LATITUDE, LONGITUDE)
    read_features(path, grid, np.ones((6, 8), bool), NOON, variable="sm", has_classes=False)
    assert ("sm: has few values, all of them whole numbers: if they are classes, say so" in caplog.text) == (more == 0)


def test_values_have_hat_functions_on_the_land(tmp_path: Path) -> None:
    values = np.add.outer(np.arange(6.0) ** 2, np.arange(8.0))
    values[0, 0] = np.nan
    path = write_map(tmp_path / "a.nc", values, LATITUDE, LONGITUDE)
    land = np.ones((6, 8), bool)
    land[:, 5:] = False
    counts = land & np.isfinite(values)
    expected = np.zeros((48, 5))
    expected[counts.ravel()] = hats_of(values[counts])
    grid = Grid(LATITUDE, LONGITUDE)
    found = read_features(path, grid, land, NOON, variable="sm", has_classes=False)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "shift", "said"),
    [
        (CLASSES + 0.25, 0.0, r"found values that are no whole numbers, as 1.25, expected numbers of classes"),
        (np.arange(104.0).reshape(8, 13), 0.0, r"found 104 classes on land, 0 to 103, expected at most 100"),
        (CLASSES, 90.0, r"found no value on 128 land cells, expected a map that tells them apart"),
        (np.full((3, 4), 2.0), 0.0, r"found the same on all land cells"),
        (np.stack([CLASSES, CLASSES]), 0.0, r"time \(2\)"),
    ],
)
def test_maps_that_tell_no_cells_apart_are_refused(values: np.ndarray, shift: float, said: str, tmp_path: Path) -> None:
    ny, nx = values.shape[-2:]
    path = write_map(tmp_path / "a.nc", values, np.linspace(0.0, 8.0, ny), np.linspace(10.0, 22.0, nx) + shift)
    grid = Grid(np.linspace(0.0, 8.0, 8), np.linspace(10.0, 22.0, 16))
    with pytest.raises(InputError, match=said):
        fractions(path, grid)


@pytest.mark.parametrize(
    ("name", "variable", "n_features", "n_cells"),
    [
        ("era5_soil_type_0p1", "slt", 7, 13155),
        ("IGBP", "IGBP", 17, 32768),
        ("Climate_zone", "climate_zone", 30, 13703),
        ("era-spectral_T85_128x256", "zsurf", 5, 32768),
    ],
)
def test_real_maps_are_read(shared: Path, name: str, variable: str, n_features: int, n_cells: int) -> None:
    grid, path = global_grid((128, 256)), shared / f"data/static/{name}.nc"
    everywhere, has_classes = np.ones(grid.shape, bool), variable != "zsurf"
    found = read_features(path, grid, everywhere, NOON, variable=variable, has_classes=has_classes)
    assert found.shape == (128 * 256, n_features)
    sums = found.sum(axis=1)
    np.testing.assert_allclose(sums[sums > 0], 1.0)
    assert np.count_nonzero(sums) == n_cells
    if name == "IGBP":  # Amazonia, Sahara, Greenland: forest, barren, ice
        at = [
            int(np.abs(grid.latitude - lat).argmin() * 256 + np.abs(grid.longitude - lon).argmin())
            for lat, lon in PLACES
        ]
        assert found[at].argmax(axis=1).tolist() == [1, 15, 14]


PLACES = ((-5.0, -65.0), (23.0, 10.0), (72.0, -40.0))
