"""The figure of one analysis: background, observation, analysis and increment."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import writing
from imgda_mpi.grid import Grid
from imgda_mpi.results.analysis_file import SavedAnalysis
from imgda_mpi.verify.scores import before_and_after, change

# The same limits in every figure, so that figures can be compared, m3 m-3.
MOISTURE_LIMITS = (0.0, 0.5)
MOISTURE_COLOURS = LinearSegmentedColormap.from_list(
    "soil moisture", ["#7f4b17", "#c08a45", "#e6cf9c", "#e8ecd0", "#9fd0cf", "#4a94c0", "#1f5a9e", "#0c2a63"]
)
INCREMENT_COLOURS = "RdBu"  # drier is red, wetter is blue
OCEAN = "#d4d4d4"
UNOBSERVED = ListedColormap(["#ffffff"])
UNIT = "m³ m⁻³"
MINUS = "\N{MINUS SIGN}"

WIDTH = 10.0  # inches
PANEL_WIDTH = 4.6
SURROUNDINGS = 2.15  # height of titles, labels, colour bars and caption
DOTS_PER_INCH = 150
CAPTION_WIDTH = 150  # characters


def draw_analysis(saved: SavedAnalysis, figure_file: Path) -> Figure:
    """Draw a saved analysis in four panels, as in Figs. 4 and 5 of the paper, and write the picture.

    The file's suffix says the format (png, pdf, ...). The first four axes of the figure are the panels, in the order of
    their letters; the two colour bars follow.

    Raises
    ------
    OutputError
        Where the picture cannot be written.
    """
    shown = _shifted(saved)
    land = np.isfinite(shown.background)
    south, north = land_latitudes(shown.grid, land)
    figure = Figure(figsize=(WIDTH, _height(shown.grid, north - south)), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    images = {
        "(a) Background": shown.background,
        "(b) Observation": np.where(land, shown.observation, np.nan),
        "(c) Analysis": shown.analysis,
    }
    for panel, (title, image) in zip(panels.flat, images.items(), strict=False):
        moisture = draw_panel(panel, title, shown.grid, land, image)
        moisture.set(cmap=MOISTURE_COLOURS, clim=MOISTURE_LIMITS)
    extend = ends_beyond(np.stack(list(images.values())), MOISTURE_LIMITS)
    _colour_bar(figure, panels[1, 0], moisture, f"Soil moisture, 0-10 cm ({UNIT})", extend)

    limits = symmetric_limits(shown.increment)
    increment = draw_panel(panels[1, 1], "(d) Increment", shown.grid, land, shown.increment)
    increment.set(cmap=INCREMENT_COLOURS, clim=limits)
    extend = ends_beyond(shown.increment, limits)
    _colour_bar(figure, panels[1, 1], increment, f"Analysis minus background ({UNIT})", extend)

    panels[0, 0].set_ylim(south, north)
    figure.suptitle(saved.title, fontsize=12)
    figure.supxlabel(_caption(saved), x=0.01, ha="left", fontsize=8.5, color="#333333", linespacing=1.4)
    with writing(figure_file):
        figure.savefig(figure_file)
    return figure


def _shifted(saved: SavedAnalysis) -> SavedAnalysis:
    """An analysis with the columns of `around_greenwich`."""
    images = saved.background, saved.observation, saved.analysis, saved.increment
    grid, (background, observation, analysis, increment) = around_greenwich(saved.grid, images)
    return replace(
        saved, grid=grid, background=background, observation=observation, analysis=analysis, increment=increment
    )


def around_greenwich(grid: Grid, images: Sequence[FloatArray]) -> tuple[Grid, list[FloatArray]]:
    """Images (..., ny, nx) that go around the globe, and their grid, with the columns from 180 W to 180 E."""
    if not grid.is_periodic:
        return grid, list(images)
    longitude = (grid.longitude + 180.0) % 360.0 - 180.0
    order = np.argsort(longitude)
    return Grid(grid.latitude, longitude[order]), [image[..., order] for image in images]


def _stretch(grid: Grid) -> float:
    """Length of a degree of latitude over one of longitude; 1 for the globe, which is drawn in degrees."""
    return 1.0 if grid.is_periodic else 1.0 / float(np.cos(np.radians(min(75.0, abs(grid.latitude.mean())))))


def land_latitudes(grid: Grid, land: BoolArray) -> tuple[float, float]:
    """Latitudes between which there is land, with a margin: an Antarctic without soil is not drawn."""
    rows = np.flatnonzero(land.any(axis=1)) if land.any() else np.arange(land.shape[0])
    edges = grid.latitude_edges
    ends = edges[max(0, rows[0] - 2)], edges[min(edges.size - 1, rows[-1] + 3)]
    return float(min(ends)), float(max(ends))


def _height(grid: Grid, latitudes: float) -> float:
    """Height in inches of a figure that shows so many degrees of latitude."""
    return 2 * PANEL_WIDTH * shape_of_map(grid, (0.0, latitudes)) + SURROUNDINGS


def shape_of_map(grid: Grid, latitudes: tuple[float, float]) -> float:
    """Height of a map between two latitudes as a share of its width, within what fits a page."""
    shape = _stretch(grid) * (latitudes[1] - latitudes[0]) / np.ptp(grid.longitude_edges)
    return float(np.clip(shape, 0.3, 1.3))


def draw_panel(panel: Axes, title: str, grid: Grid, land: BoolArray, image: FloatArray) -> QuadMesh:
    """A map of an image (ny, nx), land without a value in white; colours are set by the caller."""
    edges = grid.longitude_edges, grid.latitude_edges
    panel.set_facecolor(OCEAN)
    panel.pcolormesh(*edges, np.where(land, 0.0, np.nan), cmap=UNOBSERVED, rasterized=True)
    mesh = panel.pcolormesh(*edges, image, rasterized=True)
    panel.set_aspect(_stretch(grid))
    panel.set_title(title, loc="left", fontsize=10)
    panel.tick_params(labelsize=8, color="#666666")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 3, 5, 6, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 3, 5, 6, 10]))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda degrees, _: _degrees((degrees + 180) % 360 - 180, "W", "E")))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda degrees, _: _degrees(degrees, "S", "N")))
    panel.label_outer()
    return mesh


def _degrees(value: float, negative: str, positive: str) -> str:
    """A coordinate as on a map.

    >>> _degrees(-97.5, "W", "E"), _degrees(0.0, "S", "N")
    ('97.5°W', '0°')
    """
    side = "" if value in (0.0, -180.0) else negative if value < 0 else positive
    return f"{abs(value):g}°{side}"


def symmetric_limits(increment: FloatArray) -> tuple[float, float]:
    """Round limits of the colours, within which all but a hundredth of the increments lie."""
    sizes = np.abs(increment[np.isfinite(increment)])
    largest = max(0.01, float(np.quantile(sizes, 0.99))) if sizes.size else 0.01
    power = 10.0 ** np.floor(np.log10(largest))
    steps = power * np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
    limit = float(steps[steps >= largest - 1e-9].min())
    return -limit, limit


def ends_beyond(values: FloatArray, limits: tuple[float, float]) -> str:
    """Which ends of the colour bar get an arrow, because there are values beyond."""
    below, above = bool((values < limits[0]).any()), bool((values > limits[1]).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _colour_bar(figure: Figure, panel: Axes, mesh: QuadMesh, label: str, extend: str) -> None:
    bar = figure.colorbar(mesh, ax=panel, orientation="horizontal", extend=extend, aspect=35, pad=0.03)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _caption(saved: SavedAnalysis) -> str:
    before, after = before_and_after(saved.background, saved.analysis, saved.observation)
    source = saved.observation_source.rsplit("/", 1)[-1]
    text = f"Method: {saved.method}. Analysis time: {saved.time:%Y-%m-%dT%H:%M:%SZ}. Observation: {source}."
    if before.n_cells > 0:
        scores = (
            f"SCC {change(before.scc, after.scc, '.2f', '→')}, "
            f"ubRMSE {change(before.ubrmse, after.ubrmse, '.3f', '→')} {UNIT}, "
            f"bias {change(before.bias, after.bias, '+.3f', '→')} {UNIT}"
        ).replace("-", MINUS)
        text += f" Background → analysis against the observation ({before.n_cells} cells): {scores}."
    if (np.isfinite(saved.background) & ~np.isfinite(saved.observation)).any():
        text += " White in (b): land without observation."
    return textwrap.fill(text.replace(UNIT, UNIT.replace(" ", "\N{NO-BREAK SPACE}")), CAPTION_WIDTH)
