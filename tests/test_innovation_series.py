"""Innovations over the cycles, and of an analysis alone."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from innovations_made import GRID, START, write_diagnostics
from innovations_made import make_run as make_innovations
from problems import SELF
from report_runs import csv_of, times_of

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.report.innovation_series import PANELS, innovation_series_section
from imgda_mpi.report.innovations_words import sentences
from imgda_mpi.report.material import Material, Ran, Wanted
from imgda_mpi.report.picture import Section
from imgda_mpi.report.time_axis import days_since_1970
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
    assert section.pictures == []
    assert "It is one analysis" in section.text[0]
    assert innovation_series_section(PLAIN) == "there is no analysis in what was given"


def test_an_analysis_alone_says_what_its_method_found(tmp_path: Path) -> None:
    innovation = 0.05 * np.random.default_rng(2).standard_normal(GRID.shape) + 0.01
    facts = {"chi2": 1.31, "innovation_mean": 0.01, "innovation_mean_expected": 0.004, "observation_error": 0.02}
    write_diagnostics(tmp_path / "diagnostics.nc", START, innovation, 0.5 * innovation, _settings(), facts=facts)
    alone = Ran(name="mine", directory=tmp_path, times=[START], analyses=[tmp_path])
    section = section_of(dataclasses.replace(PLAIN, runs=[alone]))
    mean, sd = innovation.mean(), innovation.std()
    assert f"mean of {mean:+.3f} and a standard deviation of {sd:.3f}" in section.text[0]
    assert f"O-A of {sd / 2:.3f}" in section.text[0]
    assert "chi2 is 1.31, where 1 is expected" in section.text[0]
    assert "some 0.004" in section.text[0]
    rows = {row[0]: row for row in section.tables[0].rows}
    assert rows["observation error"][1:] == ("0.02", "", "a number")
    assert rows["sd ob"][1] == f"{sd:.4g}"


def test_an_analysis_without_an_observed_cell_says_so(tmp_path: Path) -> None:
    nothing = np.full(GRID.shape, np.nan)
    write_diagnostics(tmp_path / "diagnostics.nc", START, nothing, nothing, _settings())
    alone = Ran(name="mine", directory=tmp_path, times=[START], analyses=[tmp_path])
    assert section_of(dataclasses.replace(PLAIN, runs=[alone])).text == ["mine has no observed cell."]


def _settings() -> dict[str, dict[str, object]]:
    return {"method": {"kind": "pointwise"}, "errors": {"observation": 0.03}, "curvelet": {"n_scales": None}}
