"""Means of scores in time over the assimilation and the forecast, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from imgda_mpi.console import number_text
from imgda_mpi.observations.layers import same_layer
from imgda_mpi.report.material import Curves
from imgda_mpi.report.picture import Table
from imgda_mpi.report.theme import UNIT, layer_name
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.status import FIT, SAME_PRODUCT, UNKNOWN

FORECAST = "forecast"
HEAD = ("layer", "status", "period", "run", "times", "cells", "SCC", f"ubRMSE, {UNIT}", f"bias, {UNIT}")


def means_table(curves: Curves, analyses: Sequence[datetime]) -> Table:
    """Mean scores of each run, layer and period, after analyses, with the mean number of cells.

    Parameters
    ----------
    curves
    analyses : times, ascending; without any all times are one period
    """
    rows = [row for row in curves.rows if row.side != "before"]
    runs = list(dict.fromkeys(row.run for row in rows))
    lines: list[Sequence[str]] = [HEAD]
    for layer in sorted({row.layer for row in rows}):
        status = next((word for own, word in curves.status.items() if same_layer(own, layer)), UNKNOWN)
        for period, times in _periods(rows, analyses).items():
            # What comes after the last analysis was not assimilated.
            word = SAME_PRODUCT if status == FIT and period == FORECAST else status
            for run in runs:
                own = [row for row in rows if row.run == run and row.layer == layer and row.time in times]
                if own:
                    lines.append((layer_name(layer), word, period, run, *_means(own)))
    return Table(f"Mean scores against {curves.name}, after analyses, cells of equal weight.", lines)


def _periods(rows: Sequence[ScoreRow], analyses: Sequence[datetime]) -> Mapping[str, set[datetime]]:
    """Times of each; what was before the first analysis is no part of either."""
    times = {row.time for row in rows}
    if not analyses:
        return {"all": times}
    first, last = analyses[0], analyses[-1]
    return {
        "assimilation": {time for time in times if first <= time <= last},
        FORECAST: {time for time in times if time > last},
    }


def _means(rows: Sequence[ScoreRow]) -> tuple[str, ...]:
    def mean(name: str, form: str) -> str:
        values = np.array([getattr(row.scores, name) for row in rows], np.float64)
        known = values[np.isfinite(values)]
        return number_text(float(known.mean()) if known.size else float("nan"), form)

    return (str(len(rows)), mean("n_cells", ".0f"), mean("scc", ".3f"), mean("ubrmse", ".4f"), mean("bias", "+.4f"))
