"""Grid, pixels, land elements and patches of the example, built the way CoLM202X builds them.

The globe is cut into pixels. The land pixels of one grid cell are an element; the pixels of one land-cover class in
an element are a patch, and the patch's weight is its share of the element's area.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.example import geography
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.grid import Grid, global_grid

PIXELS_PER_CELL = 4
"""Pixels along each side of a cell."""

BLOCK_SIZE = 90
"""Degrees of latitude and longitude in one block of files."""

# IGBP land-cover classes.
WETLAND, URBAN, ICE, WATER = 11, 13, 15, 17
PATCH_TYPE = np.zeros(18, dtype=np.int64)
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
    grid : the cells, (ny, nx), rows from north to south
    pixel_row, pixel_column : place of the land pixels on the pixel grid, rows from the north, (n_pixel,)
    first_pixel, n_pixels : pixels of each patch, (n_patch,)
    cell : row * nx + column of the patch's grid cell, (n_patch,)
    patch_class : IGBP class, (n_patch,)
    """

    grid: Grid
    pixel_row: IntArray
    pixel_column: IntArray
    first_pixel: IntArray
    n_pixels: IntArray
    cell: IntArray
    patch_class: IntArray

    @cached_property
    def pixels(self) -> Grid:
        """Centres of the pixels, (4 ny, 4 nx), rows from the north."""
        return pixels_of(self.grid)

    @property
    def patch_type(self) -> IntArray:
        """0 soil, 1 urban, 2 wetland, 3 land ice, 4 lake."""
        return PATCH_TYPE[self.patch_class]

    @property
    def fraction(self) -> FloatArray:
        """Share of each patch in its element; the sum over an element is 1."""
        area = self._area_sum(1.0)
        return np.asarray(area / np.bincount(self.cell, weights=area)[self.cell])

    @property
    def latitude(self) -> FloatArray:
        """Latitude of the patches' centroids, degrees."""
        return self._area_sum(self.pixels.latitude[self.pixel_row]) / self._area_sum(1.0)

    @property
    def longitude(self) -> FloatArray:
        """Longitude of the patches' centroids, degrees."""
        return self._area_sum(self.pixels.longitude[self.pixel_column]) / self._area_sum(1.0)

    @property
    def blocks(self) -> dict[str, slice]:
        """The patches of every block with land, which follow one another, under CoLM's name of the block."""
        numbers, first = np.unique(block_of(self.cell, self.grid.shape), return_index=True)
        bounds = [*first.tolist(), self.cell.size]
        return {block_name(n): slice(*ends) for n, ends in zip(numbers.tolist(), pairwise(bounds), strict=True)}

    def at_patches(self, image: FloatArray) -> FloatArray:
        """Value of its cell for each patch, (n_patch,)."""
        return image.ravel()[self.cell]

    def _area_sum(self, values: FloatArray | float) -> FloatArray:
        """Sum over each patch's pixels of values times area."""
        return np.add.reduceat(values * self.pixels.cell_area[self.pixel_row, 0], self.first_pixel)


def pixels_of(grid: Grid) -> Grid:
    """Centres of the pixels that the cells of a global grid are made of."""
    ny, nx = grid.shape
    return global_grid((ny * PIXELS_PER_CELL, nx * PIXELS_PER_CELL))


def make_tiles(rng: np.random.Generator, grid: Grid) -> Tiles:
    """Elements are the cells at least half of which is land; their pixels get a land-cover class each.

    ``grid`` is that of `global_grid`, and the edges of blocks are edges of its cells.
    """
    ny, nx = grid.shape
    pixels = pixels_of(grid)
    land = geography.is_land(pixels.latitude[:, None], pixels.longitude)
    # Another view of the same array: pixels of cells that are no elements are taken out of it.
    in_cell = land.reshape(ny, PIXELS_PER_CELL, nx, PIXELS_PER_CELL)
    in_cell &= in_cell.mean(axis=(1, 3), keepdims=True) >= 0.5
    row, column = np.nonzero(land)
    cell = row // PIXELS_PER_CELL * nx + column // PIXELS_PER_CELL
    cover = _land_cover(rng, grid, cell, pixels.latitude[row], pixels.longitude[column])
    patch = np.stack([block_of(cell, grid.shape), cell, cover])
    order = np.lexsort(patch[::-1])
    (_, cell, cover), first, n_pixels = np.unique(patch[:, order], axis=1, return_index=True, return_counts=True)
    return Tiles(grid, row[order], column[order], first, n_pixels, cell, cover)


def block_of(cell: IntArray, shape: tuple[int, int]) -> IntArray:
    """Number of a cell's block on a grid of a shape (ny, nx), south-west first, eastward, then northward."""
    ny, nx = shape
    row, column = cell // nx, cell % nx
    from_south = (ny - 1 - row) * 180 // ny // BLOCK_SIZE
    return from_south * (360 // BLOCK_SIZE) + column * 360 // nx // BLOCK_SIZE


def block_name(block: int, size: int = BLOCK_SIZE) -> str:
    """CoLM's name of a block of ``size`` degrees by its west and south edge.

    >>> [block_name(block) for block in (0, 3, 6)], block_name(90, 20)
    (['w180_s90', 'e090_s90', 'e000_n00'], 'w180_n10')
    """
    row, column = divmod(block, 360 // size)
    west, south = size * column - 180, size * row - 90
    return f"{'w' if west < 0 else 'e'}{abs(west):03d}_{'s' if south < 0 else 'n'}{abs(south):02d}"


def _land_cover(
    rng: np.random.Generator, grid: Grid, cell: IntArray, latitude: FloatArray, longitude: FloatArray
) -> IntArray:
    """IGBP class of the pixels, (n_pixel,): by climate and wetness, with the patchiness of real landscapes."""
    of_cells = grid.latitude[:, None], grid.longitude
    wetness = geography.wetness(*of_cells) + 0.06 * correlated_field(rng, grid.shape, 4.0)
    height = geography.elevation(*of_cells) + 450.0 * correlated_field(rng, grid.shape, 4.0)
    cold = np.abs(latitude - 4.0) + height.ravel()[cell] / 150.0
    # What tells neighbouring pixels apart is chance.
    cold += 2.0 * rng.standard_normal(cell.size)
    wet = wetness.ravel()[cell] + 0.08 * rng.standard_normal(cell.size)
    cover = _COVER[np.digitize(cold, (22.0, 49.0, 66.0)), np.digitize(wet, (0.15, 0.30, 0.42, 0.55))]
    special = {
        WATER: geography.is_lake(latitude, longitude),
        ICE: geography.is_ice(latitude, longitude),
        URBAN: geography.is_city(latitude, longitude),
        WETLAND: rng.random(cell.size) < geography.wetland_share(latitude, longitude),
    }
    return np.select(list(special.values()), list(special), cover)
