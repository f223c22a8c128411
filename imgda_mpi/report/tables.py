"""Tables of scores, as text: of an analysis, before and after it, and of a comparison."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import columns
from imgda_mpi.results.comparison_file import SavedComparison
from imgda_mpi.verify.scores import before_and_after, change

HEADING = "Soil moisture, 0-10 cm, every cell alike: background -> analysis"

REFERENCE = "pointwise"
"""Method that the others are compared with, draw by draw."""

ROUNDING = 1e-7  # m3 m-3: methods that do the same are not worse than one another


def score_table(rows: Mapping[str, tuple[FloatArray, FloatArray, FloatArray]]) -> str:
    """Scores before -> after, a line for each reference; ``-`` where there is none, without a newline at its end.

    ``rows`` has under the reference's name background, analysis and reference: images (ny, nx) m3 m-3, NaN where
    missing.
    """
    lines = [["compared with", "cells", "SCC", "ubRMSE (m3 m-3)", "bias (m3 m-3)"]]
    for name, images in rows.items():
        before, after = before_and_after(*images)
        scores = (
            (before.scc, after.scc, ".3f"),
            (before.ubrmse, after.ubrmse, ".4f"),
            (before.bias, after.bias, "+.4f"),
        )
        lines.append([name, str(before.n_cells), *(change(*score) for score in scores)])
    return f"{HEADING}\n{columns(lines, '<' + '>' * (len(lines[0]) - 1))}"


def comparison_table(saved: SavedComparison) -> str:
    """Scores of every method, mean and standard error, on all, observed and unseen land; no newline at its end."""
    n_draws = saved.ubrmse.shape[1]
    of_what = "over the truths, means of their draws" if saved.n_truths > 1 else "over the draws"
    blocks = [
        f"{n_draws} draws of noise {saved.noise:g} m3 m-3, {saved.n_truths} truth(s): mean +- standard error "
        f"{of_what}, ubRMSE and bias in m3 m-3, median time in s"
    ]
    all_land, _, unseen = saved.n_cells
    if unseen == 0:
        blocks.append(_region(saved, 0, f"all land, all of it observed ({all_land} cells)"))
    else:
        names = ("all land", "observed land", "unseen land")
        blocks += [_region(saved, n, f"{name} ({saved.n_cells[n]} cells)") for n, name in enumerate(names)]
    if any(saved.is_tuned(number) for number in saved.shown()):
        blocks.append("* its length is the best of those tried, found with the truth: no method of practice")
    return "\n\n".join(blocks)


def _region(saved: SavedComparison, region: int, title: str) -> str:
    """Scores on the cells of a region."""
    reference = saved.names.index(REFERENCE) if REFERENCE in saved.names else None
    paired = [] if reference is None else [f"ubRMSE - {REFERENCE}", "draws not worse"]
    lines = [[title, "SCC", "ubRMSE", "bias", *paired, "time"]]
    for number in saved.shown():
        ubrmse = saved.ubrmse[number, :, region]
        cells = [
            _with_error(saved.independent(saved.scc[number, :, region])),
            _with_error(saved.independent(ubrmse), ".5f"),
            _with_error(saved.independent(saved.bias[number, :, region]), "+.4f"),
        ]
        if reference is not None:
            difference = ubrmse - saved.ubrmse[reference, :, region]
            cells += [
                _with_error(saved.independent(difference), "+.5f"),
                f"{100 * np.mean(difference <= ROUNDING):.0f} %",
            ]
        name = saved.names[number] + (" *" if saved.is_tuned(number) else "")
        lines.append([name, *cells, f"{np.median(saved.seconds[number]):.3f}"])
    return columns(lines, "<" + ">" * (len(lines[0]) - 1))


def _with_error(values: FloatArray, form: str = ".4f") -> str:
    """Mean and standard error.

    >>> _with_error(np.array([0.1, 0.3]))
    '0.2000+-0.10000'
    >>> _with_error(np.array([np.nan, np.nan]))
    '-'
    """
    if np.isnan(values).all():
        return "-"
    if values.size < 2:
        return format(float(np.mean(values)), form)
    return f"{format(float(np.mean(values)), form)}+-{values.std(ddof=1) / np.sqrt(values.size):.5f}"
