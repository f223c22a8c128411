"""What pictures of a report draw, and the numbers behind them, read back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.report.picture import Picture


def read_numbers(path: Path) -> dict[str, Any]:
    """Columns of a CSV: numbers where all are, NaN where empty, else text."""
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    columns: dict[str, Any] = {}
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        try:
            columns[name] = np.array([float(value) if value else np.nan for value in values])
        except ValueError:
            columns[name] = list(values)
    return columns


def csv_of(picture: Picture, directory: Path) -> dict[str, Any]:
    """Columns of the CSV of a picture."""
    path = directory / f"{picture.name}.csv"
    picture.numbers.write(path)
    return read_numbers(path)


def on_grid(columns: dict[str, Any], name: str, grid: Grid) -> FloatArray:
    """An image (ny, nx) made again of the rows of a table of maps, NaN in other cells."""
    image = np.full(grid.shape, np.nan)
    rows = np.abs(columns["latitude_degrees_north"][:, None] - grid.latitude).argmin(axis=1)
    turns = np.abs((columns["longitude_degrees_east"][:, None] - grid.longitude + 180.0) % 360.0 - 180.0)
    image[rows, turns.argmin(axis=1)] = columns[name]
    return image


def mesh_of(axes: Any) -> QuadMesh:
    """The image of a map, which is the last one of its meshes."""
    found = [child for child in axes.get_children() if isinstance(child, QuadMesh)][-1]
    assert isinstance(found, QuadMesh)
    return found


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
