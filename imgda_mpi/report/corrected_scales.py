"""Which curvelet scales an analysis corrected, and what it knew of them: powers and gain by scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from imgda_mpi.arrays import FloatArray
from imgda_mpi.distributed.transform import layout_on
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.mode_maps import transform_kind
from imgda_mpi.report.picture import Column, Numbers, Picture, Section
from imgda_mpi.report.theme import DOTS_PER_INCH, LINE_COLOURS, NORMAL, QUIET, SMALL, UNIT, draw_log_axis, moment
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.analysis_file import DIAGNOSTICS, read_analysis
from imgda_mpi.verify.innovation_scales import has_errors_everywhere
from imgda_mpi.verify.scales import shortest_waves

POWERS = {
    "innovation": ("innovation_power", "Innovation", "o"),
    "background_error": ("background_variance", "Background errors", "s"),
    "observation_error": ("observation_variance", "Observation errors", "^"),
    "increment": ("increment_power", "Increment", "D"),
}
"""Of a scale: their field in the wedge statistics, what they are, and their marker."""

GAIN = "gain"

LEAST = 1e-5
"""m3 m-3: what is drawn of a scale that holds less, or nothing."""

ALIKE = 0.005
"""Gains that differ by less are the same."""


def scales_section(material: Material) -> Section | str:
    """Powers and gain of the analysis that is shown alone, and of all of its run.

    Where its method has no scales, of the last run whose method has.
    """
    if material.shown is None:
        return "there is no analysis in what was given"
    for ran in reversed(material.assimilations):
        shown = material.shown_of(ran)
        if shown is not None and shown[1].wedges is not None:
            return _section(ran, *shown)
    account = material.shown[1]
    return f"the analysis of {moment(account.time)} ({account.method}) corrected no curvelet scales"


def _section(ran: Ran, folder: Path, account: Account) -> Section:
    grid = read_analysis(folder / DIAGNOSTICS).grid
    of_shown = by_scale(account, grid)
    every = [one for one in ran.accounts if one.wedges is not None]
    of_run = [by_scale(one, grid) for one in every] if len(ran.analyses) > 1 else []
    waves = shortest_waves(grid, of_shown[GAIN].size) / 1e3
    return Section(
        text=[_said(of_shown, of_run, waves, account)], pictures=[_picture(of_shown, of_run, waves, account)]
    )


def by_scale(account: Account, grid: Grid) -> dict[str, FloatArray]:
    """What each scale of an analysis holds, (n_scales,): roots of `POWERS`, m3 m-3, and the mean gain.

    A power is the sum over the coefficients of the scale, of an observed cell; of errors that a method knows as if all
    of the transform's array was observed, and of increments of the full solver, which reach all of it, of a cell of
    that: over all scales white errors of s m3 m-3 have s^2.

    Raises
    ------
    InputError
        Where it has other wedges than its settings make.
    ValueError
        Where it has none.
    """
    wedges, layout = account.wedges, layout_on(*transform_kind(account, grid))
    sizes, n_cells = np.array([wedge.stop - wedge.start for wedge in layout.wedges]), int(np.prod(layout.image_shape))
    if wedges is None:
        raise ValueError("an analysis without wedges")
    if wedges.scale.size != sizes.size:
        found, expected = f"{wedges.scale.size} wedges", f"{sizes.size}, as its settings make them"
        raise fault(f"the analysis of {moment(account.time)}", found=found, expected=expected, do="make it again")
    n_observed = account.pixels["cells observed"]
    scales = range(1, int(wedges.scale.max()) + 1)
    everywhere = has_errors_everywhere(account.settings["method"])
    reaches = account.labels.get("solver") == "full"

    def sums(field: str) -> FloatArray:
        return np.array([(wedges.values[f"{field}_mean"] * sizes)[wedges.scale == scale].sum() for scale in scales])

    held = {}
    for name, (field, _, _) in POWERS.items():
        # Errors that are known everywhere are of the whole array, and increments that reach beyond what was seen.
        is_whole = (everywhere and field.endswith("variance")) or (reaches and field == "increment_power")
        n = n_cells if is_whole else n_observed
        held[name] = np.sqrt(sums(field) / n)
    held[GAIN] = sums(GAIN) / np.array([sizes[wedges.scale == scale].sum() for scale in scales])
    return held


def middle_and_range(
    of_run: Sequence[Mapping[str, FloatArray]], name: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean over analyses, of roots that of the powers, least, and largest, (n_scales,) each."""
    values = np.array([one[name] for one in of_run])
    mean = values.mean(axis=0) if name == GAIN else np.sqrt(np.square(values).mean(axis=0))
    return mean, values.min(axis=0), values.max(axis=0)


def _said(
    of_shown: Mapping[str, FloatArray], of_run: Sequence[Mapping[str, FloatArray]], waves: FloatArray, account: Account
) -> str:
    """At which scales most was corrected."""
    increment, gain = of_shown["increment"], of_shown[GAIN]
    whose = f"In the analysis of {moment(account.time)} ({account.method})"
    if of_run:
        increment, gain = (middle_and_range(of_run, name)[0] for name in ("increment", GAIN))
        whose = f"In the mean over {len(of_run)} analyses ({account.method})"
    power = increment**2
    if not power.sum() > 0:
        return f"{whose} nothing was corrected."
    most, share = int(power.argmax()), power / power.sum()
    gains = (
        "the gain is the same at all scales"
        if np.ptp(gain) < ALIKE
        else f"the gain is largest, {gain.max():.2f}, at scale {int(gain.argmax()) + 1}, and least, {gain.min():.2f}, "
        f"at scale {int(gain.argmin()) + 1}"
    )
    return (
        f"{whose} most was corrected at scale {most + 1} ({range_of(most, waves)}): it has {share[most]:.0%} of the "
        f"power of the increments, with a mean gain of {gain[most]:.2f}; {gains}."
    )


def range_of(scale: int, waves: FloatArray) -> str:
    """The waves of a scale, counted from 0, in words; ``waves`` are the shortest of each, km."""
    if scale == 0:
        return f"waves longer than {waves[0]:.0f} km"
    return f"waves of {waves[scale]:.0f} to {waves[scale - 1]:.0f} km"


def _picture(
    of_shown: Mapping[str, FloatArray], of_run: Sequence[Mapping[str, FloatArray]], waves: FloatArray, account: Account
) -> Picture:
    figure = Figure(figsize=(WIDTH, 4.3), dpi=DOTS_PER_INCH)
    powers, gains = figure.add_axes((0.075, 0.25, 0.52, 0.66)), figure.add_axes((0.68, 0.25, 0.3, 0.66))
    table: dict[str, Column] = {"scale": np.arange(1, waves.size + 1), "shortest_wave_km": waves}
    every = {**{name: (label, marker) for name, (_, label, marker) in POWERS.items()}, GAIN: ("Gain", "v")}
    for number, (name, (label, marker)) in enumerate(every.items()):
        axes, unit = (gains, "1") if name == GAIN else (powers, "m3_m-3")
        values = of_shown[name]
        # A logarithm has no zero.
        drawn = values if name == GAIN else np.maximum(values, LEAST)
        colour = LINE_COLOURS[number]
        axes.plot(waves, drawn, marker=marker, color=colour, lw=1.6, ms=6, label=label)
        table[f"{name}_{unit}"] = values
        if of_run:
            mean, least, most = middle_and_range(of_run, name)
            table |= {f"{name}_{word}_{unit}": one for word, one in (("mean", mean), ("least", least), ("most", most))}
            low = least if name == GAIN else np.maximum(least, LEAST)
            axes.fill_between(waves, low, most, color=colour, alpha=0.13, lw=0)
            axes.plot(waves, mean if name == GAIN else np.maximum(mean, LEAST), "--", color=colour, lw=1.1)
    powers.set_yscale("log")
    draw_log_axis(powers.yaxis)
    powers.set_ylabel(f"Root of the power of a cell ({UNIT})", fontsize=SMALL + 1)
    gains.set(ylim=(0.0, 1.02))
    gains.set_ylabel("Gain (1)", fontsize=SMALL + 1)
    for axes, title in ((powers, "(a) What scales hold"), (gains, "(b) Gain")):
        _wave_axis(axes, waves)
        axes.set_title(title, loc="left", fontsize=NORMAL)
    handles, labels = powers.get_legend_handles_labels()
    if of_run:
        handles.append(Line2D([], [], ls="--", color=QUIET, lw=1.1))
        labels.append(f"Mean of {len(of_run)} analyses, and range")
    figure.legend(
        handles, labels, loc="lower center", ncols=5, fontsize=SMALL, frameon=False, bbox_to_anchor=(0.5, 0.0)
    )
    beside = f"; dashed the mean over {len(of_run)} analyses, shaded their range" if of_run else ""
    whole = ["errors"] * has_errors_everywhere(account.settings["method"])
    whole += ["the increment"] * (account.labels.get("solver") == "full")
    cells = f" ({' and '.join(whole)}: of a cell of the whole array, which they reach)" if whole else ""
    innovation, increment = of_shown["innovation"], of_shown["increment"]
    return Picture(
        name="scales",
        figure=figure,
        numbers=Numbers(table),
        alt=f"Lines over {waves.size} curvelet scales: the innovation from {innovation[0]:.4f} to "
        f"{innovation[-1]:.4f} {UNIT}, the increment from {increment[0]:.4f} to {increment[-1]:.4f} {UNIT}, the gain "
        f"from {of_shown[GAIN][0]:.2f} to {of_shown[GAIN][-1]:.2f}, from the coarsest to the finest scale.",
        caption=f"Analysis of {moment(account.time)} ({account.method}) by curvelet scale: (a) roots of the powers "
        f"that scales hold of an observed cell{cells}, {UNIT}; squares add up over the scales. (b) Gain, mean over the "
        f"coefficients of a scale{beside}.",
    )


def _wave_axis(axes: Axes, waves: FloatArray) -> None:
    """Long waves at the left, and a tick for each scale."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(waves)))
    axes.xaxis.set_minor_locator(NullLocator())
    labels = [f"{number}\n{wave:.0f}" for number, wave in enumerate(waves, start=1)]
    axes.set_xticks(list(waves), labels=labels)
    axes.set_xlim(1.25 * waves[0], waves[-1] / 1.25)
    axes.set_xlabel("Scale, and its shortest waves (km)", fontsize=SMALL + 1)
    axes.tick_params(labelsize=SMALL)
    axes.grid(color="#dddddd", lw=0.6)
