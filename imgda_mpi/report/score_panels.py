"""Fig. 8 of the paper: spatial correlation and ubRMSE of runs in time, in layers of soil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imgda_mpi.observations.image import Layer
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Curves, Material
from imgda_mpi.report.picture import Numbers, Picture, Section
from imgda_mpi.report.score_means import means_table
from imgda_mpi.report.theme import DOTS_PER_INCH, LAYER_COLOURS, NORMAL, SMALL, UNIT, layer_name, moment
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis, mark_end
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.status import FIT, SAME_PRODUCT

SCORES = {"scc": "SCC", "ubrmse": f"ubRMSE ({UNIT})"}
"""Of the rows of panels: spatial correlation, and root mean square error without the bias."""

MARKERS = "os^"
"""Of layers from the surface down."""

MOST_COLUMNS = 3

LEFT, BETWEEN, RIGHT = 0.78, 0.12, 0.15
ABOVE, TALL, GAP, BELOW = 0.3, 1.9, 0.1, 0.42
TOP, FOOT = 0.32, 0.62
"""Inches: beside panels; of two rows of them their titles, each, between them, and dates; title and legends."""


def score_panels_section(material: Material) -> Section | str:
    """A picture for each of what judges, and means over the assimilation and the forecast."""
    order = {ran.name: number for number, ran in enumerate(material.runs)}
    every = [_in_order(curves, order) for curves in material.curves if curves.rows]
    if not every:
        return "there are no scores in time: they are of twin experiments and of verifications with images"
    control = "" if material.control is None else material.control.name
    in_time = [curves for curves in every if len({row.time for row in curves.rows}) > 1]
    return Section(
        tables=[means_table(curves, material.assimilation) for curves in every],
        pictures=[score_picture(curves, control, material.last_analysis) for curves in in_time],
    )


def _in_order(curves: Curves, order: Mapping[str, int]) -> Curves:
    """The same with the runs of every time in their order; others come last."""
    return replace(curves, rows=sorted(curves.rows, key=lambda row: (row.time, order.get(row.run, len(order)))))


def score_picture(curves: Curves, control: str, last_analysis: datetime | None) -> Picture:
    """A column of panels for each run with analyses beside the control, which is dashed."""
    runs = list(dict.fromkeys(row.run for row in curves.rows))
    control = control if control in runs else runs[0]
    shown = [run for run in runs if run != control] or [control]
    return Picture(
        name=f"score_series_{curves.name}",
        figure=_draw(curves, control, shown, last_analysis),
        numbers=_numbers(curves),
        alt=f"Scores of {', '.join(runs)} against {curves.name} in time. {_at_the_end(curves, last_analysis)}",
        caption=_caption(curves, control, last_analysis),
        is_papers=True,
    )


def layers_of(curves: Curves) -> list[Layer]:
    """Layers with scores, from the surface down."""
    return sorted({row.layer for row in curves.rows})


def _draw(curves: Curves, control: str, shown: Sequence[str], last_analysis: datetime | None) -> Figure:
    n_columns = min(MOST_COLUMNS, len(shown))
    n_blocks = -(-len(shown) // n_columns)
    block = ABOVE + 2 * TALL + GAP + BELOW
    height = TOP + n_blocks * block + FOOT
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (n_columns - 1)) / n_columns
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    first: dict[str, Axes] = {}
    for number, run in enumerate(shown):
        of_block, column = divmod(number, n_columns)
        for row, (score, label) in enumerate(SCORES.items()):
            bottom = height - TOP - of_block * block - ABOVE - (row + 1) * TALL - row * GAP
            place = (LEFT + column * (width + BETWEEN)) / WIDTH, bottom / height, width / WIDTH, TALL / height
            axes = figure.add_axes(place, sharex=first.get("scc"), sharey=first.get(score))
            first.setdefault(score, axes)
            _draw_series(axes, curves, score, control, run)
            draw_time_axis(axes, n_ticks=6, with_labels=row == 1)
            mark_end(axes, last_analysis)
            axes.tick_params(labelleft=column == 0)
            if column == 0:
                axes.set_ylabel(label, fontsize=SMALL + 1)
            if row == 0:
                title = run if run == control else f"{run} and {control}"
                axes.set_title(f"({'abcdefghijklmnopqrstuvwxyz'[number % 26]}) {title}", loc="left", fontsize=NORMAL)
    figure.text(
        LEFT / WIDTH, 1 - 0.12 / height, f"Scores against {curves.name}", fontsize=NORMAL + 1.5, va="top", ha="left"
    )
    _draw_legends(figure, curves, control, height, last_analysis is not None)
    return figure


def _draw_series(axes: Axes, curves: Curves, score: str, control: str, run: str) -> None:
    """A score of all layers in time, of the control and a run; analyses are steps from before to after.

    What begins with the state after an analysis comes from the control's.
    """
    for number, layer in enumerate(layers_of(curves)):
        of_layer = [row for row in curves.rows if row.layer == layer]
        start = next((row for row in of_layer if row.run == control), None)
        for name, style in {control: "--", run: "--" if run == control else "-"}.items():
            own = [row for row in of_layer if row.run == name]
            if own and own[0].side == "after" and start is not None and start.time == own[0].time:
                own = [start, *own]
            if not own:
                continue
            axes.plot(
                days_since_1970([row.time for row in own]),
                [getattr(row.scores, score) for row in own],
                linestyle=style,
                color=LAYER_COLOURS[number % len(LAYER_COLOURS)],
                linewidth=0.9,
                marker=MARKERS[number % len(MARKERS)],
                markersize=3.5,
                markevery=max(1, len(own) // 8),
            )
    axes.grid(alpha=0.25)


def _draw_legends(figure: Figure, curves: Curves, control: str, height: float, has_end: bool) -> None:
    """Layers with their status, and below what lines mean."""
    layers = layers_of(curves)
    of_layers = [
        Line2D([], [], color=LAYER_COLOURS[n % len(LAYER_COLOURS)], marker=MARKERS[n % len(MARKERS)], markersize=4)
        for n in range(len(layers))
    ]
    names = [f"{layer_name(layer)} ({curves.status_of(layer)})" for layer in layers]
    styles = {control: "--", "with analyses": "-"} | ({"last analysis": ":"} if has_end else {})
    if len({row.run for row in curves.rows}) == 1:
        styles = {control: "--"} | ({"last analysis": ":"} if has_end else {})
    of_styles = [Line2D([], [], color="#444444", ls=style) for style in styles.values()]
    for lines, words, bottom in ((of_layers, names, 0.32), (of_styles, list(styles), 0.08)):
        figure.legend(
            lines,
            words,
            loc="lower center",
            bbox_to_anchor=(0.5, bottom / height),
            ncols=len(lines),
            fontsize=SMALL,
            frameon=False,
            borderaxespad=0.0,
            borderpad=0.0,
            columnspacing=1.2,
        )


def _numbers(curves: Curves) -> Numbers:
    """Long form: a line for each run, layer, time and side."""
    rows = curves.rows
    return Numbers(
        {
            "run": [row.run for row in rows],
            "layer_top_m": [row.layer[0] for row in rows],
            "layer_bottom_m": [row.layer[1] for row in rows],
            "time": [row.time for row in rows],
            "side_of_analysis": [row.side for row in rows],
            "n_cells": np.array([row.scores.n_cells for row in rows]),
            "scc": [row.scores.scc for row in rows],
            "ubrmse_m3_m-3": [row.scores.ubrmse for row in rows],
            "bias_m3_m-3": [row.scores.bias for row in rows],
        }
    )


def _at_the_end(curves: Curves, last_analysis: datetime | None) -> str:
    """Scores of the upper layer after the last analysis, or of the last time."""
    layer = layers_of(curves)[0]
    of_layer = [row for row in curves.rows if row.layer == layer and row.side != "before"]
    times = [row.time for row in of_layer if last_analysis is None or row.time <= last_analysis]
    time = max(times or [row.time for row in of_layer])
    at: Mapping[str, ScoreRow] = {row.run: row for row in of_layer if row.time == time}
    words = ", ".join(
        f"{run} SCC {row.scores.scc:.2f}, ubRMSE {row.scores.ubrmse:.3f} {UNIT}" for run, row in at.items()
    )
    return f"In {layer_name(layer)} at {moment(time)}: {words}."


def _caption(curves: Curves, control: str, last_analysis: datetime | None) -> str:
    first, last = min(row.time for row in curves.rows), max(row.time for row in curves.rows)
    statuses = "; ".join(f"{layer_name(layer)} {curves.status_of(layer)}" for layer in layers_of(curves))
    end = f" The dotted line is the last analysis, {moment(last_analysis)}." if last_analysis else ""
    if last_analysis and FIT in {curves.status_of(layer) for layer in layers_of(curves)}:
        end += f" After it {curves.name} is: {SAME_PRODUCT}."
    return (
        f"Spatial correlation (SCC) and ubRMSE ({UNIT}) of runs against {curves.name} ({statuses}), from "
        f"{moment(first)} to {moment(last)}; cells have equal weight. Analyses are steps from the score before to that "
        f"after; {control} is dashed.{end} {_at_the_end(curves, last_analysis)}"
    )
