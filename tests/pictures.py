"""What pictures of a report draw, and the numbers behind them, read back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import Grid


def read_numbers(path: Path) -> dict[str, FloatArray]:
    """Columns of a table of numbers, NaN where a field is empty."""
    with path.open(encoding="utf-8", newline="") as text:
        names, *rows = csv.reader(text)
    return {name: np.array([float(row[n] or "nan") for row in rows]) for n, name in enumerate(names)}


def on_grid(columns: dict[str, FloatArray], name: str, grid: Grid) -> FloatArray:
    """An image (ny, nx) made again of the rows of a table of maps, NaN in other cells."""
    image = np.full(grid.shape, np.nan)
    rows = np.abs(columns["latitude_degrees_north"][:, None] - grid.latitude).argmin(axis=1)
    turns = np.abs((columns["longitude_degrees_east"][:, None] - grid.longitude + 180.0) % 360.0 - 180.0)
    image[rows, turns.argmin(axis=1)] = columns[name]
    return image


def touching(figure: Figure) -> list[str]:
    """Titles that touch a frame, or any letters that reach out of the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    frames = [axes.get_window_extent(renderer) for axes in figure.axes]
    of_axes = [(axes, title) for axes in figure.axes for title in (axes.title, axes._left_title)]  # type: ignore[attr-defined]
    titles = [title for _, title in of_axes] + list(figure.texts)
    labels = [label for axes in figure.axes for label in (axes.xaxis.label, axes.yaxis.label)]
    found = []
    for text in titles + labels:
        if not text.get_text() or not text.get_visible():
            continue
        around = text.get_window_extent(renderer)
        outside = around.x0 < 0 or around.y0 < 0 or around.x1 > figure.bbox.x1 or around.y1 > figure.bbox.y1
        if outside or (text in titles and any(around.overlaps(frame) for frame in frames)):
            found.append(text.get_text())
    return found
