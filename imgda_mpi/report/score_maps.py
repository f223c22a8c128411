"""Scores over the times of a period in every cell, of verifications: the first run, and the others minus it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.maps import Panel, Shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import (
    CHANGE_COLOURS,
    MINUS,
    SIZE_COLOURS,
    UNIT,
    WORSE_IS_RED,
    layer_name,
    limits_from_zero,
    symmetric_limits,
)
from imgda_mpi.results.score_maps_file import ScoreMaps, open_score_maps
from imgda_mpi.verify.status import INDEPENDENT, UNKNOWN

NO_MAPS = "there are no scores in every cell: imgda_mpi verify makes them, with sections [images.NAME]"

TOO_FEW = "there are too few times for scores in every cell"

SCORES = {"correlation": "Correlation", "ubrmse": "ubRMSE", "bias": "Bias"}
"""Of the maps, in words."""

MOST_RUNS = 4
"""Rows of a picture: the first run, and the last ones."""


def score_maps_section(material: Material) -> Section | str:
    """All layers of the first period, and the first layer of the others, to step through."""
    if not material.score_maps:
        return NO_MAPS
    saved = sorted(map(open_score_maps, material.score_maps), key=lambda one: _is_assimilated(one, material))
    made = [picture for one in saved for picture in _of_file(one, material)]
    if not made:
        return TOO_FEW
    return Section(pictures=made) if len(made) == 1 else Section(steps=made)


def _is_assimilated(saved: ScoreMaps, material: Material) -> bool:
    """What is independent judges first."""
    statuses = [fields.status for fields in material.fields if fields.name == saved.name]
    return not any(INDEPENDENT in of_layers for status in statuses for of_layers in status)


def _of_file(saved: ScoreMaps, material: Material) -> list[Picture]:
    status = {fields.name: fields.status for fields in material.fields}.get(saved.name)
    wanted = [(0, layer) for layer in range(len(saved.layers))]
    wanted += [(period, 0) for period in range(1, len(saved.periods))]
    made = []
    for period, layer in wanted:
        maps = saved.of(period, layer)
        if any(np.isfinite(maps[score][0]).any() for score in SCORES):
            made.append(_picture(saved, maps, period, layer, UNKNOWN if status is None else status[period][layer]))
    return made


def _picture(saved: ScoreMaps, maps: Mapping[str, FloatArray], period: int, layer: int, status: str) -> Picture:
    """A row for each run, a column for each score."""
    panels, name = _panels(saved, maps), f"{saved.periods[period]}, {layer_name(saved.layers[layer])}"
    where = f"against {saved.name} ({status}), period {name}"
    said = _said(saved, maps)
    shown = _shown(saved)
    below = f"; below {' and '.join(saved.runs[run] for run in shown)} {MINUS} {saved.runs[0]}" if shown else ""
    left_out = [run for number, run in enumerate(saved.runs) if number and number not in shown]
    return Picture(
        name=f"score_maps_{saved.name}_{name.replace(', ', '_').replace(' ', '_')}",
        figure=draw_maps(saved.grid, maps["n"] > 0, panels, len(SCORES), title=f"Scores in time {where}"),
        numbers=numbers_of_maps(saved.grid, panels),
        alt=f"Maps of scores in time in every cell {where}: {said}.",
        caption=f"Scores over time in every cell {where}, up to {int(maps['n'].max())} times: {saved.runs[0]}{below}. "
        f"Medians of the cells: {said}."
        + " Of changes of correlation and ubRMSE blue is better; of bias blue is wetter." * bool(shown)
        + (f" Left out for their number: {', '.join(left_out)}." if left_out else ""),
        label=f"{saved.name}, {name}",
    )


def _shown(saved: ScoreMaps) -> list[int]:
    """Numbers of the runs beside the first one."""
    return list(range(1, len(saved.runs)))[1 - MOST_RUNS :]


def _panels(saved: ScoreMaps, maps: Mapping[str, FloatArray]) -> list[Panel]:
    of_first = {score: _shades(score, maps[score][0]) for score in SCORES}
    changes = {score: maps[score] - maps[score][0] for score in SCORES}
    of_changes = {score: _change_shades(score, changes[score]) for score in SCORES}
    panels = []
    for row, run in enumerate([0, *_shown(saved)]):
        for column, (score, words) in enumerate(SCORES.items()):
            unit = "" if score == "correlation" else "_m3_m-3"
            letter = "abcdefghijkl"[row * len(SCORES) + column]
            what = f"{saved.runs[run]} {MINUS} {saved.runs[0]}" if run else saved.runs[0]
            panels.append(
                Panel(
                    title=f"({letter}) {words}, {what}",
                    image=changes[score][run] if run else maps[score][0],
                    shades=of_changes[score] if run else of_first[score],
                    column=f"{saved.runs[run]}_{score}{'_minus_first' if run else ''}{unit}",
                )
            )
    return panels


def _shades(score: str, image: FloatArray) -> Shades:
    if score == "correlation":
        return Shades(SCORES[score], "viridis", (0.0, 1.0))
    label = f"{SCORES[score]} ({UNIT})"
    if score == "ubrmse":
        return Shades(label, SIZE_COLOURS, limits_from_zero(image))
    return Shades(label, CHANGE_COLOURS, symmetric_limits(image))


def _change_shades(score: str, changes: FloatArray) -> Shades:
    label = f"Change of {SCORES[score] if score == 'ubrmse' else SCORES[score].lower()}"
    if score == "correlation":
        return Shades(label, WORSE_IS_RED, symmetric_limits(changes, 0.05))
    colours = f"{WORSE_IS_RED}_r" if score == "ubrmse" else CHANGE_COLOURS
    return Shades(f"{label} ({UNIT})", colours, symmetric_limits(changes))


def _said(saved: ScoreMaps, maps: Mapping[str, FloatArray]) -> str:
    """Medians over the cells, in words."""
    said = []
    for run in (0, *_shown(saved)):
        r, ubrmse, bias = (_median(maps[score][run]) for score in SCORES)
        said.append(f"{saved.runs[run]} correlation {r:.2f}, ubRMSE {ubrmse:.3f} {UNIT}, bias {bias:+.3f} {UNIT}")
    return "; ".join(said).replace("-", MINUS)


def _median(image: FloatArray) -> float:
    known = image[np.isfinite(image)]
    return float(np.median(known)) if known.size else float("nan")
