from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import resolve
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.quality import gross_check
from imgda_mpi.observations.units import to_volumetric

NOON = datetime(2022, 6, 3, 12, tzinfo=UTC)

# The file of `write` and the model grid have the same cells, so that regridding changes nothing.
LATITUDE, LONGITUDE = 10.0 + np.arange(6.0), 100.0 + np.arange(8.0)
GRID = Grid(LATITUDE, LONGITUDE)
FIELD = 0.1 + 0.01 * np.arange(48.0).reshape(6, 8)


def write(
    path: Path,
    field: np.ndarray = FIELD,
    dimensions: tuple[str, ...] = ("lat", "lon"),
    coordinates: dict[str, tuple[np.ndarray, dict[str, str]]] | None = None,
    dtype: str = "f8",
    **attributes: object,
) -> Path:
    """A file with variable sm; ``coordinates`` replaces or adds vectors along dimensions of their own name."""
    vectors = {
        "lat": (LATITUDE, {"units": "degrees_north"}),
        "lon": (LONGITUDE, {"units": "degrees_east"}),
    } | (coordinates or {})
    fill = attributes.pop("_FillValue", None)
    with netCDF4.Dataset(path, "w", format=attributes.pop("format", "NETCDF4")) as dataset:
        for name, length in zip(dimensions, field.shape, strict=True):
            dataset.createDimension(name, length)
            if name in vectors:
                values, own = vectors[name]
                dataset.createVariable(name, values.dtype, (name,))[:] = values
                dataset[name].setncatts(own)
        variable = dataset.createVariable("sm", dtype, dimensions, fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable[:] = field
        variable.setncatts({"units": "m3 m-3"} | attributes)
    return path


def time_vector(*hours: float, calendar: str = "standard") -> tuple[np.ndarray, dict[str, str]]:
    return np.array(hours), {"units": "hours since 2022-06-03 00:00:00", "calendar": calendar}


def layered(path: Path, *, units: str = "m", bounds: bool = True) -> Path:
    field = np.stack([FIELD, FIELD + 0.01, FIELD + 0.02])
    scale = {"m": 1.0, "cm": 100.0}[units]
    write(path, field, ("depth", "lat", "lon"), {"depth": (scale * np.array([0.05, 0.25, 0.7]), {"units": units})})
    if bounds:
        with netCDF4.Dataset(path, "a") as dataset:
            dataset.createDimension("bnds", 2)
            dataset["depth"].bounds = "edges"
            edges = dataset.createVariable("edges", "f4", ("depth", "bnds"))
            edges[:] = scale * np.array([[0.0, 0.1], [0.1, 0.4], [0.4, 1.0]])
    return path


def assert_accounted(image: ObservedImage) -> None:
    c = image.counts
    assert c["source pixels"] == c["missing"] + c["below range"] + c["above range"] + c["not used"] + c["used"]
    assert c["cells"] == c["cells observed"] + c["cells mostly missing"] + c["cells not covered"] == image.values.size
    assert c["cells observed"] == image.observed.sum() == np.isfinite(image.values).sum()


# Plain reading


def test_a_cf_field_comes_through_unchanged_with_its_account(tmp_path: Path) -> None:
    field = FIELD.copy()
    field[0, 0], field[1, 1], field[2, 2], field[3, 3] = np.nan, -9999.0, 0.7, -0.1
    path = write(tmp_path / "a.nc", field, _FillValue=-9999.0)
    image = read_cf(path, GRID, NOON, variable="sm")
    expected = FIELD.copy()
    expected[range(4), range(4)] = np.nan
    np.testing.assert_allclose(image.values, expected, rtol=1e-14)
    assert image.values.dtype == np.float64
    counts = {k: image.counts[k] for k in ("source pixels", "missing", "below range", "above range", "used")}
    assert counts == {"source pixels": 48, "missing": 2, "below range": 1, "above range": 1, "used": 44}
    assert_accounted(image)
    assert image.time == NOON
    assert image.source == f"{path}: sm at 2022-06-03 12:00 UTC (stated, the file has none)"


def test_packed_integers_and_missing_value_are_unpacked(tmp_path: Path) -> None:
    packed = np.round((FIELD - 0.05) / 0.001).astype("i2")
    packed[0, 1], packed[0, 2] = -32768, -1
    path = write(
        tmp_path / "a.nc",
        packed,
        dtype="i2",
        _FillValue=np.int16(-32768),
        missing_value=np.int16(-1),
        scale_factor=0.001,
        add_offset=0.05,
    )
    image = read_cf(path, GRID, NOON, variable="sm")
    assert image.counts["missing"] == 2
    np.testing.assert_allclose(image.values[1:], FIELD[1:], atol=1e-12)


@pytest.mark.parametrize("order", [("lat", "lon"), ("lon", "lat")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_dimensions_may_come_in_any_order_with_idle_ones_between(tmp_path: Path, order, place: int) -> None:
    field = FIELD if order == ("lat", "lon") else FIELD.T
    dimensions = [*order]
    dimensions.insert(place, "member")
    path = write(tmp_path / "a.nc", np.expand_dims(field, place), tuple(dimensions))
    np.testing.assert_allclose(read_cf(path, GRID, NOON, variable="sm").values, FIELD, rtol=1e-14)


@pytest.mark.parametrize(
    ("names", "attributes"),
    [
        (("y", "x"), ({"standard_name": "latitude"}, {"standard_name": "longitude"})),
        (("row", "column"), ({"units": "degree_N"}, {"units": "degree_E"})),
        (("a", "b"), ({"axis": "Y"}, {"axis": "X", "units": "degrees"})),
        (("Latitude", "Longitude"), ({}, {})),
    ],
)
def test_coordinates_are_found_by_standard_name_units_axis_or_usual_name(tmp_path: Path, names, attributes) -> None:
    coordinates = {names[0]: (LATITUDE, attributes[0]), names[1]: (LONGITUDE, attributes[1])}
    path = write(tmp_path / "a.nc", FIELD, names, coordinates)
    np.testing.assert_allclose(read_cf(path, GRID, NOON, variable="sm").values, FIELD, rtol=1e-14)


@pytest.mark.parametrize(
    "attributes",
    [
        {"standard_name": "grid_latitude", "units": "degrees"},
        {"standard_name": "projection_y_coordinate", "units": "m", "axis": "Y"},
        {"units": "km", "axis": "Y"},
    ],
)
def test_rotated_and_projected_coordinates_are_no_latitude(tmp_path: Path, attributes: dict[str, str]) -> None:
    path = write(tmp_path / "a.nc", coordinates={"lat": (LATITUDE, attributes)})
    with pytest.raises(InputError, match=r"latitude nowhere in the file.*only rectilinear grids are read"):
        read_cf(path, GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (LATITUDE[[0, 2, 1, 3, 4, 5]], LONGITUDE),
        (LATITUDE, np.array([176.0, 177, 178, 179, -180, -179, -178, -177])),
        (LATITUDE, np.linspace(0.0, 360.0, 8)),
        (LATITUDE, np.array([100.0, 101, 102, np.nan, 104, 105, 106, 107])),
    ],
    ids=["mixed latitudes", "longitudes in two ranges", "first column repeated", "a missing longitude"],
)
def test_coordinates_that_make_no_grid_are_refused(tmp_path: Path, latitude, longitude) -> None:
    coordinates = {"lat": (latitude, {}), "lon": (longitude, {})}
    with pytest.raises(InputError, match=r"a.nc: lat, lon: found coordinates that make no grid"):
        read_cf(write(tmp_path / "a.nc", coordinates=coordinates), GRID, NOON, variable="sm")


def test_further_long_dimensions_are_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc", np.stack([FIELD, FIELD]), ("expver", "lat", "lon"))
    with pytest.raises(InputError, match=r"found further dimensions expver \(2\)"):
        read_cf(path, GRID, NOON, variable="sm")


# Units


@pytest.mark.parametrize(
    "units", ["m3 m-3", "m3/m3", "m**3 m**-3", "m^3/m^3", "m3.m-3", "m^3 m-3", "mm3/mm3", "cm3 cm-3", " m3  m-3 "]
)
def test_spellings_of_volumetric_moisture_are_one(units: str) -> None:
    assert to_volumetric(FIELD, units, "", None, path=Path("a.nc"), variable="sm") is FIELD


@pytest.mark.parametrize("units", ["kg m-2", "kg/m2", "kg m**-2", "kg/m^2", "kg.m-2"])
def test_water_mass_is_divided_by_density_and_thickness(units: str) -> None:
    converted = to_volumetric(np.array([60.0]), units, "", (0.1, 0.4), path=Path("a.nc"), variable="sm")
    np.testing.assert_allclose(converted, 0.2, rtol=1e-14)


def test_water_mass_of_an_unknown_layer_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc", 100 * FIELD, units="kg m-2")
    with pytest.raises(InputError, match=r"units 'kg m-2' and no bounds of the soil layer.*give the layer"):
        read_cf(path, GRID, NOON, variable="sm")
    image = read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1))
    np.testing.assert_allclose(image.values, FIELD, rtol=1e-14)


@pytest.mark.parametrize(("units", "factor"), [("1", 1.0), ("%", 0.01), ("percent", 0.01)])
def test_pure_numbers_are_read_where_the_name_says_volume_and_refused_elsewhere(units: str, factor: float) -> None:
    where = {"path": Path("a.nc"), "variable": "sm"}
    converted = to_volumetric(np.array([0.5]), units, "Volumetric soil moisture", None, **where)
    np.testing.assert_allclose(converted, 0.5 * factor, rtol=1e-14)
    for meaning in ("", "surface soil wetness", "volume_fraction_of_condensed_water_in_soil_pores"):
        with pytest.raises(InputError, match="degree of saturation must be converted first"):
            to_volumetric(np.array([0.5]), units, meaning, None, **where)


@pytest.mark.parametrize("units", ["", "K", "kg m-3", "m3", "unknown"])
def test_absent_and_unknown_units_are_refused(tmp_path: Path, units: str) -> None:
    found = f"units '{units}'" if units else "no units attribute"
    with pytest.raises(InputError, match=f"a.nc: sm: found {found}.*set its units attribute"):
        read_cf(write(tmp_path / "a.nc", units=units), GRID, NOON, variable="sm")


# Layers


@pytest.mark.parametrize("units", ["m", "cm"])
def test_a_layer_is_chosen_by_its_bounds(tmp_path: Path, units: str) -> None:
    path = layered(tmp_path / "a.nc", units=units)
    for number, layer in enumerate([(0.0, 0.1), (0.1, 0.4), (0.4, 1.0)]):
        image = read_cf(path, GRID, NOON, variable="sm", layer=layer, valid_range=(0.0, 0.7))
        np.testing.assert_allclose(image.values, FIELD + 0.01 * number, rtol=1e-14)


def test_a_layer_that_is_not_there_or_not_named_lists_the_layers(tmp_path: Path) -> None:
    path = layered(tmp_path / "a.nc")
    listed = "found layers 0-0.1 m, 0.1-0.4 m, 0.4-1 m, expected"
    with pytest.raises(InputError, match=f"{listed} 0-0.07 m"):
        read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.07))
    with pytest.raises(InputError, match=f"{listed} one layer"):
        read_cf(path, GRID, NOON, variable="sm")


def test_several_depths_without_bounds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.nc: depth: found 3 depths without bounds in m"):
        read_cf(layered(tmp_path / "a.nc", bounds=False), GRID, NOON, variable="sm", layer=(0.0, 0.1))


def test_an_empty_layer_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="top < bottom"):
        read_cf(layered(tmp_path / "a.nc"), GRID, NOON, variable="sm", layer=(0.1, 0.1))


# Time


def timed(path: Path, *hours: float, calendar: str = "standard") -> Path:
    field = np.stack([FIELD + 0.01 * step for step in range(len(hours))])
    return write(path, field, ("time", "lat", "lon"), {"time": time_vector(*hours, calendar=calendar)})


@pytest.mark.parametrize(
    ("wanted", "step"), [(NOON, 2), (NOON + timedelta(hours=2.9), 2), (NOON + timedelta(hours=3.1), 3)]
)
def test_the_nearest_time_is_read_and_reported(tmp_path: Path, wanted: datetime, step: int) -> None:
    image = read_cf(
        timed(tmp_path / "a.nc", 0, 6, 12, 18), GRID, wanted, variable="sm", max_time_offset=3, valid_range=(0.0, 0.7)
    )
    assert image.time == datetime(2022, 6, 3, 6 * step, tzinfo=UTC)
    np.testing.assert_allclose(image.values, FIELD + 0.01 * step, rtol=1e-14)


def test_a_wanted_time_in_another_zone_is_the_same_instant(tmp_path: Path) -> None:
    beijing = datetime(2022, 6, 3, 20, tzinfo=timezone(timedelta(hours=8)))
    image = read_cf(timed(tmp_path / "a.nc", 11.5, 12.0, 12.5), GRID, beijing, variable="sm", max_time_offset=0)
    assert image.time == NOON
    assert image.time.tzinfo is UTC


def test_times_are_rounded_to_the_second(tmp_path: Path) -> None:
    image = read_cf(timed(tmp_path / "a.nc", 11.9999999), GRID, NOON, variable="sm", max_time_offset=0)
    assert image.time == NOON


def test_a_reference_time_along_the_same_dimension_is_not_the_time(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("time", 2)
        for name, hours in (("reference", [0.0, 0.0]), ("time", [6.0, 12.0])):
            dataset.createVariable(name, "f8", ("time",))[:] = hours
            dataset[name].units = "hours since 2022-06-03 00:00:00"
        for name, values, units in (("lat", LATITUDE, "degrees_north"), ("lon", LONGITUDE, "degrees_east")):
            dataset.createDimension(name, values.size)
            dataset.createVariable(name, "f8", (name,))[:] = values
            dataset[name].units = units
        dataset.createVariable("sm", "f8", ("time", "lat", "lon"))[:] = np.stack([FIELD, FIELD])
        dataset["sm"].units = "m3 m-3"
    assert read_cf(tmp_path / "a.nc", GRID, NOON, variable="sm", max_time_offset=0).time == NOON


def test_a_time_too_far_away_is_refused_unless_no_limit_is_set(tmp_path: Path) -> None:
    path = timed(tmp_path / "a.nc", 0, 6)
    message = (
        r"found 2022-06-03 06:00 UTC as the nearest of 2 .*expected 2022-06-03 12:00 UTC ± 1.5 h.*raise max_time_offset"
    )
    with pytest.raises(InputError, match=message):
        read_cf(path, GRID, NOON, variable="sm", max_time_offset=1.5)
    assert read_cf(path, GRID, NOON, variable="sm").time == datetime(2022, 6, 3, 6, tzinfo=UTC)


def test_a_file_without_time_is_refused_where_a_limit_is_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no time coordinate, expected 2022-06-03 12:00 UTC ± 24 h"):
        read_cf(write(tmp_path / "a.nc"), GRID, NOON, variable="sm", max_time_offset=24)


def test_model_calendars_and_missing_times_are_refused(tmp_path: Path) -> None:
    for path in (timed(tmp_path / "a.nc", 12, calendar="noleap"), timed(tmp_path / "b.nc", 12, np.nan)):
        with pytest.raises(InputError, match="time: found times that give no dates"):
            read_cf(path, GRID, NOON, variable="sm")


def test_a_naive_time_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must have a time zone"):
        read_cf(write(tmp_path / "a.nc"), GRID, datetime(2022, 6, 3), variable="sm")


def test_time_fields_of_a_path_are_filled_in_utc() -> None:
    beijing = datetime(2016, 1, 1, 2, 30, tzinfo=timezone(timedelta(hours=8)))
    assert resolve("a/%Y/%j/x.A%Y%m%d.%H%M.nc4", beijing) == Path("a/2015/365/x.A20151231.1830.nc4")
    assert resolve("100%%/a.nc", beijing) == Path("100%/a.nc")


# Files that are not what they should be


def test_a_missing_file_names_its_nearest_siblings(tmp_path: Path) -> None:
    write(tmp_path / "SM_20220603.nc")
    with pytest.raises(InputError, match=r"SM_20220604.nc: found no such file .*directory: SM_20220603.nc"):
        read_cf(tmp_path / "SM_%Y%m%d.nc", GRID, NOON + timedelta(days=1), variable="sm")
    with pytest.raises(InputError, match="no such file, nor a directory"):
        read_cf(tmp_path / "no" / "a.nc", GRID, NOON, variable="sm")


@pytest.mark.parametrize("format_", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"])
def test_a_truncated_file_is_refused(tmp_path: Path, format_: str) -> None:
    path = write(tmp_path / "a.nc", format=format_)
    read_cf(path, GRID, NOON, variable="sm")
    os.truncate(path, path.stat().st_size * 3 // 5)
    with pytest.raises(InputError, match=r"a.nc: found .*fetch it again"):
        read_cf(path, GRID, NOON, variable="sm")


def test_other_files_and_directories_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.nc"
    text.write_text("<html>Access denied</html>" * 40)
    with pytest.raises(InputError, match="cannot be read"):
        read_cf(text, GRID, NOON, variable="sm")
    with pytest.raises(InputError, match="no such file"):
        read_cf(tmp_path, GRID, NOON, variable="sm")


def test_an_unknown_variable_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.nc: swvl1: found no such variable, expected one of sm; name one"):
        read_cf(write(tmp_path / "a.nc"), GRID, NOON, variable="swvl1")


def test_a_fill_value_that_cannot_be_applied_is_refused(tmp_path: Path) -> None:
    # The library would only warn, and read -9999 as a value.
    path = write(tmp_path / "a.nc", FIELD.astype("f4"), dtype="f4", fill="none")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].renameAttribute("fill", "missing_value")
    with pytest.raises(InputError, match=r"a.nc: sm: found attributes that cannot be applied .*missing_value"):
        read_cf(path, GRID, NOON, variable="sm")


# Gross check


def test_bounds_of_the_valid_range_and_rounding_below_zero_are_kept() -> None:
    values = np.array([0.0, 0.6, -7e-20, 0.3, np.float32(0.6), -1e-3, 0.61] + [0.2] * 20)
    checked = gross_check(values, "a.nc", "sm", (0.0, 0.6))
    assert (checked.n_missing, checked.n_below, checked.n_above) == (0, 1, 1)
    np.testing.assert_array_equal(np.isfinite(checked.values), [True] * 5 + [False] * 2 + [True] * 20)
    np.testing.assert_array_equal(checked.values[:5], values[:5])


def test_a_tenth_of_the_values_out_of_range_is_the_limit() -> None:
    values = np.full(100, 0.3)
    values[:10] = 0.9
    assert gross_check(values, "a.nc", "sm", (0.0, 0.6)).n_above == 10
    values[10] = 0.9
    with pytest.raises(InputError, match=r"from 0.3 to 0.9, median 0.3; 11.0 % out of range, expected m3 m-3"):
        gross_check(values, "a.nc", "sm", (0.0, 0.6))


def test_values_in_another_unit_are_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"from 10 to 57, median 33.5, which looks like percent or kg m-2; 100.0 %"):
        read_cf(write(tmp_path / "a.nc", 100 * FIELD), GRID, NOON, variable="sm")


def test_values_divided_twice_are_an_error_of_the_file() -> None:
    dry = np.linspace(0.0, 0.0055, 100)
    with pytest.raises(InputError, match="looks like values already divided by 100"):
        gross_check(dry, "a.nc", "sm", (0.0, 0.6))
    assert gross_check(dry[:99], "a.nc", "sm", (0.0, 0.6)).n_below == 0


def test_an_image_without_any_valid_pixel_is_left_to_the_caller(tmp_path: Path) -> None:
    image = read_cf(write(tmp_path / "a.nc", np.full(FIELD.shape, np.nan)), GRID, NOON, variable="sm")
    assert not image.observed.any()
    assert image.counts["missing"] == 48
    assert_accounted(image)


def test_wrong_names_and_ranges_are_mistakes_of_the_caller(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc")
    with pytest.raises(ValueError, match="known are bilinear, conservative"):
        read_cf(path, GRID, NOON, variable="sm", regridding="nearest")
    with pytest.raises(ValueError, match="valid range"):
        read_cf(path, GRID, NOON, variable="sm", valid_range=(0.6, 0.0))
