"""Scores of runs in time, and their means."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pictures import csv_of
from report_runs import LAST, REGION, material, times_of
from runs import HOUR, START

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.report.material import Curves, Material
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.score_means import means_table
from imgda_mpi.report.score_panels import MARKERS, score_panels_section
from imgda_mpi.report.theme import LAYER_COLOURS, layer_name, moment
from imgda_mpi.report.time_axis import days_since_1970
from imgda_mpi.verify.score_series import ScoreRow, Side
from imgda_mpi.verify.scores import Scores
from imgda_mpi.verify.status import FIT, INDEPENDENT, SAME_PRODUCT

SIX = timedelta(hours=6)
N_TIMES = 13


def rows(runs: list[str], layers: tuple[tuple[float, float], ...] = LAYERS) -> list[ScoreRow]:
    """Every six hours; control has one score at each, runs two up to `LAST` but for the first time, where it is one."""
    found = []
    for number in range(N_TIMES):
        time = START + number * SIX
        for of_layer, layer in enumerate(layers):
            for of_run, run in enumerate(["control", *runs]):
                both: tuple[Side, ...] = ("before", "after") if number else ("after",)
                sides: tuple[Side, ...] = ("",) if run == "control" or time > LAST else both
                for side in sides:
                    scc = 0.5 + 0.03 * of_run - 0.1 * of_layer + 0.01 * number - 0.05 * (side == "before")
                    found.append(
                        ScoreRow(run, "truth", layer, time, side, Scores(40 + of_layer, scc, 0.2 - scc / 10, -0.01))
                    )
    return found


def with_curves(*curves: Curves, n_runs: int = 1) -> Material:
    return dataclasses.replace(material(REGION, n_runs=n_runs), curves=curves)


def truth(runs: list[str]) -> Curves:
    return Curves(name="truth", status=dict.fromkeys(LAYERS, INDEPENDENT), rows=rows(runs))


def section_of(of: Material) -> Section:
    found = score_panels_section(of)
    assert isinstance(found, Section)
    return found


def lines_from(picture: Picture, directory: Path, run: str, layer: tuple[float, float], score: str) -> np.ndarray:
    """Times and scores of a line, computed from the CSV."""
    columns = csv_of(picture, directory)
    own = [
        number
        for number, name in enumerate(columns["run"])
        if name == run and np.isclose(columns["layer_top_m"][number], layer[0])
    ]
    times = days_since_1970([times_of(columns["time"])[number] for number in own])
    return np.stack([times, columns[score][own]], axis=1)


@pytest.mark.parametrize("n_runs", [1, 3, 5])
def test_each_run_is_drawn_beside_the_control_with_the_numbers_of_the_table(n_runs: int, tmp_path: Path) -> None:
    names = [f"run{number}" for number in range(n_runs)]
    picture = section_of(with_curves(truth(names), n_runs=n_runs)).pictures[0]
    axes = picture.figure.axes
    assert len(axes) == 2 * n_runs
    for number, name in enumerate(names):
        assert axes[2 * number].get_title(loc="left") == f"({'abcde'[number]}) {name} and control"
        for panel, score in zip(axes[2 * number : 2 * number + 2], ("scc", "ubrmse_m3_m-3"), strict=True):
            *lines, mark = panel.get_lines()
            assert mark.get_xdata()[0] == days_since_1970([LAST])[0]
            assert [line.get_linestyle() for line in lines] == ["--", "-"] * 3
            assert [line.get_color() for line in lines] == [colour for colour in LAYER_COLOURS for _ in range(2)]
            assert [line.get_marker() for line in lines] == [marker for marker in MARKERS for _ in range(2)]
            for layer, (control, run) in zip(LAYERS, zip(lines[::2], lines[1::2], strict=True), strict=True):
                of_control = lines_from(picture, tmp_path, "control", layer, score)
                np.testing.assert_allclose(control.get_xydata(), of_control, rtol=1e-6)
                # The first analysis is a step from the control's score, which all start from.
                own = np.concatenate([of_control[:1], lines_from(picture, tmp_path, name, layer, score)])
                np.testing.assert_allclose(run.get_xydata(), own, rtol=1e-6)
    assert len({panel.get_ylim() for panel in axes[::2]}) == 1
    assert len({panel.get_xlim() for panel in axes}) == 1


def test_the_table_is_in_long_form(tmp_path: Path) -> None:
    columns = csv_of(section_of(with_curves(truth(["run0"]))).pictures[0], tmp_path)
    every = sorted(rows(["run0"]), key=lambda row: (row.time, row.run != "control"))
    assert list(columns) == [
        *("run", "layer_top_m", "layer_bottom_m", "time", "side_of_analysis"),
        *("n_cells", "scc", "ubrmse_m3_m-3", "bias_m3_m-3"),
    ]
    assert columns["side_of_analysis"] == [row.side for row in every]
    np.testing.assert_allclose(columns["scc"], [row.scores.scc for row in every])
    assert times_of(columns["time"]) == [row.time for row in every]


def test_words_quote_the_scores_after_the_last_analysis(tmp_path: Path) -> None:
    picture = section_of(with_curves(truth(["run0"]))).pictures[0]
    columns = csv_of(picture, tmp_path)
    at = [
        number
        for number, time in enumerate(times_of(columns["time"]))
        if time == LAST and columns["layer_top_m"][number] == 0 and columns["side_of_analysis"][number] != "before"
    ]
    for number in at:
        words = (
            f"{columns['run'][number]} SCC {columns['scc'][number]:.2f}, ubRMSE {columns['ubrmse_m3_m-3'][number]:.3f}"
        )
        assert words in picture.alt
        assert words in picture.caption
    assert moment(LAST) in picture.caption


def test_every_layer_has_its_status() -> None:
    images = Curves(name="image", status={LAYERS[0]: FIT}, rows=rows(["run0"], LAYERS[:1]))
    section = section_of(with_curves(truth(["run0"]), images))
    assert [picture.name for picture in section.pictures] == ["score_series_truth", "score_series_image"]
    legends = [text.get_text() for text in section.pictures[1].figure.legends[0].get_texts()]
    assert legends == [f"0-10 cm ({FIT})"]
    legends = [text.get_text() for text in section.pictures[0].figure.legends[0].get_texts()]
    assert legends == [f"{layer_name(layer)} ({INDEPENDENT})" for layer in LAYERS]
    assert f"After it image is: {SAME_PRODUCT}." in section.pictures[1].caption


def test_means_are_over_the_assimilation_and_the_forecast_without_states_before_analyses() -> None:
    curves = truth(["run0"])
    table = means_table(curves, (START, LAST))
    assert len(table.rows) == 1 + 3 * 2 * 2
    own = [row for row in curves.rows if row.run == "run0" and row.layer == LAYERS[1] and row.side != "before"]
    for period, inside in (("assimilation", True), ("forecast", False)):
        scores = [row.scores for row in own if (row.time <= LAST) == inside]
        line = next(row for row in table.rows if row[:4] == ("10-40 cm", INDEPENDENT, period, "run0"))
        means = [np.mean([getattr(one, name) for one in scores]) for name in ("scc", "ubrmse", "bias")]
        assert line[4:] == (str(len(scores)), "41", f"{means[0]:.3f}", f"{means[1]:.4f}", f"{means[2]:+.4f}")


def test_what_was_assimilated_is_no_fit_in_the_forecast() -> None:
    curves = Curves(name="image", status={LAYERS[0]: FIT}, rows=rows(["run0"], LAYERS[:1]))
    words = {(row[2], row[1]) for row in means_table(curves, (START, LAST)).rows[1:]}
    assert words == {("assimilation", FIT), ("forecast", SAME_PRODUCT)}
    assert {row[1:3] for row in means_table(curves, None).rows[1:]} == {(FIT, "all")}


def test_a_run_alone_is_drawn_alone_and_one_moment_is_no_series() -> None:
    alone = [row for row in rows([]) if row.run == "control"]
    section = section_of(with_curves(Curves(name="truth", status={}, rows=alone)))
    assert len(section.pictures[0].figure.axes) == 2
    legend = [text.get_text() for text in section.pictures[0].figure.legends[1].get_texts()]
    assert legend == ["control", "last analysis"]
    moment_alone = [row for row in alone if row.time == START + HOUR * 6]
    section = section_of(with_curves(Curves(name="truth", status={}, rows=moment_alone)))
    assert section.pictures == []
    assert len(section.tables) == 1
    assert isinstance(score_panels_section(with_curves()), str)


def test_panels_and_tables_have_the_runs_in_the_order_of_the_page() -> None:
    of = with_curves(truth(["run1", "run0"]), n_runs=2)
    assert [ran.name for ran in of.runs] == ["control", "run0", "run1"]
    section = section_of(of)
    titles = [axes.get_title(loc="left") for axes in section.pictures[0].figure.axes]
    assert [title for title in titles if title] == ["(a) run0 and control", "(b) run1 and control"]
    assert list(dict.fromkeys(row[3] for row in section.tables[0].rows[1:])) == ["control", "run0", "run1"]
