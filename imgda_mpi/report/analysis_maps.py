"""Figs. 4 and 5 of the paper: background, observation, analysis and increment of one analysis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.maps import MOISTURE, Panel, change_shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import MINUS, UNIT, moment
from imgda_mpi.results.analysis_file import DIAGNOSTICS, SavedAnalysis, read_analysis
from imgda_mpi.verify.scores import Scores, before_and_after, change
from imgda_mpi.verify.status import FIT


def analysis_section(material: Material) -> Section | str:
    """Maps of the analysis that is shown alone."""
    if material.shown_folder is None:
        return "there is no analysis in what was given"
    return Section(pictures=[analysis_picture(read_analysis(material.shown_folder / DIAGNOSTICS))])


def analysis_picture(saved: SavedAnalysis) -> Picture:
    """The four panels of a saved analysis."""
    panels = panels_of(saved)
    before, after = before_and_after(saved.background, saved.analysis, saved.observation)
    title, note = f"Analysis of {moment(saved.time)}", _note(saved, before, after)
    figure = draw_maps(saved.grid, np.isfinite(saved.background), panels, 2, title=title, note=note)
    size = np.abs(saved.increment[np.isfinite(saved.increment)])
    largest = float(size.max()) if size.size else 0.0
    return Picture(
        name="figure",
        figure=figure,
        numbers=numbers_of_maps(saved.grid, panels),
        alt=f"Four maps: soil moisture of background, observation and analysis, and the increment, whose largest "
        f"size is {largest:.2f} {UNIT}.",
        caption=f"The analysis of {moment(saved.time)} ({saved.method}): (a) background, (b) observation, (c) "
        "analysis, (d) increment. All images of 0-10 cm; white is land without a value.",
        is_papers=True,
    )


def panels_of(saved: SavedAnalysis) -> list[Panel]:
    """Background, observation, analysis and increment; the same colours for the first three."""
    observed = np.where(np.isfinite(saved.background), saved.observation, np.nan)
    increments = change_shades("Analysis minus background", saved.increment)
    images: Sequence[tuple[str, FloatArray]] = (
        ("Background", saved.background),
        ("Observation", observed),
        ("Analysis", saved.analysis),
        ("Increment", saved.increment),
    )
    return [
        Panel(
            title=f"({letter}) {name}",
            image=image,
            shades=increments if name == "Increment" else MOISTURE,
            column=f"{name.lower()}_m3_m-3",
        )
        for letter, (name, image) in zip("abcd", images, strict=True)
    ]


def _note(saved: SavedAnalysis, before: Scores, after: Scores) -> str:
    source = saved.observation_source.rsplit("/", 1)[-1]
    text = f"Method: {saved.method}. Analysis time: {saved.time:%Y-%m-%dT%H:%M:%SZ}. Observation: {source}."
    if before.n_cells > 0:
        scores = (
            f"SCC {change(before.scc, after.scc, '.2f', '→')}, "
            f"ubRMSE {change(before.ubrmse, after.ubrmse, '.3f', '→')} {UNIT}, "
            f"bias {change(before.bias, after.bias, '+.3f', '→')} {UNIT}"
        ).replace("-", MINUS)
        text += (
            f" Background → analysis against the assimilated image ({before.n_cells} cells, "
            f"{FIT.replace(' ', chr(160))}): {scores}."
        )
    if (np.isfinite(saved.background) & ~np.isfinite(saved.observation)).any():
        text += " White in (b): land without observation."
    return text
