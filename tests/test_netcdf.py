"""Opening files that are not what they should be, and finding variables and coordinates in those that are."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import netCDF4
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.netcdf import resolve, write_names
from imgda_mpi.netcdf.classic import least_size
from imgda_mpi.observations.cf import read_cf


def test_a_naive_time_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must have a time zone"):
        read_cf(write_image(tmp_path / "a.nc"), GRID, datetime(2022, 6, 3), variable="sm")


def test_time_fields_of_a_path_are_filled_in_utc() -> None:
    beijing = datetime(2016, 1, 1, 2, 30, tzinfo=timezone(timedelta(hours=8)))
    assert resolve("a/%Y/%j/x.A%Y%m%d.%H%M.nc4", beijing) == Path("a/2015/365/x.A20151231.1830.nc4")
    assert resolve("100%%/a.nc", beijing) == Path("100%/a.nc")


def test_a_missing_file_names_its_nearest_siblings(tmp_path: Path) -> None:
    write_image(tmp_path / "SM_20220603.nc")
    with pytest.raises(InputError, match=r"SM_20220604.nc: found no such file .*directory: SM_20220603.nc"):
        read_cf(tmp_path / "SM_%Y%m%d.nc", GRID, NOON + timedelta(days=1), variable="sm")
    with pytest.raises(InputError, match="no such file, nor a directory"):
        read_cf(tmp_path / "no" / "a.nc", GRID, NOON, variable="sm")


@pytest.mark.parametrize("format_", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"])
def test_a_truncated_file_is_refused(tmp_path: Path, format_: str) -> None:
    path = write_image(tmp_path / "a.nc", format=format_)
    read_cf(path, GRID, NOON, variable="sm")
    os.truncate(path, path.stat().st_size * 3 // 5)
    with pytest.raises(InputError, match=r"a.nc: found .*fetch it again"):
        read_cf(path, GRID, NOON, variable="sm")


CLASSIC = {"NETCDF3_CLASSIC": 1, "NETCDF3_64BIT_OFFSET": 2, "NETCDF3_64BIT_DATA": 5}


@pytest.mark.parametrize("format_", CLASSIC)
def test_the_last_bytes_of_a_classic_file_are_missed(tmp_path: Path, format_: str) -> None:
    path = write_image(tmp_path / "a.nc", format=format_)
    assert path.read_bytes()[3] == CLASSIC[format_]
    os.truncate(path, path.stat().st_size - 4)
    with pytest.raises(InputError, match=r"a.nc: found .*fetch it again"):
        read_cf(path, GRID, NOON, variable="sm")


@pytest.mark.parametrize("format_", CLASSIC)
@pytest.mark.parametrize("of_records", ["", "b", "bd", "h", "fhb"])
@pytest.mark.parametrize("fixed", ["", "d", "b", "hf"])
def test_the_least_size_of_a_classic_file_is_its_size_but_for_padding(
    tmp_path: Path, format_: str, of_records: str, fixed: str
) -> None:
    kinds = {"b": "i1", "h": "i2", "f": "f4", "d": "f8"}
    for n_records in (0, 1, 3):
        path = tmp_path / f"{n_records}.nc"
        with netCDF4.Dataset(path, "w", format=format_) as file:
            file.title, file.numbers, file.empty = "abcde", [1, 2, 3], ""
            for name, length in (("t", None), ("x", 3), ("y", 5)):
                file.createDimension(name, length)
            for letter in fixed:
                file.createVariable(f"of_{letter}", kinds[letter], ("y", "x"))[:] = 1
            for letter in of_records:
                file.createVariable(f"r_{letter}", kinds[letter], ("t", "x"))[:n_records] = [[1, 2, 3]] * n_records
        size = path.stat().st_size
        expected = range(size - 3, size + 1) if fixed or (of_records and n_records) else [0]
        assert least_size(path) in expected


def test_other_files_and_directories_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.nc"
    text.write_text("<html>Access denied</html>" * 40)
    with pytest.raises(InputError, match=r"a.nc: found a web page"):
        read_cf(text, GRID, NOON, variable="sm")
    with pytest.raises(InputError, match="found a folder, expected a NetCDF file; name a file"):
        read_cf(tmp_path, GRID, NOON, variable="sm")


def test_an_unknown_variable_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.nc: swvl1: found no such variable, expected one of sm; name one"):
        read_cf(write_image(tmp_path / "a.nc"), GRID, NOON, variable="swvl1")


def test_a_fill_value_that_cannot_be_applied_is_refused(tmp_path: Path) -> None:
    # The library would only warn, and read -9999 as a value.
    path = write_image(tmp_path / "a.nc", FIELD.astype("f4"), dtype="f4", fill="none")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].renameAttribute("fill", "missing_value")
    with pytest.raises(InputError, match=r"a.nc: sm: found attributes that cannot be applied .*missing_value"):
        read_cf(path, GRID, NOON, variable="sm")


def test_a_star_stands_for_the_one_file_of_its_pattern(tmp_path: Path) -> None:
    pattern = tmp_path / "SM_%Y%m%d_*.nc"
    assert resolve(pattern, NOON) == tmp_path / "SM_20220603_*.nc"
    with pytest.raises(InputError, match=r"SM_20220603_\*.nc: found no such file"):
        read_cf(pattern, GRID, NOON, variable="sm")
    write_image(tmp_path / "SM_20220603_20220605.nc")
    write_image(tmp_path / "SM_20220604_20220606.nc")
    write_image(tmp_path / "[x]SM_20220604_20220606.nc")
    assert resolve(pattern, NOON).name == "SM_20220603_20220605.nc"
    assert resolve(tmp_path / "[x]*", NOON).name == "[x]SM_20220604_20220606.nc"
    assert read_cf(pattern, GRID, NOON, variable="sm").observed.all()
    write_image(tmp_path / "SM_20220603_v2.nc")
    with pytest.raises(
        InputError, match=r"found 2 files of this pattern \(SM_20220603_20220605.nc, .*v2.nc\), expected"
    ):
        read_cf(pattern, GRID, NOON, variable="sm")


def test_names_of_any_language_are_written(tmp_path: Path) -> None:
    for names in (["Höhe", "", "北京"], ["plain", "x"]):
        with netCDF4.Dataset(tmp_path / "names.nc", "w") as file:
            write_names(file, "station", names)
        with netCDF4.Dataset(tmp_path / "names.nc") as file:
            assert [str(name) for name in file["station"][:]] == names
