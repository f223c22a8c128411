"""Maps of scores in every cell: read as they were written, and drawn as their table says."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from pictures import mesh_of, on_grid, read_numbers, touching
from test_station_pictures import section

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.report.material import Material, Wanted
from imgda_mpi.report.score_maps import SCORES, score_maps_section
from imgda_mpi.report.theme import MINUS
from imgda_mpi.results.score_maps_file import MapsWriter, open_score_maps

GRID = Grid(50.5 - np.arange(8.0), 100.5 + np.arange(9.0))
LAYERS = ((0.0, 0.1), (0.1, 0.4))
PERIODS = ("assimilation", "forecast")


def made_maps(rng: np.random.Generator, n_runs: int) -> dict[str, FloatArray]:
    land = rng.uniform(size=GRID.shape) > 0.3
    shape = (n_runs, *GRID.shape)
    maps = {
        "correlation": rng.uniform(0.1, 0.9, shape),
        "ubrmse": rng.uniform(0.02, 0.08, shape),
        "bias": rng.normal(0.0, 0.05, shape),
    }
    return {"n": np.where(land, 12.0, 0.0)} | {name: np.where(land, values, np.nan) for name, values in maps.items()}


def write(path: Path, rng: np.random.Generator, runs: list[str]) -> dict[tuple[int, int], dict[str, FloatArray]]:
    written = {}
    with MapsWriter(path, "product", GRID, runs, LAYERS, PERIODS) as writer:
        for period, layer in np.ndindex(len(PERIODS), len(LAYERS)):
            written[period, layer] = made_maps(rng, len(runs))
            writer.put(period, layer, written[period, layer])
    return written


def material_of(path: Path) -> Material:
    return Material(title="", folders=(), wanted=Wanted(), score_maps=(path,))


def test_maps_are_read_as_they_were_written(tmp_path: Path, rng: np.random.Generator) -> None:
    written = write(tmp_path / "maps.nc", rng, ["control", "paper"])
    saved = open_score_maps(tmp_path / "maps.nc")
    assert (saved.name, saved.runs, saved.periods) == ("product", ["control", "paper"], list(PERIODS))
    assert saved.layers == list(LAYERS)
    np.testing.assert_array_equal(saved.grid.longitude, GRID.longitude)
    for (period, layer), maps in written.items():
        for name, values in saved.of(period, layer).items():
            np.testing.assert_allclose(values, maps[name], rtol=1e-6)


def test_another_file_is_refused(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "other.nc", "w") as file:
        file.title = "another one"
    with pytest.raises(InputError, match=r"other\.nc: found no n, correlation, .*reference_name, expected scores"):
        open_score_maps(tmp_path / "other.nc")


def test_pictures_show_the_first_run_and_what_others_change(tmp_path: Path, rng: np.random.Generator) -> None:
    written = write(tmp_path / "maps.nc", rng, ["control", "paper"])
    made = section(score_maps_section(material_of(tmp_path / "maps.nc")))
    assert [step.label for step in made.steps] == [
        "product, assimilation, 0-10 cm",
        "product, assimilation, 10-40 cm",
        "product, forecast, 0-10 cm",
    ]
    for step, where in zip(made.steps, ((0, 0), (0, 1), (1, 0)), strict=True):
        step.numbers.write(tmp_path / "numbers.csv")
        table = read_numbers(tmp_path / "numbers.csv")
        axes = iter(step.figure.axes)
        for run, name in enumerate(("control", "paper")):
            for score in SCORES:
                unit = "" if score == "correlation" else "_m3_m-3"
                image = on_grid(table, f"{name}_{score}{'_minus_first' if run else ''}{unit}", GRID)
                maps = written[where][score]
                np.testing.assert_allclose(image, maps[run] - maps[0] if run else maps[0], atol=1e-6)
                mesh = mesh_of(next(axes))
                assert isinstance(mesh, QuadMesh)
                shown = np.ma.filled(np.ma.asarray(mesh.get_array(), np.float64), np.nan).reshape(GRID.shape)
                np.testing.assert_allclose(shown, image, atol=1e-6)
                low, high = mesh.get_clim()
                assert low == (-high if run or score == "bias" else 0.0)
        assert touching(step.figure) == []
        r = np.nanmedian(table["control_correlation"] + table["paper_correlation_minus_first"])
        bias = np.nanmedian(table["control_bias_m3_m-3"])
        assert f"paper correlation {r:.2f}" in step.caption
        assert f"bias {bias:+.3f}" in step.caption.replace(MINUS, "-")
        assert "not known whether assimilated" in step.caption


def test_of_many_runs_the_last_ones_are_shown(tmp_path: Path, rng: np.random.Generator) -> None:
    write(tmp_path / "maps.nc", rng, ["control", "b", "c", "d", "e"])
    step = section(score_maps_section(material_of(tmp_path / "maps.nc"))).steps[0]
    titles = [axes.get_title(loc="left") for axes in step.figure.axes[:12]]
    assert titles[3] == f"(d) Correlation, c {MINUS} control"
    assert titles[9] == f"(j) Correlation, e {MINUS} control"
    assert "Left out for their number: b." in step.caption


def test_without_maps_it_is_said_what_brings_them() -> None:
    assert "imgda_mpi verify" in str(score_maps_section(Material(title="", folders=(), wanted=Wanted())))
