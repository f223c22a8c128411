"""Pictures and tables of a comparison, held against numbers recomputed from their files and from what was saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from pictures import mesh_of, on_grid, read_numbers, touching
from real_comparisons import Region, write_region
from test_station_pictures import corner, numbers, section, table_of

from imgda_mpi.report.comparison_pictures import comparison_section
from imgda_mpi.report.comparison_table import comparison_table
from imgda_mpi.report.material import Material, Wanted
from imgda_mpi.report.picture import Section
from imgda_mpi.report.theme import MINUS
from imgda_mpi.results.comparison_file import SavedComparison
from imgda_mpi.verify.scores import scores


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return write_region(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="module")
def by_image(region: Region) -> SavedComparison:
    return region.compared("image", output="image")


def made_of(saved: SavedComparison | None) -> Section:
    return section(comparison_section(Material(title="", folders=(), wanted=Wanted(), comparison=saved)))


def test_the_images_are_those_of_the_table_with_their_scores(by_image: SavedComparison, tmp_path: Path) -> None:
    picture = made_of(by_image).pictures[0]
    assert picture.name == "figure"
    picture.numbers.write(tmp_path / "numbers.csv")
    table = read_numbers(tmp_path / "numbers.csv")
    grid, names = by_image.grid, ["background", "judge", "observation", "pointwise", "innovation/full"]
    images = {}
    for name, axes in zip(names, picture.figure.axes, strict=False):
        images[name] = on_grid(table, f"{name}_m3_m-3", grid)
        mesh = mesh_of(axes)
        assert isinstance(mesh, QuadMesh)
        shown = np.ma.filled(np.ma.asarray(mesh.get_array(), np.float64), np.nan).reshape(grid.shape)
        np.testing.assert_allclose(shown, images[name], atol=1e-7)
        assert mesh.get_clim() == (0.0, 0.5)
    for name, axes in zip(names[3:], picture.figure.axes[3:], strict=False):
        seen = np.isfinite(images["observation"])
        score = scores(images[name], images["judge"], seen).ubrmse
        assert axes.get_title(loc="left").endswith(f"{name}: {score:.4f}")
        assert f"{name} {score:.4f}" in picture.caption
    assert "over observed land" in picture.caption


def test_errors_by_scale_are_means_of_the_times(by_image: SavedComparison, tmp_path: Path) -> None:
    picture = made_of(by_image).pictures[1]
    assert picture.name == "spectra"
    table = table_of(picture, tmp_path)
    totals = {}
    for line, name in zip(picture.figure.axes[0].lines, by_image.names, strict=True):
        errors = numbers(table[f"{name}_m3_m-3"])
        np.testing.assert_allclose(np.asarray(line.get_xydata())[:, 1], errors, rtol=1e-6)
        np.testing.assert_allclose(errors, by_image.spectrum[by_image.names.index(name)].mean(axis=0), rtol=1e-6)
        totals[name] = np.sqrt((errors**2).sum())
    best = min(totals, key=lambda name: totals[name])
    assert f"{best} has the least ({totals[best]:.4f} m³ m⁻³)" in picture.caption
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in picture.figure.axes[0].lines}
    assert len(styles) == len(totals)


def test_the_tables_have_the_numbers_of_the_text(by_image: SavedComparison) -> None:
    text = comparison_table(by_image)
    tables = made_of(by_image).tables
    assert [table.caption.split(" (")[0] for table in tables] == ["Observed land", "All land", "Unseen land"]
    for region, table in zip((1, 0, 2), tables, strict=True):
        head, *rows = table.rows
        assert head[:4] == ["method", "SCC", "ubRMSE (m³ m⁻³)", "bias (m³ m⁻³)"]
        for number, row in enumerate(rows):
            of_draws = by_image.ubrmse[number, :, region]
            mean, error = row[2].split("\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
            assert mean == f"{of_draws.mean():.5f}"
            assert mean in text
            assert float(error) == pytest.approx(of_draws.std(ddof=1) / np.sqrt(of_draws.size), rel=0.06, abs=1e-5)
            assert "-" not in "".join(row[1:])


def test_stations_that_judge_have_maps(region: Region, tmp_path: Path) -> None:
    saved = region.compared("stations", output="stations")
    made = made_of(saved)
    assert [picture.name for picture in made.pictures] == ["figure", "stations"]
    picture, scored = made.pictures[1], saved.station_scores
    assert scored is not None
    table = table_of(picture, tmp_path)
    assert table["station"] == ["wet", "dry"]
    best = min((1, 2), key=lambda number: scored.values[1, number].mean())
    for panel, (method, score) in zip(picture.figure.axes, ((0, 0), (0, 1), (best, 0), (best, 1)), strict=False):
        values = scored.values[score, method]
        (points,) = [one for one in panel.collections if isinstance(one, PathCollection)]
        np.testing.assert_allclose(np.asarray(points.get_array()), values)
        column = f"{saved.names[method]}_{('correlation', 'ubrmse_m3_m-3')[score]}"
        np.testing.assert_allclose(numbers(table[column]), values, rtol=1e-6)
        said = f"mean {values.mean():{('.2f', '.3f')[score]}}, n 2"
        assert corner(panel) == said
        assert said in picture.caption.replace(MINUS, "-")
    assert made.tables[0].rows[0][:2] == ["method", "R"]
    assert "95 % intervals" in made.text[1]


def test_no_letters_touch_frames(by_image: SavedComparison) -> None:
    for picture in made_of(by_image).pictures:
        assert touching(picture.figure) == []


def test_without_a_comparison_it_is_said_what_brings_one() -> None:
    said = comparison_section(Material(title="", folders=(), wanted=Wanted()))
    assert "imgda_mpi compare" in str(said)
