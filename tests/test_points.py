"""Lists of points on the cells that they lie in: means, counts, times, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from grids import MODEL
from image_files import assert_accounted, write_image
from point_lists import GRID, LATITUDE, LONGITUDE, MOISTURE, NOON, write_points

from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.observations.binning import binning
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.point_files import read_points
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings

MEANS = np.full((3, 4), np.nan)
MEANS[0, 0], MEANS[2, 3], MEANS[1, 1] = 0.15, 0.33, 0.25

HOURS = {"units": "hours since 2022-06-03 00:00:00", "standard_name": "time"}


def read(path: Path, grid: Grid = GRID, time: datetime = NOON, **how: object) -> ObservedImage:
    return read_points(path, grid, time, variable="sm", **how)


def test_a_cell_is_the_mean_of_its_points(tmp_path: Path) -> None:
    image = read(write_points(tmp_path / "a.nc", units="m3 m-3"))
    np.testing.assert_allclose(image.values, MEANS, rtol=1e-14)
    assert_accounted(image)
    assert {name: image.counts[name] for name in ("source pixels", "used", "cells observed", "cells not covered")} == {
        "source pixels": 6,
        "used": 6,
        "cells observed": 3,
        "cells not covered": 9,
    }
    assert image.pixels.endswith("0 not used, 6 used; 2 in a cell (median; 1 to 3)")
    assert image.remarks == ()
    assert image.source == f"{tmp_path / 'a.nc'}: sm at 2022-06-03 12:00 UTC (stated, the file has none)"


def test_the_order_of_rows_of_the_grid_does_not_matter(tmp_path: Path) -> None:
    image = read(write_points(tmp_path / "a.nc"), Grid(GRID.latitude[::-1].copy(), GRID.longitude))
    np.testing.assert_allclose(image.values, MEANS[::-1], rtol=1e-14)


def test_what_is_missing_out_of_range_or_outside_the_grid_counts_as_that(tmp_path: Path) -> None:
    values = np.concatenate([MOISTURE, [0.2, 0.2, 0.2, 0.2, 0.7, -0.1, np.nan, *np.full(20, 0.25)]])
    latitude = np.concatenate([LATITUDE, [8.0, 12.0, np.nan, 12.0, 12.0, 12.0, 10.0, *np.full(20, 11.0)]])
    longitude = np.concatenate([LONGITUDE, [100.0, 98.0, 100.0, np.nan, 102.0, 100.0, 100.0, *np.full(20, 101.0)]])
    image = read(write_points(tmp_path / "a.nc", values, latitude, longitude))
    np.testing.assert_allclose(image.values, MEANS, rtol=1e-14)
    assert_accounted(image)
    assert {name: n for name, n in image.counts.items() if "range" in name or name in ("missing", "not used")} == {
        "missing": 3,
        "below range": 1,
        "above range": 1,
        "not used": 2,
    }
    # A rejected point alone in its cell, and one without a value in another.
    assert image.counts["cells mostly missing"] == 2
    assert image.pixels.endswith("; 3 in a cell (median; 2 to 21)")


def test_a_pole_beyond_90_by_the_noise_of_single_precision_is_the_pole(tmp_path: Path) -> None:
    values, latitude = np.array([0.1, 0.2]), np.array([90.00001, -90.00001])
    image = read(write_points(tmp_path / "a.nc", values, latitude, np.array([101.0, 101.0])), global_grid((4, 8)))
    np.testing.assert_array_equal(image.values[image.observed], values)


def test_every_point_of_the_globe_is_in_one_cell(rng: np.random.Generator) -> None:
    # On all edges and corners, and anywhere.
    rows, columns = np.meshgrid(MODEL.latitude_edges, MODEL.longitude_edges, indexing="ij")
    latitude = np.concatenate([rows.ravel(), rng.uniform(-90, 90, 5000)])
    longitude = np.concatenate([columns.ravel(), rng.uniform(-180, 360, 5000)])
    points = binning(latitude, longitude, MODEL)
    assert points.reached.all()
    assert points.count(np.zeros(latitude.size)).sum() == latitude.size
    np.testing.assert_array_equal(points.cell, binning(latitude, longitude % 360.0, MODEL).cell)
    np.testing.assert_array_equal(points.cell, binning(latitude, longitude - 360.0, MODEL).cell)


def test_a_point_on_an_edge_is_in_the_cell_north_or_east_of_it() -> None:
    latitude = np.array([11.5, 11.0, 12.5, 9.5, 12.500002, 11.0])
    longitude = np.array([101.0, 101.5, 103.5, 99.5, 101.0, 103.500002])
    # The grid's own outer edges belong to it.
    assert binning(latitude, longitude, GRID).cell.tolist() == [1, 4 + 2, 3, 8, -1, -1]


def test_longitudes_go_on_across_the_date_line_and_greenwich(tmp_path: Path) -> None:
    longitude = np.array([179.9, -179.9, 180.0, 180.1, 0.1, 360.0])
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.3])
    path = write_points(tmp_path / "a.nc", values, np.full(6, 45.0), longitude)
    wide = read(path, global_grid((2, 4)))  # edges at 180 W, 90 W, 0, 90 E
    np.testing.assert_allclose(wide.values[0], [(0.2 + 0.3 + 0.4) / 3, np.nan, 0.4, 0.1])
    across = read(path, Grid(np.array([44.0, 46.0]), np.array([179.0, 181.0])))
    np.testing.assert_allclose(across.values[1], [0.1, 0.3])
    assert across.counts["not used"] == 2
    west = read(path, Grid(np.array([44.0, 46.0]), np.array([-181.0, -179.0])))
    np.testing.assert_array_equal(west.values, across.values)


def test_a_list_without_a_point_observes_nothing(tmp_path: Path) -> None:
    none = np.empty(0)
    for name, further in (("a.nc", {}), ("b.nc", {"time": (none, HOURS)})):
        image = read(write_points(tmp_path / name, none, none, none, further=further), max_time_offset=3.0)
        assert not image.observed.any()
        assert image.counts["source pixels"] == 0
        assert image.counts["cells not covered"] == 12
        assert_accounted(image)
    far = write_points(tmp_path / "c.nc", none, none, none, further={"time": (np.array(36.0), HOURS)})
    with pytest.raises(InputError, match="found 2022-06-04 12:00 UTC as the nearest"):
        read(far, max_time_offset=3.0)


@pytest.mark.parametrize(
    ("latitude", "longitude", "found"),
    [
        (np.where(LATITUDE > 12, 95.0, LATITUDE), LONGITUDE, "latitude: found 1 of 6 points beyond, the first at 95,"),
        (LATITUDE, LONGITUDE - 9999.0, "longitude: found 6 of 6 points beyond, the first at -9899.2,"),
    ],
)
def test_places_that_are_none_are_refused(tmp_path: Path, latitude, longitude, found: str) -> None:
    with pytest.raises(InputError, match=f"a.nc: {found} expected degrees within"):
        read(write_points(tmp_path / "a.nc", MOISTURE, latitude, longitude))


def test_the_same_points_are_known_in_any_order_range_and_unit(tmp_path: Path, rng: np.random.Generator) -> None:
    values, latitude = rng.uniform(0.1, 0.4, 500), rng.uniform(9.5, 12.5, 500)
    longitude = rng.uniform(99.5, 103.5, 500)
    order = rng.permutation(500)
    one = read(write_points(tmp_path / "a.nc", values, latitude, longitude))
    shuffled = read(write_points(tmp_path / "b.nc", values[order], latitude[order], longitude[order] - 360.0))
    assert one.values.tobytes() == shuffled.values.tobytes()
    as_mass = write_points(tmp_path / "c.nc", values * 50.0, latitude, longitude, units="kg m-2")
    gap = [np.append(part, more) for part, more in ((values, np.nan), (latitude, 10.0), (longitude, 100.0))]
    assert one.fingerprint == shuffled.fingerprint
    assert one.fingerprint == read(as_mass, layer=(0.0, 0.05)).fingerprint
    assert one.fingerprint == read(write_points(tmp_path / "d.nc", *gap)).fingerprint
    # The values are as many, at the same places, but not each at its own.
    swapped = read(write_points(tmp_path / "e.nc", values[order], latitude, longitude))
    drier = read(write_points(tmp_path / "f.nc", values - 1e-5, latitude, longitude))
    assert len({one.fingerprint, swapped.fingerprint, drier.fingerprint}) == 3


def test_without_units_values_are_taken_for_volumetric_and_percent_is_refused(tmp_path: Path) -> None:
    said = read(write_points(tmp_path / "a.nc")).remarks
    assert said == ("the file does not say units: taken for m3 m-3",)
    percent = write_points(tmp_path / "b.nc", 100.0 * MOISTURE)
    # Whatever range is given: the file may be of percent, and nothing says so.
    for valid_range in ((0.0, 0.6), (0.0, 60.0)):
        with pytest.raises(InputError, match=r"b.nc: sm: found values from 10 to 36, .*looks like percent or kg m-2"):
            read(percent, valid_range=valid_range)


@pytest.mark.parametrize("units", ["", "unknown"])
def test_units_that_are_stated_win_over_those_of_the_file(tmp_path: Path, units: str) -> None:
    image = read(write_points(tmp_path / "a.nc", 100.0 * MOISTURE, units=units), units="percent")
    np.testing.assert_allclose(image.values, MEANS, rtol=1e-14)
    assert image.remarks == ((f"the file says units '{units}': taken for percent as stated",) if units else ())


def test_units_that_the_file_states_are_believed(tmp_path: Path) -> None:
    percent = write_points(tmp_path / "a.nc", 100.0 * MOISTURE, units="%", long_name="volumetric soil moisture")
    np.testing.assert_allclose(read(percent).values, MEANS, rtol=1e-14)
    with pytest.raises(InputError, match="found units '%' and no name that says volume fraction"):
        read(write_points(tmp_path / "b.nc", 100.0 * MOISTURE, units="%", long_name="soil wetness"))
    with pytest.raises(InputError, match="found units 'K'"):
        read(write_points(tmp_path / "c.nc", units="K"))


def test_of_points_with_times_those_near_the_time_wanted_are_taken(tmp_path: Path) -> None:
    times = np.array([11.5, 12.5, 4.0, 12.0, 13.0, 23.0])
    path = write_points(tmp_path / "a.nc", further={"time": (times, HOURS)})
    image = read(path, max_time_offset=1.0)
    expected = np.full((3, 4), np.nan)
    expected[0, 0], expected[2, 3] = 0.15, (0.33 + 0.36) / 2
    np.testing.assert_allclose(image.values, expected, rtol=1e-14)
    assert (image.counts["not used"], image.counts["used"]) == (2, 4)
    assert_accounted(image)
    assert image.time == NOON
    assert image.what == "sm at 2022-06-03 12:00 UTC (values of 2022-06-03 11:30 to 2022-06-03 13:00)"
    # Those of another time are not of this observation.
    other = np.where((times < 5) | (times > 20), 0.123, MOISTURE)
    same = read(write_points(tmp_path / "b.nc", other, further={"time": (times, HOURS)}), max_time_offset=1.0)
    assert same.fingerprint == image.fingerprint != read(path, max_time_offset=12.0).fingerprint
    with pytest.raises(InputError, match="found 2022-06-03 23:00 UTC as the nearest of 6 time"):
        read(path, time=NOON + timedelta(days=1), max_time_offset=3.0)


def test_points_of_many_hours_are_said_and_of_many_days_refused(tmp_path: Path) -> None:
    path = write_points(tmp_path / "a.nc", units="m3 m-3", further={"time": (12.0 + 2.0 * np.arange(6.0), HOURS)})
    said = "values of 2022-06-03 12:00 to 2022-06-03 22:00 is taken for an instant"
    assert read(path).remarks == (said,)
    assert read(path, max_time_offset=6.0).remarks == ()
    days = write_points(tmp_path / "b.nc", further={"time": (24.0 * np.arange(6.0), HOURS)})
    with pytest.raises(InputError, match=r"\(5.0 days\), expected points of at most 72 h; lower max_time_offset"):
        read(days)
    assert read(days, max_time_offset=24.0).counts["used"] == 2


def test_one_time_of_all_points_is_believed(tmp_path: Path) -> None:
    path = write_points(tmp_path / "a.nc", further={"time": (np.array(14.0), HOURS)})
    image = read(path, max_time_offset=3.0)
    assert image.time == datetime(2022, 6, 3, 14, tzinfo=UTC)
    assert image.counts["used"] == 6
    with pytest.raises(InputError, match="2022-06-03 14:00 UTC as the nearest of 1 time"):
        read(path, max_time_offset=1.0)


def test_a_list_without_time_needs_a_stated_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sm: found no time coordinate, .*set max_time_offset to inf"):
        read(write_points(tmp_path / "a.nc"), max_time_offset=3.0)
    dates = write_points(tmp_path / "b.nc", further={"date": (np.full(6, 20220603.0), {})})
    with pytest.raises(InputError, match="date: found a time in words or numbers"):
        read(dates)


def test_a_step_of_a_series_of_stations_is_read(tmp_path: Path) -> None:
    path = write_points(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "r+") as file:
        file.createDimension("time", 3)
        file.createVariable("time", "f8", ("time",))[:] = [6.0, 12.0, 18.0]
        file["time"].setncatts(HOURS)
        file.createVariable("series", "f8", ("index", "time"))[:] = MOISTURE[:, None] + [[0.1, 0.0, 0.2]]
    image = read_points(path, GRID, NOON, variable="series", max_time_offset=3.0)
    np.testing.assert_allclose(image.values, MEANS, rtol=1e-14)


def test_points_of_several_depths_or_below_the_surface_are_refused(tmp_path: Path) -> None:
    def at(name: str, depths: object, units: str = "m", **how: object) -> ObservedImage:
        numbers = np.broadcast_to(np.asarray(depths, float), 6)
        return read(write_points(tmp_path / name, further={"depth": (numbers, {"units": units})}), **how)

    assert at("a.nc", 5.0, "cm").counts["used"] == 6
    with pytest.raises(InputError, match=r"depth: found points at 3 depths, 0.05 to 0.2 m, expected points of one"):
        at("b.nc", [0.05, 0.1, 0.2, 0.05, 0.1, 0.2])
    with pytest.raises(InputError, match=r"depth: found a depth of 0.5 m, expected one within 0-0.1 m"):
        at("c.nc", 0.5)
    with pytest.raises(InputError, match=r"expected a layer with some part of 0-0.1 m"):
        read(write_points(tmp_path / "d.nc"), layer=(0.1, 0.4))


def test_a_grid_is_sent_to_cf_and_a_list_to_points(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'found a grid, with latitude along lat and .*take it with kind = "cf"'):
        read(write_image(tmp_path / "a.nc"))
    with pytest.raises(InputError, match=r'found a list of points along index, .*take it with kind = "points"'):
        read_cf(write_points(tmp_path / "b.nc"), GRID, NOON, variable="sm")
    with netCDF4.Dataset(tmp_path / "c.nc", "w") as file:
        for name, size in (("y", 3), ("x", 4)):
            file.createDimension(name, size)
        for name in ("latitude", "longitude", "sm"):
            file.createVariable(name, "f8", ("y", "x"))[:] = 0.2
    with pytest.raises(InputError, match=r"found latitude latitude\(y, x\), expected points, .*kind = \"cf\""):
        read(tmp_path / "c.nc")


def test_coordinates_are_known_by_units_and_refused_where_they_are_something_else(tmp_path: Path) -> None:
    path = write_points(tmp_path / "a.nc", names=("phi", "lam"))
    with pytest.raises(InputError, match="found latitude nowhere in the file"):
        read(path)
    with netCDF4.Dataset(path, "r+") as file:
        file["phi"].units, file["lam"].units = "degrees_north", "degrees_east"
    np.testing.assert_allclose(read(path).values, MEANS, rtol=1e-14)
    path = write_points(tmp_path / "b.nc")
    with netCDF4.Dataset(path, "r+") as file:
        file["latitude"].units = "radians"
    with pytest.raises(InputError, match="no latitude in degrees: latitude has units 'radians'"):
        read(path)


def test_a_variable_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sm2: found no such variable, expected one of latitude, longitude, sm"):
        read_points(write_points(tmp_path / "a.nc"), GRID, NOON, variable="sm2")


@pytest.mark.parametrize("key", ['regridding = "bilinear"', 'mask = {variable = "a", min = 1.0}'])
def test_keys_of_grids_are_none_of_points(tmp_path: Path, key: str) -> None:
    (tmp_path / "case.toml").write_text(
        '[model]\nkind = "colm202x"\ndirectory = "m"\ncase = "d"\ntime = 2022-06-02T06:00:00Z\n[observation]\n'
        f'kind = "points"\nfile = "a.nc"\nvariable = "sm"\n{key}\n[output]\ndirectory = "out"\n'
    )
    with pytest.raises(ConfigError, match=rf"\[observation\] unknown key '{key.split()[0]}'"):
        read_settings(tmp_path / "case.toml", Settings)


@pytest.mark.parametrize(
    ("pattern", "grid", "n_outside"),
    [
        (
            "ghana_2019_2021/smap/SMAP_20190101_20190103.nc",
            Grid(11.0 - 0.25 * np.arange(21), -3.2 + 0.25 * np.arange(14)),
            30,
        ),
        (
            "western_australia_202001/smap_2020-01-01.nc",
            Grid(-27.0 - 0.1 * np.arange(51), 116.0 + 0.1 * np.arange(61)),
            0,
        ),
        ("western_australia_202001/smap_2020-01-01.nc", MODEL, 0),
    ],
)
def test_retrievals_of_a_satellite_are_read(shared: Path, pattern: str, grid: Grid, n_outside: int) -> None:
    path = shared / "data" / pattern
    image = read_points(path, grid, NOON, variable="soil_moisture")
    with netCDF4.Dataset(path) as file:
        latitude, longitude, values = (
            np.asarray(file[name][:], float) for name in ("latitude", "longitude", "soil_moisture")
        )
    assert_accounted(image)
    assert (image.counts["source pixels"], image.counts["not used"]) == (values.size, n_outside)
    assert image.counts["used"] == values.size - n_outside
    # Point by point, by the nearest centre, which on grids of equal steps is that of its cell.
    cells: dict[tuple[int, int], list[float]] = {}
    for lat, lon, value in zip(latitude, longitude, values, strict=True):
        row, column = np.abs(grid.latitude - lat).argmin(), np.abs((grid.longitude - lon + 180) % 360 - 180).argmin()
        inside = all(
            min(edges[0], edges[-1]) <= degrees <= max(edges[0], edges[-1])
            for edges, degrees in ((grid.latitude_edges, lat), (grid.longitude_edges, lon))
        )
        if inside:
            cells.setdefault((int(row), int(column)), []).append(value)
    means = {cell: np.mean(of_cell) for cell, of_cell in cells.items()}
    assert image.counts["cells observed"] == len(means)
    assert all(image.values[cell] == pytest.approx(mean, rel=1e-12) for cell, mean in means.items())
    assert all(min(of_cell) <= means[cell] <= max(of_cell) for cell, of_cell in cells.items())


def test_points_in_radians_are_refused(tmp_path: Path) -> None:
    path = write_points(tmp_path / "a.nc", MOISTURE, np.radians(LATITUDE), np.radians(LONGITUDE))
    with pytest.raises(InputError, match=r"latitude, longitude: found 0.1676 to 0.2112 and .* no land.*180 / pi"):
        read(path)
