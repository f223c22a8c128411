"""Variables of CF NetCDF files that are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray


def write_coordinate(file: netCDF4.Dataset, name: str, values: FloatArray, standard_name: str, units: str) -> None:
    """A coordinate variable along its own dimension, which must exist."""
    write_variable(file, name, (name,), values, standard_name, units)
    file[name].standard_name = standard_name


def write_variable(
    file: netCDF4.Dataset, name: str, dims: tuple[str, ...], values: npt.NDArray[Any], meaning: str, units: str
) -> None:
    """A compressed variable of existing dimensions; numbers that are not finite are missing."""
    fill = np.nan if values.dtype.kind == "f" and dims != (name,) else None
    kind = values.dtype.newbyteorder("=")
    variable = file.createVariable(name, kind, dims, zlib=True, complevel=1, fill_value=fill)
    variable.long_name = meaning
    variable.units = units
    variable.set_var_chunk_cache(size=2**16)  # it is written at once: what is kept of it until the end is memory alone
    variable[:] = values


def write_names(file: netCDF4.Dataset, dim: str, names: list[str]) -> None:
    """A dimension whose coordinates are words."""
    file.createDimension(dim, len(names))
    write_words(file, dim, (dim,), names)


def write_words(file: netCDF4.Dataset, name: str, dims: tuple[str, ...], words: Sequence[Any]) -> None:
    """A variable of words, nested in sequences along existing dimensions.

    Characters, not strings: current HDF5 libraries crash when a file with variable-length strings is opened twice.
    """
    texts = np.array(words, dtype=object)
    every = texts.ravel().tolist()
    characters = np.array([word.encode() for word in every], dtype="S")
    file.createDimension(f"{name}_length", characters.itemsize)
    variable = file.createVariable(name, "S1", (*dims, f"{name}_length"))
    variable[:] = characters.view("S1").reshape(*texts.shape, -1)
    variable._Encoding = "ascii" if all(word.isascii() for word in every) else "utf-8"
