"""What analyses could not use, and what soil could not take: pixels, patches and cells by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.ledger import FLAGS
from imgda_mpi.console import columns
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.picture import Column, Numbers, Picture, Section, Table
from imgda_mpi.report.theme import DOTS_PER_INCH, LINE_COLOURS, NORMAL, QUIET, SMALL, moment
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis
from imgda_mpi.results.account_file import Account

PIXELS, CELLS = "source pixels", "cells"
"""Reasons that are all of them: what others are shares of."""

WORDS = {
    "frozen_layer": "frozen layer, or ice",
    "at_lower_bound": "layer at its lower bound",
    "at_upper_bound": "layer at its upper bound",
    "refused": "all layers at a bound",
    "aquifer_full": "aquifer full",
    "left_out": "left out",
}
"""Flags of patches in a few words."""

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))


def rejected_section(material: Material) -> Section | str:
    """Of the analysis that is shown alone a table, of its run all in time."""
    if material.main is None or material.shown is None:
        return "there is no analysis in what was given"
    account = material.shown[1]
    tables = [_updates(account)]
    if account.pixels:
        tables.insert(0, _pixels(account))
    pictures = [series_picture(material.main)] if len(material.main.analyses) > 1 else []
    meanings = columns([(WORDS[flag], meaning) for flag, meaning in FLAGS.items()], "<<")
    return Section(
        text=[_said(account)], tables=tables, pictures=pictures, details={"What the reasons of the soil are": meanings}
    )


def share(part: int, whole: int) -> float:
    """Percent; 0 of nothing."""
    return 100.0 * part / whole if whole else 0.0


def _said(account: Account) -> str:
    if not account.pixels:
        return f"The analysis of {moment(account.time)} had no observation, and rejected no pixels."
    pixels, cells = account.pixels, account.cells
    return (
        f"The analysis of {moment(account.time)} used {pixels['used']} of {pixels[PIXELS]} pixels, which gave "
        f"{pixels['cells observed']} of {pixels[CELLS]} cells a value; {cells['refused']} cells hold a patch in which "
        f"nothing could follow the increment, {cells['frozen_layer']} one that is frozen or holds ice."
    )


def _pixels(account: Account) -> Table:
    lines: list[Sequence[str]] = [("reason", "number", "%")]
    for reason, number in account.pixels.items():
        whole = account.pixels[CELLS if reason.startswith(CELLS) else PIXELS]
        lines.append((reason, str(number), f"{share(number, whole):.1f}"))
    source = account.observation_source.rsplit("/", 1)[-1]
    return Table(f"Pixels of the observation, and cells of the grid: {source}", lines)


def _updates(account: Account) -> Table:
    lines: list[Sequence[str]] = [("patches and cells with", "patches", "cells", "% of observed cells")]
    observed = account.pixels.get("cells observed", 0)
    for flag in FLAGS:
        n_cells = account.cells[flag]
        of_observed = f"{share(n_cells, observed):.1f}" if observed else "-"
        lines.append((WORDS[flag], str(account.patches[flag]), str(n_cells), of_observed))
    return Table(f"What soil could not take, {moment(account.time)}", lines)


def series_picture(ran: Ran) -> Picture:
    """Shares of pixels that were not used, and numbers of cells with a flag, of all analyses of a run."""
    accounts = ran.accounts
    reasons = [
        reason
        for reason in dict.fromkeys(reason for one in accounts for reason in one.pixels)
        if not reason.startswith(CELLS) and reason != PIXELS and any(one.pixels.get(reason) for one in accounts)
    ]
    shares = {
        reason: np.array([share(one.pixels.get(reason, 0), one.pixels.get(PIXELS, 0)) for one in accounts])
        for reason in reasons
    }
    cells = {flag: np.array([one.cells[flag] for one in accounts], np.int64) for flag in FLAGS}
    cells = {flag: numbers for flag, numbers in cells.items() if numbers.any()}
    figure = Figure(figsize=(WIDTH, 5.6), dpi=DOTS_PER_INCH)
    upper, lower = figure.add_axes((0.08, 0.6, 0.66, 0.34)), figure.add_axes((0.08, 0.1, 0.66, 0.36))
    _lines(upper, ran, shares)
    _lines(lower, ran, {WORDS[flag]: numbers for flag, numbers in cells.items()})
    upper.set(ylim=(0, 102))
    lower.set(ylim=(0, None))
    for axes, title, label in (
        (upper, "(a) Pixels of the observation", "Share of all pixels (%)"),
        (lower, "(b) Cells that could not take all of the increment", "Number of cells (1)"),
    ):
        axes.set_title(title, loc="left", fontsize=NORMAL)
        axes.set_ylabel(label, fontsize=SMALL + 1)
    table: dict[str, Column] = {"time": list(ran.times)}
    table |= {f"pixels_{reason.replace(' ', '_')}_percent": values for reason, values in shares.items()}
    table |= {f"cells_{flag}_1": numbers for flag, numbers in cells.items()}
    most = {WORDS[flag]: int(numbers.max()) for flag, numbers in cells.items()}
    largest = ", ".join(f"{number} ({what})" for what, number in most.items()) or "none"
    return Picture(
        name="clamps",
        figure=figure,
        numbers=Numbers(table),
        alt=f"Lines over {len(accounts)} analyses: shares of pixels by what became of them, and numbers of cells that "
        f"could not take all of the increment, at most {largest}.",
        caption=f"All analyses of {ran.name}: (a) what became of the pixels of the observation, % of all; (b) cells "
        f"with a patch that could not take all of the increment, by reason; at most {largest}.",
    )


def _lines(axes: Axes, ran: Ran, lines: Mapping[str, FloatArray | IntArray]) -> None:
    for number, (name, values) in enumerate(lines.items()):
        style, colour = STYLES[number % len(STYLES)], LINE_COLOURS[number % len(LINE_COLOURS)]
        axes.plot(days_since_1970(ran.times), values, linestyle=style, color=colour, lw=1.6, label=name)
    draw_time_axis(axes, n_ticks=7)
    axes.set_xlabel("Time (UTC)", fontsize=SMALL + 1)
    axes.grid(color="#dddddd", lw=0.6)
    if lines:
        axes.legend(fontsize=SMALL, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=QUIET, fontsize=NORMAL)
