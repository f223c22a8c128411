"""Maps beside each other, with land outlines, and colour bars that panels share."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.report.outlines import coasts_within
from imgda_mpi.report.picture import Column, Numbers
from imgda_mpi.report.theme import (
    CHANGE_COLOURS,
    DOTS_PER_INCH,
    MOISTURE_COLOURS,
    MOISTURE_LIMITS,
    NORMAL,
    NOTHING,
    OCEAN,
    OUTLINE,
    QUIET,
    SMALL,
    UNIT,
    degrees,
    ends_beyond,
    symmetric_limits,
)
from imgda_mpi.verify.regions import Box

WIDTH = 10.0
"""Of a figure, inches; the others too."""

LEFT, RIGHT, BETWEEN, BELOW, LINE, BAR = 0.62, 0.25, 0.5, 0.3, 0.19, 0.62
"""Inches for latitudes, at the right, between columns, for longitudes, a line of a title, and a bar with its label."""

FOR_LONGITUDE = 0.58
"""Inches for the letters of one."""
MOST_BARS, NARROW = 3, 3.0
"""Of colours beside each other, and inches up to which a bar has room for few numbers."""

SHAPES = (0.3, 1.3)
"""Between which the height of a map is as a share of its width; others are drawn smaller."""


@dataclass(frozen=True, eq=False)
class Shades:
    """Colours that panels share, and what their bar says, with the unit."""

    label: str
    colours: str | Colormap
    limits: tuple[float, float]


Meshes = dict[Shades, tuple[Any, list[FloatArray]]]
"""For the bar of each shades what it is of, and the values that it is for."""

MOISTURE = Shades(f"Soil moisture ({UNIT})", MOISTURE_COLOURS, MOISTURE_LIMITS)


def change_shades(label: str, *images: FloatArray, least: float = 0.01) -> Shades:
    """Colours around zero with the same limits for all images of changes that are compared; the label needs no unit."""
    limits = symmetric_limits(np.concatenate([image.ravel() for image in images]), least)
    return Shades(f"{label} ({UNIT})", CHANGE_COLOURS, limits)


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel:
    """A map.

    Parameters
    ----------
    title
    image : (ny, nx), NaN where missing
    shades
    column : of the numbers behind it, with the unit
    box : what is shown, of the whole grid if None
    marks : latitude and longitude of points that are marked
    """

    title: str
    image: FloatArray
    shades: Shades
    column: str
    box: Box | None = None
    marks: Sequence[tuple[float, float]] = ()


def draw_maps(
    grid: Grid, land: BoolArray, panels: Sequence[Panel], n_columns: int, *, title: str = "", note: str = ""
) -> Figure:
    """Panels row by row; a bar for each of their shades is below them. The figure's first axes are the panels.

    Parameters
    ----------
    grid : of all images, (ny, nx)
    land : (ny, nx), what is drawn white where an image has no value; the rest is grey
    panels : those of a column show the same box
    n_columns
    title, note : above and below all
    """
    n_columns = min(n_columns, len(panels))
    boxes = [panel.box for panel in panels[:n_columns]]
    turned = [turn(grid, centre_of(box), [land, *(panel.image for panel in panels)]) for box in boxes]
    extents = [extent(own, shown[0], box) for (own, shown), box in zip(turned, boxes, strict=True)]
    is_one = len(set(extents)) == 1
    place = Placed(
        [panel.title for panel in panels], extents, is_one, len({panel.shades for panel in panels}), title, note
    )
    figure = Figure(figsize=(WIDTH, place.height), dpi=DOTS_PER_INCH)
    meshes: Meshes = {}
    for number, panel in enumerate(panels):
        row, column = divmod(number, n_columns)
        own, (is_land, *images) = turned[column]
        image = images[number]
        axes = figure.add_axes(place.panel(row, column))
        mesh = draw_panel(axes, own, is_land, image, extents[column])
        mesh.set(cmap=panel.shades.colours, clim=panel.shades.limits)
        meshes.setdefault(panel.shades, (mesh, []))[1].append(image)
        axes.set_title(place.titles[number], loc="left", fontsize=NORMAL, pad=4)
        axes.tick_params(labelleft=column == 0 or not is_one, labelbottom=number + n_columns >= len(panels))
        for latitude, longitude in panel.marks:
            east = _within(longitude, *extents[column][:2])
            axes.plot(east, latitude, "*", color="#cc0000", markeredgecolor="white", markersize=11, zorder=5)
    draw_around(figure, place, meshes, title)
    return figure


def draw_around(figure: Figure, place: Placed, meshes: Meshes, title: str) -> None:
    """Colour bars, title and note of a figure of maps."""
    for number, (shades, (mesh, drawn)) in enumerate(meshes.items()):
        bar = figure.colorbar(
            mesh,
            cax=figure.add_axes(place.bar(number)),
            orientation="horizontal",
            extend=ends_beyond(np.concatenate([values.ravel() for values in drawn]), shades.limits),
        )
        bar.set_label(shades.label, fontsize=SMALL + 1)
        bar.ax.locator_params(nbins=7 if place.bar(number)[2] * WIDTH > NARROW else 5)
        bar.ax.tick_params(labelsize=SMALL)
    if title:
        figure.text(LEFT / WIDTH, 1 - 0.12 / place.height, title, fontsize=NORMAL + 1.5, va="top", ha="left")
    if place.note:
        figure.supxlabel(place.note, x=0.02, y=0.1 / place.height, ha="left", va="bottom", fontsize=SMALL)


def numbers_of_maps(grid: Grid, panels: Sequence[Panel]) -> Numbers:
    """The images of panels as a table: cells in which one of them has a value, row by row."""
    images = {panel.column: panel.image for panel in panels}
    rows, columns = np.nonzero(np.isfinite(np.stack(list(images.values()))).any(axis=0))
    table: dict[str, Column] = {
        "latitude_degrees_north": grid.latitude[rows],
        "longitude_degrees_east": grid.longitude[columns],
    }
    return Numbers(table | {name: image[rows, columns] for name, image in images.items()})


class Placed:
    """Where everything of a figure lies, in shares of it: letters never come near frames, whatever the grid.

    Parameters
    ----------
    titles : of the panels, row by row
    extents : of the columns, see `extent`
    is_one : whether all columns show the same
    n_bars : of colours
    title, note : above and below all
    """

    def __init__(
        self,
        titles: Sequence[str],
        extents: Sequence[tuple[float, float, float, float]],
        is_one: bool,
        n_bars: int,
        title: str,
        note: str,
    ) -> None:
        shapes = [shape_of(box) for box in extents]
        self._n_rows = -(-len(titles) // len(extents))
        self._between = BETWEEN if is_one else LEFT
        room = WIDTH - LEFT - RIGHT - self._between * (len(extents) - 1)
        self._map_height = room / sum(1.0 / shape for shape in shapes)
        if len(extents) == 1:
            self._map_height = min(self._map_height, 5.0)
        self._widths = [self._map_height / shape for shape in shapes]
        self.titles = [
            textwrap.fill(text, max(12, int(12.5 * self._widths[number % len(extents)])))
            for number, text in enumerate(titles)
        ]
        rows = [self.titles[row * len(extents) : (row + 1) * len(extents)] for row in range(self._n_rows)]
        self._above = [0.1 + LINE * (1 + max(text.count("\n") for text in row)) for row in rows]
        self.note = textwrap.fill(note.replace(UNIT, UNIT.replace(" ", "\N{NO-BREAK SPACE}")), 150)
        self._top = 0.42 if title else 0.05
        self._foot = 0.2 + (0.16 * (1 + self.note.count("\n")) if note else 0.0)
        maps = sum(self._above) + self._n_rows * self._map_height + BELOW
        self._n_bars = n_bars
        self.height = self._top + maps + BAR * -(-n_bars // MOST_BARS) + self._foot

    def panel(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width, height of a map."""
        left = LEFT + sum(self._widths[:column]) + column * self._between
        top = self._top + sum(self._above[: row + 1]) + row * self._map_height
        bottom = self.height - top - self._map_height
        width = self._widths[column]
        return left / WIDTH, bottom / self.height, width / WIDTH, self._map_height / self.height

    def bar(self, number: int) -> tuple[float, float, float, float]:
        """The same of a colour bar."""
        n_lines = -(-self._n_bars // MOST_BARS)
        line, column = divmod(number, -(-self._n_bars // n_lines))
        each = (sum(self._widths) + self._between * (len(self._widths) - 1)) / -(-self._n_bars // n_lines)
        width = min(each - 0.5, 5.0)
        left = LEFT + column * each + (each - width) / 2
        bottom = self._foot + 0.36 + (n_lines - 1 - line) * BAR
        return left / WIDTH, bottom / self.height, width / WIDTH, 0.12 / self.height


def turn(grid: Grid, centre: float, images: Sequence[Any]) -> tuple[Grid, list[Any]]:
    """Images (ny, nx) that go around the globe, and their grid, with columns from half a turn west of a longitude on.

    Others are as they are.
    """
    if not grid.is_periodic:
        return grid, list(images)
    longitude = centre + (grid.longitude - centre + 180.0) % 360.0 - 180.0
    order = np.argsort(longitude)
    return Grid(grid.latitude, longitude[order]), [image[:, order] for image in images]


def centre_of(box: Box | None) -> float:
    """The longitude in the middle of a box; Greenwich of the globe."""
    return 0.0 if box is None else box[2] + ((box[3] - box[2]) % 360.0) / 2


def extent(grid: Grid, land: BoolArray, box: Box | None) -> tuple[float, float, float, float]:
    """West, east, south, north of what is shown of a turned grid: a box, or all latitudes with land, and a margin."""
    west, east = (float(edge) for edge in grid.longitude_edges[[0, -1]])
    south, north = land_latitudes(grid, land)
    if box is None:
        return west, east, south, north
    width = (box[3] - box[2]) % 360.0
    starts = [box[2] + turn for turn in (-360.0, 0.0, 360.0)]
    start = max(starts, key=lambda first: min(first + width, east) - max(first, west))
    low, high = (float(edge) for edge in np.sort(grid.latitude_edges[[0, -1]]))
    return max(start, west), min(start + width, east), max(box[0], low), min(box[1], high)


def land_latitudes(grid: Grid, land: BoolArray) -> tuple[float, float]:
    """Latitudes between which there is land, with a margin: an Antarctic without soil is not drawn."""
    rows = np.flatnonzero(land.any(axis=1)) if land.any() else np.arange(land.shape[0])
    edges = grid.latitude_edges
    ends = edges[max(0, rows[0] - 2)], edges[min(edges.size - 1, rows[-1] + 3)]
    return float(min(ends)), float(max(ends))


def shape_of(box: tuple[float, float, float, float]) -> float:
    """Height of a map as a share of its width, within what fits a page."""
    west, east, south, north = box
    return float(np.clip(_stretch(box) * (north - south) / (east - west), *SHAPES))


def _stretch(box: tuple[float, float, float, float]) -> float:
    """Length of a degree of latitude over one of longitude; 1 for the globe, which is drawn in degrees."""
    west, east, south, north = box
    if east - west > 180.0:
        return 1.0
    return 1.0 / float(np.cos(np.radians(min(75.0, abs(south + north) / 2))))


def draw_panel(
    axes: Axes, grid: Grid, land: BoolArray, image: FloatArray, box: tuple[float, float, float, float]
) -> QuadMesh:
    """A map of an image (ny, nx) in given axes, land without a value in white; colours are set by the caller."""
    edges = grid.longitude_edges, grid.latitude_edges
    axes.set_facecolor(OCEAN)
    if (land & np.isnan(image)).any():
        axes.pcolormesh(*edges, np.where(land, 0.0, np.nan), cmap=ListedColormap([NOTHING]), rasterized=True)
    mesh = axes.pcolormesh(*edges, image, rasterized=True)
    draw_coasts(axes, box)
    axes.set_aspect(_stretch(box))
    axes.tick_params(labelsize=SMALL, color=QUIET, labelcolor="#333333")
    return mesh


def draw_coasts(axes: Axes, box: tuple[float, float, float, float]) -> None:
    """Outlines of land, limits and coordinates of a map that shows a box: west, east, south, north."""
    lines: Any = coasts_within(*box)
    axes.add_collection(LineCollection(lines, colors=OUTLINE, linewidths=0.5, zorder=3), autolim=False)
    axes.set(xlim=box[:2], ylim=box[2:])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=_n_longitudes(axes, box), steps=[1, 2, 3, 5, 6, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: degrees((value + 180) % 360 - 180, "W", "E")))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: degrees(value, "S", "N")))


def _n_longitudes(axes: Axes, box: tuple[float, float, float, float]) -> int:
    """Between how many longitudes there is room for their letters, 6 at most."""
    west, east, south, north = box
    size = axes.get_window_extent()
    width = min(size.width, size.height * (east - west) / (north - south) / _stretch(box)) / axes.figure.dpi
    return int(np.clip(width / FOR_LONGITUDE, 1, 6))


def _within(longitude: float, west: float, east: float) -> float:
    """A longitude as counted between two, where it is between them."""
    return west + (longitude - west) % 360.0 if (longitude - west) % 360.0 <= east - west else longitude
