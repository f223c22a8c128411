"""Which layer of the soil a variable holds, by all that its file says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.netcdf import read_values, text_attribute, vectors_along
from imgda_mpi.observations.image import SURFACE_LAYER, Layer

METRES = {
    f"{prefix}{unit}": size
    for prefixes, size in ((("", ""), 1.0), (("c", "centi"), 0.01), (("m", "milli"), 0.001))
    for prefix, units in zip(prefixes, (("m",), ("metre", "meter", "metres", "meters")), strict=True)
    for unit in units
}
"""As m, cm, mm, and in words."""

TOLERANCE = 1e-4  # m: bounds in single precision

# Names of ECMWF's four layers (IFS documentation, part IV, H-TESSEL).
ECMWF: dict[str, Layer] = {"1": (0.0, 0.07), "2": (0.07, 0.28), "3": (0.28, 1.0), "4": (1.0, 2.89)}
ECMWF_NAME = re.compile(r"\bswvl([1-4])(?![0-9])|\bvolumetric soil water(?: content)? layer ([1-4])\b", re.IGNORECASE)

NUMBER = r"(\d+(?:\.\d+)?)"
UNIT = rf"({'|'.join(sorted(METRES, key=len, reverse=True))})"
AFTER = r"(?![a-z\d^*])(?!\s*-\d)"  # no other unit, no power
# As 0-10 cm, 0.1 to 0.4 m, 0cm-10cm, SoilMoi10_40cm_inst.
DEPTHS = re.compile(
    rf"(?<!\d)(?<!\d\.){NUMBER}\s*{UNIT}?(?:\s*(?:-|\N{{EN DASH}}|to|\.\.)\s*|_(?:to_)?){NUMBER}\s*_?{UNIT}{AFTER}",
    re.IGNORECASE,
)
# As "at 50 cm", "top 5 cm".
DEPTH = re.compile(
    rf"(?P<top>\b(?:top|upper|uppermost|first)[\s_]*)?(?<![a-z\d.-]){NUMBER}\s*{UNIT}{AFTER}", re.IGNORECASE
)
UNCLEAR = re.compile(
    r"root[\s_-]*zone|profile|total[\s_-]*column|\b(?:layer|level)[\s_#-]*(?:[2-9]|1\d)\b", re.IGNORECASE
)
SOIL_DIMENSION = re.compile(r"soil|depth|lev|layer|lyr|^sl|profile|^z", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where a variable has its layer.

    Parameters
    ----------
    layer : None where nobody knows it
    index : along every dimension that is neither horizontal nor chosen already
    """

    layer: Layer | None
    index: dict[str, int]


def choose_layer(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], dimensions: list[str], wanted: Layer | None
) -> Place:
    """The layer that is read, by a depth coordinate's bounds or nodes, else by the variable's names, else as wanted.

    ``dimensions`` are those that are neither horizontal nor chosen already.

    Raises
    ------
    InputError
        Where there are several and none is the one wanted, the file says another than the one wanted, or a dimension of
        layers without depths would be taken by its number.
    """
    first = dict.fromkeys(dimensions, 0)
    depth = _depth_coordinate(path, dataset, variable, dimensions)
    along_depth = () if depth is None else depth.dimensions
    unknown = [d for d in dimensions if len(dataset.dimensions[d]) > 1 and d not in along_depth]
    if unknown:
        raise fault(
            path,
            variable.name,
            found=f"further dimensions {', '.join(f'{d} ({len(dataset.dimensions[d])})' for d in unknown)}",
            expected="latitude, longitude, time and a depth coordinate",
            do="extract one index of each first (for example with ncks -d)",
        )
    bounds = None if depth is None else _bounds(path, dataset, depth)
    if bounds is not None:
        only_one = wanted is None and len(bounds) == 1
        match = 0 if only_one else _matching(path, variable.name, bounds, wanted)
        layer = (float(bounds[match][0]), float(bounds[match][1]))
        _refuse_contradiction(path, variable, layer, _stated_by_names(variable))
        return Place(layer, first | dict.fromkeys(along_depth, match))
    if depth is not None and depth.size > 1:
        raise fault(
            path,
            depth.name,
            found=f"{depth.size} depths without bounds in m",
            expected="top and bottom of each layer",
            do="add the bounds to the file, or extract one layer first (for example with ncks -d)",
        )
    named = _stated_by_names(variable)
    _refuse_contradiction(path, variable, wanted, named)
    if named is not None and named[0] == named[1]:
        _check_node(path, variable.name, named[0], wanted)
        named = None
    taken = wanted or named
    if depth is not None:
        node = METRES[text_attribute(depth, "units").lower()] * float(read_values(path, depth).ravel()[0])
        _check_node(path, depth.name, abs(node), taken)
    unclear = [f"dimension {d} without depths" for d in dimensions if d not in along_depth and SOIL_DIMENSION.search(d)]
    said = UNCLEAR.search(f"{variable.name} {text_attribute(variable, 'long_name')}")
    unclear += [f"'{said[0]}' in its name or long_name"] if said else []
    if taken is None and unclear:
        raise fault(
            path,
            variable.name,
            found=", ".join(unclear),
            expected="the depths of its layer",
            do="set layer to its top and bottom in m, or add a depth coordinate with bounds",
        )
    return Place(taken, first)


def check_layer(path: Path, variable: str, layer: Layer | None) -> str | None:
    """Refuse a layer without any part of the image's; what a layer that differs from it stands for, in words.

    None where it is the image's, or nobody knows it.

    Raises
    ------
    InputError
    """
    if layer is None or np.abs(np.subtract(layer, SURFACE_LAYER)).max() < TOLERANCE:
        return None
    if layer[0] >= SURFACE_LAYER[1] - TOLERANCE:
        raise _another_layer(path, variable, _text(layer))
    return f"the observed layer {_text(layer)} stands for the image's {_text(SURFACE_LAYER)}"


def _text(layer: Layer) -> str:
    return f"{layer[0]:g}-{layer[1]:g} m"


def _another_layer(path: Path, variable: str, found: str) -> ImgdaError:
    return fault(
        path,
        variable,
        found=f"soil moisture at {found}",
        expected=f"a layer with some part of {_text(SURFACE_LAYER)}, the image's",
        do="name the variable or the layer at the surface",
    )


def _check_node(path: Path, name: str, node: float, layer: Layer | None) -> None:
    """Refuse a depth, m, outside the layer that is taken (the image's where nobody knows it)."""
    top, bottom = layer or SURFACE_LAYER
    if not top - TOLERANCE <= node <= bottom + TOLERANCE:
        raise fault(
            path,
            name,
            found=f"a depth of {node:g} m",
            expected=f"one within {_text((top, bottom))}",
            do="name the variable at the surface, extract its layer, or correct layer",
        )


def _refuse_contradiction(
    path: Path, variable: netCDF4.Variable[Any], layer: Layer | None, named: Layer | None
) -> None:
    if layer is None or named is None:
        return
    is_node = named[0] == named[1]
    apart = max(layer[0] - named[0], named[1] - layer[1]) if is_node else np.abs(np.subtract(layer, named)).max()
    if apart >= TOLERANCE:
        raise fault(
            path,
            variable.name,
            found=f"{f'{named[0]:g} m' if is_node else _text(named)} in its name or long_name",
            expected=_text(layer),
            do="correct layer, name another variable, or correct the file",
        )


def _stated_by_names(variable: netCDF4.Variable[Any]) -> Layer | None:
    """The layer that long_name or name of the variable state, as 0-10 cm or swvl2; None where neither does.

    Of a depth alone, as at 50 cm, top and bottom are the same.
    """
    for text in (text_attribute(variable, "long_name"), variable.name):
        ecmwf, depths, depth = (pattern.search(text) for pattern in (ECMWF_NAME, DEPTHS, DEPTH))
        if ecmwf:
            return ECMWF[ecmwf[1] or ecmwf[2]]
        if depths:
            top, bottom = (
                METRES[u.lower()] * float(n) for n, u in ((depths[1], depths[2] or depths[4]), depths.group(3, 4))
            )
            if top < bottom:
                return top, bottom
        if depth:
            node = METRES[depth[3].lower()] * float(depth[2])
            return (0.0, node) if depth["top"] else (node, node)
    return None


def _matching(path: Path, name: str, bounds: FloatArray, layer: Layer | None) -> int:
    wanted = (np.nan, np.nan) if layer is None else layer
    matches = np.flatnonzero(np.abs(bounds - wanted).max(axis=1) < TOLERANCE)
    if matches.size != 1:
        raise fault(
            path,
            name,
            found=f"layers {', '.join(f'{top:g}-{bottom:g} m' for top, bottom in bounds)}",
            expected="one layer" if layer is None else _text(layer),
            do=f"set layer to one of them, as [{bounds[0][0]:g}, {bounds[0][1]:g}]",
        )
    return int(matches[0])


def _depth_coordinate(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], dimensions: list[str]
) -> netCDF4.Variable[Any] | None:
    """Depth along one of the dimensions, else a scalar that is a depth or that the variable names as its coordinate."""
    candidates = [v for dimension in dimensions for v in vectors_along(dataset, dimension)]
    named = text_attribute(variable, "coordinates").split()
    scalars = [v for v in dataset.variables.values() if not v.dimensions]
    candidates += [v for v in scalars if v.name in named or text_attribute(v, "standard_name").lower() == "depth"]
    for candidate in candidates:
        standard_name, units = (text_attribute(candidate, name).lower() for name in ("standard_name", "units"))
        if standard_name == "depth" and units not in METRES:
            raise fault(
                path, candidate.name, found=f"units '{units}'", expected="depths in m, cm or mm", do="correct the units"
            )
        if units in METRES and standard_name in ("depth", ""):
            return candidate
    return None


def _bounds(path: Path, dataset: netCDF4.Dataset, depth: netCDF4.Variable[Any]) -> FloatArray | None:
    """Top and bottom of the layers, (n, 2) m, or None where the file does not say."""
    name = text_attribute(depth, "bounds") or f"{depth.name}_bnds"
    metres = METRES[text_attribute(depth, "units").lower()]
    if name not in dataset.variables:
        return None
    bounds = read_values(path, dataset.variables[name])
    if bounds.shape != (*depth.shape, 2):
        return None
    edges = metres * np.sort(bounds.reshape(-1, 2), axis=1)
    # Heights, which are negative below the surface, are depths the other way round.
    return np.sort(-edges, axis=1) if edges.max() <= 0 < -edges.min() else edges
