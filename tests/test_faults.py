"""A damaged file is an error of the input that names it; a bug on the way to its values comes out as what it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from image_files import GRID, NOON, write_grid
from mpi4py import MPI

from imgda_mpi import netcdf
from imgda_mpi.colm import case_files, case_listing, hdf5
from imgda_mpi.colm.case_files import CaseFiles, patch_map, survey
from imgda_mpi.colm.case_listing import list_files
from imgda_mpi.faults import InputError, OutputError, as_permitted, reading, writing
from imgda_mpi.observations import cf
from imgda_mpi.results import analysis_file, comparison_file, manifest

BUGS = (KeyError, NotImplementedError, RuntimeError, TypeError)


def image_file(path: Path) -> Path:
    """A NetCDF-4 file with variable sm on GRID, deflated and with checksums."""
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, GRID)
        file.createVariable("sm", "f8", ("lat", "lon"), zlib=True, fletcher32=True)[:] = 0.3
        file["sm"].units = "m3 m-3"
    return path


def vector_file(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("values", data=np.arange(1000.0), chunks=(1000,), compression="gzip", fletcher32=True)
    return path


def a_comparison(path: Path) -> Path:
    image_file(path)
    with netCDF4.Dataset(path, "r+") as file:
        file.setncatts({"judged_by": "truth", "noise": "0.03 m3 m-3", "n_passed_over": 0})
        file.createDimension("method", 1)
        file.createVariable("method", "S1", ("method",))[:] = b"m"
        for name in {*comparison_file.NUMBERS, *comparison_file.IMAGES} - {"lat", "lon"}:
            file.createVariable(name, "f8", ("method", "lat", "lon"))[:] = 0.3
    return path


def flip_a_byte(path: Path, name: str) -> None:
    """Damage the values of a variable, and nothing else."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(0)
    whole = bytearray(path.read_bytes())
    whole[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(whole)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def read_vector(path: Path) -> None:
    with hdf5.opened(path) as file:
        file.vector("values")


def read_columns(path: Path) -> None:
    with hdf5.opened(path) as file:
        file.read(hdf5.Columns("values"), slice(0, 10), 1000)


def read_image(path: Path) -> None:
    cf.read_cf(path, GRID, NOON, variable="sm")


def raising(error: type[Exception]) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error("a bug")

    return fail


@pytest.mark.parametrize("bug", [NotImplementedError, RecursionError, TypeError])
@pytest.mark.parametrize("guard", [reading, writing])
def test_what_no_library_says_of_a_file_passes(guard: Callable[[Path], None], bug: type[Exception]) -> None:
    with pytest.raises(bug, match="a bug"), guard(Path("a.nc")):
        raise bug("a bug")


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_what_a_library_says_of_a_file_names_it(error: type[Exception]) -> None:
    with pytest.raises(InputError, match=r"a.nc: wa: found what cannot be read \(lost\)"), reading(Path("a.nc"), "wa"):
        raise error("lost")
    with pytest.raises(OutputError, match=r"a.nc: found lost"), writing(Path("a.nc")):
        raise error("lost")


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize(
    ("module", "function", "call"),
    [
        (case_listing, "_check_folders", lambda files, _: list_files(files)),
        (case_listing, "_check_blocks", lambda files, _: list_files(files)),
        (case_files, "_read_block", lambda files, _: survey(files, ["e000_n00"])),
        (case_files.np, "degrees", lambda files, _: survey(files, ["e000_n00"])),
        (case_files, "_place", lambda files, _: patch_map(files, {"e000_n00": 1}, np.ones(1, case_files.PLACE))),
        (hdf5.OpenFile, "_check_shape", lambda _, folder: read_vector(vector_file(folder / "a.nc"))),
        (hdf5.Columns, "shape", lambda _, folder: read_columns(vector_file(folder / "a.nc"))),
        (cf, "find_variable", lambda _, folder: read_image(image_file(folder / "a.nc"))),
        (cf, "to_volumetric", lambda _, folder: read_image(image_file(folder / "a.nc"))),
        (analysis_file, "_image", lambda _, folder: analysis_file.read_analysis(image_file(folder / "a.nc"))),
        (comparison_file, "Grid", lambda _, folder: comparison_file.read_comparison(a_comparison(folder / "a.nc"))),
    ],
)
def test_a_bug_of_ours_is_not_a_damaged_file(
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bug: type[Exception],
    module: object,
    function: str,
    call: Callable[[CaseFiles, Path], object],
) -> None:
    files = CaseFiles(example / "model" / "demo", "demo", datetime(2022, 6, 2, 6, tzinfo=UTC), 2005)
    monkeypatch.setattr(module, function, raising(bug))
    with pytest.raises(bug, match="a bug"):
        call(files, tmp_path)


@pytest.mark.parametrize(
    ("make", "read", "cut", "damaged"),
    [
        (vector_file, read_vector, "found a file that cannot be opened", "values: found what cannot be read"),
        (vector_file, read_columns, "found a file that cannot be opened", "values: found what cannot be read"),
        (image_file, read_image, "found a file that cannot be read", "sm: found a file that cannot be read"),
        (a_comparison, comparison_file.read_comparison, *2 * ("found a file that cannot be read",)),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, make: Callable[[Path], Path], read: Callable[[Path], object], cut: str, damaged: str
) -> None:
    path = make(tmp_path / "a.nc")
    read(path)
    flip_a_byte(path, "values" if make is vector_file else "sm")
    with pytest.raises(InputError, match=f"a.nc: {damaged}"):
        read(path)
    truncate(path)
    with pytest.raises(InputError, match=f"a.nc: {cut}"):
        read(path)


def test_an_attribute_that_cannot_be_read_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Damaged:
        def __init__(self, group: netCDF4.Dataset) -> None:
            self.group = lambda: group

        def __getattr__(self, name: str) -> str:
            raise RuntimeError("NetCDF: HDF error")

    path = image_file(tmp_path / "soil moisture, 100 %.nc")
    with (
        netcdf.opened(path) as file,
        pytest.raises(InputError, match=r"soil moisture, 100 %.nc: found a file that cannot be read \(NetCDF: HDF"),
    ):
        netcdf.text_attribute(Damaged(file), "units")


def test_another_file_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.nc: found no n_cells, .*, n_passed_over, expected a comparison"):
        comparison_file.read_comparison(image_file(tmp_path / "a.nc"))


def test_a_missing_variable_is_not_a_damaged_one(tmp_path: Path) -> None:
    with hdf5.opened(vector_file(tmp_path / "a.nc")) as file, pytest.raises(InputError, match="wa: found no such var"):
        file.vector("wa")


def test_the_manifest_names_the_file_that_cannot_be_read(tmp_path: Path) -> None:
    whole = image_file(tmp_path / "a.nc")
    with pytest.raises(InputError, match=r"gone.nc: found what cannot be read"):
        manifest.checksums([whole, tmp_path / "gone.nc"], MPI.COMM_SELF)


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 7 GiB"), ImportError("x.so: failed to map segment")])
def test_memory_that_there_is_not_is_said(error: Exception) -> None:
    with pytest.raises(InputError, match=r"^memory: found no more of it .*; give the job more memory"), as_permitted():
        raise error
    with pytest.raises(ImportError, match="no module"), as_permitted():
        raise ImportError("no module")
