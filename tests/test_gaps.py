"""Gaps between rows or columns of an observation: nothing is known in them, and nothing changes beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from grids import MODEL, columns, gaussian, gaussian_latitude
from image_files import NOON, assert_accounted, write_image

from imgda_mpi.grid import Grid
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.gaps import column_stretches, find_gaps, row_stretches
from imgda_mpi.observations.regrid import METHODS, Regridding, bilinear, conservative

BOTH = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())


def zoomed(n: int, change: float) -> np.ndarray:
    """Longitudes around the globe whose steps change by as much as the given share, little by little."""
    steps = 1.0 + change * np.cos(columns(n) * np.pi / 180.0)
    return np.cumsum(steps) * 360.0 / steps.sum() - 180.0


REGULAR = {
    "Gaussian": gaussian_latitude(94),
    "equal areas up to the pole": np.degrees(np.arcsin((np.arange(180) + 0.5) / 90.0 - 1.0)),
    "rows on the poles": np.linspace(90.0, -90.0, 73),
    "half a step at the poles": np.concatenate([[-90.0], np.arange(-89.75, 90.0, 0.5), [90.0]]),
    "two steps": np.array([10.0, 10.4, 11.0]),
    "one step": np.array([10.0, 80.0]),
    "single precision": np.arange(-5.0, 70.1, 0.01).astype("f4").astype("f8"),
    "rounded": np.round(np.arange(10.0, 20.0, 0.25) + 1e-9, 1),
    "zoomed": zoomed(180, 0.85) / 2.1,
    "two resolutions": np.concatenate([np.arange(-60.0, 0.0), np.arange(0.0, 20.0, 0.25), np.arange(20.0, 60.0)]),
}


@pytest.mark.parametrize("centres", REGULAR.values(), ids=REGULAR.keys())
def test_usual_grids_have_no_gaps(centres: np.ndarray) -> None:
    assert not find_gaps(centres)[0].any()
    assert not find_gaps(centres[::-1])[0].any()


@pytest.mark.parametrize("centres", [REGULAR["Gaussian"], REGULAR["single precision"], zoomed(180, 0.85)])
def test_one_that_is_missing_is_a_gap(centres: np.ndarray, rng: np.random.Generator) -> None:
    for missing in rng.integers(1, centres.size - 1, 20):
        np.testing.assert_array_equal(np.flatnonzero(find_gaps(np.delete(centres, missing))[0]), missing - 1)


def test_single_columns_between_gaps_stand_alone() -> None:
    centres = np.array([0.0, 1, 2, 3, 4, 10, 16, 22, 23, 24, 25, 26])
    np.testing.assert_array_equal(np.flatnonzero(find_gaps(centres)[0]), [4, 5, 6])
    grid = Grid(np.array([0.0, 1.0]), centres)
    np.testing.assert_array_equal([s.index.size for s in column_stretches(grid)], [5, 1, 1, 5])
    np.testing.assert_array_equal(column_stretches(grid)[1].edges, [9.5, 10.5])


def kept(rng: np.random.Generator, n: int, n_gaps: int) -> np.ndarray:
    """Which of n rows or columns are left where some bands of them are taken away; the first and last are."""
    left = np.ones(n, dtype=bool)
    for start in rng.integers(1, n - 12, n_gaps):
        left[start : start + rng.integers(1, 10)] = False
    return left


def between(rng: np.random.Generator, centres: np.ndarray, n: int) -> np.ndarray:
    """Points between neighbouring centres, ascending, none at a centre."""
    left = np.sort(rng.choice(centres.size - 1, n, replace=False))
    return centres[left] + rng.uniform(0.1, 0.9, n) * np.diff(centres)[left]


def in_gap(centres: np.ndarray, left: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points between kept centres that were not neighbours before."""
    before = np.searchsorted(centres[left], points, side="right") - 1
    return (np.diff(np.flatnonzero(left)) > 1)[before]


@pytest.mark.parametrize("source", [Grid(np.arange(10.0, 60.0), np.arange(60.0, 160.0)), gaussian(64, 128)])
def test_cells_beside_gaps_are_as_without_and_cells_in_them_are_not_covered(rng, source: Grid) -> None:
    values = rng.random(source.shape)
    for _ in range(20):
        rows, columns_ = (kept(rng, n, 3) for n in source.shape)
        holed = Grid(source.latitude[rows], source.longitude[columns_])
        target = Grid(between(rng, source.latitude, 30), between(rng, source.longitude, 40))
        whole, part = bilinear(source, target), bilinear(holed, target)
        lost = np.logical_or.outer(
            in_gap(source.latitude, rows, target.latitude), in_gap(source.longitude, columns_, target.longitude)
        )
        np.testing.assert_array_equal(part.covered, ~lost)
        image = part(values[np.ix_(rows, columns_)])
        np.testing.assert_array_equal(np.isfinite(image), ~lost)
        np.testing.assert_allclose(image[~lost], whole(values)[~lost], rtol=1e-12)


def test_the_area_mean_is_that_with_missing_pixels_in_the_gaps(rng: np.random.Generator) -> None:
    source = Grid(np.arange(10.0, 60.0), np.arange(60.0, 160.0))
    values = rng.random(source.shape)
    for _ in range(10):
        rows, columns_ = (kept(rng, n, 3) for n in source.shape)
        target = Grid(np.linspace(11.0, 58.0, 20), np.linspace(61.0, 158.0, 30))
        part = conservative(Grid(source.latitude[rows], source.longitude[columns_]), target)
        missing = np.where(np.outer(rows, columns_), values, np.nan)
        expected = conservative(source, target)(missing)
        assert 0 < np.isnan(expected).sum() < expected.size
        # Rows between pixels of a gap end at a parallel: what is missing there counts by area in both.
        np.testing.assert_allclose(part(values[np.ix_(rows, columns_)]), expected, rtol=1e-12)


@BOTH
def test_a_constant_is_kept_and_every_pixel_beside_a_gap_is_used(method, rng: np.random.Generator) -> None:
    for _ in range(10):
        rows, columns_ = (kept(rng, n, 4) for n in MODEL.shape)
        holed = Grid(MODEL.latitude[rows], MODEL.longitude[columns_])
        regridding = method(holed, MODEL)
        image = regridding(np.full(holed.shape, 0.3))
        np.testing.assert_array_equal(np.isfinite(image), np.outer(rows, columns_))
        np.testing.assert_allclose(image[np.isfinite(image)], 0.3, rtol=1e-14)
        assert regridding.reached.all()
        np.testing.assert_array_equal(regridding.covered, np.isfinite(image))


def wave(grid: Grid) -> np.ndarray:
    """Smooth, and continuous at every meridian."""
    return 0.25 + 0.1 * np.cos(np.radians(grid.longitude)) + 0.001 * grid.latitude[:, np.newaxis]


@BOTH
@pytest.mark.parametrize("middle", [0.0, 180.0], ids=["Greenwich", "the date line"])
def test_a_part_across_the_end_of_the_longitudes_is_whole_and_ends_where_it_ends(method, middle: float) -> None:
    start = middle - 180.0 if middle else 0.0
    longitude = np.sort((np.arange(middle - 10.0, middle + 10.1, 0.5) - start) % 360.0 + start)
    source = Grid(np.arange(-20.0, 20.1, 0.5), longitude)
    (stretch,) = column_stretches(source)
    assert np.ptp(stretch.centres) == 20.0
    target = Grid(np.arange(-10.0, 10.1, 1.0), middle - 30.0 + np.arange(0.19, 60.0, 0.7))
    regridding = method(source, target)
    image = regridding(wave(source))
    np.testing.assert_array_equal(regridding.covered, np.isfinite(image))
    reach = 10.0 if method is bilinear else 10.25
    np.testing.assert_array_equal(np.isfinite(image[0]), np.abs(target.longitude - middle) <= reach)
    np.testing.assert_allclose(image[:, np.isfinite(image[0])], wave(target)[:, np.isfinite(image[0])], atol=2e-3)


@BOTH
@pytest.mark.parametrize("n_missing", [1, 2, 40, 200])
def test_a_global_image_with_columns_missing_is_joined_at_its_ends_alone(method, n_missing: int) -> None:
    longitude = np.delete(columns(360, -179.5), np.arange(n_missing) + 100)
    source = Grid(np.arange(-89.5, 90.0), longitude)
    target = Grid(source.latitude, columns(360, -180.0))
    covered = method(source, target).covered
    assert covered[:, 0].all()
    west, east = -179.5 + 99, -179.5 + 100 + n_missing
    # A cell of the same size half beside the gap is half covered.
    outside = (target.longitude < west) | (target.longitude > east)
    half = (np.abs(target.longitude - west) == 0.5) | (np.abs(target.longitude - east) == 0.5)
    np.testing.assert_array_equal(covered[90], outside | (half & (method is conservative)))


def test_two_columns_on_both_sides_of_greenwich_are_neighbours() -> None:
    source = Grid(np.array([0.0, 1.0]), np.array([0.5, 359.5]))
    covered = bilinear(source, Grid(np.array([0.0, 1.0]), np.array([359.6, 360.4, 420.0, 540.0]))).covered
    np.testing.assert_array_equal(covered[0], [True, True, False, False])


def test_rows_beyond_a_gap_do_not_reach_the_pole() -> None:
    rows = np.append(np.arange(-59.5, 60.0), [80.0, 81.0])
    source = Grid(rows, columns(36))
    target = Grid(np.array([59.0, 61.0, 79.9, 80.5, 81.2, 85.0, 89.0]), columns(36))
    np.testing.assert_array_equal(bilinear(source, target).covered[:, 0], [1, 0, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal([s.edges[-1] for s in row_stretches(source)], [60.0, 81.5])
    (*_, single) = row_stretches(Grid(rows[:-1], columns(36)))
    np.testing.assert_array_equal(single.edges, [79.5, 80.5])


@pytest.mark.parametrize("regridding", METHODS)
def test_cells_in_a_gap_are_counted_as_not_covered(tmp_path: Path, regridding: str) -> None:
    latitude = np.concatenate([np.arange(-10.0, 10.1, 0.5), np.arange(60.0, 80.1, 0.5)])
    longitude = np.arange(60.0, 160.1, 0.5)
    path = write_image(
        tmp_path / "a.nc",
        np.full((latitude.size, longitude.size), 0.3),
        coordinates={
            "lat": (latitude, {"units": "degrees_north"}),
            "lon": (longitude, {"units": "degrees_east"}),
        },
    )
    model = Grid(np.linspace(26.0, 46.0, 15), np.linspace(100.0, 120.0, 15))
    image = read_cf(path, model, NOON, variable="sm", regridding=regridding)
    assert_accounted(image)
    assert image.counts["cells not covered"] == 225
    assert image.counts["not used"] == image.counts["source pixels"]


def test_the_methods_take_any_source_and_give_one_matrix_for_each_direction() -> None:
    source = Grid(np.array([0.0, 1, 2, 9, 16, 17]), np.array([10.0, 11, 12, 50, 51, 200]))
    for method in METHODS.values():
        regridding: Regridding = method(source, MODEL)
        assert regridding.latitude.shape == (128, 6)
        assert regridding.longitude.shape == (256, 6)
