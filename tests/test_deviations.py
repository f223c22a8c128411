"""Standard deviations in files: their gaps, their times."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image
from mpi4py import MPI
from point_lists import GRID as CELLS
from point_lists import LATITUDE, LONGITUDE, write_points

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.deviations import Deviation, read_deviation
from imgda_mpi.settings.fields import FieldFile

EASTERN = np.zeros(FIELD.shape, bool)
EASTERN[:, 4:] = True


def deviation(path: Path, field: np.ndarray, hours: float | None = None, **how: float | str) -> Deviation:
    since = {"units": "hours since 2022-06-03 00:00:00"}
    if hours is None:
        write_image(path, field)
    else:
        write_image(path, field[None], ("time", "lat", "lon"), {"time": (np.array([hours]), since)})
    return read_deviation(FieldFile(file=path, variable="sm", **how), GRID, NOON, MPI.COMM_SELF)


def test_a_number_is_the_same_everywhere() -> None:
    number = read_deviation(0.04, GRID, NOON, MPI.COMM_SELF)
    assert number.typical == number.on(EASTERN) == 0.04
    assert number.file is None


def test_a_field_is_needed_where_it_is_used_and_nowhere_else(tmp_path: Path) -> None:
    field = deviation(tmp_path / "a.nc", np.where(EASTERN, 0.2 * FIELD, np.nan))
    assert field.typical == pytest.approx(np.median(0.2 * FIELD[EASTERN]))
    filled = field.on(EASTERN)
    assert isinstance(filled, np.ndarray)
    np.testing.assert_array_equal(filled[EASTERN], 0.2 * FIELD[EASTERN])
    np.testing.assert_allclose(filled[~EASTERN], (0.2 * FIELD[EASTERN]).mean())
    message = r"a.nc: sm: found no value above 0 on 24 and one outside 0 to 1 on 0 of 48 cells where one is needed"
    with pytest.raises(InputError, match=message):
        field.on(np.ones(FIELD.shape, bool))
    assert np.isfinite(field.on(np.zeros(FIELD.shape, bool))).all()


def test_a_field_with_the_gaps_of_its_observation_is_there_where_that_is(tmp_path: Path) -> None:
    # Of nine pixels in a cell the one at its centre is missing, which is all that bilinear interpolation takes.
    pixels = np.full((9, 9), 0.04)
    pixels[1::3, 1::3] = np.nan
    north, east = {"units": "degrees_north"}, {"units": "degrees_east"}
    path = write_image(
        tmp_path / "a.nc", pixels, coordinates={"lat": (np.arange(9.0), north), "lon": (np.arange(9.0), east)}
    )
    grid = Grid(np.array([1.0, 4.0, 7.0]), np.array([1.0, 4.0, 7.0]))
    for regridding, there in (("conservative", True), ("bilinear", False)):
        field = read_deviation(FieldFile(file=path, variable="sm"), grid, NOON, MPI.COMM_SELF, regridding=regridding)
        observed = read_cf(path, grid, NOON, variable="sm", regridding=regridding).observed
        np.testing.assert_array_equal(np.isfinite(field.values), observed)
        assert observed.all() == there


@pytest.mark.parametrize(("units", "factor"), [("m3 m-3", 1.0), ("percent", 0.01)])
def test_a_field_has_the_units_that_are_stated(tmp_path: Path, units: str, factor: float) -> None:
    field = deviation(tmp_path / "a.nc", np.full(FIELD.shape, 0.04), units=units)
    assert field.typical == pytest.approx(0.04 * factor)


def test_small_deviations_are_no_wrong_unit(tmp_path: Path) -> None:
    assert deviation(tmp_path / "a.nc", np.full(FIELD.shape, 0.005)).on(EASTERN) == pytest.approx(0.005)


@pytest.mark.parametrize("value", [0.0, 1e-200, -0.04, 4.0, np.nan])
def test_what_is_no_deviation_is_refused(tmp_path: Path, value: float) -> None:
    field = np.full(FIELD.shape, 0.04)
    field[2, 5] = value
    with pytest.raises(
        InputError, match=r"on [01] and one outside 0 to 1 on [01] of 24 cells .* expected .* 1e-06 to 1"
    ):
        deviation(tmp_path / "a.nc", field).on(EASTERN)


def test_a_field_of_another_time_is_refused_unless_it_may_be(tmp_path: Path) -> None:
    field = np.full(FIELD.shape, 0.04)
    assert deviation(tmp_path / "a.nc", field, 12.0).typical == 0.04
    message = r"found 2022-06-04 12:00 UTC .*expected 2022-06-03 12:00 UTC ± 3 h; .*raise its max_time_offset"
    with pytest.raises(InputError, match=message):
        deviation(tmp_path / "b.nc", field, 36.0)
    assert (
        deviation(tmp_path / "b.nc", field, 36.0, max_time_offset=timedelta(days=1) / timedelta(hours=1)).typical
        == 0.04
    )


def test_a_number_that_stands_for_none_is_none(tmp_path: Path) -> None:
    field = deviation(tmp_path / "a.nc", np.where(EASTERN, 0.04, -9999.0))
    assert field.typical == 0.04
    np.testing.assert_array_equal(field.on(EASTERN), 0.04)


def test_a_field_has_the_offset_of_its_observation_unless_it_has_an_own_one(tmp_path: Path) -> None:
    since = {"units": "hours since 2022-06-03 00:00:00"}
    field = np.full((1, *FIELD.shape), 0.04)
    path = write_image(tmp_path / "a.nc", field, ("time", "lat", "lon"), {"time": (np.array([24.0]), since)})
    assert read_deviation(FieldFile(file=path, variable="sm"), GRID, NOON, MPI.COMM_SELF, 24.0).typical == 0.04
    with pytest.raises(InputError, match="± 6 h"):
        read_deviation(FieldFile(file=path, variable="sm", max_time_offset=6.0), GRID, NOON, MPI.COMM_SELF, 24.0)


@pytest.mark.parametrize("ending", ["nc", "csv"])
def test_points_have_deviations_as_points(tmp_path: Path, ending: str) -> None:
    # Two in one cell, one that is 0 of three in another, and one by itself that has none.
    sds, path = np.array([0.02, 0.04, 0.03, 0.0, 0.05, np.nan]), tmp_path / f"a.{ending}"
    if ending == "nc":
        write_points(path, 100.0 * sds, units="vol.%", cell_methods="time: standard_deviation")
    else:
        rows = [f"{lat},{lon},{100 * sd}" for lat, lon, sd in zip(LATITUDE, LONGITUDE, sds, strict=True)]
        path.write_text("\n".join(["lat,lon,sm [vol.%]", *rows]))
    field = read_deviation(FieldFile(file=path, variable="sm"), CELLS, NOON, MPI.COMM_SELF, regridding="bilinear")
    expected = np.full(CELLS.shape, np.nan)
    expected[0, 0], expected[2, 3] = 0.03, 0.04
    np.testing.assert_allclose(field.values, expected, rtol=1e-14)
    assert field.files == [path]
    alone = np.zeros(CELLS.shape, bool)
    alone[1, 1] = True
    with pytest.raises(InputError, match=r"no value above 0 on 1 .* of 1 cells"):
        field.on(alone)


def test_a_mass_of_water_is_of_the_layer_of_the_observation(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", np.full(FIELD.shape, 2.0), units="kg m-2", long_name="Uncertainty")
    wanted = FieldFile(file=path, variable="sm")
    assert read_deviation(wanted, GRID, NOON, MPI.COMM_SELF, layer=(0.0, 0.05)).typical == pytest.approx(0.04)
    with pytest.raises(InputError, match="give the layer"):
        read_deviation(wanted, GRID, NOON, MPI.COMM_SELF)
