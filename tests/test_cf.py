from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import FIELD, GRID, LATITUDE, LONGITUDE, NOON, assert_accounted, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf


def test_a_cf_field_comes_through_unchanged_with_its_account(tmp_path: Path) -> None:
    field = FIELD.copy()
    field[0, 0], field[1, 1], field[2, 2], field[3, 3] = np.nan, -9999.0, 0.7, -0.1
    path = write_image(tmp_path / "a.nc", field, _FillValue=-9999.0)
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
    path = write_image(
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
    path = write_image(tmp_path / "a.nc", np.expand_dims(field, place), tuple(dimensions))
    np.testing.assert_allclose(read_cf(path, GRID, NOON, variable="sm").values, FIELD, rtol=1e-14)


def test_further_long_dimensions_are_refused_by_name(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", np.stack([FIELD, FIELD]), ("number", "lat", "lon"))
    with pytest.raises(InputError, match=r"found further dimensions number \(2\)"):
        read_cf(path, GRID, NOON, variable="sm")


def test_an_image_without_any_valid_pixel_is_left_to_the_caller(tmp_path: Path) -> None:
    image = read_cf(write_image(tmp_path / "a.nc", np.full(FIELD.shape, np.nan)), GRID, NOON, variable="sm")
    assert not image.observed.any()
    assert image.counts["missing"] == 48
    assert_accounted(image)


def test_an_image_is_the_same_whatever_file_holds_it(tmp_path: Path) -> None:
    def fingerprint(name: str, field: np.ndarray = FIELD, **how: object) -> str:
        return read_cf(write_image(tmp_path / name, field, **how), GRID, NOON, variable="sm").fingerprint

    gap = FIELD.copy()
    gap[0, 0] = np.nan
    as_mass = write_image(tmp_path / "c.nc", FIELD * 100.0, units="kg m-2")
    assert fingerprint("a.nc") == fingerprint("b.nc", history="fetched again")
    assert fingerprint("a.nc") == fingerprint("d.nc", FIELD.T, dimensions=("lon", "lat"))
    turned = {
        "lat": (LATITUDE[::-1].copy(), {"units": "degrees_north"}),
        "lon": (LONGITUDE - 360.0, {"units": "degrees_east"}),
    }
    assert fingerprint("a.nc") == fingerprint("g.nc", FIELD[::-1], coordinates=turned)
    in_mass = read_cf(as_mass, GRID, NOON, variable="sm", layer=(0.0, 0.1))
    assert fingerprint("a.nc") == in_mass.fingerprint
    np.testing.assert_allclose(in_mass.values, FIELD)
    assert len({fingerprint("a.nc"), fingerprint("e.nc", gap), fingerprint("f.nc", FIELD + 1e-5)}) == 3


def test_wrong_names_and_ranges_are_mistakes_of_the_caller(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    with pytest.raises(ValueError, match="known are bilinear, conservative"):
        read_cf(path, GRID, NOON, variable="sm", regridding="nearest")
    with pytest.raises(ValueError, match="valid range"):
        read_cf(path, GRID, NOON, variable="sm", valid_range=(0.6, 0.0))
