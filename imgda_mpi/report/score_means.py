"""Means of scores in time, over the assimilation and the forecast; a table of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from imgda_mpi.console import number_text
from imgda_mpi.report.material import Curves
from imgda_mpi.report.picture import Table
from imgda_mpi.report.theme import UNIT, layer_name
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.status import FIT, SAME_PRODUCT

ASSIMILATION, FORECAST, ALL = "assimilation", "forecast", "all"
"""Periods; all times are one where no analyses are known."""

HEAD = ("layer", "status", "period", "run", "times", "cells", "SCC", f"ubRMSE, {UNIT}", f"bias, {UNIT}")


def mean_score(rows: Sequence[ScoreRow], name: str) -> float:
    """Mean of a score over the rows that have it; NaN of none."""
    values = np.array([getattr(row.scores, name) for row in rows], np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def by_period(
    rows: Sequence[ScoreRow], assimilation: tuple[datetime, datetime] | None
) -> Mapping[str, Sequence[ScoreRow]]:
    """Rows of each period, without those before analyses; what was before the first analysis is no part of either.

    Parameters
    ----------
    rows
    assimilation : first and last analysis
    """
    after = [row for row in rows if row.side != "before"]
    if assimilation is None:
        return {ALL: after}
    first, last = assimilation
    return {
        ASSIMILATION: [row for row in after if first <= row.time <= last],
        FORECAST: [row for row in after if row.time > last],
    }


def means_table(curves: Curves, assimilation: tuple[datetime, datetime] | None) -> Table:
    """Mean scores of each run, layer and period, with the mean number of cells.

    Parameters
    ----------
    curves
    assimilation : first and last analysis
    """
    runs = list(dict.fromkeys(row.run for row in curves.rows))
    lines: list[Sequence[str]] = [HEAD]
    for layer in sorted({row.layer for row in curves.rows}):
        status = curves.status_of(layer)
        of_layer = [row for row in curves.rows if row.layer == layer]
        for period, rows in by_period(of_layer, assimilation).items():
            # What comes after the last analysis was not assimilated.
            word = SAME_PRODUCT if status == FIT and period == FORECAST else status
            for run in runs:
                own = [row for row in rows if row.run == run]
                if own:
                    lines.append((layer_name(layer), word, period, run, *_cells(own)))
    return Table(f"Mean scores against {curves.name}, after analyses, cells of equal weight.", lines)


def _cells(rows: Sequence[ScoreRow]) -> tuple[str, ...]:
    forms = {"n_cells": ".0f", "scc": ".3f", "ubrmse": ".4f", "bias": "+.4f"}
    return (str(len(rows)), *(number_text(mean_score(rows, name), form) for name, form in forms.items()))
