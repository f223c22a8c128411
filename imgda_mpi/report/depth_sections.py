"""Fig. 7 of the paper: what assimilation changes in depth and time, at one place of each vegetation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.depth_series import DEEPEST, DepthSeries, Place, depth_series
from imgda_mpi.report.maps import WIDTH, change_shades
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section
from imgda_mpi.report.theme import (
    CHANGE_COLOURS,
    DOTS_PER_INCH,
    NORMAL,
    QUIET,
    RAIN_COLOUR,
    SMALL,
    UNIT,
    ends_beyond,
    moment,
    place_name,
)
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis, mark_end
from imgda_mpi.verify.propagation import FELT

LEFT, BETWEEN, RIGHT = 0.65, 0.85, 0.25
ABOVE, RAIN, GAP, SOIL, BELOW, FOOT = 0.4, 0.5, 0.06, 2.1, 0.35, 0.75
"""Inches: beside and between panels; of a row its title, rain, soil and dates; of the colour bar below all."""

STEP, RUNNING = 0.05, 5
"""Of the contours, m3 m-3, and days of the running means that they are of: daily ones twist near the surface."""

TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0)
"""Depths that are named, m."""


def depth_sections_section(material: Material) -> Section | str:
    """Sections at the points that are wanted, or where most has changed."""
    found = depth_series(material)
    if isinstance(found, str):
        return found
    asked, shown = len(material.wanted.points), len(found.places)
    said = [f"{shown} of the {asked} points that were asked for have soil in both runs."] if shown < asked else []
    return Section(text=said, pictures=[section_picture(found, material.last_analysis)])


def section_picture(found: DepthSeries, last_analysis: datetime | None) -> Picture:
    """Sections of a run and what it differs by from its control, two in a row."""
    change = found.change
    largest = int(np.nanargmax(change)) if np.isfinite(change).any() else 0
    place = found.places[largest]
    return Picture(
        name="depth_sections",
        figure=_draw(found, last_analysis),
        numbers=_numbers(found),
        alt=f"Sections in depth and time, {len(found.places)} in all, of what {found.run} differs by from "
        f"{found.control}: most, {change[largest]:.3f} {UNIT} in the mean, at {_words(place)}.",
        caption=_caption(found, last_analysis),
        is_papers=True,
    )


def _draw(found: DepthSeries, last_analysis: datetime | None) -> Figure:
    n_columns = min(2, len(found.places))
    n_rows = -(-len(found.places) // n_columns)
    has_rain = bool(np.isfinite(found.rain).any())
    of_rain = RAIN + GAP if has_rain else 0.0
    row_height = ABOVE + of_rain + SOIL + BELOW
    height = n_rows * row_height + FOOT
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (n_columns - 1)) / n_columns
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    difference = found.of_run - found.of_control
    shades = change_shades(f"{found.run} minus {found.control}", difference)
    most_rain = max(float(_daily(found.times, rain)[1].max(initial=1.0)) for rain in found.rain.T)
    for number, place in enumerate(found.places):
        row, column = divmod(number, n_columns)
        left, top = LEFT + column * (width + BETWEEN), height - row * row_height - ABOVE
        stacked = [(top - RAIN, RAIN)] * has_rain + [(top - of_rain - SOIL, SOIL)]
        panels = [
            figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, tall / height)) for bottom, tall in stacked
        ]
        letter = "abcdefghijklmnopqrstuvwxyz"[number % 26]
        panels[0].set_title(f"({letter}) {_words(place)}", loc="left", fontsize=NORMAL, pad=4)
        panels[0].set_title(f"change {found.change[number]:.3f} {UNIT}", loc="right", fontsize=SMALL, pad=4)
        if has_rain:
            _draw_rain(panels[0], found, number, most_rain)
        mesh = _draw_soil(panels[-1], found, number, shades.limits)
        for axes in panels:
            axes.set_xlim(*_ends(found.times))
            mark_end(axes, last_analysis)
    bar = figure.colorbar(
        mesh,
        cax=figure.add_axes((0.25, 0.48 / height, 0.5, 0.12 / height)),
        orientation="horizontal",
        extend=ends_beyond(difference, shades.limits),
    )
    bar.set_label(shades.label, fontsize=SMALL + 1)
    bar.ax.locator_params(nbins=8)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _draw_rain(axes: Axes, found: DepthSeries, number: int, most: float) -> None:
    """Bars of days."""
    days, rain = _daily(found.times, found.rain[:, number])
    axes.bar(days + 0.5, rain, width=0.9, color=RAIN_COLOUR)
    axes.set_ylim(0.0, 1.08 * most)
    axes.set_ylabel("Rain\n(mm/day)", fontsize=SMALL)
    draw_time_axis(axes, with_labels=False)
    if not rain.size:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "rain not known", transform=axes.transAxes, fontsize=SMALL, color=QUIET, ha="center")


def _daily(times: Sequence[datetime], values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Days, as axes count them, and means (n_days, ...) over the values (n_times, ...) of each that are known."""
    # Rain of the hours before midnight is of the day that ends.
    day = np.ceil(days_since_1970(times) - 1e-6) - 1.0
    known = np.isfinite(values.reshape(len(times), -1)).all(axis=1)
    days = np.unique(day[known])
    means = [values[known & (day == one)].mean(axis=0) for one in days]
    return days, np.array(means).reshape(days.size, *values.shape[1:])


def _draw_soil(axes: Axes, found: DepthSeries, number: int, limits: tuple[float, float]) -> QuadMesh:
    """Shading of the difference, and contours of running means of the run, over the depth stretched near the top."""
    difference = found.of_run[:, number] - found.of_control[:, number]
    mesh = axes.pcolormesh(
        _edges_in_time(found.times), found.edges, difference.T, cmap=CHANGE_COLOURS, clim=limits, rasterized=True
    )
    axes.set_facecolor("#eeeeee")
    days, of_run = _daily(found.times, found.of_run[:, number])
    middles = 0.5 * (found.edges[:-1] + found.edges[1:])
    if days.size > 1 and middles.size > 1:
        around = [of_run[max(0, n - RUNNING // 2) : n + RUNNING // 2 + 1] for n in range(days.size)]
        smooth = np.stack([values.mean(axis=0) for values in around])
        levels = STEP * np.arange(1, 20)
        lines: Any = axes.contour(days + 0.5, middles, smooth.T, levels=levels, colors="#222222", linewidths=0.7)
        axes.clabel(lines, lines.levels[1::2], fontsize=SMALL - 1, fmt="%.2f")
    scale: Any = axes.set_yscale
    scale("function", functions=(lambda depth: np.sqrt(np.maximum(depth, 0.0)), np.square))
    axes.set_ylim(found.edges[-1], found.edges[0])
    shown = [tick for tick in TICKS if tick <= found.edges[-1]]
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()
    axes.set_ylabel("Depth (m)", fontsize=SMALL + 1)
    draw_time_axis(axes)
    return mesh


def _edges_in_time(times: Sequence[datetime]) -> FloatArray:
    """Between the moments, (n_times + 1,): a state holds from half a step before to half a step after."""
    at = days_since_1970(times)
    if at.size == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    between = 0.5 * (at[1:] + at[:-1])
    return np.concatenate([[at[0]], between, [at[-1]]])


def _ends(times: Sequence[datetime]) -> tuple[float, float]:
    edges = _edges_in_time(times)
    return float(edges[0]), float(edges[-1])


def _words(place: Place) -> str:
    where = place_name(place.latitude, place.longitude)
    return f"{place.vegetation}, {where}" if place.vegetation else where


def _numbers(found: DepthSeries) -> Numbers:
    """Places one after the other, in the order of time: rain, and water of the layers of the run and of its control."""
    n_times, n_places = len(found.times), len(found.places)
    table: dict[str, Column] = {
        "vegetation": [place.vegetation for place in found.places for _ in range(n_times)],
        "latitude_degrees_north": [place.latitude for place in found.places for _ in range(n_times)],
        "longitude_degrees_east": [place.longitude for place in found.places for _ in range(n_times)],
        "time": list(found.times) * n_places,
        "rain_mm_day-1": found.rain.T.ravel(),
    }
    for name, values in ((found.run, found.of_run), (found.control, found.of_control)):
        for layer, (top, bottom) in enumerate(zip(found.edges[:-1], found.edges[1:], strict=True)):
            table[f"{name}_{100 * top:.1f}-{100 * bottom:.1f}_cm_m3_m-3"] = values[:, :, layer].T.ravel()
    return Numbers(table)


def _caption(found: DepthSeries, last_analysis: datetime | None) -> str:
    """What is seen, and how deep it is felt at each place."""
    deepest = _felt(found)
    words = ", ".join(
        f"({letter}) {'nowhere' if np.isnan(depth) else f'{depth:.2f} m'}"
        for letter, depth in zip("abcdefghijklmnopqrstuvwxyz" * 9, deepest, strict=False)
    )
    end = f"; the dotted line is the last analysis, {moment(last_analysis)}" if last_analysis else ""
    during = " during the assimilation" if last_analysis else ""
    has_rain = bool(np.isfinite(found.rain).any())
    return (
        f"What {found.run} differs by from {found.control} (shading; blue is wetter) and its soil moisture (contours "
        f"of means of {RUNNING} days, every {STEP:g} {UNIT}){' with the rain of days' * has_rain}, from "
        f"{moment(found.times[0])} to {moment(found.times[-1])}{end}. Titles: mean size of the difference down to "
        f"{min(DEEPEST, found.edges[-1]):g} m{during}. A difference of {FELT:g} {UNIT} or more is felt "
        f"down to: {words}. Depths are stretched near the surface."
    )


def _felt(found: DepthSeries) -> FloatArray:
    """Bottom of the layers from the surface down in which the difference once is `FELT`, of each place, m; or NaN."""
    size = np.abs(found.of_run - found.of_control)
    is_felt = np.logical_and.accumulate(np.where(np.isfinite(size), size, 0.0).max(axis=0) >= FELT, axis=-1)
    return np.array([found.edges[1:][own].max() if own.any() else np.nan for own in is_felt])
