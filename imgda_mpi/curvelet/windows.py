"""The windows that divide the frequency plane: their squares, with those of the opposite wedges, add up to one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.curvelet.geometry import Geometry, Sector


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


def window(geometry: Geometry, scale: int, wedge: int, windows: WedgeWindows | None = None) -> Window:
    """Window of a wedge; for a real scale that of its one array.

    Give the same ``windows`` for all wedges of a scale in turn: those that mirror each other are computed once then.
    """
    if scale == 1:
        radii = [math.floor(geometry.length(1, axis) / 2) for axis in (0, 1)]
        rows, columns = (np.arange(-radius, radius + 1) for radius in radii)
        return Window(rows, columns, _low_pass(geometry, 1, rows, columns))
    if geometry.is_real(scale):
        rows, columns = (np.arange(-(size // 2), (size + 1) // 2) for size in geometry.shape)
        low = _low_pass(geometry, scale - 1, rows, columns)
        return Window(rows, columns, np.sqrt(1 - low * low))
    k1, k2, weight = (windows or WedgeWindows(geometry)).of(scale, wedge)
    rows, columns = (np.arange(k.min(initial=0), k.max(initial=0) + 1) for k in (k1, k2))
    box = np.zeros((rows.size, columns.size))
    box[k1 - rows[0], k2 - columns[0]] = weight
    return Window(rows, columns, box)


class WedgeWindows:
    """Windows of the complex wedges where they are not zero, each computed for two wedges that mirror each other."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._mirrored: dict[tuple[int, int], tuple[IntArray, IntArray, FloatArray]] = {}

    def of(self, scale: int, wedge: int) -> tuple[IntArray, IntArray, FloatArray]:
        """Window of a wedge.

        Returns
        -------
        k1, k2, weight : (n,) arrays
            Frequencies in ascending order of k1, and of k2 for each k1; not reduced modulo the image.
        """
        sector = self._geometry.sector(scale, wedge)
        is_known = (scale, wedge) in self._mirrored
        k1, k2, weight = self._mirrored.pop((scale, wedge)) if is_known else _wedge_window(self._geometry, scale, wedge)
        if weight.size:
            order = np.argsort((k1 - k1.min()) * (int(np.ptp(k2)) + 1) + k2 - k2.min())
            k1, k2, weight = k1[order], k2[order], weight[order]
        first = sector.axis * sector.per_side + 1
        partner = 2 * first + sector.per_side - 1 - wedge
        if partner > wedge:
            self._mirrored[scale, partner] = (k1, -k2, weight) if sector.axis == 0 else (-k1, k2, weight)
        return k1, k2, weight


def _wedge_window(geometry: Geometry, scale: int, wedge: int) -> tuple[IntArray, IntArray, FloatArray]:
    sector = geometry.sector(scale, wedge)
    radius_p, radius_s = (geometry.length(scale, axis) / 2 for axis in (sector.axis, 1 - sector.axis))
    p, s = _points(sector, radius_p, radius_s)
    angle = np.arctan2(s / float(radius_s), p / float(radius_p))
    weight = smooth_step(
        np.where(
            angle < sector.middle,
            (angle - sector.low) / (sector.middle - sector.low),
            (sector.high - angle) / (sector.high - sector.middle),
        )
    )
    weight *= _radial(geometry, scale, sector.axis, p, s)
    inside = np.flatnonzero(weight)
    p, s, weight = p[inside], s[inside], weight[inside]
    # k1 = -p, k2 = -s in the first half of the wedges, k2 = p, k1 = -s in the second.
    return (-p, -s, weight) if sector.axis == 0 else (-s, p, weight)


def _points(sector: Sector, radius_p: Fraction, radius_s: Fraction) -> tuple[IntArray, IntArray]:
    """Frequencies p along and s across a wedge that can have a weight, by p and then by s."""
    rows = np.arange(math.ceil(radius_p / 4 - radius_p / (4 * sector.per_side)), math.ceil(radius_p))
    limit, slope = math.floor(radius_s), float(radius_s / radius_p)
    first = np.clip(np.floor(math.tan(sector.low) * slope * rows).astype(np.int64), -limit, limit + 1)
    last = np.clip(np.ceil(math.tan(sector.high) * slope * rows).astype(np.int64), -limit - 1, limit)
    lengths = np.maximum(last - first + 1, 0)
    ends = np.cumsum(lengths)
    p = np.repeat(rows, lengths)
    return p, np.arange(p.size) + np.repeat(first - ends + lengths, lengths)


def _radial(geometry: Geometry, scale: int, axis: int, p: IntArray, s: IntArray) -> FloatArray:
    """Low pass of a level without that of the level below, at points along and across an axis."""
    low = []
    for level in (scale, scale - 1):
        along, across = (
            low_pass(geometry, level, a, np.arange(int(np.abs(k).max(initial=0)) + 1))
            for a, k in ((axis, p), (1 - axis, s))
        )
        low.append(along[p] * across[np.abs(s)])
    return np.asarray(low[0] * np.sqrt(1 - low[1] * low[1]))


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


def low_pass(geometry: Geometry, scale: int, axis: int, k: IntArray) -> FloatArray:
    """Factor of one axis in the low pass of a level: 1 up to half its radius, 0 from its radius on."""
    radius = float(geometry.length(scale, axis) / 2)
    return smooth_step((radius - np.abs(k)) / (radius / 2))


def _low_pass(geometry: Geometry, scale: int, rows: IntArray, columns: IntArray) -> FloatArray:
    """Low pass of a level on a box."""
    return np.outer(low_pass(geometry, scale, 0, rows), low_pass(geometry, scale, 1, columns))
