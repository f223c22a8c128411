"""Patches of the model and cells of the image: means over a cell's soil patches, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.grid import Grid

SOIL_TYPE = 0
"""Patch type that carries soil water; urban (1), wetland (2), land ice (3), lake (4) and ocean (99) are left alone."""

LEFT_OUT = -1
"""In the place of `SOIL_TYPE`: a soil patch whose state no soil can have; it takes no part in the analysis."""


@dataclass(frozen=True)
class PatchMap:
    """Where every patch of the model lies in the image.

    Parameters
    ----------
    grid : of the image, (ny, nx)
    cell : flat index of the patch's cell, (n_patch,): row * nx + column
    weight : area of the patch, (n_patch,), in any unit that is the same for all patches of a cell, >= 0
    patch_type : the model's, (n_patch,)

    Raises
    ------
    ValueError
        Where lengths differ, a cell is not in the grid, or a weight is negative or not finite.
    """

    grid: Grid
    cell: IntArray
    weight: FloatArray
    patch_type: IntArray

    def __post_init__(self) -> None:
        shapes = {self.cell.shape, self.weight.shape, self.patch_type.shape}
        if len(shapes) > 1 or self.cell.ndim != 1:
            raise ValueError(f"cell, weight and patch_type must be vectors of one length, found shapes {shapes}")
        ny, nx = self.grid.shape
        if ((self.cell < 0) | (self.cell >= ny * nx)).any():
            raise ValueError(f"cells {self.cell.min()} to {self.cell.max()} are not all in the {ny} x {nx} grid")
        if not (np.isfinite(self.weight) & (self.weight >= 0)).all():
            raise ValueError("patch weights must be finite and not negative")

    @property
    def n_patch(self) -> int:
        """Number of patches."""
        return self.cell.size

    @property
    def is_soil(self) -> BoolArray:
        """Patches that take part in the analysis, (n_patch,)."""
        return np.asarray(self.patch_type == SOIL_TYPE)

    @property
    def is_left_out(self) -> BoolArray:
        """Soil patches that take no part in it, (n_patch,)."""
        return np.asarray(self.patch_type == LEFT_OUT)

    def with_soil(self, is_soil: BoolArray) -> PatchMap:
        """The map with the other soil patches left out; ``is_soil`` are those that take part, (n_patch,)."""
        return replace(self, patch_type=np.where(self.is_soil & ~is_soil, LEFT_OUT, self.patch_type))

    def to_image(self, values: FloatArray) -> FloatArray:
        """Mean of values (n_patch,) over the soil patches of each cell, weighted by area.

        (ny, nx) in their unit; NaN where a cell has no soil patch. Values on other patches are ignored.
        """
        area = self._soil_sum(self.weight)
        total = self._soil_sum(self.weight * np.where(self.is_soil, values, 0.0))
        mean: FloatArray = np.divide(total, area, out=np.full(self.grid.shape, np.nan), where=area > 0)
        return mean

    def to_patches(self, image: FloatArray) -> FloatArray:
        """Value of its cell for each soil patch, (n_patch,); NaN for all other patches."""
        return np.where(self.is_soil, image.ravel()[self.cell], np.nan)

    def _soil_sum(self, values: FloatArray) -> FloatArray:
        # bincount adds in patch order: the same bits wherever it runs.
        soil = self.is_soil
        ny, nx = self.grid.shape
        total = np.bincount(self.cell[soil], weights=values[soil], minlength=ny * nx)
        return np.asarray(total.reshape(ny, nx), dtype=np.float64)
