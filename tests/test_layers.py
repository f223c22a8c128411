"""Which layer of the soil is read, and when it is not the surface's."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf

EDGES = np.array([[0.0, 0.1], [0.05, 0.4], [0.4, 1.0]])


def layered(path: Path, *, units: str = "m", bounds: bool = True) -> Path:
    field = np.stack([FIELD, FIELD + 0.01, FIELD + 0.02])
    scale = {"m": 1.0, "cm": 100.0}[units]
    write_image(
        path, field, ("depth", "lat", "lon"), {"depth": (scale * np.array([0.05, 0.25, 0.7]), {"units": units})}
    )
    if bounds:
        with netCDF4.Dataset(path, "a") as dataset:
            dataset.createDimension("bnds", 2)
            dataset["depth"].bounds = "edges"
            dataset.createVariable("edges", "f4", ("depth", "bnds"))[:] = scale * EDGES
    return path


def single(path: Path, depth: float, edges: tuple[float, float] | None = None, units: str = "m") -> Path:
    """One image with a scalar depth."""
    write_image(path)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].coordinates = "depth"
        dataset.createVariable("depth", "f8", ())[...] = depth
        dataset["depth"].setncatts({"standard_name": "depth", "units": units, "positive": "down"})
        if edges is not None:
            dataset.createDimension("bnds", 2)
            dataset["depth"].bounds = "depth_bnds"
            dataset.createVariable("depth_bnds", "f8", ("bnds",))[:] = edges
    return path


@pytest.mark.parametrize("units", ["m", "cm"])
def test_a_layer_is_chosen_by_its_bounds(tmp_path: Path, units: str) -> None:
    path = layered(tmp_path / "a.nc", units=units)
    for number, layer in enumerate([(0.0, 0.1), (0.05, 0.4)]):
        image = read_cf(path, GRID, NOON, variable="sm", layer=layer, valid_range=(0.0, 0.7))
        np.testing.assert_allclose(image.values, FIELD + 0.01 * number, rtol=1e-14)


def test_a_layer_that_is_not_there_or_not_named_lists_the_layers(tmp_path: Path) -> None:
    path = layered(tmp_path / "a.nc")
    listed = "found layers 0-0.1 m, 0.05-0.4 m, 0.4-1 m, expected"
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


@pytest.mark.parametrize("layer", [(0.1, 0.4), (0.4, 1.0), (1.0, 2.0)])
def test_a_layer_without_any_part_of_the_images_is_refused(tmp_path: Path, layer: tuple[float, float]) -> None:
    found = f"found soil moisture at {layer[0]:g}-{layer[1]:g} m, expected a layer with some part of 0-0.1 m"
    with pytest.raises(InputError, match=found):
        read_cf(single(tmp_path / "a.nc", np.mean(layer), layer), GRID, NOON, variable="sm")
    with pytest.raises(InputError, match=found):
        read_cf(write_image(tmp_path / "b.nc"), GRID, NOON, variable="sm", layer=layer)


@pytest.mark.parametrize(
    ("layer", "said"),
    [((0.0, 0.1), ()), ((0.0, 0.07), ("0-0.07 m",)), ((0.0, 0.3), ("0-0.3 m",)), ((0.05, 0.2), ("0.05-0.2 m",))],
)
def test_a_layer_with_a_part_of_the_images_is_said_with_both(tmp_path: Path, layer, said: tuple[str, ...]) -> None:
    expected = tuple(f"the observed layer {text} stands for the image's 0-0.1 m" for text in said)
    in_cm = single(tmp_path / "a.nc", 100 * np.mean(layer), tuple(100 * np.array(layer)), units="cm")
    assert read_cf(in_cm, GRID, NOON, variable="sm").remarks == expected
    assert read_cf(write_image(tmp_path / "b.nc"), GRID, NOON, variable="sm", layer=layer).remarks == expected


def test_depths_may_be_heights_below_the_surface(tmp_path: Path) -> None:
    assert read_cf(single(tmp_path / "a.nc", -0.05, (-0.1, 0.0)), GRID, NOON, variable="sm").remarks == ()
    with pytest.raises(InputError, match=r"soil moisture at 1-2 m"):
        read_cf(single(tmp_path / "b.nc", -1.5, (-2.0, -1.0)), GRID, NOON, variable="sm")


def test_a_single_depth_without_bounds_must_lie_in_the_layer(tmp_path: Path) -> None:
    path = single(tmp_path / "a.nc", 2.5)
    for layer, expected in ((None, "0-0.1 m"), ((0.0, 0.07), "0-0.07 m")):
        with pytest.raises(InputError, match=f"depth: found a depth of 2.5 m, expected one within {expected}"):
            read_cf(path, GRID, NOON, variable="sm", layer=layer)
    assert read_cf(single(tmp_path / "b.nc", 5.0, units="cm"), GRID, NOON, variable="sm").observed.all()


@pytest.mark.parametrize(
    ("long_name", "layer"),
    [
        ("Volumetric soil water layer 3", "0.28-1 m"),
        ("soil moisture, 28-100 cm", "0.28-1 m"),
        ("soil moisture 1 to 2 m below ground", "1-2 m"),
        ("soil moisture between 100cm-200cm", "1-2 m"),
        ("SoilMoi10_40cm_inst", "0.1-0.4 m"),
        ("_SOILW_1M2mbelowground", "1-2 m"),
        ("_SOILW_0D1M0D4mbelowground", "0.1-0.4 m"),
        ("era5_swvl3", "0.28-1 m"),
        ("volumetric_soil_water_layer_4", "1-2.89 m"),
        ("Soil moisture 100-200 centimeters", "1-2 m"),
        ("40 to 100 centimetres below surface", "0.4-1 m"),
        ("soilw.100-200cm", "1-2 m"),
        ("soil moisture between 10 and 40 cm", "0.1-0.4 m"),
        ("10cm~40cm soil moisture", "0.1-0.4 m"),
    ],
)
def test_a_layer_in_the_names_alone_is_believed(tmp_path: Path, long_name: str, layer: str) -> None:
    path = write_image(tmp_path / "a.nc", long_name=long_name)
    with pytest.raises(InputError, match=f"found soil moisture at {layer}, expected"):
        read_cf(path, GRID, NOON, variable="sm")
    with pytest.raises(InputError, match=f"found {layer} in its name or long_name, expected 0-0.1 m"):
        read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1))


@pytest.mark.parametrize("long_name", ["soil moisture at 50 cm", "soil_moisture_50cm", "sm, 0.5 m deep"])
def test_a_depth_in_the_names_alone_is_believed(tmp_path: Path, long_name: str) -> None:
    path = write_image(tmp_path / "a.nc", long_name=long_name)
    with pytest.raises(InputError, match=r"sm: found a depth of 0.5 m, expected one within 0-0.1 m"):
        read_cf(path, GRID, NOON, variable="sm")
    with pytest.raises(InputError, match=r"found 0.5 m in its name or long_name, expected 0-0.1 m"):
        read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1))


def test_a_depth_at_the_surface_and_the_top_of_the_soil_are_taken(tmp_path: Path) -> None:
    assert read_cf(write_image(tmp_path / "a.nc", long_name="sm at 5 cm"), GRID, NOON, variable="sm").remarks == ()
    image = read_cf(write_image(tmp_path / "b.nc", long_name="top 5 cm soil moisture"), GRID, NOON, variable="sm")
    assert image.remarks == ("the observed layer 0-0.05 m stands for the image's 0-0.1 m",)


def test_a_single_depth_counts_where_the_variable_does_not_name_it_too(tmp_path: Path) -> None:
    path = single(tmp_path / "a.nc", 0.5)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].delncattr("coordinates")
    with pytest.raises(InputError, match=r"depth: found a depth of 0.5 m"):
        read_cf(path, GRID, NOON, variable="sm")


def test_the_layer_between_the_surface_and_ten_centimetres_is_the_images(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", long_name="soil moisture between 0 and 10 cm")
    assert read_cf(path, GRID, NOON, variable="sm").remarks == ()


def test_the_first_layer_of_ecmwf_is_known_by_its_name(tmp_path: Path) -> None:
    image = read_cf(write_image(tmp_path / "a.nc", long_name="swvl1"), GRID, NOON, variable="sm")
    assert image.remarks == ("the observed layer 0-0.07 m stands for the image's 0-0.1 m",)


@pytest.mark.parametrize(
    "long_name",
    [
        "soil moisture, m3 m-3",
        "soil moisture 1981-2010",
        "volumetric water in 3 layers",
        "soil moisture of 9 km pixels",
        "soil moisture at 500 m",
        "L-band (21 cm) soil moisture",
        "soil moisture of level-3 product",
        "soil moisture, layer 1",
        "L-band 1.4 GHz soil moisture",
        "top layer (5 cm) soil moisture, 0 to 1",
        "soil moisture of deep learning",
    ],
)
def test_other_numbers_in_a_name_are_no_layer(tmp_path: Path, long_name: str) -> None:
    assert read_cf(write_image(tmp_path / "a.nc", long_name=long_name), GRID, NOON, variable="sm").remarks == ()


@pytest.mark.parametrize("dimension", ["soil", "soilsnow", "levgrnd", "layer"])
def test_a_layer_by_its_number_alone_is_not_taken(tmp_path: Path, dimension: str) -> None:
    path = write_image(tmp_path / "a.nc", FIELD[None], (dimension, "lat", "lon"))
    with pytest.raises(
        InputError, match=f"found dimension {dimension} without depths, expected the depths of its layer"
    ):
        read_cf(path, GRID, NOON, variable="sm")
    assert read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1)).observed.all()


@pytest.mark.parametrize("value", [0, 3])
def test_a_layer_by_the_number_that_was_taken_along_its_dimension_is_not_taken(tmp_path: Path, value: int) -> None:
    path = write_image(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].coordinates = "soil_layer surface"
        for name in ("soil_layer", "surface"):
            dataset.createVariable(name, "i4", ())[...] = value
    with pytest.raises(InputError, match="found soil_layer without a depth, expected the depths of its layer"):
        read_cf(path, GRID, NOON, variable="sm")
    assert read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1)).observed.all()


@pytest.mark.parametrize(
    "said",
    [
        "root zone",
        "Profile",
        "layer 3",
        "RZMC",
        "SoilMoist_RZ_tavg",
        "volsm_layer_2",
        "sm_layer02",
        "second layer",
        "deeper soil layer",
        "sm_subsurface",
        "soil moisture deep",
        "RootMoist_inst",
        "SoilMoist_10to40",
    ],
)
def test_a_layer_below_the_surface_by_its_name_needs_its_depths(tmp_path: Path, said: str) -> None:
    path = write_image(tmp_path / "a.nc", long_name=f"soil moisture, {said}")
    with pytest.raises(InputError, match=r"found '.*' in its name or long_name"):
        read_cf(path, GRID, NOON, variable="sm")
    image = read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 1.0))
    assert image.remarks == ("the observed layer 0-1 m stands for the image's 0-0.1 m",)


def test_a_depth_in_other_units_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="depth: found units 'level', expected depths in m, cm or mm"):
        read_cf(single(tmp_path / "a.nc", 1.0, units="level"), GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    "attributes",
    [
        {"level": "1-2 m below ground"},
        {"level": np.array([100, 200], "i4"), "level_indicator": 112},
        {"level": np.array([1.0, 2.0]), "level_type": "Depth below land surface (m)"},
        {"description": "100-200 cm underground"},
        {"GRIB_name": "soil moisture 1-2 m"},
    ],
)
def test_other_attributes_may_say_the_layer(tmp_path: Path, attributes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="found soil moisture at 1-2 m"):
        read_cf(write_image(tmp_path / "a.nc", **attributes), GRID, NOON, variable="sm")


def test_two_variables_of_a_dimension_may_be_top_and_bottom(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", FIELD[None], ("lv_DBLL0", "lat", "lon"))
    with netCDF4.Dataset(path, "a") as dataset:
        for name, value in (("lv_DBLL0_l0", 0.1), ("lv_DBLL0_l1", 0.4)):
            dataset.createVariable(name, "f8", ("lv_DBLL0",))[:] = value
            dataset[name].units = "m"
    with pytest.raises(InputError, match=r"found soil moisture at 0.1-0.4 m"):
        read_cf(path, GRID, NOON, variable="sm")


def test_bounds_in_units_of_their_own_are_believed(tmp_path: Path) -> None:
    path = single(tmp_path / "a.nc", 150.0, (1.0, 2.0), units="cm")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["depth_bnds"].units = "m"
    with pytest.raises(InputError, match="found soil moisture at 1-2 m"):
        read_cf(path, GRID, NOON, variable="sm")


def test_a_depth_where_the_next_layer_begins_needs_its_layer(tmp_path: Path) -> None:
    path = single(tmp_path / "a.nc", 0.1)
    with pytest.raises(InputError, match=r"found a depth of 0.1 m, expected one within 0-0.1 m; .*state the layer"):
        read_cf(path, GRID, NOON, variable="sm")
    assert read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1)).observed.all()
