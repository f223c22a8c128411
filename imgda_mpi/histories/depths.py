"""Soil moisture at depths and of layers, of profiles that are linear between their nodes."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray


def weights_at(nodes: FloatArray, depth: float) -> FloatArray:
    """Weights (n,) of values at nodes (n,), m, ascending, in that at a depth; above the first node that one's holds.

    Raises
    ------
    ValueError
        Where the depth is negative or below the last node.

    Examples
    --------
    >>> weights_at(np.array([0.1, 0.3]), 0.15).round(3).tolist()
    [0.75, 0.25]
    """
    if not 0.0 <= depth <= nodes[-1]:
        raise ValueError(f"depth {depth} m must be within 0 to {nodes[-1]:g} m")
    return np.array([np.interp(depth, nodes, unit) for unit in np.eye(nodes.size)])


def weights_of_layer(nodes: FloatArray, top: float, bottom: float) -> FloatArray:
    """Weights (n,) of values at nodes (n,), m, in the mean from ``top`` to ``bottom``; see `weights_at`.

    Raises
    ------
    ValueError
        Where the layer is empty, or its bottom below the last node.

    Examples
    --------
    >>> weights_of_layer(np.array([0.1, 0.3]), 0.0, 0.3).round(3).tolist()
    [0.667, 0.333]
    """
    if not 0.0 <= top < bottom <= nodes[-1]:
        raise ValueError(f"layer {top} to {bottom} m must be within 0 to {nodes[-1]:g} m, top first")
    # The trapezoidal rule is exact between the nodes.
    inside = nodes[(nodes > top) & (nodes < bottom)]
    points = np.concatenate([[top], inside, [bottom]])
    values = np.stack([weights_at(nodes, float(point)) for point in points])
    lengths = np.diff(points)[:, None]
    return np.asarray((0.5 * (values[1:] + values[:-1]) * lengths).sum(axis=0) / (bottom - top))
