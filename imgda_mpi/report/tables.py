"""The table of scores of an analysis, before and after it, as text."""

from __future__ import annotations

from collections.abc import Mapping

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import columns
from imgda_mpi.verify.scores import before_and_after, change

HEADING = "Soil moisture, 0-10 cm, every cell alike: background -> analysis"


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
    return f"{HEADING}\n{columns(lines)}"
