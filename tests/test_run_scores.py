"""Scores of runs beside the truth, moment by moment, and the tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from histories import GRID, moisture
from mpi4py import MPI
from problems import COMMS, SELF, agree
from runs import HOUR, START, make_cycle, make_run, new_test_run, shared_folder

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.results import run_images
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import instants
from imgda_mpi.results.run_scores import ScoreSeries, score_series
from imgda_mpi.results.scores_file import read_scores, write_scores
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.scores import Scores, scores

POINTS = [(14.0, 101.0), (12.0, 103.0)]
OTHER = 0.03 * np.random.default_rng(5).standard_normal(GRID.shape)


def nobody(_: datetime) -> None:
    """Nothing is observed."""


def without_analyses(
    folder: Path, comm: MPI.Intracomm = SELF, *, shift: float | np.ndarray = 0.0, grid: Grid = GRID
) -> Run:
    """A run of two windows of twelve hours; ``shift`` is added to its images."""
    run = new_test_run(folder, comm)
    first = make_cycle(run, comm, begin=0, end=12, grid=grid, every_shift=shift, points=POINTS)
    make_cycle(run, comm, begin=12, end=24, grid=grid, origin=first.record.as_origin, every_shift=shift, points=POINTS)
    return run


def numbers(rows: Sequence[ScoreRow]) -> np.ndarray:
    """Scores of rows, (n, 4)."""
    return np.array([[row.scores.n_cells, row.scores.scc, row.scores.ubrmse, row.scores.bias] for row in rows])


def observed(time: datetime) -> np.ndarray | None:
    """An image of noise with a gap, but at 9 hours."""
    if time.hour == 9:
        return None
    image = 0.2 + 0.05 * np.random.default_rng(time.hour).standard_normal(GRID.shape)
    image[2, :4] = np.nan
    return image


def bits(series: ScoreSeries | None) -> str:
    return "" if series is None else repr([(row, row.scores.scc.hex()) for row in series.rows])


@pytest.mark.parametrize("comm", COMMS)
def test_every_moment_is_scored_in_all_layers_and_before_and_after_analyses(
    tmp_path: Path, comm: MPI.Intracomm
) -> None:
    folder = shared_folder(tmp_path, comm)
    truth = without_analyses(folder / "truth", comm, shift=OTHER)
    runs = {"control": without_analyses(folder / "control", comm), "variant": make_run(folder / "variant", comm)}
    series = score_series(runs, truth, observed, comm)
    assert agree(comm, (series is None) == (comm.rank > 0))
    alone = score_series(runs, truth, observed, SELF)
    assert agree(comm, series is None or bits(series) == bits(alone))
    assert alone is not None
    wanted = []
    for hour in range(0, 25, 3):
        time = START + hour * HOUR
        for number, layer in enumerate(LAYERS):
            for reference, image in (("truth", moisture(time, OTHER)[number]), ("observation", observed(time))):
                if image is None or (reference == "observation" and number > 0):
                    continue
                sides = {"control": [""], "variant": ["before", "after"] if hour == 6 else [""]}
                for run, side in ((run, side) for run, of_run in sides.items() for side in of_run):
                    estimate = moisture(time, 0.01 * (side == "after"))[number]
                    wanted.append(((run, reference, layer, time, side), scores(estimate, image)))
    keys = [(row.run, row.reference, row.layer, row.time, row.side) for row in alone.rows]
    assert agree(comm, keys == [key for key, _ in wanted])
    found = np.nan_to_num(numbers(alone.rows))
    expected = np.nan_to_num([[s.n_cells, s.scc, s.ubrmse, s.bias] for _, s in wanted])
    assert agree(comm, np.allclose(found, expected, atol=2e-6))
    against_observed = [row.scores.n_cells for row in alone.rows if row.reference == "observation"]
    assert agree(comm, set(against_observed) == {43})


def test_all_are_scored_on_the_cells_that_all_have(tmp_path: Path) -> None:
    truth = without_analyses(tmp_path / "truth")
    runs = {"control": without_analyses(tmp_path / "control"), "variant": new_test_run(tmp_path / "variant")}
    first = make_cycle(runs["variant"], SELF, begin=0, end=12, every_shift=np.full(GRID.shape, np.nan))
    holes = np.zeros(GRID.shape)
    holes[3] = np.nan
    make_cycle(runs["variant"], SELF, begin=12, end=24, origin=first.record.as_origin, every_shift=holes)
    series = score_series(runs, truth, nobody, SELF)
    assert series is not None
    for run in runs:
        n_cells = [row.scores.n_cells for row in series.rows if row.run == run and row.layer == LAYERS[2]]
        assert n_cells == [0, 0, 0, 0, 0, 39, 39, 39, 39]


def test_profiles_are_those_after_analyses(tmp_path: Path) -> None:
    truth = without_analyses(tmp_path / "truth")
    variant = new_test_run(tmp_path / "variant")
    first = make_cycle(variant, SELF, begin=0, end=12, points=POINTS)
    make_cycle(variant, SELF, begin=12, end=24, analysed=True, origin=first.record.as_origin, shift=0.5, points=POINTS)
    series = score_series({"variant": variant, "none": make_run(tmp_path / "none")}, truth, nobody, SELF)
    assert series is not None
    assert list(series.profiles) == ["variant"]
    profiles = series.profiles["variant"]
    assert profiles.times == tuple(START + hour * HOUR for hour in range(0, 25, 3))
    np.testing.assert_array_equal(profiles.points, POINTS)
    hours = np.array([time.hour for time in profiles.times])
    wanted = 0.1 + 0.01 * hours + 0.5 * (hours == 12)
    np.testing.assert_allclose(profiles.values, np.broadcast_to(wanted[:, None, None], (9, 2, 10)), rtol=1e-6)


def test_only_histories_of_the_range_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run")
    every = [(instant.time, instant.side) for instant in instants(run)]
    opened: list[str] = []
    open_history = run_images.open_history
    monkeypatch.setattr(run_images, "open_history", lambda path: (opened.append(path.parts[-3]), open_history(path))[1])
    for hours, n_opened in (((0, 3), 1), ((0, 6), 1), ((6, 9), 2), ((9, 12), 1), ((12, 40), 2), ((25, 30), 0)):
        since, until = (START + hour * HOUR for hour in hours)
        opened.clear()
        found = [(instant.time, instant.side) for instant in instants(run, since, until)]
        assert found == [moment for moment in every if since <= moment[0] < until]
        assert len(opened) == n_opened


def test_runs_that_do_not_fit_the_truth_are_refused(tmp_path: Path) -> None:
    truth = without_analyses(tmp_path / "truth")
    short = new_test_run(tmp_path / "short")
    make_cycle(short, SELF, begin=0, end=12)
    with pytest.raises(InputError, match="short: time: found its end, expected 2022-06-02 15:00 UTC, as of the truth"):
        score_series({"short": short}, truth, nobody, SELF)
    with pytest.raises(InputError, match="truth: time: found 2022-06-02 15:00 UTC, expected no moment that the truth"):
        score_series({"truth": truth}, short, nobody, SELF)
    with pytest.raises(InputError, match=r"found an analysis at 2022-06-02 06:00 UTC, expected a truth without any"):
        score_series({"control": truth}, make_run(tmp_path / "analysed"), nobody, SELF)
    moved = without_analyses(tmp_path / "moved", grid=Grid(GRID.latitude, GRID.longitude + 0.5))
    with pytest.raises(InputError, match=r"history\.nc: lat, lon: found 6 x 8 cells, expected the grid of the truth"):
        score_series({"moved": moved}, truth, nobody, SELF)


ROWS = [
    ScoreRow("paper/diagonal, N = 50", "truth", LAYERS[0], START, "", Scores(7611, 1 / 3, 0.1 + 0.2, -1e-17)),
    ScoreRow("control", "observation", LAYERS[2], START + 3 * HOUR, "after", Scores(2, np.nan, np.nan, np.nan)),
]


def test_scores_are_read_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_scores(path, ROWS)
    assert repr(read_scores(path)) == repr(ROWS)
    header, first, _ = path.read_text().splitlines()
    assert header.endswith("side_of_analysis,n_cells,scc,ubrmse_m3_m-3,bias_m3_m-3")
    assert first.startswith('"paper/diagonal, N = 50",truth,0.0,0.1,2022-06-02T00:00:00Z,,7611,0.3333333333333333,')


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("scc", "correlation", "line 1: found run, reference, .*, expected run, reference"),
        ("after", "later", "line 3: found what cannot be understood .*side 'later'"),
        ("7611", "many", "line 2: found what cannot be understood"),
        (",nan\n", "\n", r"line 3: found what cannot be understood \(9 fields\)"),
        ("2022-06-02T03", "yesterday", "line 3: found what cannot be understood"),
    ],
)
def test_a_table_of_scores_that_is_none_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "scores.csv"
    write_scores(path, ROWS)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        read_scores(path)
