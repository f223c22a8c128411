"""What analyses did to the soil's water: the ledger of one, and of all in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from matplotlib.figure import Figure

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.ledger import TERMS
from imgda_mpi.console import columns
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.picture import Numbers, Picture, Section, Table
from imgda_mpi.report.run_table import NAMES, sums_of_fluxes
from imgda_mpi.report.theme import DOTS_PER_INCH, LINE_COLOURS, NORMAL, QUIET, SMALL, moment, signed
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis
from imgda_mpi.results.account_file import Account

MM = "mm"
"""A kilogram of water on a square metre."""

STEPS = {
    "requested": ("Requested by the increment", 1.0),
    "frozen": ("Withheld from frozen layers", -1.0),
    "clamped": ("Refused by bounds", -1.0),
}
"""What the change of the soil's water is made of: words, and the sign of the term in the sum."""

RESIDUAL = ("residual", "largest amount by which the ledger of a patch does not close")

LINES = {"requested": ":", "frozen": "--", "clamped": "-.", "applied": "-"}


def water_section(material: Material) -> Section | str:
    """The ledger of the analysis that is shown alone, those of all analyses in time, and the water of soil columns."""
    shown = [ran for ran in (material.control, material.main) if ran is not None]
    of_columns = [(ran, sums_of_fluxes(ran.run)) for ran in shown if ran.run is not None and ran.has_columns]
    fluxes = [_fluxes(of_columns)] if of_columns else []
    if material.shown is None:
        return Section(tables=fluxes) if fluxes else "there is neither an analysis nor a run of soil columns"
    account = material.shown[1]
    in_time = [ran for ran in material.assimilations if len(ran.analyses) > 1]
    pictures = [ledger_picture(account)]
    if in_time:
        pictures.append(series_picture({ran.name: (ran.times, ran.accounts) for ran in in_time}))
    meanings = columns([*TERMS.items(), RESIDUAL], "<<")
    details = {"What the terms of the ledger are": meanings}
    tables = [_ledger(account), *fluxes]
    return Section(text=[_said(account, in_time)], tables=tables, pictures=pictures, details=details)


def applied(account: Account) -> float:
    """What the soil gained in an analysis, global mean, kg m-2."""
    return account.water["after"] - account.water["before"]


def _said(account: Account, in_time: Sequence[Ran]) -> str:
    water = account.water
    text = (
        f"The analysis of {moment(account.time)} asked for {signed(water['requested'], 3)} {MM} of water in the mean "
        f"over the soil, and {signed(applied(account), 3)} {MM} came into it; the ledger of every patch closes within "
        f"{account.residual:.0e} {MM}."
    )
    for ran in in_time:
        total = sum(map(applied, ran.accounts))
        text += f" All {len(ran.accounts)} analyses of {ran.name} added {signed(total, 2)} {MM}."
    return text


def _ledger(account: Account) -> Table:
    lines = [("term", MM)]
    for name in TERMS:
        value = account.water[name]
        lines.append((name, f"{value:.3f}" if name in ("before", "after") else signed(value, 3)))
    lines.append(("residual", f"{account.residual:.1e}"))
    return Table(f"Water of the analysis of {moment(account.time)}, mean over the soil, kg m⁻² = {MM}", lines)


def ledger_picture(account: Account) -> Picture:
    """The change of the soil's water as steps from what was requested to what was applied."""
    names, starts, ends = [], [], []
    level = 0.0
    for name, (_, sign) in STEPS.items():
        names.append(name)
        starts.append(level)
        level += sign * account.water[name]
        ends.append(level)
    for name, value in (
        ("applied", applied(account)),
        ("aquifer", account.water["aquifer"]),
        ("unbalanced", account.water["unbalanced"]),
    ):
        names.append(name)
        starts.append(0.0)
        ends.append(value)
    words = [STEPS[name][0] for name in STEPS]
    words += ["Applied: after minus before", "Change of the aquifer store", "Not balanced by the aquifer"]
    figure = Figure(figsize=(WIDTH, 3.0), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0.24, 0.19, 0.74, 0.68))
    sizes = np.subtract(ends, starts)
    colours = [LINE_COLOURS[0 if size >= 0 else 1] for size in sizes]
    axes.barh(range(len(names)), sizes, left=starts, color=colours, height=0.62)
    low, high = min(0.0, *starts, *ends), max(0.0, *starts, *ends)
    room = 0.16 * (high - low) or 1.0
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axes.text(max(start, end) + 0.05 * room, number, signed(end - start, 3), va="center", fontsize=SMALL)
    axes.axvline(0.0, color=QUIET, lw=0.8)
    axes.set_yticks(range(len(names)), labels=words)
    axes.set(xlim=(low - 0.3 * room, high + room), ylim=(len(names) - 0.4, -0.6))
    axes.set_xlabel(f"Water, mean over the soil ({MM} = kg m⁻²)", fontsize=SMALL + 1)
    axes.tick_params(labelsize=SMALL)
    axes.set_title(
        f"{moment(account.time)}: {account.water['before']:.2f} {MM} before, {account.water['after']:.2f} {MM} after",
        loc="left",
        fontsize=NORMAL,
    )
    return Picture(
        name="water",
        figure=figure,
        numbers=Numbers({"term": names, "from_kg_m-2": starts, "to_kg_m-2": ends}),
        alt=f"Bars of the water of an analysis: {signed(sizes[0], 3)} {MM} requested, {signed(sizes[3], 3)} {MM} "
        "applied.",
        caption=f"Water of the analysis of {moment(account.time)} ({account.method}), mean over the soil by area, "
        f"{MM}: from what the increment requested step by step to what came into the soil. Blue bars add water, orange "
        "ones take it: where soil cannot give what an increment wants to take, what is refused is water gained.",
    )


def series_picture(runs: Mapping[str, tuple[Sequence[datetime], Sequence[Account]]]) -> Picture:
    """Terms of the ledger of every analysis of the last run, and the sums of what was applied of all runs."""
    figure = Figure(figsize=(WIDTH, 5.4), dpi=DOTS_PER_INCH)
    upper, lower = figure.add_axes((0.08, 0.6, 0.9, 0.33)), figure.add_axes((0.08, 0.1, 0.9, 0.36))
    parts: list[dict[str, FloatArray]] = []
    for _, accounts in runs.values():
        terms = {name: np.array([one.water[name] for one in accounts]) for name in STEPS}
        parts.append(terms | {"applied": np.array([applied(one) for one in accounts])})
        parts[-1]["sum"] = parts[-1]["applied"].cumsum()
    last = list(runs)[-1]
    words = {name: label for name, (label, _) in STEPS.items()} | {"applied": "Applied"}
    for number, (name, style) in enumerate(LINES.items()):
        upper.plot(
            days_since_1970(runs[last][0]),
            parts[-1][name],
            style,
            color=LINE_COLOURS[number],
            lw=1.3,
            label=words[name],
        )
    styles = ("-", "--", "-.", ":")
    for number, (run, (times, _)) in enumerate(runs.items()):
        style, colour = styles[number % len(styles)], LINE_COLOURS[number % len(LINE_COLOURS)]
        lower.plot(days_since_1970(times), parts[number]["sum"], style, color=colour, lw=1.7, label=run)
    for axes, title, label in (
        (upper, f"(a) Water of every analysis, {last}", f"Water ({MM})"),
        (lower, "(b) Water that analyses have added since the first one", f"Sum ({MM})"),
    ):
        axes.axhline(0.0, color=QUIET, lw=0.8)
        axes.set_ylabel(label, fontsize=SMALL + 1)
        axes.set_title(title, loc="left", fontsize=NORMAL)
        axes.legend(fontsize=SMALL, ncols=4, frameon=False)
        draw_time_axis(axes, n_ticks=9)
        axes.grid(color="#dddddd", lw=0.6)
        axes.set_xlabel("Time (UTC)", fontsize=SMALL + 1)
    every: dict[str, FloatArray] = {
        f"{name}_kg_m-2": np.concatenate([part[name] for part in parts]) for name in (*LINES, "sum")
    }
    totals = ", ".join(f"{signed(part['sum'][-1], 2)} {MM} in {run}" for run, part in zip(runs, parts, strict=True))
    return Picture(
        name="water_series",
        figure=figure,
        numbers=Numbers(
            {
                "run": [run for run, (times, _) in runs.items() for _ in times],
                "time": [time for times, _ in runs.values() for time in times],
                **every,
            }
        ),
        alt=f"Lines of the water of every analysis, and of its sum, which comes to {totals}.",
        caption=f"(a) Water of every analysis of {last}, mean over the soil, {MM}: requested, withheld from frozen "
        f"layers, refused by bounds, and applied; (b) sums of what was applied: {totals}.",
    )


def _fluxes(of_runs: Sequence[tuple[Ran, tuple[Mapping[str, float], float]]]) -> Table:
    names = list(of_runs[0][1][0])
    lines = [("run", "days", *(NAMES.get(name, name) for name in names), "analyses", "left in soil, ponds, aquifer")]
    for ran, (totals, days) in of_runs:
        # What an aquifer that balances analyses has given is no gain.
        added = sum(applied(account) + account.water["aquifer"] for account in ran.accounts)
        left = totals["rain"] - totals["runoff"] - totals["evaporation"] + added
        lines.append(
            (ran.name, f"{days:g}", *(f"{totals[name]:.2f}" for name in names), signed(added, 2), signed(left, 2))
        )
    return Table(f"Water of soil columns from start to end, means over the soil, {MM}", lines)
