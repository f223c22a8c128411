"""Pictures of scaling curves: times of stages, efficiency and memory against ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullLocator
from scaling_rows import KINDS, STAGES, Row, label, size_text

# Okabe and Ito's colours, which differ for all eyes; markers besides.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
MARKERS = "osDv^P"


def draw_times(path: Path, rows: Sequence[Row]) -> None:
    """Time per stage against ranks: a row of panels for each grid, strong scaling left, weak scaling right."""
    shapes = sorted({row.shape for row in rows})
    figure = Figure(figsize=(9.5, 0.9 + 3.3 * len(shapes)), layout="constrained")
    panels = figure.subplots(len(shapes), 2, sharex=True, sharey="row", squeeze=False)
    for line, shape in zip(panels, shapes, strict=True):
        for panel, scaling in zip(line, KINDS, strict=True):
            points = [row for row in rows if (row.shape, row.scaling) == (shape, scaling)]
            _draw_stages(panel, points)
            first, last = points[0], points[-1]
            growth = f" on {first.ranks} to {size_text(last)} on {last.ranks}" if scaling == "weak" else ""
            panel.set_title(f"{scaling}: {size_text(first)}{growth}", fontsize=10)
        line[0].set_ylabel("time, s")
    for panel in panels[-1]:
        panel.set_xlabel("ranks")
    _save(panels[0][0], path)


def _draw_stages(panel: Axes, points: Sequence[Row]) -> None:
    ranks = np.array([row.ranks for row in points])
    total = np.array([row.total for row in points])
    panel.plot(ranks, total, "k-", marker="o", linewidth=2, label="total")
    ideal = [total[0] * (ranks[0] / n if points[0].scaling == "strong" else 1.0) for n in ranks]
    panel.plot(ranks, ideal, "k--", linewidth=1, label="total, ideal")
    for name, colour, marker in zip(STAGES, COLOURS, MARKERS, strict=True):
        seconds = [row.stages[name] for row in points]
        panel.plot(ranks, seconds, color=colour, marker=marker, markersize=5, linewidth=1.3, label=name)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    _ranks_axis(panel, ranks)


def draw_efficiency(path: Path, rows: Sequence[Row]) -> None:
    """Parallel efficiency against ranks, a line for each grid, strong scaling left, weak scaling right."""
    panels = _draw_grids(rows, "efficiency", lambda row: row.efficiency)
    for panel in panels:
        panel.axhline(1.0, color="k", linestyle="--", linewidth=1, label="ideal")
    panels[0].set_ylim(0.0, max(1.1, 1.05 * max(row.efficiency for row in rows)))
    _save(panels[0], path)


def draw_memory(path: Path, rows: Sequence[Row]) -> None:
    """Most memory of a rank against ranks, panels and lines as of `draw_efficiency`."""
    panels = _draw_grids(rows, "memory of a rank, GB", lambda row: 1e-9 * row.memory)
    panels[0].set_ylim(bottom=0.0)
    _save(panels[0], path)


def _draw_grids(rows: Sequence[Row], quantity: str, value: Callable[[Row], float]) -> Sequence[Axes]:
    panels: Sequence[Axes] = Figure(figsize=(9.5, 3.9), layout="constrained").subplots(1, 2, sharey=True)
    for panel, scaling in zip(panels, KINDS, strict=True):
        for number, shape in enumerate(sorted({row.shape for row in rows})):
            points = [row for row in rows if (row.shape, row.scaling) == (shape, scaling)]
            style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
            panel.plot([row.ranks for row in points], [value(row) for row in points], label=label(shape), **style)
        _ranks_axis(panel, np.unique([row.ranks for row in rows]))
        panel.set_title(f"{scaling} scaling", fontsize=10)
        panel.set_xlabel("ranks")
    panels[0].set_ylabel(quantity)
    return panels


def _ranks_axis(panel: Axes, ranks: Iterable[int]) -> None:
    panel.set_xscale("log", base=2)
    panel.set_xticks(sorted(ranks), labels=[str(n) for n in sorted(ranks)])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.grid(color="0.9")


def _save(panel: Axes, path: Path) -> None:
    """Save with the legend of one panel, which holds for all."""
    figure = panel.figure
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)
