"""Maps of days to step through."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from made_series import START
from pictures import csv_of, mesh_of, on_grid
from report_runs import GLOBE, REGION, drawn, image, material, run, series

from imgda_mpi.grid import Grid
from imgda_mpi.report.day_maps import day_maps_section, days_shown
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Picture, Section, write_picture

DAY = timedelta(days=1)


def steps_of(of: Material) -> list[Picture]:
    section = day_maps_section(of)
    assert isinstance(section, Section)
    assert not section.pictures
    return list(section.steps)


@pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])
def test_each_day_has_a_control_a_run_and_their_difference(grid: Grid, tmp_path: Path) -> None:
    steps = steps_of(material(grid))
    assert [step.label for step in steps] == ["2 Jun 2022", "3 Jun 2022", "4 Jun 2022", "5 Jun 2022"]
    for day, step in enumerate(steps):
        columns = csv_of(step, tmp_path)
        names = ["control_m3_m-3", "run0_m3_m-3", "run0_minus_control_m3_m-3"]
        assert list(columns)[2:] == names
        for axes, name in zip(step.figure.axes, names, strict=False):
            np.testing.assert_allclose(drawn(axes, grid), on_grid(columns, name, grid), atol=1e-6)
        np.testing.assert_allclose(on_grid(columns, names[0], grid), image(grid, 4 * day, 0.05)[0], atol=1e-6)
        # Up to the last analysis, a day after the first one, the state after it is drier by 0.01.
        np.testing.assert_allclose(columns[names[2]], -0.03 - 0.01 * (day <= 1), atol=1e-6)
        for name in names:
            assert f"{np.nanmean(columns[name]):.3f}" in step.alt


def test_all_days_have_the_same_limits() -> None:
    limits = [[mesh_of(axes).get_clim() for axes in step.figure.axes[:3]] for step in steps_of(material(REGION))]
    assert limits == [[(0.0, 0.5), (0.0, 0.5), (-0.04, 0.04)]] * 4


def test_at_most_twelve_days_are_shown_evenly_spaced_up_to_the_end() -> None:
    of = [series(REGION, 0.0, analysed=False, n_days=40)]
    times = days_shown(of, START + 2 * DAY + timedelta(hours=6))
    assert len(times) == 12
    assert (times[0], times[-1].date()) == (START + 2 * DAY + timedelta(hours=6), (START + 40 * DAY).date())
    gaps = np.diff([time.timestamp() for time in times[:-1]]) / 86400
    assert set(gaps) <= {3.0, 4.0}
    assert days_shown(of, START + 50 * DAY) == []


def test_a_run_alone_is_shown_alone() -> None:
    of = material(REGION)
    two = dataclasses.replace(of, runs=[run("earlier", series(REGION, 0.0, analysed=True)), of.runs[1]])
    assert two.pair is None
    assert [axes.get_title(loc="left") for axes in steps_of(two)[0].figure.axes] == ["run0", ""]
    section = day_maps_section(dataclasses.replace(of, runs=of.runs[1:]))
    assert isinstance(section, Section)
    assert section.text == ["There is no control to hold run0 beside."]
    assert len(section.steps[0].figure.axes) == 2
    assert day_maps_section(dataclasses.replace(of, runs=())) == "there is no history of a run in what was given"
    other = dataclasses.replace(of, runs=[of.runs[0], run("other", series(GLOBE, 0.0, analysed=True))])
    assert day_maps_section(other) == "control and other are on other grids"


def test_a_day_is_small_enough_for_a_page_of_twelve(tmp_path: Path) -> None:
    png, *_ = write_picture(steps_of(material(GLOBE))[0], tmp_path, tmp_path / "day.png")
    assert 10e3 < png.stat().st_size < 250e3
