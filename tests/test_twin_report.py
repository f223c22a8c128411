"""Table of a twin experiment."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from runs import HOUR, START

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.report.twin_table import twin_table
from imgda_mpi.verify.propagation import Propagation
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.scores import Scores

DAY = timedelta(days=1)
LAST = START + 8 * DAY


def series(end: int) -> list[ScoreRow]:
    """Of every six hours: control is worse by the day, the variant 0.5 before and 0.9 after analyses, and forgets."""
    rows = []
    for hour in range(0, 24 * end + 1, 6):
        time = START + hour * HOUR
        of_variant = {"": 0.9 - hour / 24 / 100} if time > LAST else {"before": 0.5, "after": 0.9 + hour / 10000}
        of_variant = {"after": 0.6} if hour == 0 else of_variant
        for number, layer in enumerate(LAYERS):
            every = [("control", "", 0.4 - hour / 24 / 1000)] + [("blend", *of_side) for of_side in of_variant.items()]
            for run, side, scc in every:
                scc -= 0.1 * number
                rows.append(ScoreRow(run, "truth", layer, time, side, Scores(9, scc, (1 - scc) / 10, 0.0)))
                if number == 0 and hour != 0:
                    rows.append(ScoreRow(run, "observation", layer, time, side, Scores(9, 0.25, 0.05, 0.0)))
    return rows


def words(table: str, block: str, run: str) -> list[str]:
    """Of the line of a run in a block of the table."""
    lines = table[table.index(block) :].splitlines()
    return next(line for line in lines if line.startswith(run)).removeprefix(run).split()


def test_the_table_has_scores_after_analyses_beside_those_of_the_paper() -> None:
    rows = series(38)
    table = twin_table(rows, [], "control", (START, LAST))
    assert max(map(len, table.splitlines())) <= 120
    assert "This is a twin, not the paper's data" in table
    assert "scores against GLDAS, the product that it assimilates" in " ".join(table.split())
    late = [0.9 + hour / 10000 for hour in range(3 * 24, 8 * 24 + 1, 6)]
    scc = [0.4, np.mean(late), 0.9 + 192 / 10000, 0.9 - 0.18, 0.9 - 0.38]
    for block, less in (("0-10 cm, truth", 0.0), ("10-40 cm, truth", 0.1), ("40-100 cm, truth", 0.2)):
        numbers = [value - less for value in scc] + [(1 - value + less) / 10 for value in scc]
        assert words(table, block, "blend") == [f"{number:.3f}" for number in numbers]
        assert words(table, block, "control")[0] == f"{0.4 - less:.3f}"
    of_paper = ["0.40", "0.75-0.80", "0.82", "0.58", "0.118", "0.060-0.065", "0.095"]
    assert words(table, "0-10 cm, truth", "Bai et al., assimilation") == of_paper
    assert words(table, "10-40 cm, truth", "Bai et al., assimilation") == ["0.35", "0.55", "0.110", "0.080"]
    assert words(table, "40-100 cm, truth", "Bai et al., assimilation") == ["0.25", "0.35-0.40", "0.125", "0.105"]
    assert words(table, "fit to assimilated data", "blend") == ["-", *["0.250"] * 4, "-", *["0.050"] * 4]
    assert "felt" not in table


def test_a_short_forecast_is_scored_at_its_end() -> None:
    for end, leads in ((8, []), (12, ["+4", "d"]), (20, ["+10", "d"])):
        table = twin_table(series(end), [], "control", (START, LAST))
        assert words(table, "0-10 cm, truth", "0-10 cm, truth") == [
            *["SCC", "start", "last", "5", "d", "end", *leads],
            *["ubRMSE", "start", "last", "5", "d", "end", *leads],
        ]


def test_the_table_tells_how_far_corrections_reach_by_vegetation() -> None:
    def at(vegetation: str, depth: float, reached: float, stayed: float, to_the_end: bool = False) -> Propagation:
        return Propagation("blend", 0.0, 0.0, vegetation, depth, reached, stayed, to_the_end)

    rows = [
        *(at("Corn", 0.5, 4.0, 20.0), at("Corn", 1.0, 9.0, 30.0, True)),
        *(at("Corn", 0.5, 5.0, 10.0), at("Corn", 1.0, np.nan, np.nan)),
        *(at("Corn", 0.5, 9.0, 30.0, True), at("Corn", 1.0, 12.0, 30.0, True)),
        *(at("Grass", 0.5, np.nan, np.nan), at("Grass", 1.0, np.nan, np.nan)),
    ]
    table = twin_table(series(9), rows, "control", (START, LAST))
    assert max(map(len, table.splitlines())) <= 120
    corn, grass = (next(line for line in table.splitlines() if name in line) for name in (" Corn ", " Grass "))
    assert corn.split() == ["blend", "Corn", "3", "of", "3", "5.0", "20.0", "2", "of", "3", "10.5", ">30.0"]
    assert grass.split() == ["blend", "Grass", "0", "of", "1", "-", "-", "0", "of", "1", "-", "-"]
    assert "1 m within 5 d" in " ".join(table.split())
