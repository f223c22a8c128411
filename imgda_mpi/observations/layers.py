"""Which layer of the soil a variable holds, by all that its file says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.netcdf import around, read_values, text_attribute, vectors_along
from imgda_mpi.observations.image import SURFACE_LAYER, Layer
from imgda_mpi.observations.layer_names import METRES, layer_in_names, unclear_name
from imgda_mpi.observations.records import only_ones

TOLERANCE = 1e-4  # m: bounds in single precision

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


@dataclass(frozen=True, eq=False)
class Nodes:
    """Depths at which a variable has values, without saying of which layers.

    Parameters
    ----------
    depths : ascending, m
    dimension : that they lie along
    steps : number of each along it
    index : along the other dimensions that are neither horizontal nor chosen already
    """

    depths: FloatArray
    dimension: str
    steps: tuple[int, ...]
    index: dict[str, int]


def all_layers(path: Path, variable: netCDF4.Variable[Any], dimensions: list[str]) -> list[Place] | Nodes:
    """Every layer that a variable holds, or its depths where there are several without bounds; see `choose_layer`.

    Raises
    ------
    InputError
        As of `choose_layer` where it holds one layer; where depths are there twice.
    """
    depth = _depth_coordinate(path, variable, dimensions)
    if depth is None or depth.size < 2:
        return [choose_layer(path, variable, dimensions, None)]
    (along,) = depth.dimensions
    index = only_ones(path, variable, [d for d in dimensions if d != along])
    bounds = _bounds(path, depth)
    if bounds is not None:
        return [Place((float(top), float(bottom)), index | {along: n}) for n, (top, bottom) in enumerate(bounds)]
    depths = np.abs(_metres(path, depth, depth))
    order = np.argsort(depths)
    if not (np.diff(depths[order]) > 0).all():
        found = f"depths {', '.join(f'{one:g}' for one in depths)} m"
        raise fault(path, depth.name, found=found, expected="each depth once", do="correct the depths")
    return Nodes(depths[order], along, tuple(int(step) for step in order), index)


def choose_layer(path: Path, variable: netCDF4.Variable[Any], dimensions: list[str], wanted: Layer | None) -> Place:
    """The layer that is read, by a depth coordinate's bounds or nodes, else by the variable's names, else as wanted.

    ``dimensions`` are those that are neither horizontal nor chosen already.

    Raises
    ------
    InputError
        Where there are several and none is the one wanted, the file says another than the one wanted, or a dimension of
        layers without depths would be taken by its number.
    """
    depth = _depth_coordinate(path, variable, dimensions)
    along_depth = () if depth is None else depth.dimensions
    first = dict.fromkeys(along_depth, 0) | only_ones(path, variable, [d for d in dimensions if d not in along_depth])
    bounds = None if depth is None else _bounds(path, depth)
    if bounds is not None:
        only_one = wanted is None and len(bounds) == 1
        match = 0 if only_one else _matching(path, variable.name, bounds, wanted)
        layer = (float(bounds[match][0]), float(bounds[match][1]))
        _refuse_contradiction(path, variable, layer, layer_in_names(variable))
        return Place(layer, first | dict.fromkeys(along_depth, match))
    if depth is not None and depth.size > 1:
        raise fault(
            path,
            depth.name,
            found=f"{depth.size} depths without bounds in m",
            expected="top and bottom of each layer",
            do="add the bounds to the file, or extract one layer first (for example with ncks -d)",
        )
    named = layer_in_names(variable)
    _refuse_contradiction(path, variable, wanted, named)
    if named is not None and named[0] == named[1]:
        _check_node(path, variable.name, named[0], wanted)
        named = None
    taken = wanted or named
    if depth is not None:
        _check_node(path, depth.name, abs(float(_metres(path, depth, depth).ravel()[0])), taken)
    unclear = [f"dimension {d} without depths" for d in dimensions if d not in along_depth and SOIL_DIMENSION.search(d)]
    if depth is None:  # what was a dimension, before one index of it was taken
        numbers = [one for one in around(variable).values() if one.name in _named(variable) and not one.dimensions]
        unclear += [f"{one.name} without a depth" for one in numbers if SOIL_DIMENSION.search(one.name)]
    said = unclear_name(variable)
    unclear += [f"'{said}' in its name or long_name"] if said else []
    if taken is None and unclear:
        raise fault(
            path,
            variable.name,
            found=", ".join(unclear),
            expected="the depths of its layer",
            do="set layer to its top and bottom in m, or add a depth coordinate with bounds",
        )
    return Place(taken, first)


def refuse_empty(layer: Layer | None) -> None:
    """Raise ValueError where top and bottom, m, are none of a layer."""
    if layer is not None and not 0.0 <= layer[0] < layer[1]:
        raise ValueError(f"layer {layer} must be top and bottom in m, top < bottom")


def check_depths(path: Path, name: str, depths: FloatArray, units: str, layer: Layer | None) -> None:
    """Refuse points at several depths (n,), or at one outside the layer that is taken (the image's where None).

    Raises
    ------
    InputError
        Also where the units are none of depths.
    """
    if units.lower() not in METRES:
        raise fault(path, name, found=f"units '{units}'", expected="m, cm or mm", do="correct the units")
    different = np.unique(np.abs(METRES[units.lower()] * depths[np.isfinite(depths)]))
    if different.size > 1:
        raise fault(
            path,
            name,
            found=f"points at {different.size} depths, {different[0]:g} to {different[-1]:g} m",
            expected="points of one depth",
            do="leave the others out of the file",
        )
    for depth in different:
        _check_node(path, name, float(depth), layer)


def same_layer(layer: Layer, other: Layer) -> bool:
    """Whether two layers have the same bounds, to `TOLERANCE`."""
    return bool(np.abs(np.subtract(layer, other)).max() < TOLERANCE)


def check_layer(path: Path, variable: str, layer: Layer | None) -> str | None:
    """Refuse a layer without any part of the image's; what a layer that differs from it stands for, in words.

    None where it is the image's, or nobody knows it.

    Raises
    ------
    InputError
    """
    if layer is None or same_layer(layer, SURFACE_LAYER):
        return None
    if layer[0] >= SURFACE_LAYER[1] - TOLERANCE:
        raise fault(
            path,
            variable,
            found=f"soil moisture at {_text(layer)}",
            expected=f"a layer with some part of {_text(SURFACE_LAYER)}, the image's",
            do="name the variable or the layer at the surface",
        )
    return f"the observed layer {_text(layer)} stands for the image's {_text(SURFACE_LAYER)}"


def _text(layer: Layer) -> str:
    return f"{layer[0]:g}-{layer[1]:g} m"


def _check_node(path: Path, name: str, node: float, layer: Layer | None) -> None:
    """Refuse a depth, m, outside the layer that is taken (the image's where nobody knows it).

    A layer that begins at the bottom of the image's may have its top for its depth: nobody knows that it is another.
    """
    top, bottom = layer or SURFACE_LAYER
    within = node <= bottom + TOLERANCE if layer else node < bottom - TOLERANCE
    if not (top - TOLERANCE <= node and within):
        raise fault(
            path,
            name,
            found=f"a depth of {node:g} m",
            expected=f"one within {_text((top, bottom))}",
            do="name the variable at the surface, extract its layer, or state the layer that it is of",
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
    path: Path, variable: netCDF4.Variable[Any], dimensions: list[str]
) -> netCDF4.Variable[Any] | None:
    """Depth along one of the dimensions, else a scalar that is a depth or that the variable names as its coordinate."""
    along = [v for dimension in dimensions for v in vectors_along(variable, dimension)]
    named, single = _named(variable), [v for v in around(variable).values() if not v.dimensions]
    candidates = along + [v for v in single if v.name in named or is_depth(path, v)]
    for candidate in candidates:
        standard_name, units = (text_attribute(candidate, name).lower() for name in ("standard_name", "units"))
        says_so = is_depth(path, candidate)
        if says_so and units not in METRES:
            raise fault(
                path, candidate.name, found=f"units '{units}'", expected="depths in m, cm or mm", do="correct the units"
            )
        if says_so or (units in METRES and not standard_name):
            if candidate.size == 0:
                found = f"no layer along {', '.join(candidate.dimensions)}"
                raise fault(path, variable.name, found=found, expected="an image", do="give another file")
            return candidate
    return None


def _named(variable: netCDF4.Variable[Any]) -> list[str]:
    """Names of the coordinates that a variable states beside those of its dimensions."""
    return text_attribute(variable, "coordinates").split()


def is_depth(path: Path, variable: netCDF4.Variable[Any]) -> bool:
    """Whether it says so: by standard name (also a height below the surface), else by its name."""
    standard_name = text_attribute(variable, "standard_name").lower()
    if standard_name == "height":
        return bool((read_values(path, variable) < 0).any())
    if standard_name:
        return standard_name.startswith("depth")
    return re.fullmatch(r"depth|soil_?depth|depthbelowland\w*", variable.name, re.IGNORECASE) is not None


def _bounds(path: Path, depth: netCDF4.Variable[Any]) -> FloatArray | None:
    """Top and bottom of the layers, (n, 2) m, or None where the file does not say.

    They are the bounds of the coordinate, or, as NCL has them, two variables of its dimension that end in _l0 and _l1.
    """
    seen = around(depth)
    pair = [f"{name}{end}" for name in depth.dimensions for end in ("_l0", "_l1")]
    name = text_attribute(depth, "bounds") or f"{depth.name}_bnds"
    if pair and all(one in seen for one in pair):
        bounds = np.stack([_metres(path, seen[one], depth) for one in pair], axis=-1)
    elif name in seen and seen[name].shape == (*depth.shape, 2):
        bounds = _metres(path, seen[name], depth)
    else:
        return None
    edges = np.sort(bounds.reshape(-1, 2), axis=1)
    # Heights, which are negative below the surface, are depths the other way round.
    return np.sort(-edges, axis=1) if edges.max() <= 0 < -edges.min() else edges


def _metres(path: Path, variable: netCDF4.Variable[Any], depth: netCDF4.Variable[Any]) -> FloatArray:
    """Values in m; units that bounds do not have are those of the coordinate."""
    units = (text_attribute(variable, "units") or text_attribute(depth, "units")).lower()
    if units not in METRES:
        raise fault(path, variable.name, found=f"units '{units}'", expected="m, cm or mm", do="correct the units")
    return METRES[units] * read_values(path, variable)
