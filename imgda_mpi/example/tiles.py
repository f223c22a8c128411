"""Grid, pixels, land elements and patches of the example, built the way CoLM202X builds them.

The globe is cut into pixels. The land pixels of one grid cell are an element; the pixels of one land-cover class in
an element are a patch, and the patch's weight is its share of the element's area.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.example import geography
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.grid import Grid

N_ROWS, N_COLUMNS = 128, 256


def _global_grid(ny: int, nx: int) -> Grid:
    latitude = 90.0 - (np.arange(ny, dtype=np.float64) + 0.5) * 180.0 / ny
    longitude = -180.0 + (np.arange(nx, dtype=np.float64) + 0.5) * 360.0 / nx
    return Grid(latitude, longitude)


GRID = _global_grid(N_ROWS, N_COLUMNS)
"""The paper's grid, 1.40625 degrees, rows from north to south."""

PIXELS_PER_CELL = 4
"""Pixels along each side of a cell."""

PIXELS = _global_grid(N_ROWS * PIXELS_PER_CELL, N_COLUMNS * PIXELS_PER_CELL)
"""Centres of the pixels, (512, 1024), rows from the north."""

BLOCK_SIZE = 90
"""Degrees of latitude and longitude in one block of files."""

# IGBP land-cover classes.
WETLAND, URBAN, ICE, WATER = 11, 13, 15, 17
PATCH_TYPE = np.zeros(18, dtype=np.int32)
PATCH_TYPE[[URBAN, WETLAND, ICE, WATER]] = 1, 2, 3, 4

# Land cover by climate (tropical, temperate, boreal, polar) and wetness (five steps from dry to wet):
# 1 needleleaf, 2 evergreen broadleaf, 4 deciduous broadleaf, 5 mixed forest, 7 shrub, 8 and 9 savanna, 10 grass,
# 12 crop, 14 crop with natural vegetation, 16 barren.
_COVER = np.array([[16, 7, 9, 8, 2], [16, 10, 12, 14, 4], [10, 10, 5, 1, 1], [16, 7, 7, 10, 10]])


@dataclass(frozen=True)
class Tiles:
    """Pixels and patches, both in the order of the files: by block, by element, by land-cover class.

    Parameters
    ----------
    pixel_row, pixel_column : (n_pixel,) array
        Place of the land pixels on the pixel grid, rows from the north.
    first_pixel, n_pixels : (n_patch,) array
        Pixels of each patch.
    block : (n_patch,) array
        Number of the patch's block, south-west first, eastward, then northward.
    cell : (n_patch,) array
        row * 256 + column of the patch's grid cell.
    patch_class : (n_patch,) array
        IGBP class.
    area : (n_patch,) array
        Area of the patch's pixels, any unit.
    """

    pixel_row: IntArray
    pixel_column: IntArray
    first_pixel: IntArray
    n_pixels: IntArray
    block: IntArray
    cell: IntArray
    patch_class: IntArray
    area: FloatArray

    @property
    def n_patch(self) -> int:
        """Number of patches."""
        return self.cell.size

    @property
    def element_id(self) -> IntArray:
        """CoLM's number of the patch's element: nlon * (j - 1) + i, i from the west, j from the north, from 1."""
        return self.cell + 1

    @property
    def patch_type(self) -> IntArray:
        """0 soil, 1 urban, 2 wetland, 3 land ice, 4 lake."""
        return PATCH_TYPE[self.patch_class].astype(np.int64)

    @property
    def is_soil(self) -> BoolArray:
        """Patches whose soil water is assimilated."""
        return np.asarray(self.patch_type == 0)

    @property
    def fraction(self) -> FloatArray:
        """Share of each patch in its element; the sum over an element is 1."""
        return np.asarray(self.area / np.bincount(self.cell, weights=self.area)[self.cell])

    @property
    def latitude(self) -> FloatArray:
        """Latitude of the patches' centroids, degrees."""
        return self._pixel_mean(PIXELS.latitude[self.pixel_row])

    @property
    def longitude(self) -> FloatArray:
        """Longitude of the patches' centroids, degrees."""
        return self._pixel_mean(PIXELS.longitude[self.pixel_column])

    def in_block(self, block: int) -> slice:
        """The patches of a block; they follow one another."""
        first, last = np.searchsorted(self.block, [block, block + 1])
        return slice(int(first), int(last))

    def at_patches(self, image: FloatArray) -> FloatArray:
        """Value of its cell for each patch, (n_patch,)."""
        return image.ravel()[self.cell]

    def _pixel_mean(self, values: FloatArray) -> FloatArray:
        weight = PIXELS.cell_area[self.pixel_row, 0]
        return np.asarray(np.add.reduceat(values * weight, self.first_pixel) / self.area)


def make_tiles(rng: np.random.Generator) -> Tiles:
    """Elements are the cells at least half of which is land; their pixels get a land-cover class each."""
    land = geography.is_land(PIXELS.latitude[:, None], PIXELS.longitude[None, :])
    in_cell = land.reshape(N_ROWS, PIXELS_PER_CELL, N_COLUMNS, PIXELS_PER_CELL).sum(axis=(1, 3))
    element = in_cell * 2 >= PIXELS_PER_CELL**2
    row, column = np.nonzero(land)
    cell = row // PIXELS_PER_CELL * N_COLUMNS + column // PIXELS_PER_CELL
    row, column, cell = (values[element.ravel()[cell]] for values in (row, column, cell))
    block = block_of(cell)
    classes = _land_cover(rng, cell, PIXELS.latitude[row], PIXELS.longitude[column])
    order = np.lexsort((classes, cell, block))
    row, column, cell, block, classes = (values[order] for values in (row, column, cell, block, classes))
    is_first = np.ones(cell.size, dtype=bool)
    is_first[1:] = (np.diff(cell) != 0) | (np.diff(classes) != 0)
    first = np.flatnonzero(is_first)
    return Tiles(
        pixel_row=row,
        pixel_column=column,
        first_pixel=first,
        n_pixels=np.diff(np.append(first, cell.size)),
        block=block[first],
        cell=cell[first],
        patch_class=classes[first],
        area=np.add.reduceat(PIXELS.cell_area[row, 0], first),
    )


def block_of(cell: IntArray) -> IntArray:
    """Number of a cell's block, south-west first, eastward, then northward."""
    row, column = cell // N_COLUMNS, cell % N_COLUMNS
    from_south = (N_ROWS - 1 - row) * 180 // N_ROWS // BLOCK_SIZE
    return from_south * (360 // BLOCK_SIZE) + column * 360 // N_COLUMNS // BLOCK_SIZE


def _land_cover(rng: np.random.Generator, cell: IntArray, latitude: FloatArray, longitude: FloatArray) -> IntArray:
    """IGBP class of the pixels, (n_pixel,): by climate and wetness, with the patchiness of real landscapes."""
    of_cells = GRID.latitude[:, None], GRID.longitude[None, :]
    wetness = geography.wetness(*of_cells) + 0.06 * correlated_field(rng, GRID.shape, 4.0)
    height = geography.elevation(*of_cells) + 450.0 * correlated_field(rng, GRID.shape, 4.0)
    cold = np.abs(latitude - 4.0) + height.ravel()[cell] / 150.0
    # What tells neighbouring pixels apart is chance.
    cold += 2.0 * rng.standard_normal(cell.size)
    wet = wetness.ravel()[cell] + 0.08 * rng.standard_normal(cell.size)
    cover = _COVER[np.digitize(cold, (22.0, 49.0, 66.0)), np.digitize(wet, (0.15, 0.30, 0.42, 0.55))]
    is_swamp = rng.random(cell.size) < geography.wetland_share(latitude, longitude)
    cover = np.where(is_swamp, WETLAND, cover)
    cover = np.where(geography.is_city(latitude, longitude), URBAN, cover)
    cover = np.where(geography.is_ice(latitude, longitude), ICE, cover)
    return np.where(geography.is_lake(latitude, longitude), WATER, cover)
