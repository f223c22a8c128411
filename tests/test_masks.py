"""Pixels that are left out by another variable, and zeros that stand for the sea."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, LATITUDE, LONGITUDE, NOON, assert_accounted, write_image
from mpi4py import MPI

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.read import check_observed

LAND = np.ones(FIELD.shape, bool)
LAND[:, :5] = False


@dataclass
class Mask:
    variable: str = "lsm"
    min: float = 0.5
    file: Path | None = None


def with_mask(path: Path, share: np.ndarray, dimensions: tuple[str, ...] = ("lat", "lon")) -> Path:
    write_image(path, np.where(LAND, FIELD, 0.0))
    with netCDF4.Dataset(path, "a") as dataset:
        for name in set(dimensions) - {"lat", "lon"}:
            dataset.createDimension(name, 1)
        dataset.createVariable("lsm", "f8", dimensions, fill_value=np.nan)[...] = share
    return path


@pytest.mark.parametrize("dimensions", [("lat", "lon"), ("time", "lat", "lon"), ("lon", "lat")])
def test_masked_pixels_are_missing_and_counted(tmp_path: Path, dimensions: tuple[str, ...]) -> None:
    share = LAND * 0.9
    share[0, 7] = np.nan
    path = with_mask(tmp_path / "a.nc", share.T if dimensions[0] == "lon" else share, dimensions)
    image = read_cf(path, GRID, NOON, variable="sm", mask=Mask())
    used = LAND & np.isfinite(share)
    np.testing.assert_array_equal(image.values, np.where(used, FIELD, np.nan))
    assert image.counts["masked"] == (~used).sum()
    assert_accounted(image)


def test_a_mask_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", np.where(LAND, FIELD, 0.0))
    own = with_mask(tmp_path / "mask_%Y.nc", LAND * 1.0).rename(tmp_path / "mask_2022.nc")
    image = read_cf(path, GRID, NOON, variable="sm", mask=Mask(file=tmp_path / "mask_%Y.nc"))
    assert image.files == [path, own]
    assert own.exists()
    np.testing.assert_array_equal(image.observed, LAND)


def test_a_mask_may_have_its_rows_and_longitudes_in_another_order(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", np.where(LAND, FIELD, 0.0))
    turned = {
        "lat": (np.append(LATITUDE, 16.0)[::-1].copy(), {"units": "degrees_north"}),
        "lon": (LONGITUDE - 360.0, {"units": "degrees_east"}),
    }
    share = np.vstack([LAND, LAND[:1]])[::-1] * 1.0
    own = write_image(tmp_path / "b.nc", share, coordinates=turned)
    image = read_cf(path, GRID, NOON, variable="sm", mask=Mask("sm", 0.5, own))
    np.testing.assert_array_equal(image.observed, LAND)


def test_a_mask_on_another_grid_or_with_layers_is_refused(tmp_path: Path) -> None:
    path = with_mask(tmp_path / "a.nc", LAND * 1.0)
    other = write_image(tmp_path / "b.nc", coordinates={"lat": (LATITUDE + 0.5, {"units": "degrees_north"})})
    with pytest.raises(InputError, match=r"b.nc: sm: found a mask on .*expected the cells of a.nc"):
        read_cf(path, GRID, NOON, variable="sm", mask=Mask("sm", 0.1, other))
    layers = write_image(tmp_path / "c.nc", np.stack([FIELD, FIELD]), ("kind", "lat", "lon"))
    with pytest.raises(InputError, match=r"c.nc: sm: found further dimensions kind \(2\)"):
        read_cf(path, GRID, NOON, variable="sm", mask=Mask("sm", 0.1, layers))
    with pytest.raises(InputError, match="no such variable"):
        read_cf(path, GRID, NOON, variable="sm", mask=Mask("land", 0.5))


def check(image: ObservedImage) -> int:
    background = np.where(LAND, 0.2, np.nan)
    return check_observed(image, background, MPI.COMM_SELF, allow_empty=False, allow_unlike_background=False)


def test_zeros_over_the_sea_are_said_until_they_are_masked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = with_mask(tmp_path / "a.nc", LAND * 1.0)
    with caplog.at_level(logging.WARNING):
        assert check(read_cf(path, GRID, NOON, variable="sm")) == LAND.sum()
    assert "the same value, 0.000, in 30 of 30 observed cells where the model has no soil" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert check(read_cf(path, GRID, NOON, variable="sm", mask=Mask())) == LAND.sum()
        assert check(read_cf(write_image(tmp_path / "b.nc"), GRID, NOON, variable="sm")) == LAND.sum()
    assert caplog.text == ""


def test_zeros_over_land_are_said_until_they_are_masked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_image(tmp_path / "a.nc", np.where(LAND & (FIELD < 0.35), 0.0, FIELD))
    n_zero = int((LAND & (FIELD < 0.35)).sum())
    with caplog.at_level(logging.WARNING):
        assert check(read_cf(path, GRID, NOON, variable="sm")) == LAND.sum()
    assert f"0 in {n_zero} of {LAND.sum()} observed soil cells, which no soil holds" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert check(read_cf(path, GRID, NOON, variable="sm", mask=Mask("sm", 0.001))) == LAND.sum() - n_zero
    assert caplog.text == ""


def test_zeros_that_packing_has_moved_are_said_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_image(tmp_path / "a.nc", np.where(LAND, FIELD, 4e-6))
    with caplog.at_level(logging.WARNING):
        check(read_cf(path, GRID, NOON, variable="sm"))
    assert "the same value, 0.000, in 30 of 30 observed cells" in caplog.text


def test_a_level_unlike_the_backgrounds_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    image = read_cf(write_image(tmp_path / "a.nc", FIELD / 100 + 0.002), GRID, NOON, variable="sm")
    with pytest.raises(InputError, match=r"a.nc: sm at .*: found a median of 0.0\d+ m3 m-3 over 18 soil cells"):
        check(image)
    background = np.where(LAND, 0.2, np.nan)
    n_observed = check_observed(image, background, MPI.COMM_SELF, allow_empty=False, allow_unlike_background=True)
    assert n_observed == LAND.sum()


def test_an_enumeration_may_be_a_mask_and_no_moisture(tmp_path: Path) -> None:
    path = with_mask(tmp_path / "a.nc", LAND * 1.0)
    with netCDF4.Dataset(path, "a") as dataset:
        kind = dataset.createEnumType("i1", "of_cover", {"sea": 0, "land": 1})
        dataset.createVariable("cover", kind, ("lat", "lon"))[...] = LAND.astype("i1")
    image = read_cf(path, GRID, NOON, variable="sm", mask=Mask("cover"))
    np.testing.assert_array_equal(image.observed, LAND)
    with pytest.raises(InputError, match=r"a.nc: cover: found type int8 of an enumeration \(sea, land\), expected num"):
        read_cf(path, GRID, NOON, variable="cover")
