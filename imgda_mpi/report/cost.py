"""What analyses and runs took: time by stage and rank, memory, and time of cycles by what took it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.picture import Column, Numbers, Picture, Section, Table
from imgda_mpi.report.theme import DOTS_PER_INCH, LINE_COLOURS, NORMAL, SMALL, draw_log_axis, moment
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis
from imgda_mpi.results.account_file import Account

MB = 1e6
"""Bytes."""

HATCHES = ("", "//", "..", "xx", "--", "\\\\", "oo")
"""Beside colours."""

WORDS = {"own": "the driver itself"}
"""Kinds of the time of a cycle that one word does not say."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def cost_section(material: Material) -> Section | str:
    """Of the analysis that is shown alone by rank, and of its run by cycle."""
    runs = [ran for ran in material.runs if ran.cycles]
    if material.shown is None and not runs:
        return "there is neither an analysis nor a run in what was given"
    tables, pictures = [], []
    if runs:
        tables.append(_runs(runs))
        pictures.append(cycles_picture(next((ran for ran in runs if ran is material.main), runs[-1])))
    if material.shown is not None:
        tables.append(_stages(material.shown[1]))
        pictures.append(ranks_picture(material.shown[1]))
    return Section(tables=tables, pictures=pictures)


def ranks_picture(account: Account) -> Picture:
    """Time by stage, and peak memory, of every rank of an analysis."""
    figure = Figure(figsize=(WIDTH, 3.6), dpi=DOTS_PER_INCH)
    times, memory = figure.add_axes((0.075, 0.16, 0.4, 0.72)), figure.add_axes((0.71, 0.16, 0.27, 0.72))
    ranks, bottom = np.arange(account.n_ranks), np.zeros(account.n_ranks)
    for number, stage in enumerate(account.stages):
        colour, hatch = LINE_COLOURS[number % len(LINE_COLOURS)], HATCHES[number % len(HATCHES)]
        seconds = account.seconds[:, number]
        times.bar(ranks, seconds, bottom=bottom, label=stage, color=colour, hatch=hatch, edgecolor="white", lw=0.3)
        bottom = bottom + seconds
    memory.bar(ranks, account.peak_memory / MB, color=LINE_COLOURS[5])
    times.legend(
        *(part[::-1] for part in times.get_legend_handles_labels()),
        fontsize=SMALL,
        frameon=False,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        title="Stage",
        title_fontsize=SMALL,
    )
    for axes, title, label in (
        (times, "(a) Time by stage", "Wall time (s)"),
        (memory, "(b) Peak memory", "Memory (MB)"),
    ):
        axes.set(xlim=(-0.9, account.n_ranks - 0.1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_title(title, loc="left", fontsize=NORMAL)
        axes.set_ylabel(label, fontsize=SMALL + 1)
        axes.set_xlabel("Rank", fontsize=SMALL + 1)
        axes.tick_params(labelsize=SMALL)
    longest, most = float(bottom.max()), float(account.peak_memory.max()) / MB
    table: dict[str, Column] = {"rank": ranks}
    table |= {f"{stage}_s": account.seconds[:, number] for number, stage in enumerate(account.stages)}
    table |= {"peak_memory_bytes": account.peak_memory, "sent_bytes": account.sent_bytes}
    return Picture(
        name="cost_ranks",
        figure=figure,
        numbers=Numbers(table),
        alt=f"Bars of {_ranks(account.n_ranks)}: wall time by stage, {longest:.2f} s in all at most, and peak memory, "
        f"at most {most:.0f} MB.",
        caption=f"The analysis of {moment(account.time)} ({account.method}) on {_ranks(account.n_ranks)}: (a) wall "
        f"time by stage, at most {longest:.2f} s in all; (b) the most memory that a rank had, {most:.0f} MB at most.",
    )


def cycles_picture(ran: Ran) -> Picture:
    """Time of every cycle by what took some, on a logarithmic axis: first cycles and last ones often differ much."""
    records = [cycle.record for cycle in ran.cycles]
    kinds = list(dict.fromkeys(kind for record in records for kind, number in record.seconds.items() if number))
    figure = Figure(figsize=(WIDTH, 3.4), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0.08, 0.16, 0.76, 0.74))
    times = [record.time for record in records]
    table: dict[str, Column] = {"time": times}
    totals = {}
    for number, kind in enumerate(kinds):
        seconds = np.array([record.seconds.get(kind) or np.nan for record in records])
        table[f"{kind}_s"] = seconds
        totals[kind] = float(np.nansum(seconds))
        colour, marker = LINE_COLOURS[number % len(LINE_COLOURS)], MARKERS[number % len(MARKERS)]
        axes.plot(
            days_since_1970(times), seconds, marker=marker, ms=3, lw=0.9, color=colour, label=WORDS.get(kind, kind)
        )
    axes.set_yscale("log")
    draw_log_axis(axes.yaxis)
    draw_time_axis(axes, n_ticks=9)
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_xlabel("Start of the cycle (UTC)", fontsize=SMALL + 1)
    axes.set_ylabel("Wall time (s)", fontsize=SMALL + 1)
    axes.set_title(f"Time of every cycle, {ran.name}", loc="left", fontsize=NORMAL)
    axes.legend(fontsize=SMALL, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    said = ", ".join(f"{WORDS.get(kind, kind)} {total:.1f} s" for kind, total in totals.items())
    return Picture(
        name="cost_cycles",
        figure=figure,
        numbers=Numbers(table),
        alt=f"Lines of the wall time of {len(records)} cycles by what took it; in all {said}.",
        caption=f"Wall time of the {len(records)} cycles of {ran.name} by what took it, s; in all {said}.",
    )


def _ranks(number: int) -> str:
    return f"{number} rank{'s' if number > 1 else ''}"


def _stages(account: Account) -> Table:
    """Mean and largest time of stages, and what else ranks took."""
    lines: list[Sequence[str]] = [("of a rank", "mean", "largest", "unit")]
    for stage, seconds in zip(account.stages, account.seconds.T, strict=True):
        lines.append((stage, f"{seconds.mean():.3f}", f"{seconds.max():.3f}", "s"))
    total = account.seconds.sum(axis=1)
    lines.append(("all stages", f"{total.mean():.3f}", f"{total.max():.3f}", "s"))
    for name, values in (("peak memory", account.peak_memory), ("sent to others", account.sent_bytes)):
        lines.append((name, f"{values.mean() / MB:.1f}", f"{values.max() / MB:.1f}", "MB"))
    return Table(f"The analysis of {moment(account.time)}, {_ranks(account.n_ranks)}", lines)


def _runs(runs: Sequence[Ran]) -> Table:
    """Of every run its cycles and its wall time."""
    lines: list[Sequence[str]] = [("run", "cycles", "analyses", "ranks", "wall time (s)", "of a cycle (s)", "by what")]
    for ran in runs:
        every = [cycle.record.seconds for cycle in ran.cycles]
        sums: dict[str, float] = {}
        for seconds in every:
            for kind, number in seconds.items():
                sums[kind] = sums.get(kind, 0.0) + number
        total = sum(sums.values())
        by = (
            ", ".join(f"{WORDS.get(kind, kind)} {100 * number / total:.0f} %" for kind, number in sums.items())
            if total
            else "-"
        )
        ranks = ", ".join(sorted({str(one.n_ranks) for one in ran.accounts})) or "-"
        n, n_analyses = len(every), len(ran.analyses)
        lines.append((ran.name, str(n), str(n_analyses), ranks, f"{total:.1f}", f"{total / n:.2f}", by))
    return Table("Wall time of runs: sums over their cycles, without waiting for jobs", lines)
