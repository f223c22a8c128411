"""Scores in time of a report, from what a twin experiment or a verification saved."""

from __future__ import annotations

from collections.abc import Sequence

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.report.material import Curves
from imgda_mpi.results.field_scores_file import SIDES, FieldScores
from imgda_mpi.verify.field_scores import SCORES
from imgda_mpi.verify.score_series import ScoreRow, Side
from imgda_mpi.verify.scores import Scores
from imgda_mpi.verify.status import FIT, INDEPENDENT


def curves_of_twin(rows: Sequence[ScoreRow]) -> list[Curves]:
    """Against the truth, and against the images."""
    truth = [row for row in rows if row.reference == "truth"]
    images = [row for row in rows if row.reference == "observation"]
    found = [Curves(name="truth", status=dict.fromkeys(LAYERS, INDEPENDENT), rows=truth)]
    if images:
        found.append(Curves(name="image", status={LAYERS[0]: FIT}, rows=images))
    return found


def curves_of_verification(fields: FieldScores) -> Curves:
    """Over all cells, each of the same weight; the status is that of the first period."""
    where = [SCORES.index(name) for name in ("n", "scc", "ubrmse", "bias")]
    rows = []
    for number, time in enumerate(fields.times):
        at = fields.scores[number, :, :, :, 0, 0]
        for run, name in enumerate(fields.runs):
            has_before = bool((at[SIDES.index("before"), run, :, where[0]] > 0).any())
            sides: list[Side] = ["before", "after"] if has_before else ["", ""]
            for side_number, side in enumerate(sides):
                for layer_number, layer in enumerate(fields.layers):
                    n_cells, scc, ubrmse, bias = at[side_number, run, layer_number, where].tolist()
                    if n_cells > 0:
                        of_row = Scores(int(n_cells), scc, ubrmse, bias)
                        rows.append(ScoreRow(name, "truth", layer, time, side, of_row))
    return Curves(name=fields.name, status=dict(zip(fields.layers, fields.status[0], strict=True)), rows=rows)
