"""Water, clamps and rejected pixels, cost, and provenance in a report."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from analyses_made import GLOBE, REGION, STAGES, material_of, write_made_analysis, write_made_run
from matplotlib.container import BarContainer
from pictures import touching
from runs import make_run

from imgda_mpi.colm.ledger import FLAGS
from imgda_mpi.report.cost import cost_section
from imgda_mpi.report.material import Material, Ran, Wanted
from imgda_mpi.report.picture import Picture, Section, write_picture
from imgda_mpi.report.provenance import provenance_section
from imgda_mpi.report.rejected import rejected_section
from imgda_mpi.report.run_table import sums_of_fluxes
from imgda_mpi.report.theme import MINUS
from imgda_mpi.report.water import water_section
from imgda_mpi.results.account_file import read_account
from imgda_mpi.results.run_images import instants

METHODS = pytest.mark.parametrize("method", ["paper", "innovation", "pointwise", "insert", "none"])


def made(section: Section | str) -> Section:
    assert isinstance(section, Section)
    return section


def rows_of(picture: Picture, folder: Path) -> dict[str, list[str]]:
    write_picture(picture, folder, folder / "picture.png")
    with (folder / f"{picture.name}.csv").open(encoding="utf-8") as text:
        names, *rows = csv.reader(text)
    return {name: [row[n] for row in rows] for n, name in enumerate(names)}


def numbers(column: list[str]) -> np.ndarray:
    return np.array([float(field or "nan") for field in column])


def days(column: list[str]) -> np.ndarray:
    return np.array([datetime.fromisoformat(time).timestamp() / 86400 for time in column])


def value(text: str) -> float:
    return float(text.replace(MINUS, "-"))


@METHODS
def test_the_ledger_of_an_analysis_adds_up(method: str, tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION, method)
    account = read_account(folder / "diagnostics.nc")
    section = made(water_section(material_of(folder)))
    (table,), (picture,) = section.tables, section.pictures
    water = account.water
    # Each number has its sign for the soil.
    soil = [water["before"], water["requested"], -water["frozen"], -water["clamped"], water["after"] - water["before"]]
    expected = [*soil, water["after"], water["aquifer"], water["unbalanced"], account.residual]
    np.testing.assert_allclose([value(row[1]) for row in table.rows[1:]], expected, atol=6e-4)
    assert sum(soil[1:4]) == pytest.approx(soil[4], abs=1e-6)
    rows = rows_of(picture, tmp_path)
    start, end = numbers(rows["from_kg_m-2"]), numbers(rows["to_kg_m-2"])
    assert rows["term"] == ["requested", "frozen", "clamped", "applied", "aquifer", "unbalanced"]
    # Step by step from what was asked for to what came into the soil.
    np.testing.assert_array_equal(start[1:3], end[:2])
    assert end[2] == pytest.approx(end[3], abs=1e-6)
    assert end[3] == pytest.approx(account.water["after"] - account.water["before"], abs=1e-6)
    bars = picture.figure.axes[0].containers[0]
    assert isinstance(bars, BarContainer)
    np.testing.assert_allclose([bar.get_width() for bar in bars], end - start, atol=1e-6)
    np.testing.assert_allclose([bar.get_x() for bar in bars], start, atol=1e-6)
    said = [value(text.get_text()) for text in picture.figure.axes[0].texts]
    np.testing.assert_allclose(said, end - start, atol=6e-4)
    assert touching(picture.figure) == []


def test_the_water_of_runs_is_summed_up_in_time(tmp_path: Path) -> None:
    runs = [write_made_run(tmp_path / method, 5, method=method, passed=(2,)) for method in ("paper", "pointwise")]
    material = material_of(*runs)
    section = made(water_section(material))
    picture = section.pictures[1]
    rows = rows_of(picture, tmp_path)
    upper, lower = picture.figure.axes
    for ran, line in zip(material.runs, lower.get_lines(), strict=False):
        of_run = np.array(rows["run"]) == ran.name
        applied = numbers(rows["applied_kg_m-2"])[of_run]
        expected = [one.water["after"] - one.water["before"] for one in ran.accounts]
        np.testing.assert_allclose(applied, expected, atol=1e-6)
        total = numbers(rows["sum_kg_m-2"])[of_run]
        np.testing.assert_allclose(total, applied.cumsum(), atol=1e-5)
        np.testing.assert_allclose(np.asarray(line.get_ydata()), total, rtol=1e-5)
        np.testing.assert_allclose(np.asarray(line.get_xdata()), days(rows["time"])[of_run])
        assert f"{total[-1]:+.2f}".replace("-", MINUS) in picture.caption
    last = np.array(rows["run"]) == material.runs[-1].name
    for name, line in zip(("requested", "frozen", "clamped", "applied"), upper.get_lines(), strict=False):
        np.testing.assert_allclose(np.asarray(line.get_ydata()), numbers(rows[f"{name}_kg_m-2"])[last], rtol=1e-5)
    assert touching(picture.figure) == []


def test_fluxes_of_soil_columns_are_summed_over_all_windows(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    sums, n_days = sums_of_fluxes(run)
    expected = dict.fromkeys(sums, 0.0)
    for instant in instants(run):
        if instant.index > 0:
            lasts = (instant.time - instant.history.times[instant.index - 1]).total_seconds()
            for name in sums:
                image, area = instant.history.image(name, instant.index), instant.history.grid.cell_area
                there = np.isfinite(image)
                expected[name] += lasts * float(np.average(image[there], weights=area[there]))
    assert sums == pytest.approx(expected)
    assert n_days == pytest.approx(1.0)
    # A run without analyses has this table alone.
    section = water_section(
        Material(title="", folders=[], wanted=Wanted(), runs=[Ran(name="run", directory=run.directory, run=run)])
    )
    assert isinstance(section, Section)
    ((_, line),) = [table.rows for table in section.tables]
    left = sums["rain"] - sums["runoff"] - sums["evaporation"]
    assert line[:3] == ("run", "1", f"{sums['rain']:.2f}")
    assert line[-1] == f"{left:+.2f}".replace("-", MINUS)


@METHODS
def test_pixels_and_cells_have_counts_and_shares(method: str, tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION, method)
    account = read_account(folder / "diagnostics.nc")
    section = made(rejected_section(material_of(folder)))
    pixels, updates = section.tables
    for row in pixels.rows[1:]:
        whole = account.pixels["cells" if row[0].startswith("cells") else "source pixels"]
        assert int(row[1]) == account.pixels[row[0]]
        assert float(row[2]) == pytest.approx(100 * account.pixels[row[0]] / whole, abs=0.06)
    for flag, row in zip(FLAGS, updates.rows[1:], strict=True):
        assert (int(row[1]), int(row[2])) == (account.patches[flag], account.cells[flag])
        assert FLAGS[flag] in section.details["What the reasons of the soil are"]
    assert list(section.pictures) == []
    assert "used 3000 of 4000 pixels" in section.text[0]


def test_reasons_of_a_run_are_drawn_in_time(tmp_path: Path) -> None:
    material = material_of(write_made_run(tmp_path / "run", 25, passed=(3,)))
    (picture,) = made(rejected_section(material)).pictures
    rows = rows_of(picture, tmp_path)
    upper, lower = picture.figure.axes
    times = days(rows.pop("time"))
    lines = [*upper.get_lines(), *lower.get_lines()]
    assert len(lines) == len(rows)
    for line, column in zip(lines, rows.values(), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_xdata()), times)
        np.testing.assert_allclose(np.asarray(line.get_ydata(), float), numbers(column), rtol=1e-5)
    assert numbers(rows["pixels_below_range_percent"]).tolist() == [1.5] * 24
    refused = numbers(rows["cells_refused_1"])
    assert refused.tolist() == [one.cells["refused"] for one in material.runs[0].accounts]
    assert f"{refused.max():.0f} (all layers at a bound)" in picture.caption
    assert touching(picture.figure) == []


@pytest.mark.parametrize("n_ranks", [1, 3, 40])
def test_bars_of_ranks_are_their_stages_and_memory(n_ranks: int, tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", GLOBE, "pointwise", n_ranks=n_ranks)
    account = read_account(folder / "diagnostics.nc")
    section = made(cost_section(material_of(folder)))
    (table,), (picture,) = section.tables, section.pictures
    rows = rows_of(picture, tmp_path)
    times, memory = picture.figure.axes
    total = np.zeros(n_ranks)
    for number, (stage, bars) in enumerate(zip(STAGES, times.containers, strict=True)):
        assert isinstance(bars, BarContainer)
        np.testing.assert_allclose([bar.get_height() for bar in bars], numbers(rows[f"{stage}_s"]), rtol=1e-6)
        np.testing.assert_allclose([bar.get_y() for bar in bars], total, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(numbers(rows[f"{stage}_s"]), account.seconds[:, number], rtol=1e-6)
        total += numbers(rows[f"{stage}_s"])
        assert table.rows[1 + number][0] == stage
        assert float(table.rows[1 + number][2]) == pytest.approx(account.seconds[:, number].max(), abs=6e-4)
    (bars,) = memory.containers
    assert isinstance(bars, BarContainer)
    np.testing.assert_allclose([bar.get_height() for bar in bars], numbers(rows["peak_memory_bytes"]) / 1e6)
    assert f"{total.max():.2f} s in all" in picture.caption
    assert f"on {n_ranks} rank" in picture.caption
    assert touching(picture.figure) == []


def test_time_of_cycles_is_told_apart_by_what_took_it(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", 25, passed=(3,), method="pointwise")
    control = write_made_run(tmp_path / "control", 2, passed=(0, 1))
    section = made(cost_section(material_of(control, run)))
    assert [picture.name for picture in section.pictures] == ["cost_cycles", "cost_ranks"]
    rows = rows_of(section.pictures[0], tmp_path)
    assert np.flatnonzero(np.isnan(numbers(rows["analysis_s"]))).tolist() == [3]
    for line, kind in zip(section.pictures[0].figure.axes[0].get_lines(), ("model", "own", "analysis"), strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata(), float), numbers(rows[f"{kind}_s"]))
        np.testing.assert_allclose(np.asarray(line.get_xdata()), days(rows["time"]))
    total = sum(np.nansum(numbers(rows[f"{kind}_s"])) for kind in ("model", "own", "analysis"))
    head, of_control, of_run = section.tables[0].rows
    assert (of_run[0], of_run[1], of_run[2], of_run[3]) == ("run", "25", "24", "1")
    assert float(of_run[head.index("wall time (s)")]) == pytest.approx(total, abs=0.06)
    assert of_control[2:4] == ("0", "-")
    assert "model 375.0 s" in section.pictures[0].caption
    assert touching(section.pictures[0].figure) == []


def test_provenance_has_settings_seed_versions_and_inputs_with_checksums(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", 2, method="pointwise")
    section = made(provenance_section(material_of(run)))
    runs, analysis = section.tables
    assert runs.rows[1][:2] == ("run", "soil columns of demo")
    said = dict(analysis.rows)
    assert (said["seed"], said["ranks"], said["method"]) == ("5", "1", "pointwise")
    assert said["inputs"] == "2 files"
    assert section.details["run: settings"] == (run / "settings.toml").read_text()
    assert json.loads(section.details["run: what it is, and versions"])["seed"] == 5
    account = read_account(run / "cycles/20220602T00/analysis/diagnostics.nc")
    assert json.loads(section.details["The analysis: settings in force"]) == account.settings
    inputs = section.details["The analysis: inputs, bytes and SHA-256"].splitlines()
    assert inputs[1].split() == ["/data/restart.nc", "1234", "a" * 64]
    assert "numpy" in section.details["The analysis: versions"]
    for name, fact in account.facts.items():
        assert f"{name} " in section.details["The analysis: numbers that the method found"]
        assert fact.meaning in section.details["The analysis: numbers that the method found"]


def test_an_analysis_without_observation_has_all_but_pixels(tmp_path: Path) -> None:
    material = material_of(write_made_analysis(tmp_path / "one", REGION, is_observed=False))
    assert "had no observation" in made(rejected_section(material)).text[0]
    assert len(made(rejected_section(material)).tables) == 1
    for part in (water_section, cost_section, provenance_section):
        assert isinstance(part(material), Section)


def test_what_has_no_analysis_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    control = material_of(write_made_run(tmp_path / "control", 2, passed=(0, 1)))
    for part in (water_section, rejected_section):
        assert isinstance(part(control), str)
    for part in (cost_section, provenance_section):
        assert isinstance(part(control), Section)
        assert isinstance(part(material_of()), str)
