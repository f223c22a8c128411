"""A file of a product that is open: its layers or nodes, its times, and its images on its own grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import find_variable, horizontal_grid, named, opened, text_attribute
from imgda_mpi.observations.cf import source_at
from imgda_mpi.observations.image import SURFACE_LAYER, Layer
from imgda_mpi.observations.intervals import Interval, doubts, interval_of
from imgda_mpi.observations.layers import TOLERANCE, Nodes, Place, all_layers, choose_layer, same_layer
from imgda_mpi.observations.masks import Mask, masked_pixels
from imgda_mpi.observations.quality import gross_check
from imgda_mpi.observations.selection import selected
from imgda_mpi.observations.times import Chosen, Times, all_times
from imgda_mpi.observations.units import overruled


@dataclass(frozen=True)
class Found:
    """Where a file has a layer that is asked for, and what is to be said of it."""

    variable: str
    place: Place
    remark: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is read of the files of a product.

    Parameters
    ----------
    layers : that are asked for, m
    variables : of soil moisture, each with the layer it holds where that is known beforehand
    optional : whether a file need not have all of them
    select : see `selected`
    valid_range : see `gross_check`
    units : of the values, whatever the files say of them; None takes what they say
    mask : pixels to leave out; None uses all
    """

    layers: Sequence[Layer]
    variables: Mapping[str, Layer | None]
    optional: bool = False
    select: Mapping[str, int | str] = field(default_factory=dict)
    valid_range: tuple[float, float]
    units: str | None = None
    mask: Mask | None = None


class ProductFile:
    """A file that is open; `open_product` makes it.

    Parameters
    ----------
    found : where it has layers that are asked for, in the order of these
    nodes : its depths, where it has these in the place of layers
    times : None where it has none
    """

    def __init__(self, path: Path, dataset: netCDF4.Dataset, wanted: Wanted) -> None:
        self._path, self._dataset, self._wanted = path, dataset, wanted
        there = [name for name in wanted.variables if named(dataset, name) is not None or not wanted.optional]
        if not there:
            expected = f"one of {', '.join(wanted.variables)}"
            raise fault(path, found="no soil moisture", expected=expected, do="give files of the product")
        self._last_mask: tuple[datetime, BoolArray] | None = None
        self._name = there[0]
        self._first = find_variable(path, dataset, self._name)
        self._horizontal = {name: horizontal_grid(path, find_variable(path, dataset, name)) for name in there}
        for name, horizontal in self._horizontal.items():
            if not horizontal.grid.has_cells_of(self.grid):
                found, expected = "another grid", f"that of {self._name}"
                raise fault(path, name, found=found, expected=expected, do="name variables of one grid")
        dimensions = self._horizontal[self._name].dimensions
        self.times: Times | None = all_times(path, dataset, self._first, dimensions)
        self.nodes: Nodes | None = None
        own: list[tuple[str, Place]] = []
        for name in there:
            places = self._places(name, wanted.variables[name])
            if isinstance(places, Nodes):
                if len(there) > 1:
                    found, do = f"{places.depths.size} depths without bounds", "name it alone, or add the bounds"
                    raise fault(path, name, found=found, expected="one layer in each of several variables", do=do)
                self.nodes = places
            else:
                own += [(name, place) for place in places]
        self.found = _matches(path, own, wanted.layers)

    @property
    def grid(self) -> Grid:
        """Of its images, (ny, nx)."""
        return self._horizontal[self._name].grid

    @property
    def remarks(self) -> list[str]:
        """What is to be said of its layers, units and coordinates."""
        of_units = overruled(text_attribute(self._first, "units"), self._wanted.units)
        said = [of_units, self._horizontal[self._name].remark, *(found.remark for found in self.found.values())]
        return [remark for remark in said if remark]

    def where(self, layer: Layer) -> Found | None:
        """Where the file has a layer; None where it has not."""
        return next((found for own, found in self.found.items() if same_layer(own, layer)), None)

    def interval(self, time: datetime | None) -> Interval:
        """Of an image of a time that the file has, None where it has none."""
        chosen = self._chosen(time)
        return interval_of(self._path, self._dataset, self._first, chosen, chosen.steps[0])

    def doubts(self, time: datetime | None) -> str | None:
        """What is to be said where an image is taken for one of an instant; see `interval`."""
        return doubts(self.interval(time), self._chosen(time))

    def image(
        self, name: str, place: Place, time: datetime | None, stated: datetime, counts: Counter[str]
    ) -> FloatArray:
        """An image, (ny, nx) m3 m-3, NaN where it is missing, masked or out of range.

        Parameters
        ----------
        name, place : of the variable
        time : that the file has, None where it has none
        stated : what the time is then
        counts : to which its pixels are added, by reason

        Raises
        ------
        InputError
            Where the values or units are not those of soil moisture.
        """
        variable = find_variable(self._path, self._dataset, name)
        source = source_at(
            self._path,
            self._dataset,
            variable,
            self._horizontal[name],
            [self._chosen(time)],
            place,
            stated,
            units=self._wanted.units,
        )
        values, n_masked = source.values, 0
        if self._wanted.mask is not None:
            masked = self._masked(self._wanted.mask, source.time) & np.isfinite(values)
            values, n_masked = np.where(masked, np.nan, values), int(masked.sum())
        checked = gross_check(values, str(self._path), name, self._wanted.valid_range)
        counts["source pixels"] += values.size
        counts["missing"] += checked.n_missing - n_masked
        counts["masked"] += n_masked
        counts["below range"] += checked.n_below
        counts["above range"] += checked.n_above
        return checked.values

    def at_node(self, number: int, time: datetime | None, stated: datetime, counts: Counter[str]) -> FloatArray:
        """The image at one of the nodes, as of `image`."""
        if self.nodes is None:
            raise ValueError("a file without nodes")
        place = Place(None, self.nodes.index | {self.nodes.dimension: self.nodes.steps[number]})
        return self.image(self._name, place, time, stated, counts)

    def _places(self, name: str, layer: Layer | None) -> list[Place] | Nodes:
        """Layers or nodes of a variable, with what is selected along its other dimensions."""
        variable = find_variable(self._path, self._dataset, name)
        taken = {*self._horizontal[name].dimensions, self.times.dimension if self.times else None}
        chosen, others = selected(self._path, variable, self._wanted.select, taken)
        if layer is not None:
            places: list[Place] | Nodes = [choose_layer(self._path, variable, others, layer)]
        else:
            places = all_layers(self._path, variable, others)
        if isinstance(places, Nodes):
            return Nodes(places.depths, places.dimension, places.steps, places.index | chosen)
        return [Place(place.layer, place.index | chosen) for place in places]

    def _masked(self, mask: Mask, time: datetime) -> BoolArray:
        """Pixels that the mask leaves out, kept for the other layers of the time."""
        if self._last_mask is None or self._last_mask[0] != time:
            self._last_mask = time, masked_pixels(mask, self._path, time, self.grid).pixels
        return self._last_mask[1]

    def _chosen(self, time: datetime | None) -> Chosen:
        return Chosen() if self.times is None or time is None else self.times.at(time)


@contextmanager
def open_product(path: Path, *, wanted: Wanted) -> Iterator[ProductFile]:
    """A file that stays open in the block. Not collective.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is not what is wanted.
    """
    with opened(path) as dataset:
        yield ProductFile(path, dataset, wanted)


def _matches(path: Path, own: Sequence[tuple[str, Place]], layers: Sequence[Layer]) -> dict[Layer, Found]:
    """Where layers are found, by their bounds; of the surface else the uppermost one that has some part of it.

    Raises
    ------
    InputError
        Where two stand for the same one.
    """
    found = {}
    for layer in layers:
        is_surface = same_layer(layer, SURFACE_LAYER)
        matching = [(name, place) for name, place in own if place.layer is not None and same_layer(place.layer, layer)]
        if not matching and is_surface:
            matching = _uppermost(own)
        if len(matching) > 1:
            names = ", ".join(dict.fromkeys(name for name, _ in matching))
            what = f"{len(matching)} layers that stand for {layer[0]:g}-{layer[1]:g} m"
            raise fault(path, names, found=what, expected="one", do="name one of the variables")
        for name, place in matching:
            found[layer] = Found(name, place, _remark(name, place.layer, layer))
    return found


def _uppermost(own: Sequence[tuple[str, Place]]) -> list[tuple[str, Place]]:
    """Of the layers that have some part of the surface's, those that begin highest; of unknown ones every one."""
    tops = [0.0 if place.layer is None else place.layer[0] for _, place in own]
    highest = min(tops, default=SURFACE_LAYER[1])
    if highest >= SURFACE_LAYER[1] - TOLERANCE:
        return []
    return [one for one, top in zip(own, tops, strict=True) if top < highest + TOLERANCE]


def _remark(name: str, own: Layer | None, layer: Layer) -> str | None:
    if own is None:
        return f"nothing says which layer {name} is of: it is taken for {layer[0]:g}-{layer[1]:g} m"
    if same_layer(own, layer):
        return None
    return f"the layer {own[0]:g}-{own[1]:g} m of {name} stands for {layer[0]:g}-{layer[1]:g} m"
