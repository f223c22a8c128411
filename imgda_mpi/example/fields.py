"""Synthetic fields on the model's grid: soil texture, and the true and the modelled soil moisture."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import node_depth
from imgda_mpi.example.geography import wetness
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.example.soil import Soil
from imgda_mpi.example.tiles import Tiles
from imgda_mpi.grid import Grid

SURFACE_DEPTH = 0.3
"""Depth over which soil moisture passes from the surface's to the deep soil's, m."""


def true_surface(rng: np.random.Generator, grid: Grid) -> FloatArray:
    """Degree of saturation of the surface, (ny, nx), 0 (residual water) to 1 (all pores full).

    Latitude belts and regions, and weather on three scales.
    """
    belts = wetness(grid.latitude[:, None], grid.longitude)
    weather = sum(
        spread * correlated_field(rng, grid.shape, length) for spread, length in ((0.08, 8.0), (0.09, 4.0), (0.06, 2.0))
    )
    # Weather leaves less trace in a desert than in a moist climate.
    return np.clip(0.02 + 1.05 * belts + (0.4 + 1.0 * belts) * weather, 0.0, 1.0)


def true_moisture(rng: np.random.Generator, tiles: Tiles, soil: Soil) -> FloatArray:
    """Volumetric water of all patches and layers, (n_patch, 10) m3 m-3, as if all were soil."""
    surface = tiles.at_patches(true_surface(rng, tiles.grid))
    drying = tiles.at_patches(correlated_field(rng, tiles.grid.shape, 5.0))
    deep = 0.5 * surface + 0.2 + 0.06 * tiles.at_patches(correlated_field(rng, tiles.grid.shape, 10.0))
    # Forest floors are a little wetter than open ground, and no two patches are alike.
    cover = np.where(tiles.patch_class <= 5, 0.02, np.where(tiles.patch_class == 16, -0.02, 0.0))
    variety = cover + 0.02 * rng.standard_normal(tiles.cell.size)
    depth = 1.0 - np.exp(-node_depth / SURFACE_DEPTH)
    upper = surface + variety + 0.04 * drying
    saturation = upper[:, None] + (deep - upper)[:, None] * depth
    return bounded(soil.residual + saturation * (soil.porosity - soil.residual), soil)


def model_moisture(rng: np.random.Generator, truth: FloatArray, tiles: Tiles, soil: Soil) -> FloatArray:
    """What the model has instead of the truth: the background, (n_patch, 10) m3 m-3.

    The error is coherent (6.5 degrees, and a finer part), a little on the dry side, and includes what models
    are known for: too weak a contrast between wet and dry regions. It fades with depth.
    """
    shape = tiles.grid.shape
    coherent = 0.095 * correlated_field(rng, shape, 6.5) + 0.04 * correlated_field(rng, shape, 1.5)
    error = tiles.at_patches(coherent) - 0.010
    weak_contrast = -0.35 * (truth - truth[tiles.patch_type == 0].mean())
    fade = np.exp(-node_depth / (2.0 * SURFACE_DEPTH))
    return bounded(truth + (error[:, None] + weak_contrast) * fade, soil)


def bounded(moisture: FloatArray, soil: Soil) -> FloatArray:
    """Moisture that nears the residual water and the porosity without reaching them, (n_patch, 10) m3 m-3.

    Unchanged between the bounds, bent within a few hundredths of the pore space of them: no flat spots in the maps.
    """
    softness = 0.04
    pores = soil.porosity - soil.residual
    filled = (moisture - soil.residual) / pores
    above_empty, above_full = (np.logaddexp(0.0, (filled - bound) / softness) for bound in (0.0, 1.0))
    return np.asarray(soil.residual + pores * softness * (above_empty - above_full))


def make_soil_map(rng: np.random.Generator, tiles: Tiles) -> Soil:
    """Texture of the patches: sandy deserts, clayey tropics, peaty north; the same for all patches of a cell.

    Organic matter fades downwards. Fractions are rounded to a tenth of a percent, as in soil maps; the files compress
    much better for it.
    """
    grid = tiles.grid
    latitude = grid.latitude[:, None]
    climate = wetness(latitude, grid.longitude)
    sand = 0.50 - 0.25 * climate + 0.09 * correlated_field(rng, grid.shape, 6.0)
    clay = 0.16 + 0.12 * climate + 0.05 * correlated_field(rng, grid.shape, 6.0)
    organic = 0.005 + 0.04 * climate * (0.4 + np.exp(-(((latitude - 60.0) / 15.0) ** 2)))
    images = np.clip(sand, 0.12, 0.75), np.clip(clay, 0.05, 0.38), organic
    sand, clay, organic = (tiles.at_patches(image) for image in images)
    return Soil(sand.round(3), clay.round(3), (organic[:, None] * np.exp(-node_depth / 0.5)).round(3))
