"""Files of NetCDF-4 at which the NetCDF library would crash are refused before it opens them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from image_files import write_image

from imgda_mpi.faults import InputError
from imgda_mpi.netcdf import opened


def set_attribute(name: str, attribute: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name].attrs[attribute] = value

    return change


def single_coordinate(file: h5py.File) -> None:
    del file["lat"]
    file["lat"] = 10.0
    file["lat"].make_scale("lat")


def null_coordinate(file: h5py.File) -> None:
    del file["lat"]
    file["lat"] = h5py.Empty("f8")


def long_list(file: h5py.File) -> None:
    del file["sm"].attrs["DIMENSION_LIST"]
    lists = h5py.h5t.vlen_create(h5py.h5t.STD_REF_OBJ)
    h5py.h5a.create(file["sm"].id, b"DIMENSION_LIST", lists, h5py.h5s.create_simple((9,)))


def in_itself(file: h5py.File) -> None:
    file.create_group("data")["again"] = h5py.SoftLink("/data")


def deep(file: h5py.File) -> None:
    file.create_group("/".join("g" * 200))


CRASHES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "one number": (single_coordinate, "lat: found a dimension's coordinate that is a single number"),
    "null": (null_coordinate, "lat: found no values, not even a shape"),
    "in itself": (in_itself, "data/again: found a group in itself"),
    "deep": (deep, "g/g/.*: found a group in itself, or in 100 others"),
    "list of text": (set_attribute("sm", "DIMENSION_LIST", np.bytes_("lat")), "sm: found attribute DIMENSION_LIST"),
    "long list": (long_list, "sm: found attribute DIMENSION_LIST of another type or length"),
    "id": (
        set_attribute("lat", "_Netcdf4Dimid", np.int32(2**31 - 1)),
        "lat: found attribute _Netcdf4Dimid = 2147483647, expected at most 1000000",
    ),
    "ids": (set_attribute("lat", "_Netcdf4Dimid", np.arange(5000)), ".*5000 values, expected one whole number"),
    "name": (set_attribute("lat", "NAME", np.arange(50)), "lat: found attribute NAME .*, expected one text"),
    "quantized": (
        set_attribute("sm", "_QuantizeBitRoundNumberOfSignificantBits", np.arange(400)),
        "sm: found attribute _QuantizeBitRoundNumberOfSignificantBits",
    ),
    "properties": (set_attribute("/", "_NCProperties", np.ones(99, "S999")), "found attribute _NCProperties"),
}


@pytest.mark.parametrize("case", CRASHES)
def test_what_the_library_does_not_survive_is_refused(case: str, tmp_path: Path) -> None:
    path, (change, message) = write_image(tmp_path / "a.nc"), CRASHES[case]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {message}"), opened(path):
        pass


def test_groups_of_two_names_and_links_to_nothing_are_no_fault(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        file["one/more/x"] = np.ones(3)
        file["two"] = file["one"]
        file["single"] = 1.0
    with opened(path) as dataset:
        assert set(dataset.groups) == {"one", "two"}
        assert dataset["single"].shape == ()
