"""Maps of a reference in two layers, and of runs minus it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from made_series import LAYERS, made
from pictures import csv_of, mesh_of, on_grid
from report_runs import GLOBE, LAST, REGION, drawn, image, material, run, series

from imgda_mpi.grid import Grid
from imgda_mpi.observations.regrid import bilinear
from imgda_mpi.report.layer_maps import layer_maps_section
from imgda_mpi.report.material import Beside, Material, Wanted
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import moment
from imgda_mpi.verify.status import FIT, SAME_PRODUCT


def picture_of(of: Material) -> Picture:
    found = layer_maps_section(of)
    assert isinstance(found, Section)
    return found.pictures[0]


@pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])
def test_maps_are_the_reference_and_runs_minus_it_after_the_last_analysis(grid: Grid, tmp_path: Path) -> None:
    picture = picture_of(material(grid, n_runs=2))
    columns = csv_of(picture, tmp_path)
    names = ["truth", "control_minus_truth", "run0_minus_truth", "run1_minus_truth"]
    every = [f"{name}_{cm}_cm_m3_m-3" for name in names for cm in ("0-10", "10-40")]
    assert list(columns) == ["latitude_degrees_north", "longitude_degrees_east", *every]
    for panel, name in enumerate(every):
        np.testing.assert_allclose(drawn(picture.figure.axes[panel], grid), on_grid(columns, name, grid), atol=1e-6)
    # Frame 4 is that of the last analysis; the analysis takes 0.01 off.
    np.testing.assert_allclose(on_grid(columns, every[1], grid), image(grid, 4)[1], atol=1e-6)
    for name, shift in zip(every[2::2], (0.05, 0.01, 0.02), strict=True):
        np.testing.assert_allclose(columns[name], shift, atol=1e-7)
    limits = {mesh_of(axes).get_clim() for axes in picture.figure.axes[2:8]}
    assert limits == {(-0.05, 0.05)}
    assert {mesh_of(axes).get_clim() for axes in picture.figure.axes[:2]} == {(0.0, 0.5)}


def test_titles_and_words_have_the_numbers_of_the_table_and_the_status_of_each_layer(tmp_path: Path) -> None:
    of = material(REGION)
    status = {LAYERS[0]: FIT, LAYERS[1]: SAME_PRODUCT}
    beside = dataclasses.replace(of.beside[0], status=status)
    picture = picture_of(dataclasses.replace(of, beside=[beside]))
    columns = csv_of(picture, tmp_path)
    titles = [" ".join(axes.get_title(loc="left").split()) for axes in picture.figure.axes[:6]]
    assert titles[:2] == [f"(a) truth, 0-10 cm ({FIT})", f"(b) truth, 10-40 cm ({SAME_PRODUCT})"]
    for title, name in zip(titles[2:], list(columns)[4:], strict=True):
        rms = np.sqrt(np.mean(columns[name] ** 2))
        assert title.endswith(f"RMS {rms:.3f}")
        assert f"{rms:.3f}" in picture.alt
    assert moment(LAST) in picture.caption
    assert f"0-10 cm ({FIT})" in picture.caption


def test_a_reference_on_another_grid_is_regridded_as_it_says(tmp_path: Path) -> None:
    fine = Grid(np.arange(19.25, 42.0, 0.5), np.arange(99.25, 127.0, 0.5))
    of = material(REGION)
    own = Beside(name="fine", status={}, opened=lambda: series(fine, 0.0, analysed=False))
    columns = csv_of(picture_of(dataclasses.replace(of, beside=[own])), tmp_path)
    expected = bilinear(fine, REGION)(image(fine, 4)[0])
    np.testing.assert_allclose(on_grid(columns, "fine_0-10_cm_m3_m-3", REGION), expected, atol=1e-6)


def test_without_a_reference_runs_are_held_beside_the_control(tmp_path: Path) -> None:
    picture = picture_of(material(REGION, has_reference=False))
    columns = csv_of(picture, tmp_path)
    np.testing.assert_allclose(columns["run0_minus_control_0-10_cm_m3_m-3"], 0.02 - 0.05 - 0.01, atol=1e-7)
    assert "No image of reference judges here" in picture.caption


def test_one_run_without_a_reference_has_nothing_to_show() -> None:
    alone = dataclasses.replace(material(REGION, has_reference=False), runs=material(REGION).runs[1:])
    assert layer_maps_section(alone) == "there is nothing that run0 could be held beside"
    assert layer_maps_section(dataclasses.replace(alone, runs=())) == "there is no history of a run in what was given"


def test_a_time_without_an_image_is_said_with_the_nearest_ones() -> None:
    wanted = Wanted(time=LAST + timedelta(hours=1))
    found = layer_maps_section(material(REGION, wanted=wanted))
    nearest = f"the nearest are of {moment(LAST)} and {moment(LAST + timedelta(hours=6))}"
    assert isinstance(found, str)
    assert f"control has no image of {moment(LAST + timedelta(hours=1))}: {nearest}." in found
    truth = made({(LAST - timedelta(hours=6), ""): image(REGION, 1)}, REGION)
    of = material(REGION)
    short = dataclasses.replace(of, beside=[Beside(name="truth", status={}, opened=lambda: truth)])
    section = layer_maps_section(short)
    assert isinstance(section, Section)
    earlier = moment(LAST - timedelta(hours=6))
    assert section.text == [f"truth has no image of {moment(LAST)}: the nearest is of {earlier}."]
    assert "run0 minus control" in section.pictures[0].figure.axes[2].get_title(loc="left")


def test_places_of_the_sections_are_marked_in_the_last_map() -> None:
    picture = picture_of(material(REGION, wanted=Wanted(points=[(30.4, 110.3), (25.2, 120.6)])))
    marks = [line.get_xydata() for axes in picture.figure.axes[:6] for line in axes.get_lines()]
    np.testing.assert_allclose(np.concatenate(marks), [[110.5, 30.5], [120.5, 25.5]])
    assert len(picture.figure.axes[5].get_lines()) == 2


def test_a_run_on_another_grid_is_left_out_and_said() -> None:
    of = material(REGION)
    other = run("other", series(GLOBE, 0.0, analysed=True))
    section = layer_maps_section(dataclasses.replace(of, runs=[*of.runs, other]))
    assert isinstance(section, Section)
    assert section.text == ["other is on another grid (18 x 36 cells) than the first run, and is left out."]
