"""The windows that divide the frequency plane: their squares, with those of the opposite wedges, add up to one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.curvelet.geometry import Geometry


@dataclass(frozen=True)
class Window:
    """Weight of one wedge on the box of frequencies that holds it.

    Attributes
    ----------
    rows, columns : (a,) and (b,) arrays
        Frequencies k1 and k2 of the box, ascending. They are not reduced modulo the image: the finest curvelets reach
        beyond the Nyquist frequency.
    weight : (a, b) array
        Between 0 and 1.
    """

    rows: IntArray
    columns: IntArray
    weight: FloatArray


def window(geometry: Geometry, scale: int, wedge: int) -> Window:
    """Window of a wedge; for a real scale that of its one array."""
    if geometry.is_real(scale):
        if scale == 1:
            rows, columns = (_symmetric(math.floor(geometry.length(1, axis) / 2)) for axis in (0, 1))
            return Window(rows, columns, _low_pass(geometry, 1, rows, columns))
        rows, columns = (np.arange(-(size // 2), (size + 1) // 2) for size in geometry.shape)
        return Window(rows, columns, _high_pass(geometry, scale - 1, rows, columns))

    sector = geometry.sector(scale, wedge)
    radius_p, radius_s = (float(geometry.length(scale, axis) / 2) for axis in (sector.axis, 1 - sector.axis))
    p, s = _box(geometry, scale, wedge)
    angle = np.arctan2(s[None, :] / radius_s, p[:, None] / radius_p)
    rise = smooth_step((angle - sector.low) / (sector.middle - sector.low))
    fall = smooth_step((sector.high - angle) / (sector.high - sector.middle))
    angular = np.where(angle < sector.middle, rise, fall)
    # k1 = -p, k2 = -s in the first half of the wedges, k2 = p, k1 = -s in the second; turned round to ascend.
    if sector.axis == 0:
        rows, columns, angular = -p[::-1], -s[::-1], angular[::-1, ::-1]
    else:
        rows, columns, angular = -s[::-1], p, angular.T[::-1]
    radial = _low_pass(geometry, scale, rows, columns) * _high_pass(geometry, scale - 1, rows, columns)
    return Window(rows, columns, radial * angular)


def smooth_step(t: FloatArray) -> FloatArray:
    """Rise from 0 at t <= 0 to 1 at t >= 1, infinitely smooth, with step(t)^2 + step(1 - t)^2 = 1.

    >>> smooth_step(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).round(4).tolist()
    [0.0, 0.0, 0.7071, 1.0, 1.0]
    """
    step = (t >= 1).astype(np.float64)
    inside = (t > 0) & (t < 1)
    u = t[inside]
    # expm1 keeps 1 - exp(1 - 1/(1 - u)) from becoming zero at a tiny u.
    a = np.exp(1 + 1 / np.expm1(-u / (1 - u)))
    b = np.exp(1 + 1 / np.expm1(-(1 - u) / u))
    step[inside] = a / np.sqrt(a * a + b * b)
    return step


def _box(geometry: Geometry, scale: int, wedge: int) -> tuple[IntArray, IntArray]:
    """Frequencies p along and s across a wedge that can have a weight."""
    sector = geometry.sector(scale, wedge)
    radius_p, radius_s = (geometry.length(scale, axis) / 2 for axis in (sector.axis, 1 - sector.axis))
    first = math.ceil(radius_p / 4 - radius_p / (4 * sector.per_side))
    p = np.arange(first, math.ceil(radius_p))
    # Along a ray s grows with p: the extremes are at the two ends of p, and at most the radius.
    ends = [float(first / radius_p), 1.0]
    least = max(-1.0, min(math.tan(sector.low) * end for end in ends))
    most = min(1.0, max(math.tan(sector.high) * end for end in ends))
    limit = math.floor(radius_s)
    s = np.arange(max(-limit, math.floor(least * float(radius_s))), min(limit, math.ceil(most * float(radius_s))) + 1)
    return p, s


def _symmetric(radius: int) -> IntArray:
    return np.arange(-radius, radius + 1)


def _low_pass(geometry: Geometry, scale: int, rows: IntArray, columns: IntArray) -> FloatArray:
    """Low pass of a level: 1 up to half its radius, 0 from its radius on, a product over the two axes."""
    factors = []
    for axis, k in ((0, rows), (1, columns)):
        radius = float(geometry.length(scale, axis) / 2)
        factors.append(smooth_step((radius - np.abs(k)) / (radius / 2)))
    return np.outer(*factors)


def _high_pass(geometry: Geometry, scale: int, rows: IntArray, columns: IntArray) -> FloatArray:
    """What the low pass of a level leaves over, so that the squares of both add up to one."""
    low = _low_pass(geometry, scale, rows, columns)
    return np.asarray(np.sqrt(1 - low * low))
