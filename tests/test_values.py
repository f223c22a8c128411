"""Values of packed variables: as the library unpacks them, but for limits in the unit of the unpacked values."""

from __future__ import annotations

import logging
from itertools import product
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from imgda_mpi.faults import InputError
from imgda_mpi.netcdf import opened, read_values

MOISTURE = np.array([0.05, 0.11, 0.2, 0.3, 0.39, 0.6])


def write(path: Path, stored: np.ndarray, fill: object = None, **attributes: object) -> Path:
    with netCDF4.Dataset(path, "w") as dataset:
        for number, length in enumerate(stored.shape):
            dataset.createDimension(f"d{number}", length)
        dimensions = tuple(dataset.dimensions)
        variable = dataset.createVariable("v", stored.dtype, dimensions, fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts(attributes)
        variable[...] = stored
    return path


def read(path: Path) -> np.ndarray:
    with opened(path) as dataset:
        return read_values(path, dataset["v"])


def packed(path: Path, dtype: str = "i2", scale: float = 1e-4, **attributes: object) -> Path:
    """The moisture, packed, with a missing value at the end."""
    stored = np.append(np.round(MOISTURE / scale), -1).astype(dtype)
    return write(path, stored, np.array(-1).astype(dtype), scale_factor=scale, **attributes)


def as_the_library_does(path: Path) -> np.ndarray:
    with netCDF4.Dataset(path) as dataset:
        values = np.ma.filled(np.ma.asarray(dataset["v"][...]).astype(np.float64), np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def random_attributes(rng: np.random.Generator, dtype: np.dtype) -> tuple[object, dict[str, object]]:
    """A fill value or None, and packing, missing values and limits of the type of the data, each there or not."""

    def of_type(*values: float) -> np.ndarray:
        return np.array(values[0] if len(values) == 1 else values, dtype=dtype)

    fill = of_type(rng.choice([7, np.nan] if dtype.kind == "f" else [7, 127])) if rng.random() < 0.5 else None
    real = rng.choice([np.float32, np.float64])
    choices: dict[str, object] = {
        "scale_factor": real(rng.choice([1e-4, 3.05185094759971e-05, -0.25, 2.0])),
        "add_offset": real(rng.choice([0.0, 273.15, -0.1])),
        "missing_value": of_type(*rng.integers(0, 50, rng.integers(1, 4))),
    }
    if rng.random() < 0.5:
        choices["valid_range"] = of_type(3, 110)
    else:
        choices |= {"valid_min": of_type(5), "valid_max": of_type(101)}
    attributes = {name: value for name, value in choices.items() if rng.random() < 0.6}
    if dtype.kind == "i" and fill is not None and rng.random() < 0.5:
        attributes["_Unsigned"] = "true"
    return fill, attributes


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_regular_attributes_give_the_bits_of_the_library(tmp_path: Path, rng: np.random.Generator, dtype: str) -> None:
    kind, path = np.dtype(dtype), tmp_path / "a.nc"
    default = np.array(netCDF4.default_fillvals[dtype]).astype(kind)
    for _ in range(40):
        fill, attributes = random_attributes(rng, kind)
        numbers = (
            rng.random((5, 60)) * 127
            if kind.kind == "f"
            else rng.integers(-127 if kind.kind == "i" else 0, 128, (5, 60))
        )
        stored = numbers.astype(kind)
        stored[0, :2] = default
        if kind.kind == "f":
            stored[1, :3] = np.nan, np.inf, 7.0
        expected = as_the_library_does(write(path, stored, fill, **attributes))
        values = read(path)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(np.isnan(values), np.isnan(expected), err_msg=str((fill, attributes)))
        np.testing.assert_array_equal(values.view("i8"), expected.view("i8"), err_msg=str((fill, attributes)))


def test_a_number_alone_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc", np.array(40, "i2"), scale_factor=0.1, valid_min=np.float32(3.0))
    assert read(path) == 4.0
    assert read(path).shape == ()


@pytest.mark.parametrize("dtype", ["i2", "i4"])
@pytest.mark.parametrize(
    "limits",
    [
        {"valid_min": np.float32(0.1), "valid_max": np.float32(0.39)},
        {"valid_range": np.array([0.1, 0.39])},
        {"valid_min": np.float64(0.1), "valid_max": np.int16(3900)},
        {"valid_min": np.int16(1000), "valid_max": np.int16(3900)},
        {"valid_min": 1000, "valid_max": 3900},
    ],
    ids=["single", "double", "mixed", "packed", "packed in a wider type"],
)
def test_limits_in_floating_point_are_those_of_the_unpacked_values(tmp_path: Path, dtype: str, limits) -> None:
    expected = np.append(np.where((MOISTURE > 0.1) & (MOISTURE < 0.4), MOISTURE, np.nan), np.nan)
    np.testing.assert_allclose(read(packed(tmp_path / "a.nc", dtype, **limits)), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-4, np.float32(1e-4), -1e-4, 0.01])
def test_a_value_at_its_limit_is_within(tmp_path: Path, scale: float) -> None:
    stored = np.round(MOISTURE / scale).astype("i2")
    limits = np.array([MOISTURE.min(), MOISTURE.max()], "f4")
    path = write(tmp_path / "a.nc", stored, scale_factor=scale, valid_range=limits)
    np.testing.assert_allclose(read(path), MOISTURE, rtol=1e-6)


@pytest.mark.parametrize("limits", [[0, 1], [-1, 1]])
def test_limits_of_whole_numbers_that_no_packed_value_fits_are_unpacked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, limits: list[int]
) -> None:
    path = packed(tmp_path / "a.nc", valid_range=np.array(limits, "i2"))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(read(path), np.append(MOISTURE, np.nan), rtol=1e-12)
    assert f"valid_range {limits[0]}, {limits[1]} are taken for unpacked values: otherwise 6 of 6" in caplog.text


def test_limits_with_room_for_two_packed_numbers_are_unpacked(tmp_path: Path) -> None:
    stored = np.array([0, 0, 0, 0, 1100, 3900], "i2")
    path = write(tmp_path / "a.nc", stored, scale_factor=1e-4, valid_min=np.int16(0), valid_max=np.int16(1))
    np.testing.assert_allclose(read(path), 1e-4 * stored, rtol=1e-12)


def test_whole_limits_of_another_type_that_remove_most_are_unpacked(tmp_path: Path) -> None:
    # Percent: 0 to 100, of which the packed numbers are hundredths.
    stored = np.array([80, 1100, 2000, 3900], "i2")
    path = write(tmp_path / "a.nc", stored, scale_factor=0.01, valid_min=0, valid_max=100)
    np.testing.assert_allclose(read(path), 0.01 * stored)
    write(path, stored, scale_factor=0.01, valid_min=0, valid_max=2000)
    np.testing.assert_allclose(read(path), [0.8, 11.0, 20.0, np.nan])


def test_packed_limits_in_floating_point_are_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = packed(tmp_path / "a.nc", valid_min=np.float32(1000), valid_max=np.float32(3900))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(read(path), [np.nan, 0.11, 0.2, 0.3, 0.39, np.nan, np.nan], rtol=1e-12)
    assert "valid_min 1000, valid_max 3900 are taken for packed values" in caplog.text


def test_unsigned_numbers_have_unsigned_limits(tmp_path: Path) -> None:
    stored = np.array([0, 100, 150, 200, 255], "u1").view("i1")
    for limits in (np.array([100, 200], "u1").view("i1"), np.array([100, 200], "i2"), np.array([100, 200], "u1")):
        path = write(tmp_path / "a.nc", stored, np.int8(-1), _Unsigned="true", scale_factor=0.01, valid_range=limits)
        np.testing.assert_allclose(read(path), [np.nan, 1.0, 1.5, 2.0, np.nan])


def test_limits_that_remove_most_values_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = packed(tmp_path / "a.nc", valid_max=np.int16(2000))
    with caplog.at_level(logging.WARNING):
        assert np.isfinite(read(path)).sum() == 3
        assert "beyond the limits valid_max 2000 are 3 of 6 values (50 %)" in caplog.text
        packed(path, valid_max=np.int16(1999))
        assert np.isfinite(read(path)).sum() == 2
    assert f"{path}: v: beyond the limits valid_max 1999 are 4 of 6 values (67 %): they" in caplog.text


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (
            {"valid_min": np.float32(20.0), "valid_max": np.float32(40.0)},
            "valid_min 20, valid_max 40, which none of 6",
        ),
        ({"valid_range": np.array([-9, -5], "i2")}, "valid_range -9, -5, which none of 6"),
    ],
)
def test_limits_that_leave_no_value_are_refused(tmp_path: Path, limits: dict[str, object], found: str) -> None:
    with pytest.raises(InputError, match=f"a.nc: v: found {found}.* 500 to 6000 as stored and 0.05 to 0.6 unpacked"):
        read(packed(tmp_path / "a.nc", **limits))


def test_limits_do_not_count_where_nothing_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.nc", np.full(5, -1, "i2"), np.int16(-1), scale_factor=0.1, valid_min=np.int16(0))
    with caplog.at_level(logging.WARNING):
        assert np.isnan(read(path)).all()
    assert not caplog.text


def test_numbers_of_another_precision_mean_what_is_stored(tmp_path: Path) -> None:
    # 0.6, 1e20 and -9999.9 have no equals in single precision.
    stored = np.array([0.1, 0.6, 1e20, -9999.9, 0.7], "f4")
    path = write(tmp_path / "a.nc", stored, missing_value=np.array([1e20, -9999.9]), valid_max=0.6)
    np.testing.assert_array_equal(read(path), np.append(stored[:2].astype("f8"), [np.nan] * 3))


def test_products_of_whole_numbers_do_not_overflow(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nc", np.array([1000, 30000], "i2"), scale_factor=np.int16(100), add_offset=np.int16(5))
    np.testing.assert_array_equal(read(path), [100_005.0, 3_000_005.0])


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *product(["scale_factor", "add_offset"], ["2", np.nan, np.array([1.0, 2.0])]),
        ("scale_factor", 0.0),
        *product(["missing_value"], ["none", 1e20, np.nan, -0.5, 40000]),
        *product(["valid_min", "valid_max"], ["0", np.array([1, 2], "i2")]),
        *product(["valid_range"], ["0 1", np.int16(5), np.array([1, 2, 3], "i2")]),
    ],
)
def test_an_attribute_that_cannot_be_applied_is_named(tmp_path: Path, attribute: str, value: object) -> None:
    path = write(tmp_path / "a.nc", np.array([1, 2, 3], "i2"), **{attribute: value})
    with pytest.raises(
        InputError, match=rf"a.nc: v: found attributes that cannot be applied \({attribute} .*, expected"
    ):
        read(path)


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("SCALE FACTOR", 0.5, "scale_factor"), ("Slope", "0.001", "scale_factor"), ("offset", 10.0, "add_offset")],
)
def test_packing_by_another_name_is_not_passed_over(tmp_path: Path, name: str, value: object, meant: str) -> None:
    numbers = np.array([1, 2], "i2")
    with pytest.raises(
        InputError, match=rf"a.nc: v: found values with attribute '{name}' = .*ncrename -a 'v@{name},{meant}'"
    ):
        read(write(tmp_path / "a.nc", numbers, **{name: value}))
    neutral = 1.0 if meant == "scale_factor" else 0.0
    for attributes in ({name: value, meant: neutral}, {name: neutral}, {name: "none"}, {name: [2.0, 3.0]}):
        np.testing.assert_array_equal(read(write(tmp_path / "b.nc", numbers, **attributes)), [1.0, 2.0])
    np.testing.assert_array_equal(read(write(tmp_path / "c.nc", numbers.astype("f4"), **{name: value})), [1.0, 2.0])


@pytest.mark.parametrize("name", ["FillValue", "nodata", "Missing_Value"])
def test_a_fill_by_another_name_is_not_passed_over(tmp_path: Path, name: str) -> None:
    numbers = np.array([0.2, 0.0, 0.3], "f4")
    with pytest.raises(InputError, match=rf"'{name}' = 0, which 1 of them hold, .* 'v@{name},missing_value'"):
        read(write(tmp_path / "a.nc", numbers, **{name: 0.0}))
    np.testing.assert_array_equal(read(write(tmp_path / "b.nc", numbers, **{name: -1.0})), numbers)
    path = write(tmp_path / "c.nc", numbers, missing_value=np.float32(0), **{name: 0.0})
    np.testing.assert_array_equal(np.isnan(read(path)), numbers == 0)


def test_words_are_no_values(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.nc: v: found type text, expected numbers"):
        read(write(tmp_path / "a.nc", np.array([b"a", b"b"])))
