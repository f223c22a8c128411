"""Opening NetCDF files, finding their variables and attributes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi import in_hdf5
from imgda_mpi.faults import LIBRARY, ImgdaError, fault, reading
from imgda_mpi.netcdf.classic import least_size
from imgda_mpi.netcdf.looping import ended_if_endless
from imgda_mpi.netcdf.structure import check_structure
from imgda_mpi.paths import check_file

HDF_ERROR = -101
"""With this number, whose message is no more than that, the library says that HDF5 has said why."""

AGAIN = "fetch it again"
"""What to do about a damaged file that has come from elsewhere."""


@contextmanager
def in_library(path: Path, variable: str | None = None, do: str = AGAIN) -> Iterator[None]:
    """`reading` around one call into the NetCDF library."""
    said = {"found": "a file that cannot be read", "expected": "a whole NetCDF file", "do": do}
    with reading(path, variable, **said, kinds=LIBRARY):
        try:
            yield
        except RuntimeError as err:
            if variable is None or "undefined filter" not in str(err):
                raise
            raise OSError(f"undefined {in_hdf5.filters_of(path, variable)}") from err


def resolve(path: Path | str, time: datetime) -> Path:
    """The path with its strftime fields filled with the time in UTC; a literal percent sign is written ``%%``.

    A ``*`` in its last part stands for any characters; where no file is so named the path is as it was.

    >>> from datetime import datetime, UTC
    >>> resolve("GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4", datetime(2016, 1, 1, 6, tzinfo=UTC)).name
    'GLDAS_NOAH025_3H.A20160101.0600.021.nc4'

    Raises
    ------
    InputError
        Where several files are named as the ``*`` allows.
    """
    if time.tzinfo is None:
        raise ValueError(f"time {time} must have a time zone")
    filled = Path(time.astimezone(UTC).strftime(str(path)))
    if "*" not in filled.name:
        return filled
    parts = map(re.escape, filled.name.split("*"))
    pattern = re.compile(".*".join(parts))
    with reading(filled.parent, expected="the folder of files", do="correct the path"):
        if filled.exists() or not filled.parent.is_dir():
            return filled
        matching = sorted(p for p in filled.parent.iterdir() if pattern.fullmatch(p.name))
    if len(matching) > 1:
        named = ", ".join(match.name for match in matching[:3])
        raise fault(
            filled,
            found=f"{len(matching)} files of this pattern ({named}{', ...' if len(matching) > 3 else ''})",
            expected="one",
            do="write more of the name before or after the *",
        )
    return matching[0] if matching else filled


@contextmanager
def opened(path: Path, do: str = AGAIN) -> Iterator[netCDF4.Dataset]:
    """The open file, or what to ``do`` about one that is damaged; what is read from it goes through `in_library`."""
    check_file(path, "a NetCDF file")
    with in_library(path, do=do):
        dataset = _open(path, do)
    try:
        _check_size(path, dataset)
        yield dataset
    finally:
        with in_library(path):
            dataset.close()


def _open(path: Path, do: str) -> netCDF4.Dataset:
    try:
        with ended_if_endless(path, do), warnings.catch_warnings():
            check_structure(path)
            warnings.simplefilter("ignore", UserWarning)  # of variables of types that the library does not have
            return netCDF4.Dataset(path)
    except OSError as err:
        if err.errno == HDF_ERROR:
            in_hdf5.check_openable(path)
        raise
    except AttributeError as err:
        raise OSError("one of its variables has a dimension that is not there") from err


def _check_size(path: Path, dataset: netCDF4.Dataset) -> None:
    """Refuse a cut classic file: the library reads the lost part of it as zeros, and zero is dry soil."""
    if not dataset.data_model.startswith("NETCDF3"):
        return
    with in_library(path):
        needed, size = least_size(path), path.stat().st_size
    if size < needed:
        raise fault(path, found=f"{size} bytes", expected=f"at least {needed} for its variables", do="fetch it again")


def not_numbers(path: Path, name: str, found: str) -> ImgdaError:
    """The error of a variable that is not of a numeric type of NetCDF."""
    do = "name another variable, or write this one as float32 or float64"
    return fault(path, name, found=f"type {found}", expected="numbers of a type that NetCDF has", do=do)


def text_attribute(owner: netCDF4.Variable[Any] | netCDF4.Dataset, name: str) -> str:
    """An attribute of a variable or a file as stripped text, empty where it is absent."""
    file = owner if isinstance(owner, netCDF4.Dataset) else owner.group()
    with in_library(Path(file.filepath())):
        return str(getattr(owner, name, "")).strip()
