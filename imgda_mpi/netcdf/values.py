"""Values of a variable: unpacked, without what its file calls missing or beyond its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import in_hdf5
from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.netcdf import limits
from imgda_mpi.netcdf.files import in_library, not_numbers
from imgda_mpi.netcdf.stored import Stored
from imgda_mpi.netcdf.variables import full_name

VERSIONS = "expver"
"""Dimension along which ERA5 has the final and the preliminary version of its values, each value in one of them."""

ATTRIBUTES = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", *limits.NAMES)


# Names by which other formats pack whole numbers, in small letters and without what is between words.
OTHER_PACKING = {
    **dict.fromkeys(("scale", "scalefactor", "slope", "gain", "multiplier"), ("scale_factor", 1.0)),
    **dict.fromkeys(("offset", "addoffset", "intercept"), ("add_offset", 0.0)),
}


def read_values(path: Path, variable: netCDF4.Variable[Any], index: Any = ...) -> FloatArray:
    """Unpacked values in double precision, NaN where missing.

    Missing are ``_FillValue`` (without it the library's own fill), ``missing_value``, what lies beyond the limits that
    the file states (see `imgda_mpi.netcdf.limits`), and what is not finite.

    Raises
    ------
    InputError
        Where the type is not numeric, an attribute cannot be applied, whole numbers are packed by an attribute of
        another name, or the limits leave no value.
    """
    name = full_name(variable)
    if not np.issubdtype(variable.dtype, np.number) or isinstance(variable.datatype, netCDF4.VLType):
        raise not_numbers(path, name, in_hdf5.type_of(path, name) or str(variable.dtype))
    with in_library(path, name):
        attributes = {
            name: np.atleast_1d(variable.getncattr(name)) for name in variable.ncattrs() if name in ATTRIBUTES
        }
        fill = variable.get_fill_value()
        variable.set_auto_maskandscale(False)
        try:
            values = np.asarray(variable[index], dtype=variable.dtype.newbyteorder("="))
        finally:
            variable.set_auto_maskandscale(True)
    if values.dtype.kind in "iu":
        _refuse_other_packing(path, variable)
    if fill is not None:
        attributes["_FillValue"] = np.atleast_1d(fill)
    of_file = values.dtype
    if of_file.kind == "i" and str(*attributes.get("_Unsigned", [])[:1]) in ("true", "True"):
        values = values.view(f"u{of_file.itemsize}")
    stored = Stored(path, name, values, of_file, attributes)
    unpacked = stored.unpacked()
    present = np.isfinite(unpacked) & ~stored.filled()
    valid = present & ~limits.beyond_limits(stored, unpacked, present)
    return np.where(valid, unpacked, np.nan).astype(np.float64)


def _refuse_other_packing(path: Path, variable: netCDF4.Variable[Any]) -> None:
    """Refuse a scale or an offset that would not be applied, as HDF4's slope and intercept."""
    for name in variable.ncattrs():
        meant, nothing = OTHER_PACKING.get(re.sub(r"[\s_-]", "", name.lower()), (name, 0.0))
        if meant in variable.ncattrs():  # also of every other attribute
            continue
        with suppress(ValueError, TypeError):
            number = float(variable.getncattr(name))
            if number != nothing:
                raise fault(
                    path,
                    full_name(variable),
                    found=f"attribute '{name}' = {number:g} of whole numbers, which packs them in another format",
                    expected=f"{meant}, which is applied",
                    do=f"rename the attribute (for example with ncrename -a '{variable.name}@{name},{meant}')",
                )


def read_slice(path: Path, variable: netCDF4.Variable[Any], index: Mapping[str, int]) -> FloatArray:
    """Values as of `read_values` at numbers along some dimensions, by their names; whole along the others.

    Along `VERSIONS`, if that has no number, each value is taken from the one version that has it.

    Raises
    ------
    InputError
        As of `read_values`, and where two versions have a value in one place.
    """
    values = read_values(path, variable, tuple(index.get(d, slice(None)) for d in variable.dimensions))
    left = [d for d in variable.dimensions if d not in index]
    if VERSIONS not in left:
        return values
    axis = left.index(VERSIONS)
    several = np.isfinite(values).sum(axis=axis) > 1
    if several.any():
        raise fault(
            path,
            variable.name,
            found=f"values of several versions along {VERSIONS} in {int(several.sum())} of {several.size} pixels",
            expected="each value in one of them, missing in the others",
            do=f"extract the version that is meant (for example with ncks -d {VERSIONS},0)",
        )
    return np.asarray(np.fmax.reduce(values, axis=axis))
