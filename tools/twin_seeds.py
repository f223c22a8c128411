"""What twin experiments of several seeds came to, as a table: variants beside the control run of the same seed.

python tools/twin_seeds.py TWIN TWIN [TWIN ...]

The folders are those of the same settings with other seeds. For each variant and layer: SCC minus that of the control
run, and ubRMSE over it, both against the truth, after the last analysis and so many days later; means over the seeds
with standard errors. Of the control run both scores themselves.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.results.scores_file import read_scores
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.twin import CONTROL
from imgda_mpi.verify.scores import Scores

LEADS = (0, 10, 30)
"""Days after the last analysis."""

Key = tuple[str, tuple[float, float], int]
"""Run, layer and days."""


def scores_of(twin: Path) -> dict[Key, Scores]:
    """Scores of all runs of an experiment against the truth, after analyses."""
    there = TwinPaths(twin)
    last: datetime = tomllib.loads(there.settings.read_text())["cycle"]["last_analysis"]
    times = {last + timedelta(days=days): days for days in LEADS}
    return {
        (row.run, row.layer, times[row.time]): row.scores
        for row in read_scores(there.scores)
        if row.reference == "truth" and row.side != "before" and row.time in times
    }


def table(twins: Sequence[Mapping[Key, Scores]]) -> str:
    """The table in Markdown.

    Raises
    ------
    SystemExit
        Where the experiments have not the same runs and times.
    """
    if any(twin.keys() != twins[0].keys() for twin in twins):
        raise SystemExit("the experiments differ in their runs or times: give those of one settings file")
    days = [lead for lead in LEADS if any(key[2] == lead for key in twins[0])]
    titles = [title for score in ("SCC", "ubRMSE") for title in (f"{score}, end", *(f"+{n} d" for n in days if n))]
    lines = ["| layer | run | " + " | ".join(titles) + " |", "|" + "---|" * (2 + len(titles))]
    for layer in LAYERS:
        name = f"{100 * layer[0]:g}-{100 * layer[1]:g} cm"
        control = [
            said([getattr(twin[CONTROL, layer, day], score) for twin in twins], "")
            for score in ("scc", "ubrmse")
            for day in days
        ]
        lines.append(f"| {name} | control, itself | " + " | ".join(control) + " |")
        for run in dict.fromkeys(key[0] for key in twins[0] if key[0] != CONTROL):
            pairs = [[(twin[run, layer, day], twin[CONTROL, layer, day]) for twin in twins] for day in days]
            gains = [said([own.scc - other.scc for own, other in of_day], "+") for of_day in pairs]
            ratios = [said([own.ubrmse / other.ubrmse for own, other in of_day], "") for of_day in pairs]
            lines.append(f"| {name} | {run} | " + " | ".join(gains + ratios) + " |")
    return "\n".join(lines)


def said(values: Sequence[float], sign: str) -> str:
    """Mean and standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{np.mean(values):{sign}.3f} ± {error:.3f}"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    sys.stdout.write(table([scores_of(Path(folder)) for folder in sys.argv[1:]]) + "\n")
