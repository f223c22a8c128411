"""Errors of runs by curvelet scale."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from made_series import LAYERS, hours
from pictures import csv_of
from report_runs import REGION, material

from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Section
from imgda_mpi.report.scale_errors import scale_errors_section
from imgda_mpi.results.field_scores_file import SIDES, FieldScores
from imgda_mpi.verify.field_scores import SCORES, WEIGHTS
from imgda_mpi.verify.scales import shortest_waves
from imgda_mpi.verify.status import FIT, INDEPENDENT, SAME_PRODUCT

N_SCALES = 3
RUNS = ["control", "mine"]


def made_fields(n_layers: int = 3) -> FieldScores:
    """Ten moments in two periods; scales are told apart in the first layers."""
    generator = np.random.default_rng(5)
    shape = 10, len(SIDES), len(RUNS), 3, N_SCALES
    error, correlation = 0.02 + 0.05 * generator.random(shape), generator.random(shape)
    reference = 0.1 * generator.random((10, 3, N_SCALES))
    for values in (error, correlation):
        values[:, :, :, n_layers:] = np.nan
    reference[:, n_layers:] = np.nan
    return FieldScores(
        name="truth",
        what="made",
        runs=RUNS,
        layers=LAYERS,
        regions=["all land"],
        periods=["assimilation", "forecast"],
        status=[[FIT, SAME_PRODUCT, SAME_PRODUCT], [INDEPENDENT] * 3],
        times=hours(10),
        period=np.repeat([0, 1], [6, 4]),
        scores=np.full((10, len(SIDES), len(RUNS), 3, 1, len(WEIGHTS), len(SCORES)), np.nan),
        by_scale={"error_by_scale": error, "correlation_by_scale": correlation, "reference_by_scale": reference},
        n_times=10,
    )


def section_of(fields: FieldScores) -> Section:
    found = scale_errors_section(dataclasses.replace(material(REGION), fields=[fields]))
    assert isinstance(found, Section)
    return found


@pytest.mark.parametrize("n_layers", [1, 3])
def test_each_period_has_a_picture_of_the_means_over_its_moments(n_layers: int, tmp_path: Path) -> None:
    fields = made_fields(n_layers)
    pictures = section_of(fields).pictures
    assert [picture.name for picture in pictures] == [
        "errors_by_scale_truth_assimilation",
        "errors_by_scale_truth_forecast",
    ]
    after = SIDES.index("after")
    for period, picture in enumerate(pictures):
        columns = csv_of(picture, tmp_path)
        values = {name: columns[name].reshape(n_layers, len(RUNS), N_SCALES) for name in columns if name != "run"}
        own = {name: one[fields.period == period] for name, one in fields.by_scale.items()}
        error = np.sqrt(np.mean(own["error_by_scale"][:, after] ** 2, axis=0))
        correlation = own["correlation_by_scale"][:, after].mean(axis=0)
        np.testing.assert_allclose(values["error_m3_m-3"], error.swapaxes(0, 1)[:n_layers], rtol=1e-6)
        np.testing.assert_allclose(values["correlation"], correlation.swapaxes(0, 1)[:n_layers], rtol=1e-6)
        np.testing.assert_allclose(values["shortest_wave_m"][0, 0], shortest_waves(REGION, N_SCALES), rtol=1e-6)
        assert len(picture.figure.axes) == 2 * n_layers
        for layer in range(n_layers):
            top, bottom = picture.figure.axes[2 * layer : 2 * layer + 2]
            *lines, itself = top.get_lines()
            np.testing.assert_allclose([line.get_ydata() for line in lines], values["error_m3_m-3"][layer], rtol=1e-6)
            np.testing.assert_allclose(itself.get_ydata(), values["reference_m3_m-3"][layer, 0], rtol=1e-6)
            lines = bottom.get_lines()
            np.testing.assert_allclose([line.get_ydata() for line in lines], values["correlation"][layer], rtol=1e-6)
            assert [line.get_linestyle() for line in lines] == ["--", "-"]
            assert top.get_title(loc="right") == fields.status[period][layer]
        for number, run in enumerate(RUNS):
            largest = values["error_m3_m-3"][0, number]
            words = f"{run} at scale {1 + int(np.argmax(largest))}, {largest.max():.3f}"
            assert words in picture.alt
            assert words in picture.caption


def test_a_period_without_scales_has_no_picture() -> None:
    fields = made_fields()
    for values in fields.by_scale.values():
        values[fields.period == 1] = np.nan
    assert len(section_of(fields).pictures) == 1
    for values in fields.by_scale.values():
        values[:] = np.nan
    nothing: Material = dataclasses.replace(material(REGION), fields=[fields])
    said = "there are no errors by scale: they are of verifications with images"
    assert scale_errors_section(nothing) == said
    assert scale_errors_section(dataclasses.replace(nothing, fields=())) == said
