"""Scores before and after the analysis, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import columns
from imgda_mpi.verify.scores import Scores, before_and_after, change

HEADING = "Soil moisture, 0-10 cm, every cell alike: background -> analysis"
COLUMNS = ("compared with", "cells", "SCC", "ubRMSE (m3 m-3)", "bias (m3 m-3)")


def score_table(rows: Mapping[str, tuple[FloatArray, FloatArray, FloatArray]]) -> str:
    """Table of scores before -> after, with a heading and one line per reference.

    Parameters
    ----------
    rows : mapping from the reference's name to background, analysis and reference
        Images (ny, nx) in m3 m-3, NaN where missing.

    Returns
    -------
    str
        Without a newline at its end; ``-`` where there is no score.
    """
    lines = [COLUMNS, *(_cells(name, *before_and_after(*images)) for name, images in rows.items())]
    return f"{HEADING}\n{columns(lines, '<' + '>' * (len(COLUMNS) - 1))}"


def _cells(name: str, before: Scores, after: Scores) -> tuple[str, ...]:
    return (
        name,
        str(before.n_cells),
        change(before.scc, after.scc, ".3f"),
        change(before.ubrmse, after.ubrmse, ".4f"),
        change(before.bias, after.bias, "+.4f"),
    )
