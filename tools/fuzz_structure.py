"""Mutations of what a NetCDF-4 file holds: its variables, their types, shapes, storage, attributes and values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from fuzz_bytes import SPECIAL, Rng, pick

OWN = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates")
"""Attributes by which NetCDF ties variables to dimensions."""

TYPES = ("f2", "f4", "f8", ">f8", ">i4", "i1", "u1", "i8", "u8", "bool", "c16", "g")
ODD_TYPES = ("text", "fixed text", "Empty", "compound", "enum", "opaque", "reference", "list")

TEXTS = (
    *(
        "",
        "m",
        "K",
        "kg m-2",
        "mm",
        "percent",
        "%",
        "1",
        "m3/m3",
        "m^3 m^-3",
        "cm3 cm-3",
        "radians",
        "degrees",
        "0.0001",
    ),
    *(
        "days since 1e10-01-01",
        "hours since 2022-13-45",
        "seconds since",
        "months since 2022-06-01",
        "days since 0000-00-00",
    ),
    *("noleap", "360_day", "julian", "none", "time", "latitude", "depth", "lat", "nowhere", "time: mean", "time: sum"),
    *(
        "area: maximum",
        "0-10 cm",
        "5 cm",
        "projection_x_coordinate",
        "Monthly mean",
        "\x00",
        "é",
        "x" * 60000,
        "[",
        "{}",
    ),
)
NUMBERS = (
    0,
    1,
    -1,
    0.0,
    -1.0,
    0.5,
    1e20,
    1e300,
    np.nan,
    np.inf,
    np.float32(-9999),
    np.int64(2**62),
    np.uint8(255),
    True,
)
LISTS = (
    np.zeros(0),
    np.arange(3.0),
    np.array([0.0, 1.0]),
    np.array([1.0, 0.0]),
    np.array([[0, 1], [1, 0]]),
    ["a", "b"],
)
HUGE = 10**12
"""Length of a dimension that no memory holds."""

READ = {
    *(
        "wliq_soisno",
        "wice_soisno",
        "t_soisno",
        "wa",
        "porsl",
        "theta_r",
        "hksati",
        "patchclass",
        "patchtype",
        "elvmean",
    ),
    *("patchlatr", "patchlonr", "eindex", "settyp", "patchfrac_elm", "SoilMoi0_10cm_inst", "time", "time_bnds"),
}
"""Of files that hold more."""

KEYS = (
    *("units", "scale_factor", "add_offset", "_FillValue", "missing_value", "valid_min", "valid_max", "valid_range"),
    *("calendar", "standard_name", "axis", "bounds", "cell_methods", "grid_mapping", "coordinates", "long_name"),
    *("positive", "flag_values", "_Unsigned", "missing_value", "DIMENSION_LIST", "CLASS", "NAME", "_Netcdf4Dimid"),
)
OF_FILE = ("Conventions", "title", "imgda_mpi_assimilated", "_NCProperties", "time_coverage_start", "frequency")


def variables(file: h5py.File) -> list[str]:
    """Names of the variables, sorted."""
    return sorted(name for name in file if isinstance(file.get(name), h5py.Dataset))


def chosen(rng: Rng, file: h5py.File) -> str:
    """Name of a variable, in most cases one that an analysis reads."""
    names = variables(file)
    read = [name for name in names if name in READ]
    return pick(rng, read if read and rng.random() < 0.8 else names)


def _replace(file: h5py.File, name: str, make: Callable[[], None], scale: str = "") -> None:
    """Put another variable in the place of one, with its attributes and its ties to dimensions as far as they go."""
    scales = {other: [[of.name for of in axis.values()] for axis in file[other].dims] for other in variables(file)}
    users = [(other, n) for other, axes in scales.items() for n, names in enumerate(axes) if f"/{name}" in names]
    is_scale, number = file[name].is_scale, file[name].attrs.get("_Netcdf4Dimid")
    attributes = {key: value for key, value in file[name].attrs.items() if key not in OWN}
    for other, n in users:
        file[other].dims[n].detach_scale(file[name])
    del file[name]
    make()
    new = file.get(name)
    if not isinstance(new, h5py.Dataset):
        return
    new.attrs.update({} if scale else attributes)
    with contextlib.suppress(LookupError, RuntimeError, TypeError, ValueError):  # some types and shapes can be no scale
        if is_scale:
            new.make_scale(scale or name)
            new.attrs["_Netcdf4Dimid"] = number
        for other, n in users:
            file[other].dims[n].attach_scale(new)
        for n, names in enumerate(() if is_scale else scales[name]):
            for of in names:
                new.dims[n].attach_scale(file[of])


def removed(rng: Rng, file: h5py.File) -> str:
    """A variable is not there."""
    name = chosen(rng, file)
    if not file[name].is_scale or rng.random() < 0.2:
        del file[name]
        return name
    size = file[name].size

    def make() -> None:
        file.create_dataset(name, (size,), ">f4")

    _replace(file, name, make, f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    return f"{name}, but for its dimension"


def renamed(rng: Rng, file: h5py.File) -> str:
    """A variable has another name, or that of another one, which has its name."""
    first, second = chosen(rng, file), chosen(rng, file)
    if first == second:
        second = pick(rng, (f"{first}_2", first.upper() + "é", "time", "group"))
        file.move(first, second)
        return f"{first} is {second}"
    file.move(first, "between")
    file.move(second, first)
    file.move("between", second)
    return f"{first} and {second} exchanged"


def retyped(rng: Rng, file: h5py.File) -> str:
    """The same numbers in another type, or what is no number."""
    name = chosen(rng, file)
    values = np.asarray(file[name][...])
    kind = pick(rng, TYPES if rng.random() < 0.6 else ODD_TYPES)

    def make() -> None:
        shape = values.shape
        if kind in TYPES:
            with np.errstate(all="ignore"):
                file[name] = values.astype(kind)
        elif kind == "text":
            file[name] = np.vectorize(str, otypes=[object])(values) if values.size else values.astype("S")
        elif kind == "fixed text":
            file[name] = values.astype("S8")
        elif kind == "Empty":
            file[name] = h5py.Empty(values.dtype)
        elif kind == "compound":
            file[name] = np.zeros(shape, [("a", "f8"), ("b", "i4")])
        elif kind == "enum":
            file.create_dataset(name, shape, h5py.enum_dtype({"DRY": 0, "WET": 1}, "i1"))
        elif kind == "opaque":
            file[name] = np.zeros(shape, "V5")
        elif kind == "reference":
            file.create_dataset(name, shape, h5py.ref_dtype)
        else:
            file.create_dataset(name, shape, h5py.vlen_dtype("f8"))

    _replace(file, name, make)
    return f"{name} as {kind}"


def reshaped(rng: Rng, file: h5py.File) -> str:
    """The same numbers in another shape, some, or none."""
    name = chosen(rng, file)
    values = np.asarray(file[name][...])
    how = pick(
        rng, ("transposed", "flat", "one axis more", "a single number", "one fewer", "one more", "twice", "empty")
    )
    if how == "transposed":
        values = values.T
    elif how == "flat":
        values = values.ravel()
    elif how == "one axis more":
        values = values[..., None] if rng.random() < 0.5 else values[None]
    elif how == "a single number":
        values = values.ravel()[:1].reshape(())
    elif values.ndim:
        axis = int(rng.integers(values.ndim))
        index = [slice(None)] * values.ndim
        index[axis] = slice(0 if how == "empty" else -1)
        more = np.take(values, [0], axis=axis)
        parts = {"one more": [values, more], "twice": [values, values]}.get(how)
        values = np.concatenate(parts, axis=axis) if parts else values[tuple(index)]
        how = f"{how} along axis {axis}"

    def make() -> None:
        file[name] = values

    _replace(file, name, make)
    return f"{name} {how}"


def stored_otherwise(rng: Rng, file: h5py.File) -> str:
    """The same numbers in another storage, or numbers that were never written."""
    name = chosen(rng, file)
    values = np.asarray(file[name][...])
    if not values.ndim:
        return retyped(rng, file)
    how = pick(
        rng,
        ("unlimited", "lzf", "checksum", "scaleoffset", "unwritten", "file outside", "virtual", "tiny chunks", "huge"),
    )

    def make() -> None:
        shape, dtype = values.shape, values.dtype
        if how == "file outside":
            file.create_dataset(name, shape, dtype, external=[("nowhere.raw", 0, h5py.h5f.UNLIMITED)])
        elif how == "virtual":
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource("nowhere.nc", name, shape)
            file.create_virtual_dataset(name, layout)
        elif how == "huge":
            file.create_dataset(name, (HUGE, *shape[1:]), dtype, chunks=True)
        elif how == "unwritten":
            file.create_dataset(name, shape, dtype, chunks=True)
        else:
            options: dict[str, Any] = {
                "unlimited": {"maxshape": [None] * values.ndim},
                "lzf": {"compression": "lzf"},
                "checksum": {"fletcher32": True},
                "scaleoffset": {"scaleoffset": 4},
                "tiny chunks": {"chunks": (1,) * values.ndim},
            }[how]
            file.create_dataset(name, data=values, **options)

    _replace(file, name, make)
    return f"{name} {how}"


def linked(rng: Rng, file: h5py.File) -> str:
    """Something else than a variable under its name."""
    names = variables(file)
    name, how = chosen(rng, file), pick(rng, ("group", "type", "to nowhere", "to itself", "to a file", "to another"))
    del file[name]
    if how == "group":
        file.create_group(name)["x"] = 1.0
    elif how == "type":
        file[name] = np.dtype("f8")
    elif how == "to a file":
        file[name] = h5py.ExternalLink("nowhere.nc", f"/{name}")
    else:
        others = [other for other in names if other != name] or [name]
        file[name] = h5py.SoftLink(
            {"to itself": f"/{name}", "to another": f"/{pick(rng, others)}"}.get(how, "/nowhere")
        )
    return f"{name}: {how}"


def grouped(rng: Rng, file: h5py.File) -> str:
    """Variables in a group."""
    names = variables(file)
    some = names if rng.random() < 0.5 else [chosen(rng, file)]
    for name in some:
        file.move(name, f"data/{name}")
    return ", ".join(some)[:80]


def attribute_set(rng: Rng, file: h5py.File) -> str:
    """An attribute has another value or type, or is new."""
    name = "/" if rng.random() < 0.1 else chosen(rng, file)
    attributes = file[name].attrs
    keys = [*attributes] if len(attributes) and rng.random() < 0.5 else OF_FILE if name == "/" else KEYS
    key, kind = pick(rng, keys), pick(rng, ("text", "text", "number", "list", "Empty", "bytes"))
    value: Any = {
        "text": pick(rng, TEXTS),
        "number": pick(rng, NUMBERS),
        "list": pick(rng, LISTS),
        "Empty": h5py.Empty("f8"),
        "bytes": np.bytes_(b"\xff\xfem3"),
    }[kind]
    if key in attributes:
        del attributes[key]
    if isinstance(value, str) and "\x00" in value:
        value = np.bytes_(b"a\x00b")
    attributes[key] = value
    return f"{name}: {key} = {str(value)[:60]!r} ({kind})"


def attribute_removed(rng: Rng, file: h5py.File) -> str:
    """An attribute is not there."""
    name = chosen(rng, file)
    if not len(file[name].attrs):
        return removed(rng, file)
    key = pick(rng, sorted(file[name].attrs))
    del file[name].attrs[key]
    return f"{name}: {key}"


def values_changed(rng: Rng, file: h5py.File) -> str:
    """One number, some, or all of a variable are others."""
    name = chosen(rng, file)
    values = file[name][...]
    how = pick(rng, ("special", "special", "times", "constant", "reversed", "shuffled", "shifted", "doubled"))
    with np.errstate(all="ignore"):
        if how == "special":
            some = int(pick(rng, (1, 1, 10, values.size)))
            value = pick(rng, SPECIAL)
            places = rng.integers(values.size, size=some) if some < values.size else slice(None)
            np.atleast_1d(values).flat[places] = np.array([value]).astype(values.dtype)[0]
            how = f"{some} of {value}"
        elif how == "times":
            factor = pick(rng, (-1, 0.01, 0.1, 10, 100, 1000))
            values = (values * factor).astype(values.dtype)
            how = f"times {factor}"
        elif how == "constant":
            values = np.full_like(values, values.flat[0])
        elif how == "reversed":
            values = np.flip(values)
        elif how == "shuffled":
            values = rng.permutation(values.ravel()).reshape(values.shape)
        elif how == "shifted":
            values = np.roll(values, int(rng.integers(1, 6)))
        else:
            values = np.repeat(values.ravel(), 2)[: values.size].reshape(values.shape)
    file[name][...] = values
    return f"{name}: {how}"


STRUCTURE = (
    *(removed, renamed, linked, grouped, stored_otherwise, attribute_removed),
    *2 * (retyped, reshaped),
    *4 * (attribute_set, values_changed),
)
