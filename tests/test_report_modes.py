"""Figs. 1 and 3: modes of the background, and its perturbed members."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from analyses_made import GLOBE, REGION, START, material_of, write_made_analysis
from matplotlib.collections import QuadMesh
from pictures import mesh_of, on_grid, read_numbers, touching

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind
from imgda_mpi.grid import Grid, embed
from imgda_mpi.numerics import perturbations
from imgda_mpi.report.mode_maps import modes_section
from imgda_mpi.report.perturbation_maps import perturbations_section
from imgda_mpi.report.picture import Picture, Section, write_picture

GRIDS = pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])


def picture_of(section: Section | str) -> Picture:
    assert isinstance(section, Section)
    (picture,) = section.pictures
    return picture


def images_of(picture: Picture, folder: Path, grid: Grid) -> dict[str, np.ndarray]:
    """Of the picture's table, by column; the maps draw them, and nothing touches."""
    write_picture(picture, folder, folder / "picture.png")
    columns = read_numbers(folder / f"{picture.name}.csv")
    images = {name: on_grid(columns, name, grid) for name in list(columns)[2:]}
    for axes, (name, image) in zip(picture.figure.axes, images.items(), strict=False):
        mesh = [one for one in axes.collections if isinstance(one, QuadMesh)][-1]
        drawn = np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan)
        np.testing.assert_allclose(np.sort(drawn.ravel()), np.sort(image.ravel()), rtol=1e-6, err_msg=name)
    assert touching(picture.figure) == []
    return images


def numbers_in(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def transform(grid: Grid, *, by_size: bool) -> CurveletTransform:
    kind, shape = TransformKind().on(grid, scales_by_size=by_size)
    return CurveletTransform(shape, kind.n_scales)


@GRIDS
@pytest.mark.parametrize("method", ["paper", "pointwise", "innovation"])
def test_modes_are_the_coarsest_scales_of_the_background(method: str, grid: Grid, tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", grid, method)
    picture = picture_of(modes_section(material_of(folder)))
    images = images_of(picture, tmp_path, grid)
    background = images.pop("background_m3_m-3")
    land, own = np.isfinite(background), transform(grid, by_size=method != "paper")
    mean = background[land].mean()
    array = embed(np.where(land, background - mean, 0.0), own.layout.image_shape)
    assert len(images) == min(4, own.geometry.n_scales)
    left = []
    for number, image in enumerate(images.values(), start=1):
        expected = mean + own.reconstruct(array, number)[: grid.shape[0], : grid.shape[1]]
        np.testing.assert_allclose(image[land], expected[land], atol=2e-7)
        assert np.isnan(image[~land]).all()
        left.append(np.sqrt(np.mean((image - background)[land] ** 2)))
    assert left == sorted(left, reverse=True)
    *_, said = picture.caption.split("Root mean square of what is left: ")
    np.testing.assert_allclose(numbers_in(said), left, atol=6e-4)
    assert numbers_in(picture.alt) == [round(left[0], 3), round(left[-1], 3)]
    assert ("has no transform" in picture.caption) == (method == "pointwise")
    panels = [one for axes in picture.figure.axes for one in axes.collections if isinstance(one, QuadMesh)]
    assert {mesh.get_clim() for mesh in panels[1::2][: 1 + len(images)]} == {(0.0, 0.5)}


@GRIDS
def test_the_first_mode_of_a_member_is_taken_off_and_all_members_spread(grid: Grid, tmp_path: Path) -> None:
    few = {"kind": "paper", "n_members": 4, "background_error": 0.1}
    folder = write_made_analysis(tmp_path / "one", grid, few)
    picture = picture_of(perturbations_section(material_of(folder)))
    background, left, spread = images_of(picture, tmp_path, grid).values()
    own, land = transform(grid, by_size=False), np.isfinite(background)
    shape, mean = own.layout.image_shape, background[land].mean()
    departures = embed(np.where(land, background - mean, 0.0), shape)
    noise = [
        0.1 * perturbations.perturbation(shape, seed=5, time=START, kind="background", member=member)
        for member in range(4)
    ]
    inside = np.s_[: grid.shape[0], : grid.shape[1]]
    first = mean + own.reconstruct(departures + noise[0], 1)[inside]
    np.testing.assert_allclose(left[land], (background - first)[land], atol=3e-7)
    expected = np.std([own.reconstruct(one, 1)[inside] for one in noise], axis=0, ddof=1)
    np.testing.assert_allclose(spread[land], expected[land], rtol=1e-5)
    assert f"{spread[land].mean():.4f}" in picture.caption
    assert f"{spread[land].mean():.4f}" in picture.alt
    low, high = mesh_of(picture.figure.axes[1]).get_clim()
    assert low == -high


def test_a_perturbation_is_to_the_bit_the_one_of_the_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[tuple[str, int], list[np.ndarray]] = {}

    def kept(shape: tuple[int, int], **key: object) -> np.ndarray:
        noise = perturbations.perturbation(shape, **key)  # type: ignore[arg-type]
        made.setdefault((str(key["kind"]), int(str(key["member"]))), []).append(noise)
        return noise

    # `deviation` multiplies in place: what is kept is what a member was perturbed by.
    monkeypatch.setattr("imgda_mpi.covariances.paper.perturbation", kept)
    for precision in ("double", "single"):
        made.clear()
        few = {"kind": "paper", "n_members": 3, "background_error": 0.1}
        folder = write_made_analysis(tmp_path / precision, REGION, few, precision=precision)
        of_analysis = {key: images[0].copy() for key, images in made.items()}
        made.clear()
        assert isinstance(perturbations_section(material_of(folder)), Section)
        assert sorted(made) == [("background", member) for member in range(3)]
        for key, images in made.items():
            for image in images:
                assert image.dtype == of_analysis[key].dtype == {"double": "f8", "single": "f4"}[precision]
                np.testing.assert_array_equal(image, of_analysis[key])


@pytest.mark.parametrize("method", ["pointwise", "insert", "innovation", "analytic"])
def test_methods_without_perturbed_members_say_so(method: str, tmp_path: Path) -> None:
    said = perturbations_section(material_of(write_made_analysis(tmp_path / "one", REGION, method)))
    assert isinstance(said, str)
    assert "perturbs no members" in said


def test_of_several_runs_the_last_one_with_members_is_shown(tmp_path: Path) -> None:
    folders = [write_made_analysis(tmp_path / method, REGION, method) for method in ("paper", "pointwise")]
    assert "(paper/diagonal)" in picture_of(perturbations_section(material_of(*folders))).caption


def test_where_nothing_was_observed_no_member_was_made(tmp_path: Path) -> None:
    material = material_of(write_made_analysis(tmp_path / "one", REGION, is_observed=False))
    assert perturbations_section(material) == "nothing was observed, and no member was made"
    assert isinstance(modes_section(material), Section)


def test_without_analysis_there_are_no_modes() -> None:
    assert isinstance(modes_section(material_of()), str)
    assert isinstance(perturbations_section(material_of()), str)
