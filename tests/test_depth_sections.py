"""Sections in depth and time of what assimilation changes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_series import START
from matplotlib.contour import ContourSet
from pictures import csv_of, mesh_of
from problems import SELF
from report_runs import GLOBE, HOUR, LAST, REGION, material, times_of
from runs import make_cycle, new_test_run
from series_files import profile, write_history202x

from imgda_mpi.colm.soil_layers import LAYERS, interface_depth, node_depth, overlap_weights
from imgda_mpi.grid import Grid
from imgda_mpi.histories.colm202x import open_history_files
from imgda_mpi.histories.run import open_run_folder
from imgda_mpi.report.depth_sections import depth_sections_section
from imgda_mpi.report.depth_series import DepthSeries, depth_series, mean_change
from imgda_mpi.report.material import Material, Ran, Wanted
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.verify.propagation import Propagation

POINTS = [(14.0, 101.0), (12.0, 103.0), (11.0, 104.0)]
SIX = timedelta(hours=6)


def found_in(of: Material) -> DepthSeries:
    found = depth_series(of)
    assert isinstance(found, DepthSeries), found
    return found


def picture_of(of: Material) -> Picture:
    section = depth_sections_section(of)
    assert isinstance(section, Section)
    return section.pictures[0]


def panels(picture: Picture) -> list[Any]:
    """Rain, where it is known, and soil of each place."""
    return picture.figure.axes[:-1]


def columns_of(columns: dict[str, Any], run: str, n_places: int) -> np.ndarray:
    """Water of a run from a CSV, (n_places, n_times, n_layers)."""
    names = [name for name in columns if name.startswith(f"{run}_")]
    return np.stack([columns[name].reshape(n_places, -1) for name in names], axis=-1)


def folder_runs(tmp_path: Path, points: list[tuple[float, float]]) -> Material:
    """A control and a run of soil columns of four windows, the first two of which begin with an analysis of the run."""
    runs = []
    for name, analysed in (("control", ()), ("mine", (0, 6))):
        run, origin = new_test_run(tmp_path / name), None
        for begin in (0, 6, 12, 18):
            is_analysed = begin in analysed
            made = make_cycle(
                run, SELF, begin=begin, end=begin + 6, analysed=is_analysed, origin=origin, shift=0.03, points=points
            )
            origin = made.record.as_origin
        directory = tmp_path / name
        times = [START + hour * HOUR for hour in analysed]
        runs.append(
            Ran(
                name=name,
                directory=directory,
                run=open_run(directory),
                times=times,
                analyses=[directory for _ in times],
                opened=lambda directory=directory: open_run_folder(directory, layers=LAYERS),
            )
        )
    return Material(title="made", folders=[], wanted=Wanted(), runs=runs)


def test_profiles_at_points_are_those_of_the_histories_after_analyses(tmp_path: Path) -> None:
    reach = [
        Propagation("mine", *point, vegetation, 0.5, 1.0, 1.0, False)
        for point, vegetation in zip(POINTS, ("trees", "crops", "trees"), strict=True)
    ]
    of = dataclasses.replace(folder_runs(tmp_path, POINTS), reach=reach)
    found = found_in(of)
    # Of the two among trees, which have changed alike, it is the first one.
    assert [(place.vegetation, place.latitude, place.longitude) for place in found.places] == [
        ("trees", *POINTS[0]),
        ("crops", *POINTS[1]),
    ]
    assert found.times == [START + hour * HOUR for hour in range(0, 25, 3)]
    hours = np.array([time.hour for time in found.times])
    expected = np.broadcast_to((0.1 + 0.01 * hours)[:, None, None], (9, 2, 10))
    np.testing.assert_allclose(found.of_control, expected, rtol=1e-6)
    change = np.where(np.isin(np.arange(0, 25, 3), [0, 6]), 0.03, 0.0)
    changes = np.broadcast_to(change[:, None, None], (9, 2, 10))
    np.testing.assert_allclose(found.of_run - found.of_control, changes, atol=1e-7)
    np.testing.assert_array_equal(found.edges, interface_depth)
    # The assimilation is from 0 to 6: two of three times have changed.
    np.testing.assert_allclose(found.change, 0.02, rtol=1e-5)
    # mm per day of cells 9 and 27, see `histories.flux`.
    cells = np.array([9, 27])
    rain = 86400 * 1e-5 * (1 + hours[1:, None] + cells)
    np.testing.assert_allclose(found.rain[1:], rain, rtol=1e-6)
    assert np.isnan(found.rain[0]).all()


def test_points_that_are_wanted_are_those_of_their_cells(tmp_path: Path) -> None:
    of = folder_runs(tmp_path, POINTS)
    wanted = found_in(dataclasses.replace(of, wanted=Wanted(points=[(11.2, 103.9)])))
    assert [(place.latitude, place.longitude) for place in wanted.places] == [POINTS[2]]
    assert len(wanted.edges) == 11
    others = found_in(dataclasses.replace(of, wanted=Wanted(points=[(13.3, 106.1)])))
    assert [(place.latitude, place.longitude) for place in others.places] == [(13.0, 106.0)]
    assert others.edges.tolist() == [0.0, 0.1, 0.4, 1.0]


def test_without_points_three_layers_of_the_cells_that_have_changed_most_are_shown() -> None:
    of = material(REGION)
    shape = REGION.shape
    covers = {name: np.zeros(shape, bool) for name in ("barren", "trees", "crops")}
    for name, column in (("barren", 0), ("trees", 8), ("crops", 16)):
        covers[name][:, column : column + 6] = True
    control, mine = of.runs
    stronger = {key: images.copy() for key, images in mine.opened().frames.items()}
    for images in stronger.values():
        images[:, 2, 9] += 0.1
        images[:, 5, 17] -= 0.1
        images[:, 7, 1] -= 0.3
    series = dataclasses.replace(mine.opened(), frames=stronger)
    changed = dataclasses.replace(mine, opened=lambda: series)
    found = found_in(dataclasses.replace(of, runs=[control, changed], covers=lambda grid: covers))
    where = [(place.vegetation, place.latitude, place.longitude) for place in found.places]
    assert where == [
        ("trees", REGION.latitude[2], REGION.longitude[9]),
        ("crops", REGION.latitude[5], REGION.longitude[17]),
    ]
    # Before the assimilation ends the run differs by 0.02 - 0.05 - 0.01.
    np.testing.assert_allclose(found.change, [0.06, 0.14], atol=1e-9)
    assert np.isnan(found.rain).all()


def test_histories_with_nodes_have_the_ten_layers_of_the_model(tmp_path: Path) -> None:
    times = [START + hour * HOUR for hour in range(0, 48, 6)]
    names = ("one", "two")
    for name in names:
        write_history202x(tmp_path / f"{name}_hist_2022-06.nc", times)
    runs = [
        Ran(
            name=name,
            directory=tmp_path,
            opened=lambda name=name: open_history_files(tmp_path / f"{name}_hist_*.nc", layers=LAYERS),
        )
        for name in names
    ]
    of = Material(title="made", folders=[], wanted=Wanted(points=[(13.0, 103.0)]), runs=runs)
    found = found_in(of)
    own = open_history_files(tmp_path / "one_hist_*.nc", layers=LAYERS).times
    assert own is not None
    assert (found.control, found.run, list(found.times)) == ("one", "two", list(own))
    np.testing.assert_allclose(found.of_run[:, 0], [profile(time)[:, 2, 3] for time in times], rtol=1e-6)
    assert found.edges.size == node_depth.size + 1
    assert np.isfinite(found.rain).all()
    assert "the last analysis" not in picture_of(of).caption


@pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])
def test_what_is_drawn_is_in_the_table(grid: Grid, tmp_path: Path) -> None:
    row, column = grid.shape[0] // 2, grid.shape[1] // 2
    points = [(float(grid.latitude[row + n]), float(grid.longitude[column])) for n in (0, 1, 2)]
    of = material(grid, wanted=Wanted(points=points))
    picture = picture_of(of)
    columns = csv_of(picture, tmp_path)
    run, control = (columns_of(columns, name, 3) for name in ("run0", "control"))
    assert times_of(columns["time"][:13]) == [START + number * SIX for number in range(13)]
    axes = panels(picture)
    assert len(axes) == 3
    for number in range(3):
        mesh = mesh_of(axes[number])
        np.testing.assert_allclose(mesh.get_array(), (run - control)[number].T, atol=1e-6)
        assert mesh.get_clim() == (-0.04, 0.04)
        assert [float(line.get_xdata()[0]) for line in axes[number].get_lines()] == [
            (LAST - START.replace(year=1970, month=1, day=1)).days
        ]
    during = np.array(times_of(columns["time"][:13])) <= LAST
    edges = np.array([0.0, 0.1, 0.4, 1.0])
    change = mean_change((run - control)[:, during].swapaxes(0, 1), edges)
    titles = [one.get_title(loc="right") for one in axes]
    assert [title.split()[1] for title in titles] == [f"{one:.3f}" for one in change]
    assert f"{change.max():.3f}" in picture.alt
    assert "(a) 1.00 m, (b) 1.00 m, (c) 1.00 m" in picture.caption


def test_contours_are_of_running_means_of_five_days(tmp_path: Path) -> None:
    of = material(REGION, wanted=Wanted(points=[(30.5, 112.5)]))
    picture = picture_of(of)
    columns = csv_of(picture, tmp_path)
    water = columns_of(columns, "run0", 1)[0]
    # The first time, at midnight, is of the day before; the others are four to a day.
    days = np.stack([water[:1].mean(axis=0), *water[1:].reshape(3, 4, 3).mean(axis=1)])
    smooth = np.stack([days[max(0, n - 2) : n + 3].mean(axis=0) for n in range(4)])
    lines = next(one for one in panels(picture)[0].collections if isinstance(one, ContourSet))
    np.testing.assert_allclose([lines.zmin, lines.zmax], [smooth.min(), smooth.max()], atol=1e-6)
    np.testing.assert_allclose(np.diff(lines.levels), 0.05)


def test_rain_of_days_is_the_mean_of_what_the_table_has(tmp_path: Path) -> None:
    picture = picture_of(folder_runs(tmp_path, POINTS))
    columns = csv_of(picture, tmp_path)
    bars = panels(picture)[0].patches
    assert len(bars) == 1
    assert bars[0].get_height() == pytest.approx(np.nanmean(columns["rain_mm_day-1"]), rel=1e-6)


def test_the_mean_change_weighs_layers_by_what_of_them_is_above_a_metre() -> None:
    difference = np.random.default_rng(4).standard_normal((5, 2, 10))
    expected = (np.abs(difference) * overlap_weights(0.0, 1.0)).sum(axis=-1).mean(axis=0)
    np.testing.assert_allclose(mean_change(difference, interface_depth), expected)


def test_without_a_control_or_a_history_it_is_said() -> None:
    of = material(REGION)
    said = "there are no histories of a run with analyses and of a control without"
    assert depth_sections_section(dataclasses.replace(of, runs=of.runs[1:])) == said
    assert depth_sections_section(dataclasses.replace(of, runs=of.runs[:1])) == said
    assert depth_sections_section(dataclasses.replace(of, runs=())) == said
    other = dataclasses.replace(of, runs=[of.runs[0], material(GLOBE).runs[1]])
    assert depth_sections_section(other) == "control and run0 are on other grids"
