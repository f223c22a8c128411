"""Values of images at points: the cell that holds them, or between centres; borders, gaps, poles, missing cells."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.histories.places import at_points, has_cell

REGION = Grid(np.array([12.0, 11.0, 10.0]), np.array([100.0, 101.0, 102.0, 103.0]))
PLANE = REGION.latitude[:, None] + 0.1 * REGION.longitude[None, :]


def of(grid: Grid, image: np.ndarray, points: list[tuple[float, float]], how: str) -> np.ndarray:
    latitude, longitude = np.array(points, float).T
    return at_points(grid, latitude, longitude, how)(image)  # type: ignore[arg-type]


def test_nearest_is_the_cell_that_holds_the_point() -> None:
    points = [(11.4, 101.4), (10.0, 103.49), (9.51, -259.7), (9.49, 101.0), (11.0, 99.4)]
    assert_array_equal(of(REGION, PLANE, points, "nearest"), [PLANE[1, 1], PLANE[2, 3], PLANE[2, 0], np.nan, np.nan])


def test_bilinear_gives_a_plane_back_in_any_range_of_longitudes() -> None:
    points = [(11.25, 101.75), (10.0, 100.0), (12.0, 103.0), (10.9, 102.2 - 360.0), (11.5, 100.0)]
    expected = [lat + 0.1 * (lon % 360.0) for lat, lon in points]
    assert_allclose(of(REGION, PLANE, points, "bilinear"), expected, rtol=1e-13)


def test_missing_cells_give_their_weight_to_others_up_to_half_of_it() -> None:
    image = PLANE.copy()
    image[1, 1] = np.nan
    more, less = of(REGION, image, [(11.0, 101.6), (11.0, 101.4)], "bilinear")
    assert more == pytest.approx(PLANE[1, 2])
    assert np.isnan(less)
    mixed = of(REGION, image, [(11.5, 101.5)], "bilinear")
    assert mixed[0] == pytest.approx((PLANE[0, 1] + PLANE[0, 2] + PLANE[1, 2]) / 3)


def test_the_border_is_where_the_cells_end() -> None:
    inside, corner, outside = of(REGION, PLANE, [(12.3, 101.0), (12.4, 99.6), (12.6, 101.0)], "bilinear")
    assert inside == pytest.approx(PLANE[0, 1])
    assert np.isnan(corner)  # 0.36 of its weight is in the grid
    assert np.isnan(outside)
    assert_array_equal(
        has_cell(REGION, np.array([12.4, 12.6, np.nan]), np.array([99.6, 101.0, 100.0])), [True, False, False]
    )


def test_a_globe_is_closed_and_its_last_row_reaches_to_the_pole() -> None:
    globe = global_grid((18, 36))
    image = np.arange(18.0)[:, None] + np.zeros(36)[None, :]
    image[:, 0], image[:, -1] = 100.0, 200.0
    across, pole = of(globe, image, [(5.0, 180.0), (89.0, 5.0)], "bilinear")
    assert across == pytest.approx(150.0)
    assert pole == pytest.approx(0.0)


def test_nothing_is_interpolated_across_a_gap() -> None:
    grid = Grid(np.array([10.0, 11.0]), np.array([0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0]))
    image = np.broadcast_to(np.arange(8.0), (2, 8)).copy()
    values = of(grid, image, [(10.5, 3.4), (10.5, 6.0), (10.5, 9.6), (10.5, 10.5)], "bilinear")
    assert_allclose(values, [3.0, np.nan, 4.0, 4.5])


def test_points_that_are_nowhere_have_no_value() -> None:
    for how in ("nearest", "bilinear"):
        assert np.isnan(of(REGION, PLANE, [(np.nan, 101.0), (11.0, np.nan)], how)).all()


def test_another_shape_or_way_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        of(REGION, PLANE.T, [(11.0, 101.0)], "nearest")
    with pytest.raises(ValueError, match="known are nearest, bilinear"):
        of(REGION, PLANE, [(11.0, 101.0)], "cubic")
