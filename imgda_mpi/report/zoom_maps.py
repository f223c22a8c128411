"""Fig. 5 of the paper: background, observation, analysis and increment in boxes, beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.analysis_maps import panels_of
from imgda_mpi.report.maps import Panel, draw_maps, shape_of
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section, Table
from imgda_mpi.report.theme import UNIT, degrees, moment, signed
from imgda_mpi.results.analysis_file import DIAGNOSTICS, SavedAnalysis, read_analysis
from imgda_mpi.verify.regions import BOXES, Box, cells_of
from imgda_mpi.verify.scores import Scores, before_and_after, change
from imgda_mpi.verify.status import FIT

BESIDE = 2
"""Boxes in a picture; more are shown in more pictures."""

TALL = 0.8
"""Height of a box over its width from which it has a picture of its own."""


def zooms_section(material: Material) -> Section | str:
    """The analysis that is shown alone, in the boxes wanted, else in those of the paper."""
    if material.shown_folder is None:
        return "there is no analysis in what was given"
    saved = read_analysis(material.shown_folder / DIAGNOSTICS)
    soil = np.isfinite(saved.background)
    asked = material.wanted.boxes or BOXES
    inside = {name: cells_of(saved.grid, box) & soil for name, box in asked.items()}
    boxes = {name: box for name, box in asked.items() if inside[name].any()}
    without = [name for name in asked if name not in boxes]
    whole = [name for name in boxes if (inside[name] == soil).all()]
    if whole:
        return f"all soil of the grid lies in {whole[0]}: the maps of the analysis show it"
    if not boxes:
        return f"the grid has no soil in {' or '.join(without)}; give boxes of your own to see others"
    wide = [name for name, box in boxes.items() if not _is_tall(box)]
    parts = [wide[first : first + BESIDE] for first in range(0, len(wide), BESIDE)]
    parts += [[name] for name in boxes if name not in wide]
    return Section(
        text=[f"The grid has no soil in {' and '.join(without)}."] if without else [],
        tables=[_scores(saved, boxes)] if np.isfinite(saved.observation).any() else [],
        pictures=[
            zooms_picture(saved, {name: boxes[name] for name in part}, f"zooms_{number}" if number else "zooms")
            for number, part in enumerate(parts)
        ],
    )


def zooms_picture(saved: SavedAnalysis, boxes: Mapping[str, Box], name: str = "zooms") -> Picture:
    """The four panels of an analysis row by row, a box a column; of one that is tall beside each other."""
    panels: list[Panel] = []
    for panel in panels_of(saved):
        kind = panel.title.partition(" ")[2]
        for box_name, box in boxes.items():
            letter = chr(ord("a") + len(panels))
            panels.append(replace(panel, title=f"({letter}) {kind}, {box_name}", box=box))
    every = " and ".join(boxes)
    where = "; ".join(f"{box_name} {_in_words(box)}" for box_name, box in boxes.items())
    means = ", ".join(f"{signed(_mean(saved, box), 3)} {UNIT} in {box_name}" for box_name, box in boxes.items())
    return Picture(
        name=name,
        figure=draw_maps(
            saved.grid,
            np.isfinite(saved.background),
            panels,
            len(panels) if any(map(_is_tall, boxes.values())) else BESIDE,
            title=f"{saved.method}, {moment(saved.time)}",
        ),
        numbers=_numbers(saved, boxes),
        alt=f"Maps of {every}: soil moisture of background, observation and analysis, and the increment, in the mean "
        f"{means}.",
        caption=f"The analysis of {moment(saved.time)} ({saved.method}) in {where}: background, "
        f"observation, analysis and increment, 0-10 cm; mean increment {means}. Colours are those "
        "of the whole grid; white is land without a value.",
        is_papers=True,
    )


def _is_tall(box: Box) -> bool:
    south, north, west, east = box
    return shape_of((west, east, south, north)) > TALL


def _in_words(box: Box) -> str:
    south, north, west, east = box
    return (
        f"{degrees(south, 'S', 'N')} to {degrees(north, 'S', 'N')}, "
        f"{degrees(west, 'W', 'E')} to {degrees(east, 'W', 'E')}"
    )


def _mean(saved: SavedAnalysis, box: Box) -> float:
    """Mean increment of the soil cells of a box, m3 m-3, all of equal weight."""
    return float(np.nanmean(saved.increment[cells_of(saved.grid, box)]))


def _numbers(saved: SavedAnalysis, boxes: Mapping[str, Box]) -> Numbers:
    """Soil cells with their centres in a box, box by box."""
    images: dict[str, FloatArray] = {panel.column: panel.image for panel in panels_of(saved)}
    found = {name: np.nonzero(cells_of(saved.grid, box) & np.isfinite(saved.background)) for name, box in boxes.items()}
    rows = np.concatenate([rows for rows, _ in found.values()])
    columns = np.concatenate([columns for _, columns in found.values()])
    table: dict[str, Column] = {
        "region": [name for name, (cells, _) in found.items() for _ in cells],
        "latitude_degrees_north": saved.grid.latitude[rows],
        "longitude_degrees_east": saved.grid.longitude[columns],
    }
    return Numbers(table | {name: image[rows, columns] for name, image in images.items()})


def _scores(saved: SavedAnalysis, boxes: Mapping[str, Box]) -> Table:
    """Of background and analysis against the assimilated image."""
    lines: list[Sequence[str]] = [("region", "cells", "SCC", f"ubRMSE ({UNIT})", f"bias ({UNIT})")]
    for name, box in boxes.items():
        inside = np.where(cells_of(saved.grid, box), saved.observation, np.nan)
        before, after = before_and_after(saved.background, saved.analysis, inside)
        lines.append((name, str(before.n_cells), *_changes(before, after)))
    return Table(f"Background → analysis against the assimilated image, {FIT}", lines)


def _changes(before: Scores, after: Scores) -> list[str]:
    return [
        change(before.scc, after.scc, ".2f", "→"),
        change(before.ubrmse, after.ubrmse, ".3f", "→"),
        f"{signed(before.bias, 3)} → {signed(after.bias, 3)}",
    ]
