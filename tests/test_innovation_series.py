"""Innovations over the cycles, and of an analysis alone."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from analyses_made import material_of, write_made_analysis
from innovations_made import GRID
from innovations_made import make_run as make_innovations
from pictures import csv_of
from problems import SELF
from report_runs import times_of

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.report.innovation_series import PANELS, innovation_series_section
from imgda_mpi.report.innovations_words import sentences
from imgda_mpi.report.material import Material, Wanted
from imgda_mpi.report.picture import Section
from imgda_mpi.report.time_axis import days_since_1970
from imgda_mpi.results.account_file import read_account
from imgda_mpi.results.analysis_file import read_innovation
from imgda_mpi.verify.innovations import STATISTICS
from imgda_mpi.verify.regions import BOXES
from imgda_mpi.workflow.verify_innovations import innovations_of
from imgda_mpi.workflow.verify_inputs import Inputs

PLAIN = Material(title="made", folders=[], wanted=Wanted())


def section_of(of: Material) -> Section:
    found = innovation_series_section(of)
    assert isinstance(found, Section)
    return found


def runs_of(folder: Path) -> Material:
    """What a verification says of the innovations of a run."""
    box = {"China": BOXES["China"]}
    inputs = Inputs(runs={}, grid=GRID, times=(), window=None, periods={}, boxes=box, layers=LAYERS)
    return dataclasses.replace(PLAIN, innovations=innovations_of({folder.name: folder}, inputs, SELF) or [])


def test_a_run_has_a_picture_of_its_analyses_a_table_by_region_and_its_sentences(tmp_path: Path) -> None:
    of = runs_of(make_innovations(tmp_path / "mine", 12))
    section, run = section_of(of), of.innovations[0]
    picture = section.pictures[0]
    columns = csv_of(picture, tmp_path)
    assert times_of(columns["time"]) == [datetime.fromtimestamp(second, UTC) for second in run.times]
    for name, (_, unit) in STATISTICS.items():
        column = name if unit == "1" else f"{name}_m3_m-3"
        np.testing.assert_allclose(columns[column], run.series[name][:, 0], rtol=1e-6)
    by_column = {name.removesuffix("_m3_m-3"): column for name, column in columns.items()}
    assert len(picture.figure.axes) == len(PANELS)
    for axes, (label, lines) in zip(picture.figure.axes, PANELS, strict=True):
        assert axes.get_ylabel() == label
        own = {line.get_label(): line for line in axes.get_lines()}
        for name, (words, colour, style, _) in lines.items():
            assert (own[words].get_color(), own[words].get_linestyle()) == (colour, style)
            np.testing.assert_allclose(own[words].get_ydata(), by_column[name], rtol=1e-6)
            np.testing.assert_allclose(own[words].get_xdata(), days_since_1970(times_of(columns["time"])))
    # All cells count alike, so that the mean of all is that of the analyses' means.
    assert f"chi2 is {np.mean(columns['chi2']):.2f}" in picture.alt
    assert f"O-B has a standard deviation of {run.values['sd_ob'][0, 0]:.3f}" in picture.caption
    assert " ".join(sentences(run, 0)).replace("+-", "±") in section.text[0]
    table = section.tables[0]
    assert [row[0] for row in table.rows] == ["region", *run.regions]
    assert table.rows[1][1] == "12"


def test_runs_without_analyses_and_single_ones_have_no_series(tmp_path: Path) -> None:
    of = runs_of(make_innovations(tmp_path / "one", 1))
    section = section_of(of)
    assert not section.pictures
    assert "It is one analysis" in section.text[0]
    assert innovation_series_section(PLAIN) == "there is no analysis in what was given"


def test_an_analysis_alone_says_what_its_method_found(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "mine", method="innovation")
    saved, facts = read_innovation(folder / "diagnostics.nc"), read_account(folder / "diagnostics.nc").facts
    section = section_of(material_of(folder))
    innovation, increment = saved.images.innovation, saved.images.increment
    seen = np.isfinite(innovation)
    mean, sd, left = innovation[seen].mean(), innovation[seen].std(), (innovation - increment)[seen].std()
    assert f"mean of {mean:+.3f} and a standard deviation of {sd:.3f}" in section.text[0]
    assert f"over {seen.sum()} cells; O-A of {left:.3f}" in section.text[0]
    assert f"chi2 is {facts['chi2'].value:.2f}, where 1 is expected" in section.text[0]
    assert f"some {facts['innovation_mean_expected'].value:.3f}" in section.text[0]
    rows = {row[0]: row for row in section.tables[0].rows}
    fact = facts["observation_error"]
    assert rows["observation error"][1:] == (f"{fact.value:.4g}", "m³ m⁻³", fact.meaning)
    assert rows["sd ob"][1] == f"{sd:.4g}"


def test_an_analysis_without_an_observed_cell_says_so(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "mine", is_observed=False)
    assert section_of(material_of(folder)).text == ["mine has no observed cell."]
