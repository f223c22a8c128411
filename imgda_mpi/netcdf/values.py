"""Values of a variable: unpacked, without what its file calls missing or beyond its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import in_hdf5
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.netcdf import limits
from imgda_mpi.netcdf.files import in_library, not_numbers
from imgda_mpi.netcdf.stored import Stored
from imgda_mpi.netcdf.variables import full_name

VERSIONS = "expver"
"""Dimension along which ERA5 has the final and the preliminary version of its values, each value in one of them."""

ATTRIBUTES = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", *limits.NAMES)


# Names that other formats have for attributes of CF, in small letters and without what is between words.
SCALE, OFFSET, FILL = ("scale_factor", 1.0), ("add_offset", 0.0), ("missing_value", None)
OTHER_FORMATS: dict[str, tuple[str, float | None]] = {
    **dict.fromkeys(("scale", "scalefactor", "slope", "gain", "multiplier"), SCALE),
    **dict.fromkeys(("offset", "addoffset", "intercept"), OFFSET),
    **dict.fromkeys(
        ("fillvalue", "fill", "nodata", "nodatavalue", "missingvalue", "missing", "codemissingvalue"), FILL
    ),
}


def read_values(path: Path, variable: netCDF4.Variable[Any], index: Any = ...) -> FloatArray:
    """Unpacked values in double precision, NaN where missing.

    Missing are ``_FillValue`` (without it the library's own fill), ``missing_value``, what lies beyond the limits that
    the file states (see `imgda_mpi.netcdf.limits`), and what is not finite.

    Raises
    ------
    InputError
        Where the type is not numeric, an attribute cannot be applied, one that says so by another name would not be
        applied, or the limits leave no value.
    """
    name = full_name(variable)
    if not np.issubdtype(variable.dtype, np.number) or isinstance(variable.datatype, netCDF4.VLType):
        raise not_numbers(path, name, in_hdf5.type_of(path, name) or str(variable.dtype))
    with in_library(path, name):
        attributes = {
            name: np.atleast_1d(variable.getncattr(name)) for name in variable.ncattrs() if name in ATTRIBUTES
        }
        others = {name: variable.getncattr(name) for name in variable.ncattrs() if _meant(name)}
        fill = variable.get_fill_value()
        variable.set_auto_maskandscale(False)
        try:
            values = np.asarray(variable[index], dtype=variable.dtype.newbyteorder("="))
        finally:
            variable.set_auto_maskandscale(True)
    if fill is not None:
        attributes["_FillValue"] = np.atleast_1d(fill)
    of_file = values.dtype
    if of_file.kind == "i" and str(*attributes.get("_Unsigned", [])[:1]) in ("true", "True"):
        values = values.view(f"u{of_file.itemsize}")
    stored = Stored(path, name, values, of_file, attributes)
    unpacked = stored.unpacked()
    present = np.isfinite(unpacked) & ~stored.filled()
    _refuse_other_formats(stored, present, others)
    valid = present & ~limits.beyond_limits(stored, unpacked, present)
    return np.where(valid, unpacked, np.nan).astype(np.float64)


def _meant(name: str) -> tuple[str, float | None] | None:
    """The attribute of CF that another format has by this name, and the number with which it does nothing."""
    return None if name in ATTRIBUTES else OTHER_FORMATS.get(re.sub(r"[\s_-]", "", name.lower()))


def _refuse_other_formats(stored: Stored, present: BoolArray, others: Mapping[str, Any]) -> None:
    """Refuse what would not be applied: a scale or an offset of whole numbers, a fill that is among those present."""
    for name, value in others.items():
        meant, nothing = _meant(name) or ("", None)
        try:
            number = np.float64(np.asarray(value).item())  # one number, also in words
        except (ValueError, TypeError):
            continue
        does = ""
        if nothing is None:
            n_fill = np.count_nonzero(present & (stored.values == stored.as_stored(number)))
            does = f"{n_fill} of them hold, and which marks no value in another format" if n_fill else ""
        elif meant not in stored.attributes and stored.values.dtype.kind in "iu" and number != nothing:
            does = "packs them in another format"
        if does:
            raise fault(
                stored.path,
                stored.name,
                found=f"values with attribute '{name}' = {number:g}, which {does}",
                expected=f"{meant}, which is applied",
                do=f"rename the attribute (for example with ncrename -a '{stored.name}@{name},{meant}')",
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
