"""What a twin experiment came to, as tables beside the numbers of the paper."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.console import WIDTH, columns
from imgda_mpi.verify.propagation import DEPTHS, FELT, Propagation
from imgda_mpi.verify.score_series import Reference, ScoreRow

DAY = timedelta(days=1)
LATE = 5
"""Days before the last analysis that scores are averaged over."""

LEADS = (10, 30)
"""Days of forecast after which there are scores, where it is so long."""

PAPER = {
    "Bai et al., control": {
        0: {"scc": {"start": "0.40", "late": "0.40-0.45"}, "ubrmse": {"start": "0.118", "+30 d": "0.108"}},
    },
    "Bai et al., assimilation": {
        0: {
            "scc": {"start": "0.40", "late": "0.75-0.80", "end": "0.82", "+30 d": "0.58"},
            "ubrmse": {"start": "0.118", "late": "0.060-0.065", "+30 d": "0.095"},
        },
        1: {"scc": {"start": "0.35", "late": "0.55"}, "ubrmse": {"start": "0.110", "late": "0.080"}},
        2: {"scc": {"start": "0.25", "late": "0.35-0.40"}, "ubrmse": {"start": "0.125", "late": "0.105"}},
    },
}
"""What section 4.2.1 of the paper says, by run, number of the layer, score and column."""

FRAME = (
    "This is a twin, not the paper's data: truth and observations come from a run of the same model with other soil, "
    "weather and start. The paper (Bai et al. 2026, section 4.2.1) scores against GLDAS, the product that it "
    "assimilates; here scores are against the truth, and in the last block, of 0-10 cm, against what is assimilated. "
    f"start: before the first analysis; last {LATE} d: mean over the last days of assimilation, every three hours, "
    "without the states before analyses; end: after the last analysis; + d: days of forecast. ubRMSE in m3 m-3; cells "
    "have equal weight."
)

FIT = "fit to assimilated data"

WORDS = (
    f"Felt: |run - control| of {FELT:g} m3 m-3 or more, at so many of the points. Medians of these, in days: from the "
    "first analysis until it is felt, and from the last one as long as it stays (> where that is to the end of the "
    "run). The paper, at points where corrections are most evident: shrub and corn 50 cm in about 5 d and 1 m in 10 d; "
    'grass 1 m within 5 d; needleleaf trees slower (its "around 155 d" to 1 m is more than its 60 d of assimilation); '
    "lasting for over a month."
)


class _Column(NamedTuple):
    """Mean of the scores between two times, both included."""

    name: str
    title: str
    since: datetime
    until: datetime


def twin_table(
    rows: Sequence[ScoreRow], propagation: Sequence[Propagation], control: str, analyses: tuple[datetime, datetime]
) -> str:
    """Scores of all runs by layer, and how far their corrections reach by class of vegetation, beside the paper's.

    Parameters
    ----------
    rows : of all runs, in the order in which runs are shown
    propagation : of all points of the runs; may be empty
    control : name of the run without analyses, whose first scores are those of the state that all start from
    analyses : times of the first and the last one
    """
    shown = _columns(rows, analyses)
    lines: list[list[str]] = []
    for number, layer in enumerate(LAYERS):
        lines += _block(f"{_range(layer)}, truth", _of(rows, "truth", layer), shown, control, number)
    if observed := _of(rows, "observation", LAYERS[0]):
        lines += _block(FIT, observed, shown, control, 0)
    scores = [line.rstrip() for line in columns(lines).splitlines()]
    blocks = [*_result(rows, control, analyses[1]), textwrap.fill(FRAME, WIDTH), "\n".join(scores[:-1])]
    if propagation:
        blocks += [_propagation(propagation), textwrap.fill(WORDS, WIDTH)]
    return "\n\n".join(blocks)


def _result(rows: Sequence[ScoreRow], control: str, last: datetime) -> list[str]:
    """What came of it at the last analysis, in words; nothing where no variant was scored."""
    of_end = {
        (row.run, row.layer): row.scores
        for row in rows
        if row.reference == "truth" and row.time == last and row.side != "before"
    }
    variants = [run for run, layer in of_end if layer == LAYERS[0] and run != control]
    if not variants:
        return []
    best = min(variants, key=lambda run: of_end[run, LAYERS[0]].ubrmse)
    layers = [
        f"{of_end[control, layer].scc:.2f} -> {of_end[best, layer].scc:.2f} in {_range(layer)}" for layer in LAYERS
    ]
    said = f"Spatial correlation with the truth after the last analysis, {control} -> {best}: {', '.join(layers)}."
    return [textwrap.fill(said, WIDTH)]


def _columns(rows: Sequence[ScoreRow], analyses: tuple[datetime, datetime]) -> list[_Column]:
    first, last = analyses
    start, end = min(row.time for row in rows), max(row.time for row in rows)
    leads = [float(days) for days in LEADS if last + days * DAY <= end] or [(end - last) / DAY] * (end > last)
    return [
        _Column("start", "start", start, start),
        _Column("late", f"last {min(LATE, (last - first) / DAY):g} d", max(first, last - LATE * DAY), last),
        _Column("end", "end", last, last),
        *(_Column(f"+{days:g} d", f"+{days:g} d", last + days * DAY, last + days * DAY) for days in leads),
    ]


def _of(rows: Sequence[ScoreRow], reference: Reference, layer: tuple[float, float]) -> list[ScoreRow]:
    return [row for row in rows if row.reference == reference and row.layer == layer]


def _range(layer: tuple[float, float]) -> str:
    return f"{100 * layer[0]:g}-{100 * layer[1]:g} cm"


def _block(name: str, rows: Sequence[ScoreRow], shown: Sequence[_Column], control: str, layer: int) -> list[list[str]]:
    """Titles, scores of all runs in one layer against one image, those of the paper, and an empty line."""
    later = [column.title for column in shown[1:]]
    lines = [[name, "SCC start", *later, "ubRMSE start", *later]]
    for run in dict.fromkeys(row.run for row in rows):
        whose = [control, *(run for _ in later)]
        chosen = [
            [row for row in rows if row.run == of_run and row.side != "before" and since <= row.time <= until]
            for of_run, (_, _, since, until) in zip(whose, shown, strict=True)
        ]
        lines.append([run, *(_mean(of_column, score) for score in ("scc", "ubrmse") for of_column in chosen)])
    for of_paper, layers in PAPER.items():
        if (known := layers.get(layer)) is not None:
            lines.append(
                [of_paper, *(of_score.get(column.name, "") for of_score in known.values() for column in shown)]
            )
    return [*lines, [""] * len(lines[0])]


def _mean(rows: Sequence[ScoreRow], score: str) -> str:
    """Mean of a score over moments; - where there is none."""
    values = [getattr(row.scores, score) for row in rows]
    return f"{np.mean(values):.3f}" if values and not np.isnan(values).any() else "-"


def _propagation(rows: Sequence[Propagation]) -> str:
    """For each run and class, at each depth: points that feel it, after how long, and how long it stays."""
    titles = [title for depth in DEPTHS for title in (f"felt at {100 * depth:g} cm", "after", "stays")]
    lines = [["corrections", "vegetation", *titles]]
    for run, vegetation in dict.fromkeys((row.run, row.vegetation) for row in rows):
        of_class = [row for row in rows if (row.run, row.vegetation) == (run, vegetation)]
        line = []
        for depth in DEPTHS:
            at_depth = [row for row in of_class if row.depth == depth]
            felt = [row for row in at_depth if not np.isnan(row.reached)]
            line += [f"{len(felt)} of {len(at_depth)}", _median([(row.reached, False) for row in felt])]
            line.append(_median([(row.stayed, row.to_the_end) for row in felt]))
        lines.append([run, vegetation, *line])
    return columns(lines, "<<")


def _median(days: Sequence[tuple[float, bool]]) -> str:
    """Median of days, with > where it is of those that go on.

    >>> _median([(3.0, False), (9.0, True), (9.0, True)]), _median([(3.0, False), (4.0, False)]), _median([])
    ('>9.0', '3.5', '-')
    """
    if not days:
        return "-"
    ordered = sorted(days)
    middle = ordered[(len(days) - 1) // 2 : len(days) // 2 + 1]
    goes_on = any(on for _, on in middle)
    return f"{'>' if goes_on else ''}{np.mean([number for number, _ in middle]):.1f}"
