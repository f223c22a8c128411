from __future__ import annotations

import numpy as np
import pytest
from grids import columns, gaussian_latitude
from scipy.fft import next_fast_len

from imgda_mpi.grid import EARTH_RADIUS, Grid, embed, fast_length, global_grid

GLOBAL = {
    "cell centres": Grid(np.linspace(89.296875, -89.296875, 128), columns(256, -179.296875)),
    "rows on the poles": Grid(np.linspace(90.0, -90.0, 73), columns(144)),
    "Gaussian": Grid(gaussian_latitude(128), columns(256)),
    "coarse Gaussian": Grid(gaussian_latitude(48)[::-1], columns(96)),
    "single precision": Grid(
        np.linspace(-89.5, 89.5, 180), columns(3600, -179.95).astype(np.float32).astype(np.float64)
    ),
    "uneven columns": Grid(np.linspace(-80.0, 80.0, 9), np.array([0.0, 50.0, 110.0, 175.0, 240.0, 300.0])),
}
REGIONAL = Grid(np.linspace(-27.0, -32.0, 51), np.linspace(116.0, 122.0, 61))
GLDAS = Grid(-59.875 + 0.25 * np.arange(600), columns(1440, -179.875))


@pytest.mark.parametrize("grid", GLOBAL.values(), ids=GLOBAL.keys())
def test_areas_of_a_global_grid_sum_to_the_sphere(grid: Grid) -> None:
    assert grid.cell_area.shape == grid.shape
    assert (grid.cell_area > 0).all()
    assert grid.cell_area.sum() == pytest.approx(4 * np.pi * EARTH_RADIUS**2, rel=1e-12)


def test_area_of_a_regional_grid_is_that_of_the_spherical_rectangle() -> None:
    height = np.sin(np.radians(-26.95)) - np.sin(np.radians(-32.05))
    assert REGIONAL.cell_area.sum() == pytest.approx(EARTH_RADIUS**2 * height * np.radians(6.1), rel=1e-12)


def test_edges_are_the_model_grids_own() -> None:
    grid = GLOBAL["cell centres"]
    np.testing.assert_allclose(grid.latitude_edges, np.linspace(90.0, -90.0, 129), atol=1e-12)
    np.testing.assert_allclose(grid.longitude_edges, np.linspace(-180.0, 180.0, 257), atol=1e-12)


def test_the_outermost_row_reaches_the_pole_only_where_no_further_row_fits() -> None:
    np.testing.assert_array_equal(GLOBAL["Gaussian"].latitude_edges[[0, -1]], [-90.0, 90.0])
    np.testing.assert_array_equal(GLDAS.latitude_edges[[0, -1]], [-60.0, 90.0])
    one_row_short = Grid(np.linspace(89.9, -89.9, 1799), columns(12))
    np.testing.assert_allclose(one_row_short.latitude_edges[[0, -1]], [89.95, -89.95], atol=1e-9)


@pytest.mark.parametrize("grid", GLOBAL.values(), ids=GLOBAL.keys())
def test_columns_of_a_periodic_grid_close_the_circle(grid: Grid) -> None:
    assert grid.is_periodic
    assert np.ptp(grid.longitude_edges) == pytest.approx(360.0, abs=1e-12)


def test_a_part_of_the_circle_is_not_periodic() -> None:
    assert not REGIONAL.is_periodic
    assert not Grid(np.array([0.0, 1.0]), columns(256)[:-1]).is_periodic


def test_global_means_from_pole_to_pole() -> None:
    assert GLOBAL["Gaussian"].is_global
    assert GLOBAL["rows on the poles"].is_global
    assert not GLDAS.is_global
    assert not REGIONAL.is_global


def test_the_transform_array_pads_open_directions_only() -> None:
    assert GLOBAL["cell centres"].transform_shape() == (128, 256)
    assert GLDAS.transform_shape() == (900, 1440)
    assert REGIONAL.transform_shape() == (80, 96)
    assert Grid(np.linspace(0.0, 9.0, 10), np.linspace(0.0, 9.0, 10)).transform_shape() == (32, 32)


def test_scales_follow_from_the_extent_of_the_grid() -> None:
    # Waves of 3 2^(n - 2) rows: of 3,750 km on 128 rows, where one scale less has 1,876.
    assert GLOBAL["cell centres"].n_scales == 5
    assert [global_grid((n, 2 * n)).n_scales for n in (32, 64, 720, 1800)] == [3, 4, 8, 9]
    assert REGIONAL.n_scales == 7  # 51 rows of 0.1 degrees
    small = Grid(np.linspace(11.0, 6.0, 21), np.linspace(-3.2, 0.05, 14))
    assert small.n_scales == 5  # waves of 24 pixels, more than its 21 rows
    assert Grid(np.linspace(0.0, 1.0, 10), np.linspace(0.0, 20.0, 200)).n_scales == 5  # twice its 10 rows
    assert GLOBAL["cell centres"].transform_shape(5) == (128, 256)
    assert small.transform_shape(5) == (48, 48)
    assert REGIONAL.transform_shape(7) == (192, 192)
    assert small.transform_shape(40) == (90, 60)  # four times the image at most


def test_an_embedded_image_is_followed_by_zeros(rng: np.random.Generator) -> None:
    image = rng.random((3, 5))
    padded = embed(image, (4, 8))
    np.testing.assert_array_equal(padded[:3, :5], image)
    assert padded.shape == (4, 8)
    assert padded.sum() == pytest.approx(image.sum())


@pytest.mark.parametrize(
    ("latitude", "longitude", "message"),
    [
        ([0.0, 1.0, 1.0], [0.0, 1.0], "latitude"),
        ([0.0, 2.0, 1.0], [0.0, 1.0], "latitude"),
        ([89.0, 91.0], [0.0, 1.0], "latitude"),
        ([0.0, np.nan], [0.0, 1.0], "latitude"),
        ([0.0], [0.0, 1.0], "latitude"),
        ([0.0, 1.0], [1.0, 0.0], "longitude"),
        ([0.0, 1.0], [0.0, 180.0, 360.0], "longitude"),
        ([0.0, 1.0], [[0.0, 1.0]], "longitude"),
    ],
)
def test_coordinates_that_make_no_grid_are_refused(latitude: list, longitude: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(np.array(latitude), np.array(longitude))


def test_fast_lengths_are_those_of_scipy() -> None:
    lengths = range(1, 2000)
    assert [fast_length(length) for length in lengths] == [next_fast_len(length, real=True) for length in lengths]
