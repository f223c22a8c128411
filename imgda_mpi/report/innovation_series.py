"""Innovations over the cycles: how large they are in time, beside the errors that were used, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imgda_mpi.report.followed_features import OF_FEATURES
from imgda_mpi.report.innovations_table import TITLES, row_of, shown_periods
from imgda_mpi.report.innovations_words import ALL, CHI2_LIMITS, LAG, sentences
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section, Table
from imgda_mpi.report.theme import DOTS_PER_INCH, LINE_COLOURS, MINUS, NORMAL, SMALL, UNIT, moment
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.analysis_file import DIAGNOSTICS, SavedInnovation, read_innovation
from imgda_mpi.verify.innovations import STATISTICS, ErrorsUsed, RunInnovations, region_sums, statistics
from imgda_mpi.verify.status import FIT

Lines = dict[str, tuple[str, str, str, str]]
"""By the name of the statistic: label, colour, style and marker."""

BLUE, RED, GREEN, PINK, *_ = LINE_COLOURS

PANELS: Sequence[tuple[str, Lines]] = (
    (f"Mean ({UNIT})", {"mean_ob": ("O-B", BLUE, "-", "o"), "mean_oa": ("O-A", RED, "--", "s")}),
    (f"SD ({UNIT})", {"sd_ob": ("O-B", BLUE, "-", "o"), "sd_oa": ("O-A", RED, "--", "s")}),
    ("chi2", {"chi2": ("(O-B)² / (s_b² + s_o²)", BLUE, "-", "o")}),
    (
        f"Error ({UNIT})",
        {
            "background_error_used": ("s_b used", GREEN, "--", ""),
            "background_error": ("s_b found", GREEN, "-", "o"),
            "observation_error_used": ("s_o used", PINK, "--", ""),
            "observation_error": ("s_o found", PINK, "-", "s"),
        },
    ),
    ("Lag correlation", {"lag_correlation": ("O-B with that before", BLUE, "-", "o")}),
)
"""From the top down: label of the axis, and lines."""

LEFT, RIGHT, ABOVE, TALL, GAP, BELOW = 0.75, 1.75, 0.4, 1.15, 0.12, 0.42


def innovation_series_section(material: Material) -> Section | str:
    """A picture, a table by region, and sentences for each run; of an analysis alone what its facts say."""
    runs = [run for run in material.innovations if run.times.size]
    if runs:
        pictures = [innovation_picture(run) for run in runs if run.times.size > 1]
        return Section(
            text=[_said(run) for run in runs],
            tables=[table for run in runs for table in _tables(run)],
            pictures=pictures if len(pictures) == 1 else [],
            steps=pictures if len(pictures) > 1 else [],
        )
    if material.main is None or material.shown is None:
        return "there is no analysis in what was given"
    folder, account = material.shown
    return _of_one(material.main.name, read_innovation(folder / DIAGNOSTICS), account)


def _said(run: RunInnovations) -> str:
    """What the innovations mean, by period where there are several."""
    shown = shown_periods(run)
    parts = [
        (f"{run.periods[period]}: " if len(shown) > 1 else "") + " ".join(sentences(run, period)) for period in shown
    ]
    return f"{run.name} ({run.method}, {run.times.size} analyses). " + _signs(" ".join([*parts, *run.remarks]))


def _signs(text: str) -> str:
    """A text with the signs that letters of a page have.

    >>> _signs("-0.02+-0.01 in 0-10 cm").encode("ascii", "replace")
    b'?0.02 ? 0.01 in 0-10 cm'
    """
    return re.sub(r"(?<![\w)])-(?=\d)", MINUS, re.sub(r" ?\+- ?", " \N{PLUS-MINUS SIGN} ", text))


def _tables(run: RunInnovations) -> list[Table]:
    """Statistics by region, a table for each period."""
    return [
        Table(
            f"Innovations of {run.name} by region, {run.periods[period]}: n analyses; O-B, O-A, their standard "
            f"deviations, and errors used and found by Desroziers et al. (2005), {UNIT}; lag: correlation with the "
            "analysis before.",
            [
                ("region", *TITLES),
                *(
                    tuple(map(_signs, row_of(run, period, int(region))))
                    for region in np.flatnonzero(run.n_analyses[period] > 0)
                ),
            ],
        )
        for period in shown_periods(run)
    ]


def innovation_picture(run: RunInnovations) -> Picture:
    """Statistics of each analysis over all cells."""
    chi2 = float(run.values["chi2"][0, ALL])
    times = [datetime.fromtimestamp(second, UTC) for second in run.times]
    before, after = (float(run.values[name][0, ALL]) for name in ("sd_ob", "sd_oa"))
    size = f"O-B has a standard deviation of {before:.3f} and O-A of {after:.3f} {UNIT}"
    known = "" if np.isnan(chi2) else f"; chi2 is {chi2:.2f}, where 1 is expected"
    low, high = CHI2_LIMITS
    return Picture(
        label=run.name,
        name=f"innovations_{run.name}",
        figure=_draw(run, times),
        numbers=_numbers(run, times),
        alt=f"Innovation statistics of {run.name} at {len(times)} analyses: {size}{known}.",
        caption=f"Innovations of {run.name} ({run.method}) from {moment(times[0])} to {moment(times[-1])}, over all "
        f"observed cells ({FIT}): means and standard deviations of observation minus background (O-B) and minus "
        f"analysis (O-A), chi2 (grey: {low:g} to {high:g}, as the errors used say), errors used and found by "
        f"Desroziers et al. (2005), {UNIT}, and the correlation of O-B with that of the analysis before (grey: within "
        f"{LAG:g}). Over all analyses {size}{known}.",
    )


def _draw(run: RunInnovations, times: Sequence[datetime]) -> Figure:
    panels = [(label, lines) for label, lines in PANELS if any(_has(run, name) for name in lines)]
    height = ABOVE + len(panels) * (TALL + GAP) + BELOW
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    bands = {"chi2": CHI2_LIMITS, "Lag correlation": (-LAG, LAG)}
    for number, (label, lines) in enumerate(panels):
        bottom = height - ABOVE - (number + 1) * TALL - number * GAP
        axes = figure.add_axes(
            (LEFT / WIDTH, bottom / height, (WIDTH - LEFT - RIGHT) / WIDTH, TALL / height),
            sharex=figure.axes[0] if figure.axes else None,
        )
        if label in bands:
            axes.axhspan(*bands[label], color="#dddddd", zorder=0)
        _draw_lines(axes, run, times, lines)
        if label.startswith("Mean"):
            axes.axhline(0.0, color="#888888", linewidth=0.8, zorder=1)
        axes.set_ylabel(label, fontsize=SMALL)
        draw_time_axis(axes, n_ticks=8, with_labels=number == len(panels) - 1)
    title = f"Innovations of {run.name}: {run.method}"
    figure.text(LEFT / WIDTH, 1 - 0.12 / height, title, fontsize=NORMAL + 1.5, va="top", ha="left")
    return figure


def _draw_lines(axes: Axes, run: RunInnovations, times: Sequence[datetime], lines: Lines) -> None:
    for name, (label, colour, style, marker) in lines.items():
        if _has(run, name):
            axes.plot(
                days_since_1970(times),
                run.series[name][:, ALL],
                linestyle=style,
                color=colour,
                linewidth=0.9,
                marker=marker,
                markersize=3.0,
                markevery=max(1, len(times) // 12),
                label=label,
            )
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=SMALL, frameon=False, handlelength=2.6)


def _has(run: RunInnovations, name: str) -> bool:
    return bool(np.isfinite(run.series[name][:, ALL]).any())


def _numbers(run: RunInnovations, times: Sequence[datetime]) -> Numbers:
    """All statistics of all cells."""
    table: dict[str, Column] = {"time": list(times), "n_cells": run.n_cells[:, ALL].astype(np.int64)}
    for name, (_, unit) in STATISTICS.items():
        column = name if unit == "1" else f"{name}_{unit.replace(' ', '_')}"
        table[column] = run.series[name][:, ALL]
    return Numbers(table)


def _of_one(name: str, saved: SavedInnovation, account: Account) -> Section:
    """A sentence, and a table of what an analysis and its method say of the innovation."""
    everywhere = {"all": np.ones(saved.grid.shape, bool)}
    sums = region_sums(saved.images, ErrorsUsed(), everywhere)
    of_images = {one: float(value[ALL]) for one, value in statistics(sums).items()}
    before, after = of_images["sd_ob"], of_images["sd_oa"]
    if np.isnan(before):
        return Section(text=[f"{name} has no observed cell."])
    text = (
        f"O-B has a mean of {of_images['mean_ob']:+.3f} and a standard deviation of {before:.3f} {UNIT} over "
        f"{sums[0, ALL]:.0f} cells; O-A of {after:.3f} ({FIT})."
    )
    chi2, expected = (saved.facts.get(one, float("nan")) for one in ("chi2", "innovation_mean_expected"))
    if np.isfinite(chi2):
        text += f" With all covariances chi2 is {chi2:.2f}, where 1 is expected."
    if np.isfinite(expected):
        text += f" A mean of O-B of some {expected:.3f} {UNIT} is to be expected by chance."
    told = {name: (of_images[name], *STATISTICS[name]) for name in ("mean_ob", "sd_ob", "mean_oa", "sd_oa")}
    # Those of features have a part of their own.
    facts = {name: fact for name, fact in account.facts.items() if not name.startswith(OF_FEATURES)}
    told |= {name: (fact.value, fact.meaning, fact.unit) for name, fact in facts.items()}
    rows = [
        (name.replace("_", " "), f"{value:.4g}", "" if unit == "1" else UNIT, meaning)
        for name, (value, meaning, unit) in told.items()
    ]
    table = Table(f"The innovation of {name}, and what the method found.", [("", "number", "unit", "what"), *rows])
    return Section(text=[text], tables=[table])
