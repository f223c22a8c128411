"""The aquifer below a column: its water table, and what rises from there.

Its store is that of CoLM202X's variably saturated scheme: a deficit below 0, full at 0.
"""

from __future__ import annotations

import math

from imgda_mpi.arrays import FloatArray
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.columns.hydraulics import ENTRY, FULL, HYDRAULIC, SUCTION, WATER, relations, water_at

LEAST_DEFICIT = 1.0e-9
"""mm: less is rounding, and must not decide where the table is."""


@compiled
def rising(is_campbell: bool, layers: FloatArray, distance: float, work: FloatArray, at_rest: FloatArray) -> float:
    """Conductivity of the lowest layer, mm s-1, were it at rest so far above the water table, mm; 0 where it is wetter.

    ``at_rest`` is room for a column of one layer.
    """
    last = layers.shape[0] - 1
    rest = layers[last, ENTRY] - distance
    if work[SUCTION, last] > 0.5 * rest:  # nothing rises to such a layer in a substep
        return 0.0
    at_rest[WATER, 0] = water_at(is_campbell, layers, last, rest)[0]
    relations(is_campbell, layers[last:], at_rest)
    conductivity: float = at_rest[HYDRAULIC, 0]
    return conductivity


@compiled
def water_table(
    is_campbell: bool,
    layers: FloatArray,
    depth: FloatArray,
    thickness: FloatArray,
    aquifer: float,
    before: tuple[float, float],
    work: FloatArray,
) -> float:
    """Depth of the water table, m: below the layers by the deficit of the aquifer, else above the lowest that is full.

    In a layer that is not full it lies as deep below the node as at rest; it jumps from there to below the layers where
    the aquifer begins to be empty.

    Parameters
    ----------
    aquifer : its store, mm: a deficit below 0
    before : store and table of an instant before, mm and m, from which to look for it
    work : the loaded column
    """
    lower = depth[-1] + 0.5 * thickness[-1]
    if aquifer <= -LEAST_DEFICIT:
        # Near saturation the deficit goes with the square of the depth.
        guess = (1.0e3 * before[1] - lower) * math.sqrt(aquifer / before[0]) if before[0] < 0.0 else 0.0
        table: float = lower + table_below(is_campbell, layers, thickness[-1], -aquifer, guess)
        return 1.0e-3 * table
    for i in range(depth.size - 1, -1, -1):
        upper = lower - thickness[i]
        if work[WATER, i] < layers[i, FULL]:
            table = max(min(depth[i] + layers[i, ENTRY] - work[SUCTION, i], lower), upper)
            return 1.0e-3 * table
        lower = upper
    return 0.0


@compiled
def table_below(is_campbell: bool, layers: FloatArray, thickness: float, deficit: float, guess: float) -> float:
    """How deep the water table lies below the lowest layer, mm, where so much water is missing there, mm.

    As in CoLM202X: deficit = L (porosity - theta(psi_s - L / 2)) with the properties of the lowest layer, whose
    thickness is given in mm.
    """
    if deficit < LEAST_DEFICIT:
        return 0.0
    last = layers.shape[0] - 1
    full, entry = layers[last, FULL], layers[last, ENTRY]
    length = guess if guess > 0.0 else 2.0 * deficit * thickness / full + 1.0
    for _ in range(100):
        water, rise = water_at(is_campbell, layers, last, entry - 0.5 * length)
        missing = (full - water) / thickness
        excess = length * missing - deficit
        length = max(length - excess / (missing + 0.5 * length * rise / thickness), 0.1 * length)
        if abs(excess) <= 1.0e-4 * deficit:  # this step leaves the square of it
            break
    return length
