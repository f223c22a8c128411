"""The const file of CoLM2014: what never changes of its patches, and where they lie.

No sizes are stored. They follow from the lengths of the two records and from the depths of the soil layers, which are
the same for every patch and tell where the patches' values begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.fortran import Records, read_records
from imgda_mpi.colm.land_cover import AREA_TOLERANCE, check_types
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_layers import N_SOIL, node_depth
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid

PLACES, PROPERTIES = 0, 1
"""Numbers of the records from 0."""

# Record 1: 3 integers and 2 reals for every patch, 2 integers for every cell.
PLACE_BYTES = 28
# Record 2: dlat, dlon; lats(lat), lons(lon); itypwat; z_soi(10), dz_soi(10), lakedepth, dz_lake(10), 4 albedos,
# porsl(10) and 105 more reals for every patch; 14 scalars.
PROPERTY_BYTES = 1132
SCALAR_BYTES = 14 * 8
BYTES_FROM_DEPTHS = PROPERTY_BYTES - 20  # of a patch, from z_soi on
REALS_BEFORE_POROSITY = 2 * N_SOIL + 1 + 10 + 4  # of a patch, from z_soi on


@dataclass(frozen=True)
class Layout:
    """What a const file holds and where: of what it has for every patch, bytes from the beginning of its record."""

    records: Records
    n_patch: int
    n_lat: int
    n_lon: int

    @property
    def depths(self) -> int:
        """Where z_soi begins in the record of the properties."""
        return 20 * self.n_patch + 8 * (self.n_lat + self.n_lon)

    def porosity(self) -> FloatArray:
        """``porsl``, (n_patch, 10) m3 m-3. Not collective."""
        return self._layers(REALS_BEFORE_POROSITY)

    def conductivity(self) -> FloatArray:
        """``hksati``, behind porsl, psi0 and bsw, (n_patch, 10) mm s-1. Not collective."""
        return self._layers(REALS_BEFORE_POROSITY + 3 * N_SOIL)

    def classes(self) -> IntArray:
        """``mxy_patch``, the land cover classes, (n_patch,). Not collective."""
        return self.records.integers(PLACES, 8 * self.n_patch, self.n_patch)

    def _layers(self, reals_before: int) -> FloatArray:
        start = self.depths + 8 * reals_before * self.n_patch
        return self.records.reals(PROPERTIES, start, self.n_patch * N_SOIL).reshape(-1, N_SOIL)


def const_layout(path: Path) -> Layout:
    """Where things lie in a const file. Not collective.

    Raises
    ------
    InputError
        Where it is missing, damaged, or of another layout.
    """
    records = read_records(path)
    lengths = records.lengths
    n_patch = _count_patches(records)
    # Two unknown sizes from their product and their sum.
    n_cells = (lengths[PLACES] - PLACE_BYTES * n_patch) // 8
    total = (lengths[PROPERTIES] - SCALAR_BYTES - PROPERTY_BYTES * n_patch) // 8
    smaller = (total - isqrt(max(total**2 - 4 * n_cells, 0))) // 2
    for n_lat, n_lon in ((smaller, total - smaller), (total - smaller, smaller)):
        layout = Layout(records, n_patch, n_lat, n_lon)
        if n_lat * n_lon == n_cells and _coordinates_fit(layout):
            return layout
    raise fault(
        path,
        "ixy_patch, jxy_patch, dlat, dlon, lats, lons",
        found=f"records of {lengths[0]} and {lengths[1]} bytes with {n_patch} patches whose positions fit no grid",
        expected="the patches of a grid of lats and lons",
        do="the file is damaged or of another version of the model",
    )


def patch_map(layout: Layout) -> PatchMap:
    """Where the patches of a const file lie. Not collective.

    Raises
    ------
    InputError
        Where cells, coordinates, types or areas of the patches contradict each other.
    """
    records, path = layout.records, layout.records.path
    n, n_cells = layout.n_patch, layout.n_lat * layout.n_lon
    row, column = _places(layout)
    cell = row * layout.n_lon + column
    first, last = records.integers(PLACES, 12 * n, 2 * n_cells).reshape(2, n_cells)
    number = np.arange(1, n + 1)
    counted = int((last - first + 1)[first > 0].sum())
    if counted != n or (number < first[cell]).any() or (number > last[cell]).any():
        raise fault(
            path,
            "spatch_xy, epatch_xy",
            found=f"{counted} patches in the cells' ranges, not those of ixy_patch and jxy_patch",
            expected=f"each of the {n} patches in the range of its cell",
            do="the file is damaged: copy it again from the model run",
        )
    weight = records.reals(PLACES, 12 * n + 8 * n_cells, n)
    patch_type = records.integers(PROPERTIES, layout.depths - 4 * n, n)
    patch_class = layout.classes()
    check_types(
        patch_class, patch_type, "itypwat", lambda patch: (path, f"row {row[patch] + 1}, column {column[patch] + 1}")
    )
    _check_areas(path, row, column, weight)
    latitude, longitude = _coordinates(layout)
    # A region across the date line.
    longitude = np.where(longitude < longitude[0], longitude + 360.0, longitude)
    try:
        patches = PatchMap(Grid(latitude, longitude), cell, weight, patch_type)
    except ValueError as err:
        raise fault(
            path,
            "lats, lons, wtxy_patch",
            found=f"values that make no grid ({err})",
            expected="a latitude-longitude grid and the areas of its patches",
            do="the file is damaged: copy it again from the model run",
        ) from err
    return patches


def _check_areas(path: Path, row: IntArray, column: IntArray, weight: FloatArray) -> None:
    """Refuse cells whose patches do not cover a part of the cell: the weights sum to its land fraction."""
    places, cell = np.unique(np.stack([row, column]), axis=1, return_inverse=True)
    land = np.bincount(cell.ravel(), np.where(weight >= 0, weight, np.nan))  # a weight below 0 spoils its cell
    wrong = np.flatnonzero(~((land > 0) & (land <= 1 + AREA_TOLERANCE)))
    if wrong.size:
        at_row, at_column = places[:, wrong[0]] + 1
        raise fault(
            path,
            "wtxy_patch",
            found=f"weights of row {at_row}, column {at_column} that sum to {land[wrong[0]]:g}"
            f" ({wrong.size} such cells)",
            expected="weights of 0 or more that sum to the land fraction, above 0 and at most 1",
            do="the file is damaged: copy it again from the model run",
        )


def _count_patches(records: Records) -> int:
    """Number of patches: the one for which the layer depths lie where the layout wants them."""
    lengths = records.lengths
    if len(lengths) == 2:
        end = lengths[PROPERTIES] - SCALAR_BYTES
        # A grid has more cells than rows plus columns less one, which limits the search.
        most = end // PROPERTY_BYTES
        least = max(1, (end - 8 - lengths[PLACES]) // (PROPERTY_BYTES - PLACE_BYTES))
        for n_patch in range(most, least - 1, -1):
            depths = records.reals(PROPERTIES, end - BYTES_FROM_DEPTHS * n_patch, N_SOIL)
            with np.errstate(invalid="ignore"):  # other numbers read as reals may be anything
                if (np.abs(depths - node_depth) < 1e-9).all():
                    return n_patch
    raise fault(
        records.path,
        found=f"records of {lengths} bytes without the depths of the soil layers",
        expected="the two records of a const file of CoLM2014",
        do="name the <site>-rstTimeConst file; other versions of the model cannot be read",
    )


def _places(layout: Layout) -> tuple[IntArray, IntArray]:
    """Row and column of every patch, from 0."""
    column, row = layout.records.integers(PLACES, 0, 2 * layout.n_patch).reshape(2, -1) - 1
    return row, column


def _coordinates(layout: Layout) -> tuple[FloatArray, FloatArray]:
    values = layout.records.reals(PROPERTIES, 16 * layout.n_patch, layout.n_lat + layout.n_lon)
    return values[: layout.n_lat], values[layout.n_lat :]


def _coordinates_fit(layout: Layout) -> bool:
    """Whether every patch lies at the coordinates of its cell."""
    row, column = _places(layout)
    inside = (row >= 0) & (row < layout.n_lat) & (column >= 0) & (column < layout.n_lon)
    if not inside.all():
        return False
    lats, lons = _coordinates(layout)
    with np.errstate(over="ignore"):  # what is in no cell does not fit
        dlat, dlon = np.degrees(layout.records.reals(PROPERTIES, 0, 2 * layout.n_patch)).reshape(2, -1)
    return bool((np.abs(dlat - lats[row]) < 1e-6).all() and (np.abs(dlon - lons[column]) < 1e-6).all())
