"""Scores of runs in time as a table in CSV, written and read back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args

from imgda_mpi.results.run_records import in_utc, time_text
from imgda_mpi.text_tables import read_rows, write_rows
from imgda_mpi.verify.score_series import Reference, ScoreRow, Side
from imgda_mpi.verify.scores import Scores

NAMES = (
    "run",
    "reference",
    "layer_top_m",
    "layer_bottom_m",
    "time_utc",
    "side_of_analysis",
    "n_cells",
    "scc",
    "ubrmse_m3_m-3",
    "bias_m3_m-3",
)
"""Of the columns, with units."""


def write_scores(path: Path, rows: Sequence[ScoreRow]) -> None:
    """Write ``scores.csv``. Not collective.

    Raises
    ------
    OutputError
    """
    write_rows(path, NAMES, map(_fields, rows))


def read_scores(path: Path) -> list[ScoreRow]:
    """The rows of ``scores.csv``, to the bit. Not collective.

    Raises
    ------
    InputError
        Where it is not there, damaged, or another table; a reference or side is none.
    """
    return read_rows(path, NAMES, _row)


def _fields(row: ScoreRow) -> list[str | float]:
    of_row = row.scores
    return [
        row.run,
        row.reference,
        *row.layer,
        time_text(row.time),
        row.side,
        of_row.n_cells,
        *(float(score) for score in (of_row.scc, of_row.ubrmse, of_row.bias)),
    ]


def _row(fields: list[str]) -> ScoreRow:
    run, reference, top, bottom, time, side, n_cells, *of_row = fields
    references: dict[str, Reference] = {name: name for name in get_args(Reference)}
    sides: dict[str, Side] = {name: name for name in get_args(Side)}
    if reference not in references or side not in sides:
        raise ValueError(f"reference '{reference}', side '{side}'")
    scores = Scores(int(n_cells), *map(float, of_row))
    layer = float(top), float(bottom)
    return ScoreRow(run, references[reference], layer, in_utc(datetime.fromisoformat(time)), sides[side], scores)
