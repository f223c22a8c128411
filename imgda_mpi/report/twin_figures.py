"""Figures of a twin experiment: scores in time, and maps of the errors, as Figs. 8 and 6 of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import writing
from imgda_mpi.grid import Grid
from imgda_mpi.report.figure import (
    DOTS_PER_INCH,
    INCREMENT_COLOURS,
    MOISTURE_COLOURS,
    MOISTURE_LIMITS,
    UNIT,
    around_greenwich,
    draw_panel,
    ends_beyond,
    land_latitudes,
    shape_of_map,
    symmetric_limits,
)
from imgda_mpi.verify.score_series import ScoreRow

LAYER_COLOURS = ("#d55e00", "#009e73", "#0072b2")
"""Of Okabe and Ito, told apart by all: red, green and blue as in the paper, from the surface down."""

SCORES = {"scc": "Spatial correlation (SCC)", "ubrmse": f"ubRMSE ({UNIT})"}

MAP_LAYERS = LAYERS[:2]
MAP_WIDTH = 4.6  # inches


def draw_scores(rows: Sequence[ScoreRow], control: str, last_analysis: datetime, figure_file: Path) -> Figure:
    """SCC and ubRMSE against the truth in three layers, a column of panels for each variant; writes the picture.

    Analyses are steps from before to after, the first one from the control, which all start from; control is dashed.

    Raises
    ------
    OutputError
        Where the picture cannot be written.
    """
    of_truth = [row for row in rows if row.reference == "truth"]
    variants = [run for run in dict.fromkeys(row.run for row in of_truth) if run != control]
    n_columns = max(1, len(variants))
    figure = Figure(figsize=(1.2 + 3.6 * n_columns, 6.4), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(2, n_columns, sharex=True, sharey="row", squeeze=False)
    for column, variant in enumerate(variants or [control]):
        for panel, score in zip(panels[:, column], SCORES, strict=True):
            _draw_series(panel, of_truth, score, control, variant)
            panel.axvline(last_analysis, color="#444444", linestyle=":", linewidth=1.2)
        panels[0, column].set_title(variant, loc="left", fontsize=10)
    for panel, label in zip(panels[:, 0], SCORES.values(), strict=True):
        panel.set_ylabel(label, fontsize=9)
    locator = AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
    panels[1, 0].xaxis.set_major_locator(locator)
    panels[1, 0].xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
    lines = [Line2D([], [], color=colour) for colour in LAYER_COLOURS]
    names = [f"{100 * top:g}-{100 * bottom:g} cm" for top, bottom in LAYERS]
    lines += [Line2D([], [], color="#444444", linestyle=style) for style in ("-", "--", ":")]
    names += ["with analyses", control, "last analysis"]
    figure.legend(lines, names, loc="outside lower center", ncols=len(names), fontsize=9, frameon=False)
    first, last = (f"{choose(row.time for row in of_truth):%Y-%m-%d}" for choose in (min, max))
    figure.suptitle(f"Twin experiment, {first} to {last}: scores against the truth, cells of equal weight", fontsize=11)
    with writing(figure_file):
        figure.savefig(figure_file)
    return figure


def _draw_series(panel: Axes, rows: Sequence[ScoreRow], score: str, control: str, variant: str) -> None:
    """A score of all layers in time, of the control and a variant."""
    for layer, colour in zip(LAYERS, LAYER_COLOURS, strict=True):
        of_layer = [row for row in rows if row.layer == layer]
        start = next(row for row in of_layer if row.run == control)
        for run, style in ((control, "--"), (variant, "-")):
            own = [row for row in of_layer if row.run == run]
            own = [start] * (own[0].side == "after") + own
            values = [getattr(row.scores, score) for row in own]
            times = [row.time for row in own]
            panel.plot(times, values, style, color=colour, linewidth=0.9)  # type: ignore[arg-type]  # it takes times
    panel.grid(alpha=0.25)
    panel.tick_params(labelsize=8, color="#666666")


def draw_maps(
    grid: Grid, truth: FloatArray, runs: Mapping[str, FloatArray], time: datetime, figure_file: Path
) -> Figure:
    """The truth and runs minus it in 0-10 and 10-40 cm, a row of maps for each; writes the picture.

    Parameters
    ----------
    grid : (ny, nx)
    truth : of the layers from the surface down, (n_layers, ny, nx) m3 m-3, NaN where missing
    runs : by their names, control first, each as ``truth``
    time : of the images
    figure_file

    Raises
    ------
    OutputError
        Where the picture cannot be written.
    """
    grid, (truth, *images) = around_greenwich(grid, [truth, *runs.values()])
    differences = {name: image - truth for name, image in zip(runs, images, strict=True)}
    n_layers = len(MAP_LAYERS)
    shown = np.concatenate([difference[:n_layers].ravel() for difference in differences.values()])
    limits = symmetric_limits(shown)
    land = np.asarray(np.isfinite(truth[:n_layers]).any(axis=0))
    latitudes = land_latitudes(grid, land)
    height = MAP_WIDTH * shape_of_map(grid, latitudes) + 0.3
    n_rows = 1 + len(runs)
    figure = Figure(figsize=(2 * MAP_WIDTH + 0.8, n_rows * height + 1.4), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(n_rows, n_layers, sharex=True, sharey=True, squeeze=False)
    for row, (name, image) in enumerate({"truth": truth, **differences}.items()):
        for number, (top, bottom) in enumerate(MAP_LAYERS):
            title = f"{name}{' minus truth' if row else ''}, {100 * top:g}-{100 * bottom:g} cm"
            mesh = draw_panel(panels[row, number], title, grid, land, image[number])
            if row:
                mesh.set(cmap=INCREMENT_COLOURS, clim=limits)
            else:
                mesh.set(cmap=MOISTURE_COLOURS, clim=MOISTURE_LIMITS)
        if row == 0:
            _bar(figure, panels[0], mesh, f"Soil moisture ({UNIT})", ends_beyond(truth[:n_layers], MOISTURE_LIMITS))
    _bar(figure, panels[1:], mesh, f"Difference from the truth ({UNIT})", ends_beyond(shown, limits))
    panels[0, 0].set_ylim(*latitudes)
    figure.suptitle(f"Twin experiment: {time:%Y-%m-%d %H:%M} UTC, after the last analysis", fontsize=11)
    with writing(figure_file):
        figure.savefig(figure_file)
    return figure


def _bar(figure: Figure, panels: npt.NDArray[Any], mesh: QuadMesh, label: str, extend: str) -> None:
    """A bar of colours below some panels."""
    bar = figure.colorbar(mesh, ax=panels, orientation="horizontal", extend=extend, aspect=45, shrink=0.6, pad=0.02)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
