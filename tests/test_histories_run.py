"""Run folders as series: of soil columns before and after analyses, of CoLM's own histories; what is gone."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from histories import GRID, flux, moisture, write_history
from numpy.testing import assert_allclose
from problems import SELF
from runs import HOUR, START, make_cycle, make_run, new_test_run
from series_files import THREE, hours, profile, write_fluxes2014, write_history202x

from imgda_mpi.colm.soil_layers import overlap_weights
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries, mean_over
from imgda_mpi.histories.read import open_series
from imgda_mpi.results.run_folder import Run


def opened(directory: Path) -> ImageSeries:
    series = open_series("run", layers=(*THREE, (1.0, 2.0)), times=[], directory=directory)
    passed_on: ImageSeries = pickle.loads(pickle.dumps(series))
    return passed_on


def test_a_run_of_columns_has_images_before_and_after_its_analyses(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    series = opened(run.directory)
    assert series.grid.has_cells_of(GRID)
    assert series.times == [START + hour * HOUR for hour in range(0, 25, 3)]
    assert (series.interval, series.has_nodes, series.remarks) == (None, False, ())
    assert series.layers(series.at(START)[-1]) == list(THREE)
    before, after = series.at(START + 6 * HOUR)
    assert (before.side, after.side) == ("before", "after")
    for frame, shift in ((before, 0.0), (after, 0.01)):
        assert frame.time == START + 6 * HOUR
        for layer, expected in zip(THREE, moisture(frame.time, shift), strict=True):
            assert_allclose(frame.layer(layer), expected, rtol=1e-6)
    assert series.at(START + 7 * HOUR) == []


def test_a_window_has_the_state_after_the_analysis_alone(tmp_path: Path) -> None:
    series = opened(make_run(tmp_path / "run").directory)
    frames = series.within(START + 3 * HOUR, START + 12 * HOUR)
    assert [(frame.time.hour, frame.side) for frame in frames] == [(3, ""), (6, "after"), (9, "")]
    mean = mean_over(frames, lambda frame: frame.layer(THREE[0]))
    expected = np.mean([moisture(frame.time, 0.01 * (frame.side == "after"))[0] for frame in frames], axis=0)
    assert_allclose(mean, expected, rtol=1e-6)


def test_rain_is_that_since_the_moment_before(tmp_path: Path) -> None:
    series = opened(make_run(tmp_path / "run").directory)
    for hour in (3, 6, 9, 12, 24):
        for frame in series.at(START + hour * HOUR):
            assert_allclose(frame.rain(), flux("rain", frame.time), rtol=1e-6)
    assert series.at(START)[0].rain() is None


def test_a_folder_without_a_run_or_histories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no run\.json, expected the folder of a run"):
        opened(tmp_path)
    empty = new_test_run(tmp_path / "empty")
    with pytest.raises(InputError, match="empty: found no complete cycle, expected one at least; run it first"):
        opened(empty.directory)
    run = make_run(tmp_path / "run")
    first, _, last = run.cycles()
    last.history.unlink()
    with pytest.raises(InputError, match=r"20220602T12: found no history, as in 1 of 3 cycles"):
        opened(run.directory)
    first.history.unlink()
    run.cycles()[1].history.unlink()
    with pytest.raises(InputError, match=r"run: found no history in any of 3 cycles.*put the histories back"):
        opened(run.directory)


def test_damaged_histories_and_those_of_another_grid_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    last = run.cycles()[-1].history
    times = [START + 12 * HOUR, START + 24 * HOUR]
    last.unlink()
    write_history(last, times, grid=Grid(GRID.latitude, GRID.longitude + 1.0))
    with pytest.raises(InputError, match="expected the grid of the cycles before"):
        opened(run.directory)
    last.write_bytes(b"no NetCDF")
    with pytest.raises(InputError, match=r"20220602T12/history/history\.nc: found a text, 'no NetCDF'"):
        opened(run.directory)


def colm_run(folder: Path) -> Run:
    """A run of three cycles of 6, 6 and 12 hours that has histories of no kind."""
    run = new_test_run(folder)
    first = make_cycle(run, SELF, begin=0, end=6, history=())
    second = make_cycle(run, SELF, begin=6, end=12, analysed=True, origin=first.record.as_origin, history=())
    make_cycle(run, SELF, begin=12, end=24, origin=second.record.as_origin, history=())
    for cycle in run.cycles():
        (cycle.directory / "history").mkdir()
    return run


def test_a_cycle_around_colm202x_is_the_histories_of_all_cycles(tmp_path: Path) -> None:
    run = colm_run(tmp_path / "run")
    for cycle, (begin, end) in zip(run.cycles(), ((0, 6), (6, 12), (12, 24)), strict=True):
        write_history202x(cycle.directory / "history/case_hist_2022-06-02.nc", hours(START, begin, end))
    series = opened(run.directory)
    assert (series.what, series.interval, series.has_nodes) == (str(run.directory), HOUR, True)
    assert series.times == hours(START)
    (frame,) = series.at(START + 6 * HOUR)
    assert (frame.time, frame.side) == (START + 5.5 * HOUR, "")
    assert_allclose(frame.layer(THREE[0]), np.tensordot(overlap_weights(0.0, 0.1), profile(frame.time), 1))
    (run.cycles()[1].directory / "history/case_hist_2022-06-02.nc").unlink()
    assert opened(run.directory).remarks[1] == "1 of 3 cycles have no history"


def test_means_of_colm2014_begin_with_their_cycle_at_the_earliest(tmp_path: Path) -> None:
    run = colm_run(tmp_path / "run")
    write_fluxes2014(run.cycles()[2].directory / "history/site_2D_Fluxes_2022-153-86400", START)
    series = opened(run.directory)
    assert series.times == [START + 18 * HOUR]
    assert series.interval == timedelta(hours=12)
    assert series.at(START + 11 * HOUR) == []
    assert [frame.time for frame in series.at(START + 13 * HOUR)] == [START + 18 * HOUR]
