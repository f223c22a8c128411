"""The table of several twin experiments: variants beside the control run of the same seed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from launch import ROOT

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.results.scores_file import write_scores
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.scores import Scores

sys.path.insert(0, str(ROOT / "tools"))
from twin_seeds import scores_of, table

LAST = datetime(2022, 6, 8, tzinfo=UTC)


def experiment(folder: Path, scc: dict[str, float], days: tuple[int, ...] = (0, 10)) -> Path:
    """Scores of runs, the same in all layers; before the analysis, and against the images, they are others."""
    folder.mkdir()
    (folder / "settings.toml").write_text(f"[cycle]\nlast_analysis = {LAST:%Y-%m-%dT%H:%M:%SZ}\n")
    rows = []
    for day in days:
        for layer in LAYERS:
            for run, value in scc.items():
                of_day = Scores(100, value / (1 + day), 0.1 * value, 0.0)
                time = LAST + timedelta(days=day)
                side = "after" if day == 0 and run != "control" else ""
                rows.append(ScoreRow(run, "truth", layer, time, side, of_day))
                if side:
                    rows.append(ScoreRow(run, "truth", layer, time, "before", Scores(100, 0.9, 0.9, 0.0)))
                rows.append(ScoreRow(run, "observation", layer, time, side, Scores(100, 0.8, 0.8, 0.0)))
    write_scores(folder / "scores.csv", rows)
    return folder


def test_the_table_has_means_over_seeds_of_pairs_and_their_standard_errors(tmp_path: Path) -> None:
    pairs = [(0.4, 0.8), (0.5, 0.7), (0.3, 0.8)]
    twins = [
        scores_of(experiment(tmp_path / f"{number}", {"control": control, "paper": paper}))
        for number, (control, paper) in enumerate(pairs)
    ]
    lines = [[word.strip() for word in line.split("|")[1:-1]] for line in table(twins).splitlines()]
    assert lines[0] == ["layer", "run", "SCC, end", "+10 d", "ubRMSE, end", "+10 d"]
    (control, paper) = (line for line in lines if line[0] == "0-10 cm")
    gains, ratios = [b - a for a, b in pairs], [b / a for a, b in pairs]
    error = np.std(gains, ddof=1) / np.sqrt(3)
    assert paper[2] == f"{np.mean(gains):+.3f} ± {error:.3f}"
    assert paper[3] == f"{np.mean(gains) / 11:+.3f} ± {error / 11:.3f}"
    assert paper[4] == f"{np.mean(ratios):.3f} ± {np.std(ratios, ddof=1) / np.sqrt(3):.3f}"
    assert control[2].startswith("0.400 ± ")
    assert len(lines) == 2 + 2 * len(LAYERS)


def test_experiments_of_other_runs_are_refused(tmp_path: Path) -> None:
    one = scores_of(experiment(tmp_path / "one", {"control": 0.4, "paper": 0.8}))
    other = scores_of(experiment(tmp_path / "other", {"control": 0.4, "pointwise": 0.8}))
    with pytest.raises(SystemExit, match="differ in their runs"):
        table([one, other])
