"""What analyses did to the soil's water: the ledger of one, and of all in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from matplotlib.figure import Figure

from imgda_mpi.arrays import FloatArray
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
    "requested": "Asked for by the increment",
    "frozen": "Withheld from frozen layers",
    "clamped": "Refused by bounds",
    "applied": "Came into the soil",
}
"""What becomes of the water of an increment: the first three add up to the last."""

BALANCE = {"aquifer": "Change of the aquifer store", "unbalanced": "Not balanced by the aquifer, which was full"}
"""Of the aquifer, which can give and take what the soil gains."""

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
    return Section(text=[_said(account, in_time)], tables=[_ledger(account), *fluxes], pictures=pictures)


def applied(account: Account) -> float:
    """What the soil gained in an analysis, global mean, kg m-2."""
    return account.water["after"] - account.water["before"]


def steps(account: Account) -> dict[str, float]:
    """What becomes of the water of an analysis, global means of `STEPS`, kg m-2, each with its sign for the soil."""
    water = account.water
    return {
        "requested": water["requested"],
        "frozen": -water["frozen"],
        "clamped": -water["clamped"],
        "applied": applied(account),
    }


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
    water = account.water
    lines = [("", MM), ("In the soil before", f"{water['before']:.3f}")]
    lines += [(STEPS[name], signed(value, 3)) for name, value in steps(account).items()]
    lines += [("In the soil after", f"{water['after']:.3f}")]
    lines += [(BALANCE[name], signed(water[name], 3)) for name in BALANCE]
    lines.append(("Largest amount by which the ledger of a patch does not close", f"{account.residual:.1e}"))
    return Table(f"Water of the analysis of {moment(account.time)}, mean over the soil, kg m⁻² = {MM}", lines)


def ledger_picture(account: Account) -> Picture:
    """The change of the soil's water as steps from what was requested to what was applied."""
    of_soil = steps(account)
    sizes = [*of_soil.values(), *(account.water[name] for name in BALANCE)]
    names, words = [*of_soil, *BALANCE], [*STEPS.values(), *BALANCE.values()]
    # Each step of the soil's begins where the one before has ended, but what came of them.
    starts = [0.0, *np.cumsum(sizes[:2]).tolist(), *[0.0] * (1 + len(BALANCE))]
    ends = np.add(starts, sizes).tolist()
    figure = Figure(figsize=(WIDTH, 3.0), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0.28, 0.19, 0.7, 0.68))
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
        alt=f"Bars of the water of an analysis: {signed(of_soil['requested'], 3)} {MM} asked for, "
        f"{signed(of_soil['applied'], 3)} {MM} came into the soil.",
        caption=f"Water of the analysis of {moment(account.time)} ({account.method}), mean over the soil by area, "
        f"{MM}: from what the increment asked for step by step to what came into the soil. Blue bars add water, orange "
        "ones take it: where soil cannot give what an increment wants to take, what is refused is water gained.",
    )


def series_picture(runs: Mapping[str, tuple[Sequence[datetime], Sequence[Account]]]) -> Picture:
    """Terms of the ledger of every analysis of the last run, and the sums of what was applied of all runs."""
    figure = Figure(figsize=(WIDTH, 5.4), dpi=DOTS_PER_INCH)
    upper, lower = figure.add_axes((0.08, 0.6, 0.9, 0.33)), figure.add_axes((0.08, 0.1, 0.9, 0.36))
    parts: list[dict[str, FloatArray]] = []
    for _, accounts in runs.values():
        of_each = [steps(one) for one in accounts]
        parts.append({name: np.array([one[name] for one in of_each]) for name in STEPS})
        parts[-1]["sum"] = parts[-1]["applied"].cumsum()
    last = list(runs)[-1]
    for number, (name, style) in enumerate(LINES.items()):
        upper.plot(
            days_since_1970(runs[last][0]),
            parts[-1][name],
            style,
            color=LINE_COLOURS[number],
            lw=1.3,
            label=STEPS[name],
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
        caption=f"(a) Water of every analysis of {last}, mean over the soil, {MM}: asked for by the increment, "
        "withheld from frozen layers, refused by bounds (each with its sign for the soil: drying that is refused is a "
        f"gain), and what came into the soil; (b) sums of the last: {totals}.",
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
