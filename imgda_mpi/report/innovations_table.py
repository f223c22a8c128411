"""Innovations of runs as tables, with what they mean in words."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from imgda_mpi.console import WIDTH, columns, number_text
from imgda_mpi.report.innovations_words import sentences
from imgda_mpi.verify.innovations import RunInnovations

FRAME = (
    "Innovations. n: analyses; cells: observed ones, their mean number, all with equal weight. O-B: observation minus "
    "background, O-A: minus analysis, m3 m-3. chi2: mean of (O-B)^2 / (s_b^2 + s_o^2) with the errors used, bias "
    "included. s_b and s_o: used, and found by Desroziers et al. (2005) from O-B, O-A and A-B, without means. +-: "
    "standard error, as if analyses were independent. lag: correlation of O-B with that of the analysis before, all "
    "cells together; in brackets that of the mean of O-B."
)

LIMITS = (
    "Innovations alone cannot tell everything. Desroziers' estimates tell s_b from s_o by the structure that the "
    "errors used give them, one step from what was used: coherent errors of the observation are taken for the "
    "background's as far as the analysis took them for such, and patterns that stand still count as errors. Errors of "
    "the observation that are alike in time go into the model, and O-B does not show them any more."
)


TITLES = ("n", "cells", "O-B", "sd", "O-A", "sd", "chi2", "s_b used", "found", "s_o used", "found", "lag")


def innovations_table(runs: Sequence[RunInnovations]) -> str:
    """Statistics of all runs by period and region, by scale, and what they mean; 120 characters wide but for names."""
    blocks = [textwrap.fill(FRAME, WIDTH)]
    for run in runs:
        blocks += _of_run(run)
    if any(run.times.size for run in runs):
        blocks.append(textwrap.fill(LIMITS, WIDTH))
    return "\n\n".join(blocks)


def innovations_summary(runs: Sequence[RunInnovations]) -> str:
    """The same in a few lines: what the innovations of each run mean over all cells."""
    return "\n\n".join(
        "\n".join([_head(run), *(textwrap.fill(_meaning(run, period), WIDTH) for period in shown_periods(run))])
        for run in runs
    )


def _head(run: RunInnovations) -> str:
    """What the run is, and what is to be said beside its numbers."""
    n_analyses = run.times.size
    if n_analyses == 0:
        return "\n".join([f"Innovations of {run.name}: no analyses", *_remarks(run)])
    apart = f" {run.hours:g} h apart" if np.isfinite(run.hours) else ""
    head = f"Innovations of {run.name}: {run.method}, {n_analyses} analys{'es' if n_analyses > 1 else 'is'}{apart}"
    empty = int((run.n_cells[:, 0] == 0).sum())
    head += f", {empty} without an observed cell" if empty else ""
    return "\n".join([head, *_remarks(run)])


def _meaning(run: RunInnovations, period: int) -> str:
    """Sentences, with the period where there are several."""
    several = f"{run.periods[period]}: " if len(shown_periods(run)) > 1 else ""
    return several + " ".join(sentences(run, period))


def _of_run(run: RunInnovations) -> list[str]:
    blocks = [_head(run)]
    for period in shown_periods(run):
        lines = [[run.periods[period], *TITLES]]
        lines += [row_of(run, period, int(region)) for region in np.flatnonzero(run.n_analyses[period] > 0)]
        blocks += [columns(lines), textwrap.fill(_meaning(run, period), WIDTH), *_scales(run, period)]
    return blocks


def _remarks(run: RunInnovations) -> list[str]:
    return [textwrap.fill(remark, WIDTH, initial_indent="  ", subsequent_indent="  ") for remark in run.remarks]


def shown_periods(run: RunInnovations) -> list[int]:
    """Periods with analyses, without that of all times where another one has the same."""
    n_analyses = run.n_analyses[:, 0]
    shown = np.flatnonzero(n_analyses > 0).tolist()
    return shown[1:] if n_analyses[0] in n_analyses[1:] else shown


def row_of(run: RunInnovations, period: int, region: int) -> list[str]:
    """Name of a region, and what `TITLES` names."""

    def number(name: str, form: str) -> str:
        return number_text(run.values[name][period, region], form)

    error = run.errors["chi2"][period, region]
    of_mean = run.lag_of_mean[period, region]
    lag = number("lag_correlation", ".2f") + (f" ({of_mean:.2f})" if np.isfinite(of_mean) else "")
    return [
        run.regions[region],
        f"{run.n_analyses[period, region]:.0f}",
        f"{run.n_values[period, region] / run.n_analyses[period, region]:.0f}",
        *(number(name, form) for name, form in (("mean_ob", "+.4f"), ("sd_ob", ".4f"))),
        *(number(name, form) for name, form in (("mean_oa", "+.4f"), ("sd_oa", ".4f"))),
        number("chi2", ".2f") + (f"+-{error:.2f}" if np.isfinite(error) else ""),
        number("background_error_used", ".3f"),
        number("background_error", ".3f"),
        number("observation_error_used", ".3f"),
        number("observation_error", ".3f"),
        lag,
    ]


def _scales(run: RunInnovations, period: int) -> list[str]:
    """Numbers by scale, of methods without a transform what is known of them."""
    if not run.shortest_waves.size:
        return []
    lines = [["scale", "waves from, km", "sd of O-B", "chi2", "s_b used", "found", "s_o used", "found"]]
    names = ("background_error_used", "background_error", "observation_error_used", "observation_error")
    for scale, wave in enumerate(run.shortest_waves):
        of_scale = {name: float(values[period, scale]) for name, values in run.scales.items()}
        lines.append(
            [
                str(scale + 1),
                f"{wave / 1000:.0f}",
                number_text(of_scale["scale_sd_ob"], ".4f"),
                number_text(of_scale["scale_chi2"], ".2f"),
                *(number_text(of_scale[f"scale_{name}"], ".4f") for name in names),
            ]
        )
    return [columns(lines)]
