"""What is not the file that it should be is said, with what to do; nothing is waited for."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi import faults, netcdf
from imgda_mpi.colm import hdf5
from imgda_mpi.faults import InputError, OutputError
from imgda_mpi.observations import cf, point_files

LOCK = "Unable to open file (unable to lock file, errno = {0})"


def packed(kind: str) -> bytes:
    archive = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a.nc", "a")
    else:
        with tarfile.open(fileobj=archive, mode="w") as file:
            file.addfile(tarfile.TarInfo("a.nc"))
    return archive.getvalue()


KINDS = {
    "zip": (packed("zip"), "found a zip archive, expected .*; unpack it with unzip"),
    "tar": (packed("tar"), "found a tar archive, expected .*; unpack it with tar xf"),
    "gzip": (gzip.compress(b"CDF"), "found a file compressed with gzip, expected .*; unpack it with gunzip"),
    "xz": (lzma.compress(b"CDF"), "found a file compressed with xz"),
    "bzip2": (bz2.compress(b"CDF"), "found a file compressed with bzip2"),
    "page": (b"\n<!DOCTYPE html><title>Log in</title>", r"found a web page \(HTML\) with the title 'Log in'.*login"),
    "xml": (b"<?xml version='1.0'?><Error>Denied</Error>", "found an XML text, .*Denied"),
    "json": (b'{"error": "expired"}', "found a JSON text, .*expired"),
    "text": (b"Access denied.\n", "found a text, 'Access denied.', expected a whole"),
    "grib": (b"GRIB\0\0\0\2", "found a GRIB file, expected .*; convert it to NetCDF, for example with grib_to_netcdf"),
    "hdf4": (b"\x0e\x03\x13\x01", r"found an HDF4 file \(HDF-EOS2\)"),
    "tiff": (b"II*\0", "found a TIFF image .*gdal_translate"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\n", "found a pointer of Git LFS, .*git lfs pull"),
    "empty": (b"", "found an empty file"),
    "zeros": (bytes(100), "found nothing but zeros"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_of_file_is_named_with_what_to_do(tmp_path: Path, kind: str) -> None:
    content, said = KINDS[kind]
    (tmp_path / "a.nc").write_bytes(content)
    for read in (read_image, read_restart):
        with pytest.raises(InputError, match=f"a.nc: {said}"):
            read(tmp_path / "a.nc")
    if kind != "text":
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(InputError, match=f"a.csv: {said}"):
            point_files.read_points(tmp_path / "a.csv", GRID, NOON, variable="sm")


def test_what_a_path_is_made_of_says_nothing_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plugin, undefined filter" / "already open for.nc"
    path.parent.mkdir()
    path.write_bytes(b"\x01\xffjunk")
    for read in (read_image, read_restart):
        with pytest.raises(InputError, match="found a file that cannot be"):
            read(path)


def read_image(path: Path) -> None:
    cf.read_cf(path, GRID, NOON, variable="sm")


def read_restart(path: Path) -> None:
    with hdf5.opened(path):
        pass


def make_store(path: Path) -> None:
    path.mkdir()
    (path / ".zgroup").write_text("{}")


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "found a folder, expected a .*; name a file"),
    "store": (make_store, "found a folder with .zgroup, a Zarr store, expected"),
    "pipe": (os.mkfifo, r"found a pipe \(FIFO\), expected"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "found a device, expected"),
    "loop": (lambda path: path.symlink_to(path), "found a path that leads nowhere .Errno 40"),
    "link": (lambda path: path.symlink_to("gone"), "found a link to gone, which is not there, expected"),
}


@pytest.mark.parametrize("kind", PLACES)
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    make, said = PLACES[kind]
    make(tmp_path / "a.nc")
    for read in (read_image, read_restart):
        with pytest.raises(InputError, match=f"a.nc: {said.replace('.Errno', '.*Errno')}"):
            read(tmp_path / "a.nc")


@pytest.mark.parametrize("path", ["a.nc/b.nc", f"{'a' * 300}.nc", "a\0b.nc"])
def test_a_path_that_cannot_be_one_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.nc").write_text("")
    said = r"found (no such file, nor a directory|a path that leads nowhere|no path|File name too long)"
    with pytest.raises(InputError, match=said):
        read_restart(tmp_path / path)


def test_a_classic_file_is_no_restart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found a NetCDF file of the classic format, .*nccopy -k nc4"):
        read_restart(write_image(tmp_path / "a.nc", format="NETCDF3_CLASSIC"))


def test_a_file_that_is_being_written_is_not_called_damaged(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    writer = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", writer, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for read in (read_image, read_restart):
            with pytest.raises(InputError, match=r"cannot be locked .*another process .*; wait until it is written"):
                read(path)
        process.communicate("")
    read_image(path)


@pytest.mark.parametrize(
    ("number", "said"),
    [(number, "its file system has no locks") for number in (37, 95, 22, 1)]
    + [(number, "another process has it open for writing") for number in (11, 13)],
)
def test_a_refused_lock_says_nothing_of_the_file(number: int, said: str) -> None:
    said = rf"a.nc: found a file that cannot be locked \(.*\): {said}.*HDF5_USE_FILE_LOCKING=FALSE"
    for guard, error in ((faults.reading, InputError), (faults.writing, OutputError)):
        with pytest.raises(error, match=said), guard(Path("a.nc")):
            raise OSError(number, LOCK.format(number))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(24, "Too many open files", "a.nc"), "Too many open files, .* with `ulimit -n`"),
        (OSError(116, "Unable to open file (... errno = 116)"), "Stale file handle, .*; start again"),
        (OSError("Can't read data (file read failed: time = ...\n, errno = 5)"), "Input/output error, .*; start again"),
    ],
)
def test_what_is_wrong_outside_a_file_is_no_damage(error: OSError, said: str) -> None:
    for guard in (faults.reading, faults.writing):
        with pytest.raises((InputError, OutputError), match=f"a.nc: found {said}"), guard(Path("a.nc")):
            raise error


def test_why_a_file_cannot_be_made_is_asked_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written() -> str:
        with pytest.raises(OutputError) as told, faults.writing(tmp_path / "a.nc"):
            raise PermissionError(13, "Permission denied", "a.nc")  # as NetCDF says of all reasons
        return str(told.value)

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    assert "found [Errno 13] Permission denied" in written()
    monkeypatch.setattr("fcntl.flock", refuse)
    assert "its file system has no locks" in written()
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
    monkeypatch.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert "found [Errno 28] No space left on device" in written()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_permitted_names_its_file(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"a.nc: found what may not be read \(Permission denied\)"),
        faults.reading(tmp_path / "a.nc"),
    ):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(InputError, match=r"b: found Permission denied"), faults.as_permitted():
        raise PermissionError(13, "Permission denied", "b")


def with_variable(path: Path, name: str, values: object, kind: object = None) -> Path:
    """An image file with a variable in the place of another one, or of none."""
    write_image(path)
    with h5py.File(path, "r+") as file:
        file.pop(name, None)
        file.create_dataset(name, data=values, dtype=kind)
    return path


LISTS = np.empty(3, object)
LISTS[:] = [np.arange(2.0)] * 3


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (FIELD.astype("f2"), None, "type float16"),
        (FIELD.astype("S8"), None, "type text"),
        (FIELD.astype("V8"), None, r"type bytes without a meaning \(opaque\)"),
        (np.zeros(3, [("a", "f8"), ("b", "i4")]), None, "type records of a, b"),
        (LISTS, h5py.vlen_dtype("f8"), "type lists of float64 of varying length"),
        (h5py.Empty("f8"), None, r"sm: found no values, not even a shape"),
    ],
)
def test_a_variable_of_no_numbers_is_named_with_its_type(
    tmp_path: Path, values: object, kind: object, said: str
) -> None:
    path = with_variable(tmp_path / "a.nc", "sm", values, kind)
    with pytest.raises(InputError, match=said), netcdf.opened(path) as file:
        netcdf.read_values(path, netcdf.find_variable(path, file, "sm"))
    found = "type float64 without a shape" if isinstance(values, h5py.Empty) else said
    if said != "type float16":
        with pytest.raises(InputError, match=f"a.nc: sm: found {found}"), hdf5.opened(path) as file:
            file.vector("sm")


def test_half_precision_of_a_restart_is_widened(tmp_path: Path) -> None:
    path = with_variable(tmp_path / "a.nc", "v", np.array([0.5, 160.25], "f2"))
    with hdf5.opened(path) as file:
        values = file.vector("v")
        with pytest.raises(InputError, match="v: found type float16, expected whole numbers"):
            file.vector("v", whole=True)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [0.5, 160.25])


def test_a_file_without_one_of_its_dimensions_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file["lat"]
    with pytest.raises(InputError, match=r"a.nc: found .*one of its variables has a dimension that is not there"):
        read_image(path)


def test_an_unknown_filter_is_named(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk(FIELD.shape)
        made.set_filter(32008, h5py.h5z.FLAG_OPTIONAL, ())
        del file["sm"]
        space = h5py.h5s.create_simple(FIELD.shape)
        new = h5py.h5d.create(file.id, b"sm", h5py.h5t.IEEE_F64LE, space, made)
        new.write_direct_chunk((0, 0), FIELD.tobytes())
        for number, name in enumerate(("lat", "lon")):
            file["sm"].dims[number].attach_scale(file[name])
    with pytest.raises(InputError, match=r"a.nc: sm: found values compressed with a filter .*32008.*HDF5_PLUGIN_PATH"):
        read_image(path)


ENDLESS = """
import sys, time
from pathlib import Path
from imgda_mpi import faults
from imgda_mpi.netcdf import files, looping
looping.PATIENCE = 0.2
def loop(path):
    while True:
        time.perf_counter()
files.netCDF4.Dataset = loop
with faults.settled_by("[observation]", faults.NO_OBSERVATION), files.opened(Path(sys.argv[1]), "wait for the next"):
    pass
"""


def test_a_library_that_never_ends_is_ended(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == faults.NO_OBSERVATION
    assert f"error: {path}: found a file at which the NetCDF library computes without end" in done.stderr
    assert done.stderr.endswith("it is damaged: wait for the next (see [observation])\n")


@pytest.mark.parametrize(("dimension", "units"), [("time", "hours since 2022-06-03"), ("depth", "m")])
def test_a_dimension_of_length_0_is_named(tmp_path: Path, dimension: str, units: str) -> None:
    coordinates = {dimension: (np.empty(0), {"units": units})}
    path = write_image(tmp_path / "a.nc", np.empty((0, *FIELD.shape)), (dimension, "lat", "lon"), coordinates)
    with pytest.raises(InputError, match=rf"a.nc: sm: found no (record|layer) along {dimension}, expected an image"):
        read_image(path)
