from __future__ import annotations

import numpy as np
import pytest
from grids import MODEL, gaussian

from imgda_mpi.grid import Grid
from imgda_mpi.observations.regrid import METHODS, bilinear, conservative


def centred(ny: int, nx: int, west: float = -180.0) -> Grid:
    """Global grid of equal cells, rows from north to south."""
    return Grid(90.0 - 180.0 / ny * (np.arange(ny) + 0.5), west + 360.0 / nx * (np.arange(nx) + 0.5))


def region(south: float, north: float, west: float, east: float, ny: int, nx: int) -> Grid:
    return Grid(np.linspace(south, north, ny), np.linspace(west, east, nx))


def with_holes(rng: np.random.Generator, shape: tuple[int, int], share: float = 0.4) -> np.ndarray:
    return np.where(rng.random(shape) < share, np.nan, rng.random(shape))


SMALL = centred(16, 32)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.parametrize(
    "source",
    [
        centred(72, 144),
        centred(20, 30, west=0.0),
        gaussian(94, 192),
        Grid(np.linspace(90, -90, 73), 2.5 * np.arange(144)),
    ],
    ids=["finer", "coarser", "Gaussian", "rows on the poles"],
)
def test_a_global_constant_covers_every_cell_unchanged(method, source: Grid) -> None:
    regridding = method(source, MODEL)
    np.testing.assert_allclose(regridding(np.full(source.shape, 0.3)), 0.3, rtol=1e-14)
    assert regridding.covered.all()


def test_bilinear_is_exact_for_functions_linear_in_each_coordinate() -> None:
    source = region(10.0, 50.0, 70.0, 130.0, 23, 31)
    target = region(12.0, 48.0, 71.0, 129.0, 40, 50)

    def plane(grid: Grid) -> np.ndarray:
        latitude, longitude = grid.latitude[:, np.newaxis], grid.longitude
        return 0.2 + 0.003 * latitude - 0.001 * longitude + 2e-5 * latitude * longitude

    np.testing.assert_allclose(bilinear(source, target)(plane(source)), plane(target), rtol=1e-12)


def test_bilinear_interpolates_across_the_date_line_and_greenwich() -> None:
    for west in (0.0, -180.0):
        source = centred(6, 12, west=west)
        target = Grid(source.latitude, np.array([-15.0, 0.0, 15.0, 165.0, 180.0, 195.0]))
        wave = np.cos(np.radians(source.longitude)) * np.ones((6, 1))
        seam = bilinear(source, target)(wave)[0]
        np.testing.assert_allclose(seam, np.cos(np.radians(15.0)) * np.array([1, 1, 1, -1, -1, -1]), atol=1e-15)


def test_bilinear_keeps_the_outermost_row_up_to_the_pole() -> None:
    source = gaussian(48, 96)
    field = np.arange(48.0)[:, np.newaxis] * np.ones(96)
    target = Grid(np.array([-89.9, 0.0, 89.9]), np.array([3.0, 4.0]))
    np.testing.assert_allclose(bilinear(source, target)(field)[:, 0], [0.0, 23.5, 47.0], atol=1e-12)


def test_bilinear_extrapolates_nothing_at_the_border_of_a_region() -> None:
    source = region(0.0, 10.0, 20.0, 30.0, 11, 11)
    target = Grid(np.array([-0.4, 0.0, 10.0, 10.4]), np.array([19.6, 20.0, 30.0, 30.4]))
    regridding = bilinear(source, target)
    expected = np.outer([0, 1, 1, 0], [0, 1, 1, 0]).astype(bool)
    np.testing.assert_array_equal(regridding.covered, expected)
    np.testing.assert_array_equal(np.isfinite(regridding(np.ones(source.shape))), expected)


def test_a_cell_on_the_outermost_single_precision_centre_is_covered() -> None:
    exact = Grid(-27.0 - 0.1 * np.arange(51), 0.1 * np.arange(1, 61))
    stored = Grid(exact.latitude.astype(np.float32).astype(float), exact.longitude.astype(np.float32).astype(float))
    assert stored.longitude[0] > exact.longitude[0]
    assert bilinear(stored, exact).covered.all()


@pytest.mark.parametrize(
    "target", [SMALL, gaussian(22, 40), centred(90, 180, west=0.0)], ids=["coarse", "Gaussian", "fine"]
)
def test_conservative_keeps_the_integral_over_the_sphere(rng: np.random.Generator, target: Grid) -> None:
    source = gaussian(48, 96)
    values = rng.random(source.shape)
    after = conservative(source, target)(values)
    assert (after * target.cell_area).sum() == pytest.approx((values * source.cell_area).sum(), rel=1e-12)


def test_conservative_agrees_with_averaging_every_overlap(rng: np.random.Generator) -> None:
    # 0.25 to 1.40625 degrees on a part of the globe, with holes; the oracle visits every pair of cells.
    source = Grid(40.125 + 0.25 * np.arange(24), 177.125 + 0.25 * np.arange(32))
    target = Grid(MODEL.latitude[30:37], np.concatenate([MODEL.longitude[253:], MODEL.longitude[:5] + 360.0]))
    source_rows, source_columns = np.sin(np.radians(source.latitude_edges)), source.longitude_edges
    values = with_holes(rng, source.shape)
    expected = np.full(target.shape, np.nan)
    for row in range(target.shape[0]):
        north, south = np.sin(np.radians(target.latitude_edges[row : row + 2]))
        for column in range(target.shape[1]):
            west, east = target.longitude_edges[column : column + 2]
            weight = total = 0.0
            for i in range(source.shape[0]):
                low, high = source_rows[i : i + 2]
                height = max(0.0, min(north, high) - max(south, low))
                for j in range(source.shape[1]):
                    left, right = source_columns[j : j + 2]
                    area = height * max(0.0, min(east, right) - max(west, left))
                    if np.isfinite(values[i, j]):
                        weight += area
                        total += area * values[i, j]
            if weight >= 0.5 * (north - south) * (east - west):
                expected[row, column] = total / weight
    assert 0 < np.isfinite(expected).sum() < expected.size
    np.testing.assert_allclose(conservative(source, target)(values), expected, rtol=1e-12)


def test_bilinear_with_missing_pixels_agrees_with_visiting_the_four_neighbours(rng: np.random.Generator) -> None:
    source, target = centred(36, 72, west=0.0), SMALL
    values = with_holes(rng, source.shape)
    expected = np.full(target.shape, np.nan)
    for row, latitude in enumerate(target.latitude):
        y = (source.latitude[0] - latitude) / 5.0
        for column, longitude in enumerate(target.longitude):
            x = (longitude - source.longitude[0]) % 360.0 / 5.0
            weight = total = 0.0
            for i in (int(y), int(y) + 1):
                for j in (int(x), int(x) + 1):
                    share = (1.0 - abs(y - i)) * (1.0 - abs(x - j))
                    value = values[i, j % 72]
                    if share > 0 and np.isfinite(value):
                        weight += share
                        total += share * value
            if weight >= 0.5 - 1e-12:
                expected[row, column] = total / weight
    assert 0 < np.isfinite(expected).sum() < expected.size
    np.testing.assert_allclose(bilinear(source, target)(values), expected, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_the_order_of_rows_and_the_range_of_longitudes_do_not_matter(method, rng: np.random.Generator) -> None:
    source = centred(90, 180)
    values = with_holes(rng, source.shape)
    reference = method(source, MODEL)(values)
    assert 0 < np.isfinite(reference).sum() < reference.size
    flipped = method(Grid(source.latitude[::-1], source.longitude), MODEL)(values[::-1])
    np.testing.assert_allclose(flipped, reference, rtol=1e-13)
    from_greenwich = Grid(source.latitude, np.roll(source.longitude % 360.0, 90))
    np.testing.assert_allclose(method(from_greenwich, MODEL)(np.roll(values, 90, axis=1)), reference, rtol=1e-13)
    onto_greenwich = Grid(MODEL.latitude[::-1], np.roll(MODEL.longitude % 360.0, 128))
    shifted = np.roll(method(source, onto_greenwich)(values), 128, axis=1)[::-1]
    np.testing.assert_allclose(shifted, reference, rtol=1e-13)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_a_cell_needs_half_of_its_weight_on_valid_pixels(method) -> None:
    # Each target cell lies on the corner of four pixels, equal in width: two of one column hold just half.
    source = region(-1.5, 1.5, 10.5, 13.5, 4, 4)
    target = Grid(np.array([-1.0, 1.0]), np.array([11.0, 13.0]))
    values = np.full((4, 4), 0.2)
    values[0, 0] = values[0, 2] = values[1, 2] = np.nan
    values[2:, :2] = np.nan
    values[3, 0] = 0.4
    result = method(source, target)(values)
    np.testing.assert_allclose(result[0], [0.2, 0.2], rtol=1e-14)
    assert np.isnan(result[1, 0])
    assert result[1, 1] == pytest.approx(0.2)


def test_a_missing_neighbour_without_weight_does_no_harm() -> None:
    source = region(0.0, 3.0, 0.0, 3.0, 4, 4)
    values = np.full((4, 4), np.nan)
    values[1, 1] = 0.25
    target = Grid(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(bilinear(source, target)(values), [[0.25, np.nan], [np.nan, np.nan]])


def test_a_region_reaches_only_the_model_cells_it_covers() -> None:
    source = Grid(-27.0 - 0.1 * np.arange(51), 116.0 + 0.1 * np.arange(61))
    regridding = conservative(source, MODEL)
    inside_latitude = (MODEL.latitude > -32.05) & (MODEL.latitude < -26.95)
    inside_longitude = (MODEL.longitude > 115.95) & (MODEL.longitude < 122.05)
    centre_inside = np.outer(inside_latitude, inside_longitude)
    # A cell whose centre is outside both ways cannot be half covered; here also corners are decided by area.
    assert (regridding.covered <= centre_inside).all()
    assert 9 <= regridding.covered.sum() <= centre_inside.sum()
    assert regridding.reached.all()


def test_a_regional_model_grid_reaches_a_part_of_a_global_source() -> None:
    target = region(20.0, 50.0, 340.0, 380.0, 31, 41)
    for method in METHODS.values():
        regridding = method(centred(180, 360), target)
        assert regridding.covered.all()
        expected = np.zeros((180, 360), dtype=bool)
        expected[39:71, 159:201] = True
        np.testing.assert_array_equal(regridding.reached, expected)


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(16, 31\)"):
        bilinear(SMALL, MODEL)(np.zeros((16, 31)))
