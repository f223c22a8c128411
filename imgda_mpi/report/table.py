"""Scores before and after the analysis, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.verify.scores import Scores, scores

HEADING = "Soil moisture, 0-10 cm, every cell alike: background -> analysis"
COLUMNS = ("compared with", "cells", "SCC", "ubRMSE (m3 m-3)", "bias (m3 m-3)")


def before_and_after(background: FloatArray, analysis: FloatArray, reference: FloatArray) -> tuple[Scores, Scores]:
    """Scores of background and analysis against a reference, over the same cells: those where all three are finite.

    Parameters
    ----------
    background, analysis, reference : (ny, nx) array
        Soil moisture in m3 m-3, NaN where missing.
    """
    where = np.isfinite(background) & np.isfinite(analysis)
    return scores(background, reference, where), scores(analysis, reference, where)


def score_line(background: FloatArray, analysis: FloatArray, reference: FloatArray) -> str:
    """Scores before -> after against one reference in one line; arguments as of `before_and_after`."""
    before, after = before_and_after(background, analysis, reference)
    return (
        f"SCC {change(before.scc, after.scc, '.3f')}, ubRMSE {change(before.ubrmse, after.ubrmse, '.4f')} m3 m-3, "
        f"bias {change(before.bias, after.bias, '+.4f')} m3 m-3 over {before.n_cells} cells of equal weight"
    )


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
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join([line[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]
    return "\n".join([HEADING, *table])


def _cells(name: str, before: Scores, after: Scores) -> tuple[str, ...]:
    return (
        name,
        str(before.n_cells),
        change(before.scc, after.scc, ".3f"),
        change(before.ubrmse, after.ubrmse, ".4f"),
        change(before.bias, after.bias, "+.4f"),
    )


def change(before: float, after: float, form: str, arrow: str = "->") -> str:
    """A score before and after.

    >>> change(0.4, float("nan"), ".2f")
    '0.40 -> -'
    """
    first, second = ("-" if np.isnan(score) else format(score, form) for score in (before, after))
    return f"{first} {arrow} {second}"
