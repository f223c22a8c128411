"""Maps of coloured points, as of stations, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.report.maps import WIDTH, Meshes, Placed, Shades, draw_around, draw_coasts
from imgda_mpi.report.theme import DOTS_PER_INCH, NORMAL, QUIET, SMALL
from imgda_mpi.verify.regions import Box

MARGIN, FOOT = 0.08, 0.12
"""Around points, and for the words of the corner below them, as a share of what they span."""

TALLEST = 0.75
"""Height of a map of points as a share of its width."""

LEAST_SPAN = 2.0
"""Of a map, degrees."""

Extent = tuple[float, float, float, float]
"""West, east, south, north of a map, degrees."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PointPanel:
    """A map of points.

    Parameters
    ----------
    title
    values : (n,); points without one are not drawn
    shades
    corner : what the lower right corner says
    outlined : (n,), which have a thick black outline; none if None
    """

    title: str
    values: FloatArray
    shades: Shades
    corner: str
    outlined: BoolArray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """A part of the Earth with points, and what its maps show.

    Parameters
    ----------
    name
    number : of the region in what was saved
    inside : points that belong to it, (n,)
    extent : of its maps
    """

    name: str
    number: int
    inside: BoolArray
    extent: Extent


def draw_point_maps(
    latitude: FloatArray,
    longitude: FloatArray,
    panels: Sequence[PointPanel],
    extents: Sequence[Extent],
    *,
    title: str = "",
    note: str = "",
) -> Figure:
    """Panels row by row, a column for each extent; a bar for each of their shades is below them.

    The figure's first axes are the panels; points (n,) are drawn in the order of their size, outlined ones last.
    """
    is_one = len(set(extents)) == 1
    shades = {panel.shades for panel in panels}
    place = Placed([panel.title for panel in panels], extents, is_one, len(shades), title, note)
    figure = Figure(figsize=(WIDTH, place.height), dpi=DOTS_PER_INCH)
    meshes: Meshes = {}
    for number, panel in enumerate(panels):
        row, column = divmod(number, len(extents))
        axes = figure.add_axes(place.panel(row, column))
        points = _draw_points(axes, latitude, longitude, panel, extents[column])
        meshes.setdefault(panel.shades, (points, []))[1].append(panel.values)
        axes.set_title(place.titles[number], loc="left", fontsize=NORMAL, pad=4)
        axes.tick_params(labelleft=column == 0 or not is_one, labelbottom=number + len(extents) >= len(panels))
    draw_around(figure, place, meshes, title)
    return figure


def _draw_points(
    axes: Axes, latitude: FloatArray, longitude: FloatArray, panel: PointPanel, extent: Extent
) -> PathCollection:
    draw_coasts(axes, extent)
    axes.set_aspect("auto")
    axes.tick_params(labelsize=SMALL, color=QUIET, labelcolor="#333333")
    outlined = np.zeros(panel.values.shape, bool) if panel.outlined is None else panel.outlined
    east = extent[0] + (longitude - extent[0]) % 360.0
    shown = np.flatnonzero(np.isfinite(panel.values))
    order = shown[np.argsort(outlined[shown], kind="stable")]
    points = axes.scatter(
        east[order],
        latitude[order],
        c=panel.values[order],
        cmap=panel.shades.colours,
        vmin=panel.shades.limits[0],
        vmax=panel.shades.limits[1],
        s=_size(order.size),
        edgecolors=["black" if thick else "#888888" for thick in outlined[order]],
        linewidths=[1.6 if thick else 0.4 for thick in outlined[order]],
        zorder=4,
    )
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2.0}
    axes.text(
        0.985,
        0.03,
        panel.corner,
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=SMALL,
        bbox=box,
        zorder=3.5,
    )
    return points


def _size(n_points: int) -> float:
    """Area of a mark, points squared: smaller where there are many."""
    return float(np.clip(4000.0 / max(1, n_points), 9.0, 38.0))


def regions_with_points(
    latitude: FloatArray, longitude: FloatArray, regions: dict[str, BoolArray], boxes: dict[str, Box]
) -> list[Region]:
    """At most two regions, those with a known box first; of all points where there are no others.

    Parameters
    ----------
    latitude, longitude : (n,) degrees
    regions : points that belong to each; the first one has all
    boxes : by name, whose maps show the whole box
    """
    every, *parts = [name for name, inside in regions.items() if inside.any()]
    parts.sort(key=lambda name: list(boxes).index(name) if name in boxes else len(boxes))
    found = []
    for name in parts[:2] or [every]:
        inside = regions[name]
        extent = _of_box(boxes[name]) if name in boxes else _around(latitude[inside], longitude[inside])
        found.append(Region(name=name, number=list(regions).index(name), inside=inside, extent=extent))
    return found


def _of_box(box: Box) -> Extent:
    south, north, west, east = box
    return west, west + (east - west) % 360.0, south - FOOT * (north - south), north


def _around(latitude: FloatArray, longitude: FloatArray) -> Extent:
    """What holds points with a margin: from behind the widest gap of their longitudes on."""
    turned = np.sort(longitude % 360.0)
    gaps = np.diff(turned, append=turned[:1] + 360.0)
    west = float(turned[(int(gaps.argmax()) + 1) % turned.size])
    west, width = (west + 180.0) % 360.0 - 180.0, 360.0 - float(gaps.max())
    south, north = float(latitude.min()), float(latitude.max())
    height = max(LEAST_SPAN, north - south)
    south, north = south - (MARGIN + FOOT) * height, north + MARGIN * height
    stretch = float(np.cos(np.radians(min(75.0, abs(south + north) / 2))))
    across = min(360.0, max(LEAST_SPAN, width * (1 + 2 * MARGIN), (north - south) / stretch / TALLEST))
    centre = west + width / 2
    return centre - across / 2, centre + across / 2, max(-90.0, south), min(90.0, north)
