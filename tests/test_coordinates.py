"""What is taken for latitude and longitude, and what is not."""

from __future__ import annotations

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, LATITUDE, LONGITUDE, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.observations.cf import read_cf

UNITS = ("degrees_north", "degrees_east")
NORTH, EAST = ({"units": units} for units in UNITS)


def file_with(
    folder: Path,
    latitude: dict[str, str],
    longitude: dict[str, str],
    mapping: str | None = None,
    *,
    names: tuple[str, str] = ("lat", "lon"),
    crs: dict[str, str] | None = None,
) -> Path:
    """An image whose coordinates have these attributes; the variable names the mapping, crs are a mapping's own."""
    coordinates = {names[0]: (LATITUDE, latitude), names[1]: (LONGITUDE, longitude)}
    said = {} if mapping is None else {"grid_mapping": mapping}
    path = write_image(folder / "a.nc", FIELD, names, coordinates, **said)
    if crs is not None:
        with netCDF4.Dataset(path, "a") as dataset:
            dataset.createVariable("crs", "i4", ()).setncatts(crs)
    return path


def assert_read(path: Path) -> None:
    np.testing.assert_allclose(read_cf(path, GRID, NOON, variable="sm").values, FIELD, rtol=1e-14)


@pytest.mark.parametrize(
    ("names", "latitude", "longitude"),
    [
        (("y", "x"), {"standard_name": "latitude"}, {"standard_name": "longitude", "units": "degrees"}),
        (("row", "column"), {"units": "degree_N"}, {"units": "degree_E"}),
        (("row", "column"), {"units": "degrees north", "long_name": "centre of EASE projection rows"}, EAST),
        (("Latitude", "Longitude"), {}, {"units": "Degrees"}),
        (("lat", "lon"), {"long_name": "latitude of grid cell centre"}, {"axis": "X"}),
    ],
)
def test_coordinates_are_found_by_standard_name_units_or_usual_name(tmp_path: Path, names, latitude, longitude) -> None:
    assert_read(file_with(tmp_path, latitude, longitude, names=names))


@pytest.mark.parametrize(
    ("names", "attributes", "found"),
    [
        (("lat", "lon"), {"standard_name": "grid_latitude", "units": "degrees"}, "lat with standard_name 'grid_lat"),
        (("y", "x"), {"standard_name": "projection_y_coordinate", "units": "m", "axis": "Y"}, "and units 'm'"),
        (("y", "x"), {"units": "km", "axis": "Y"}, "y with standard_name '' and units 'km'"),
        (("y", "x"), {"units": "degrees", "axis": "Y"}, "y with standard_name '' and units 'degrees'"),
        (("rlat", "rlon"), {"units": "degrees", "axis": "Y"}, "rlat with standard_name '' and units 'degrees'"),
    ],
)
def test_what_is_not_said_to_be_geographic_is_no_latitude(tmp_path: Path, names, attributes, found: str) -> None:
    path = file_with(tmp_path, attributes, EAST, names=names)
    with pytest.raises(InputError, match=f"sm: found latitude nowhere in the file .*{found}.*only rectilinear"):
        read_cf(path, GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    ("names", "attributes", "found"),
    [
        (("lat", "lon"), {"standard_name": "latitude", "units": "radians"}, "lat has units 'radians'"),
        (("y", "x"), {"standard_name": "latitude", "units": "1"}, "y has units '1'"),
        (("lat", "lon"), {"units": "rad"}, "lat has units 'rad'"),
        (("lat", "lon"), {"units": "m"}, "lat has units 'm'"),
        (("y", "x"), {"standard_name": "latitude", "units": "degrees_east"}, "y has units 'degrees_east'"),
        (("lat", "lon"), {"units": "degrees_east"}, "lat has units 'degrees_east'"),
        (("lat", "lon"), {"units": "degrees", "long_name": "latitude in rotated pole grid"}, "lat has long_name 'lat"),
        (("lat", "lon"), {**NORTH, "long_name": "Rotated latitude"}, "lat has long_name 'Rotated latitude'"),
        (("lat", "lon"), {"long_name": "latitude in radians"}, "lat has long_name 'latitude in radians'"),
        (("lat", "lon"), {"units": "degrees", "long_name": "Grid Latitude"}, "lat has long_name 'Grid Latitude'"),
        (("lat", "lon"), {"long_name": "y coordinate of projection"}, "lat has long_name 'y coordinate of proj"),
        (("rlat", "rlon"), NORTH, "rlat has units 'degrees_north' and the name of another coordinate"),
    ],
)
def test_a_latitude_that_is_said_to_be_something_else_is_refused(tmp_path: Path, names, attributes, found: str) -> None:
    path = file_with(tmp_path, attributes, EAST, names=names)
    with pytest.raises(InputError, match=f"sm: found no latitude in degrees: {found}.*, expected .*degrees_north"):
        read_cf(path, GRID, NOON, variable="sm")


def test_units_of_latitude_and_longitude_that_are_exchanged_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lat has units 'degrees_east'; lon has units 'degrees_north' and the name"):
        read_cf(file_with(tmp_path, EAST, NORTH), GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    "kind",
    ["rotated_latitude_longitude", "polar_stereographic", "geostationary", "lambert_conformal_conic", "sinusoidal"],
)
@pytest.mark.parametrize("attributes", [{"units": "degrees", "axis": "Y"}, NORTH, {"standard_name": "latitude"}])
def test_a_grid_mapping_without_geographic_vectors_is_refused(tmp_path: Path, kind: str, attributes) -> None:
    path = file_with(tmp_path, attributes, EAST, "crs", crs={"grid_mapping_name": kind})
    with pytest.raises(InputError, match=f"lat has grid_mapping crs, which is '{kind}', .*remap the file"):
        read_cf(path, GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    ("attributes", "mapping", "crs"),
    [
        ({"units": "degrees"}, "crs", {"grid_mapping_name": "latitude_longitude"}),
        ({"units": "degrees"}, "crs", {"grid_mapping_name": "Latitude_Longitude"}),
        (NORTH, "crs", {"grid_mapping_name": "lambert_cylindrical_equal_area"}),
        (NORTH, "crs", {"crs_wkt": "GEOGCRS[...]"}),
        (NORTH, "crs", None),
        (NORTH, "crs: lat lon", {"grid_mapping_name": "latitude_longitude"}),
        (NORTH, "crs: x y other: lat lon", {"grid_mapping_name": "polar_stereographic"}),
        (NORTH, None, {"grid_mapping_name": "rotated_latitude_longitude"}),
    ],
)
def test_a_grid_mapping_that_leaves_degrees_what_they_are_is_read(tmp_path: Path, attributes, mapping, crs) -> None:
    assert_read(file_with(tmp_path, attributes, EAST, mapping, crs=crs))


@pytest.mark.parametrize(
    ("attributes", "mapping", "crs", "found"),
    [
        ({"units": "degrees"}, "crs", {"grid_mapping_name": "mercator"}, "crs, which is 'mercator'"),
        ({"units": "degrees"}, "crs", {"crs_wkt": "PROJCRS[...]"}, "crs, which is of no stated kind"),
        ({"units": "degrees"}, "crs", None, "crs, which is not in the file"),
        (NORTH, "rotated_pole", None, "rotated_pole, which is not in the file"),
        (NORTH, "crs: lat lon", {"grid_mapping_name": "rotated_latitude_longitude"}, "crs, which is 'rotated_lat"),
        ({}, None, {"grid_mapping_name": "rotated_latitude_longitude"}, "crs, which is 'rotated_latitude_longitude'"),
    ],
)
def test_a_grid_mapping_in_doubt_needs_coordinates_that_say_what_they_are(
    tmp_path: Path, attributes, mapping, crs, found: str
) -> None:
    path = file_with(tmp_path, attributes, EAST, mapping, crs=crs)
    with pytest.raises(InputError, match=f"lat has grid_mapping {found}"):
        read_cf(path, GRID, NOON, variable="sm")


def test_a_good_vector_beside_another_one_is_found(tmp_path: Path) -> None:
    path = file_with(tmp_path, {"standard_name": "latitude", "units": "radians"}, EAST)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createVariable("degrees", "f8", ("lat",))[:] = LATITUDE
        dataset["degrees"].units = "degrees_north"
    assert_read(path)


@pytest.mark.parametrize("start", [-180.0, 0.0], ids=["the date line", "Greenwich"])
def test_longitudes_that_start_again_go_on(tmp_path: Path, start: float) -> None:
    onward = start + 360.0 + np.arange(-4.0, 4.0)
    stored = np.where(onward < start + 360.0, onward, onward - 360.0)
    assert stored.max() - stored.min() > 350.0
    path = write_image(tmp_path / "a.nc", coordinates={"lon": (stored, EAST)})
    image = read_cf(path, Grid(LATITUDE, onward), NOON, variable="sm")
    np.testing.assert_allclose(image.values, FIELD, rtol=1e-14)


@pytest.mark.parametrize(
    ("attributes", "crs", "found"),
    [
        ({"GRIB_gridType": "rotated_ll"}, None, "GRIB_gridType 'rotated_ll'"),
        (
            {"grid_mapping": "crs"},
            {"grid_north_pole_latitude": "39.25"},
            "grid_mapping crs, which is of no stated kind",
        ),
    ],
)
def test_what_speaks_of_rotation_elsewhere_counts(tmp_path: Path, attributes, crs, found: str) -> None:
    path = file_with(tmp_path, NORTH, EAST, crs=crs)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].setncatts(attributes)
    with pytest.raises(InputError, match=found):
        read_cf(path, GRID, NOON, variable="sm")


def with_bounds(path: Path, latitude: np.ndarray, edges: np.ndarray, longitude: np.ndarray = LONGITUDE) -> Path:
    """An image whose rows lie between edges (n, 2), whatever their coordinate, and columns halfway to the next."""
    write_image(path, FIELD, coordinates={"lat": (latitude, {"bounds": "ends", **NORTH}), "lon": (longitude, EAST)})
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createDimension("two", 2)
        dataset.createVariable("ends", "f8", ("lat", "two"))[:] = edges
        dataset["lon"].bounds = "lon_ends"
        ends = np.stack([LONGITUDE + 0.5, LONGITUDE - 0.5], axis=1)
        dataset.createVariable("lon_ends", "f8", ("lon", "two"))[:] = (ends + 180.0) % 360.0 - 180.0
    return path


EDGES = np.stack([LATITUDE - 0.5, LATITUDE + 0.5], axis=1)


@pytest.mark.parametrize("off", [-0.5, 0.5, -0.25, 0.0])
def test_the_middle_of_bounds_counts_where_coordinates_are_edges(tmp_path: Path, off: float) -> None:
    image = read_cf(with_bounds(tmp_path / "a.nc", LATITUDE + off, EDGES), GRID, NOON, variable="sm")
    if off == -0.25:  # somewhere within: as the file says
        assert image.remarks == ()
        assert (image.values != FIELD).any()
        return
    np.testing.assert_allclose(image.values, FIELD, rtol=1e-14)
    said = "lat lies on edges of its bounds: the middle of these is taken"
    assert image.remarks == ((said,) if off else ())


def test_a_coordinate_outside_its_bounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lat: found \S+ with bounds \S+ to \S+, expected each within its bounds"):
        read_cf(with_bounds(tmp_path / "a.nc", LATITUDE + 0.7, EDGES), GRID, NOON, variable="sm")


@pytest.mark.parametrize("units", ["", "degrees_north"])
@pytest.mark.parametrize(
    ("latitude", "longitude", "found"),
    [
        (np.arange(-87.5, 90.0, 5.0), np.arange(2.5, 360.0, 5.0), "-1.527 to 1.527 and 0.04363 to 6.24"),
        (np.arange(20.0, 50.0, 1.0), np.arange(70.0, 130.0, 1.0), "0.3491 to 0.8552 and 1.222 to 2.251"),
    ],
)
def test_radians_are_refused_whatever_their_units(tmp_path: Path, units: str, latitude, longitude, found: str) -> None:
    vectors = {"lat": (np.radians(latitude), {"units": units}), "lon": (np.radians(longitude), {"units": ""})}
    path = write_image(tmp_path / "a.nc", np.full((latitude.size, longitude.size), 0.3), coordinates=vectors)
    with pytest.raises(InputError, match=f"lat, lon: found {found}, where as degrees there is no land"):
        read_cf(path, GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    ("home", "shape", "do"),
    [
        ("/", (LATITUDE.size + 1,), "these are edges of cells: write the centres"),
        ("/", (LATITUDE.size, 2), "these are edges of cells: write the centres"),
        ("beside", (LATITUDE.size,), "copy latitude and longitude into the group of the variable"),
    ],
)
def test_what_to_do_with_coordinates_that_are_elsewhere(
    tmp_path: Path, home: str, shape: tuple[int, ...], do: str
) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        for name, size in {"y": LATITUDE.size, "x": LONGITUDE.size, "more": LATITUDE.size + 1, "two": 2}.items():
            dataset.createDimension(name, size)
        group = dataset.createGroup(home)
        dimensions = ("more",) if shape[0] > LATITUDE.size else ("y", "two")[: len(shape)]
        group.createVariable("lat", "f8", dimensions)[:] = 10.0
        variable = dataset.createGroup("retrieval").createVariable("sm", "f8", ("y", "x"))
        variable[:] = FIELD
    with pytest.raises(InputError, match=rf"found latitude (beside/)?lat\({', '.join(dimensions)}\), .*; {do}"):
        read_cf(tmp_path / "a.nc", GRID, NOON, variable="retrieval/sm")


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (1, 8)])
def test_fields_of_coordinates_without_lines_are_no_grid(tmp_path: Path, rows: int, columns: int) -> None:
    path = write_image(tmp_path / "a.nc", FIELD, ("y", "x"))
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    fields = {"latitude_pm": latitude, "longitude_pm": longitude}
    with netCDF4.Dataset(path, "a") as dataset:
        for name, degrees in fields.items():
            field = dataset.createVariable(name, "f4", ("y", "x"), fill_value=-9999.0)
            field.units = "degrees"
            field[:rows, :columns] = degrees[:rows, :columns]
    with pytest.raises(InputError, match=rf"latitude_pm: found values on {rows} rows and {columns} columns"):
        read_cf(path, GRID, NOON, variable="sm")
    with netCDF4.Dataset(path, "a") as dataset:
        for name, degrees in fields.items():
            dataset[name][:] = degrees
    np.testing.assert_allclose(read_cf(path, GRID, NOON, variable="sm").values, FIELD, rtol=1e-6)


def test_fields_of_a_single_time_are_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dimensions = {"Time": 1, "south_north": LATITUDE.size, "west_east": LONGITUDE.size}
        for name, size in dimensions.items():
            dataset.createDimension(name, size)
        image = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
        for name, values, units in zip(("XLAT", "XLONG", "sm"), (*image, FIELD), (*UNITS, "m3 m-3"), strict=True):
            dataset.createVariable(name, "f8", tuple(dimensions))[:] = values[None]
            dataset[name].units = units
    np.testing.assert_allclose(read_cf(path, GRID, NOON, variable="sm").values, FIELD)


def test_equal_dimensions_without_names_do_not_say_which_is_which(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, values, units in (("lat", LATITUDE, "degrees_north"), ("lon", LATITUDE, "degrees_east")):
            file[name] = values
            file[name].attrs["units"] = units
        file["sm"] = np.full((LATITUDE.size, LATITUDE.size), 0.2)
    with pytest.raises(
        InputError, match=r"sm: found lat and lon along one of two equal dimensions without names, .*xarray"
    ):
        read_cf(path, GRID, NOON, variable="sm")
