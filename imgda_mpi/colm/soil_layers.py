"""The ten soil layers of CoLM: depths, overlap with a layer of interest, volumetric water.

The depths are the same in every version of the model and are not in its restart files.
"""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray

N_SOIL = 10
N_SNOW = 5
"""Slots for snow layers, which lie before the soil layers in the arrays of the state."""

DENSITY_LIQUID = 1000.0  # kg m-3
DENSITY_ICE = 917.0  # kg m-3
FREEZING = 273.16  # K: the model's own constant, the triple point, so that "frozen" means the same here and there

_layer = np.arange(1, N_SOIL + 1)

node_depth: FloatArray = 0.025 * (np.exp(0.5 * (_layer - 0.5)) - 1.0)
"""Depth of the layers' nodes, (10,) m: z(i) = 0.025 (exp(0.5 (i - 0.5)) - 1)."""

thickness: FloatArray = np.concatenate(
    [
        [0.5 * (node_depth[0] + node_depth[1])],
        0.5 * (node_depth[2:] - node_depth[:-2]),
        [node_depth[-1] - node_depth[-2]],
    ]
)
"""Thickness of the layers, (10,) m: half-way from node to node; the last one reaches as far below its node as above."""

interface_depth: FloatArray = np.concatenate([[0.0], np.cumsum(thickness)])
"""Depth of the layers' edges from the surface down, (11,) m: layer i lies between edges i and i + 1."""

LAYERS: tuple[tuple[float, float], ...] = ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0))
"""Top and bottom of the layers whose images are kept and scored, m: the surface, the roots' and the deeper one."""

for _depths in (node_depth, thickness, interface_depth):
    _depths.setflags(write=False)


def overlap_weights(top: float, bottom: float) -> FloatArray:
    """Share of each soil layer in the mean over a depth range in m, 0 <= top < bottom <= 3.4331 (the lowest edge).

    (10,): length of each layer within the range over the length of the range; the sum is 1.

    Raises
    ------
    ValueError
        Where the range is empty or leaves the soil column.

    Examples
    --------
    >>> overlap_weights(0.0, 0.1).round(4)[:5].tolist()
    [0.1751, 0.2758, 0.4547, 0.0944, 0.0]
    """
    if not 0.0 <= top < bottom <= interface_depth[-1]:
        raise ValueError(f"depth range {top} to {bottom} m must be within 0 to {interface_depth[-1]:.4f} m, top first")
    lower = np.minimum(interface_depth[1:], bottom)
    upper = np.maximum(interface_depth[:-1], top)
    return np.asarray(np.maximum(lower - upper, 0.0) / (bottom - top))


def volumetric_water(liquid: FloatArray, ice: FloatArray) -> FloatArray:
    """Volume of liquid water and ice per volume of soil, (..., 10) m3 m-3, from their mass, (..., 10) kg m-2.

    liquid / (1000 dz) + ice / (917 dz), the model's ``h2osoi``.
    """
    return np.asarray(liquid / (DENSITY_LIQUID * thickness) + ice / (DENSITY_ICE * thickness))


def weighted_sum(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum over the soil layers of values (n, 10) with weights (10,), (n,).

    Layer by layer: the same bits however many patches there are.
    """
    total = np.zeros(values.shape[0])
    for layer in np.flatnonzero(weights):
        total += weights[layer] * values[:, layer]
    return total
