"""Members of the model as the whole command uses them, and the settings of error models and solvers."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from cases import OF_THE_RUN, demo, images, run, run_each, settings_file
from image_files import copy_grid
from launch import differing, imgda, read, same_restart

N_MEMBERS = 6


@pytest.fixture(scope="module")
def ensemble(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with restarts of members ``m0`` to ``m5``, and their images in ``images.nc``."""
    folder = tmp_path_factory.mktemp("ensemble")
    rng = np.random.default_rng(2)
    for member in range(N_MEMBERS):
        case = folder / f"m{member}"
        shutil.copytree(example / "model" / "demo", case)
        for path in case.glob("restart/2*/*.nc"):
            with h5py.File(path, "r+") as file:
                water = file["wliq_soisno"]
                # Wetter or drier as a whole, and a little from patch to patch.
                factor = 1 + 0.1 * rng.standard_normal() + 0.05 * rng.standard_normal((water.shape[0], 1))
                water[:, 5:9] = water[:, 5:9] * np.clip(factor, 0.5, 1.1)
    return folder


def with_restarts(ensemble: Path, n: int = N_MEMBERS) -> str:
    paths = ", ".join(f'"{ensemble / f"m{member}"}"' for member in range(n))
    return f'[ensemble]\nkind = "restarts"\ndirectories = [{paths}]\n'


def chosen(example_case: Path, model: str, solver: str, after: str = "") -> str:
    return demo(example_case, before=f'method = "{model}/{solver}"', after=after)


OF_MEMBERS = ("ensemble/diagonal", "ensemble/full", "hybrid/diagonal", "hybrid/full")
OTHERS = ("paper", "analytic", "innovation/diagonal", "innovation/full", "letkf")


def by_method(example_case: Path, ensemble: Path, method: str) -> str:
    """Settings of an analysis with members, or with estimated errors where the method has no use for them."""
    before = 'method = {kind = "paper", n_members = 5}' if method == "paper" else f'method = "{method}"'
    has_members = method in OF_MEMBERS or method == "letkf"
    after = with_restarts(ensemble) if has_members else "[errors]\nestimate_observation = true\n"
    return demo(example_case, before=before, after=after)


@pytest.fixture(scope="module")
def together(example_case: Path, ensemble: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Analyses on three ranks, by method."""
    texts = {name: by_method(example_case, ensemble, name) for name in (*OF_MEMBERS, *OTHERS)}
    folder = tmp_path_factory.mktemp("on3")
    found = run_each(folder, {name.replace("/", "_"): text for name, text in texts.items()}, 3)
    return dict(zip(texts, found.values(), strict=True))


@pytest.mark.parametrize("method", OF_MEMBERS)
def test_members_on_any_number_of_ranks_give_the_same_bits(
    method: str, example_case: Path, ensemble: Path, together: dict[str, Path], tmp_path: Path
) -> None:
    alone = run(tmp_path, by_method(example_case, ensemble, method))
    assert same_restart(alone, together[method])
    assert differing(alone / "diagnostics.nc", together[method] / "diagnostics.nc") <= OF_THE_RUN
    seen = images(alone)
    assert (np.abs(seen["increment"][np.isfinite(seen["innovation"])]) > 1e-4).mean() > 0.5


@pytest.mark.parametrize("method", OTHERS)
def test_every_method_on_any_number_of_ranks(
    method: str, example_case: Path, ensemble: Path, together: dict[str, Path], tmp_path: Path
) -> None:
    alone = run(tmp_path, by_method(example_case, ensemble, method))
    assert same_restart(alone, together[method])
    assert differing(alone / "diagnostics.nc", together[method] / "diagnostics.nc") <= OF_THE_RUN
    increment = images(alone)["increment"]
    assert np.nanmax(np.abs(increment)) > 0.01


def test_spread_and_its_check_are_in_the_diagnostics(example_case: Path, ensemble: Path, tmp_path: Path) -> None:
    output = run(tmp_path, chosen(example_case, "ensemble", "full", with_restarts(ensemble)))
    spread = read(output / "diagnostics.nc", "ensemble_spread")
    background = read(output / "diagnostics.nc", "background")
    assert np.array_equal(np.isfinite(spread), np.isfinite(background))
    with netCDF4.Dataset(output / "diagnostics.nc") as file:
        observed = np.isfinite(np.ma.filled(file["innovation"][:], np.nan))
        surplus = np.nansum(np.ma.filled(file["innovation"][:], np.nan) ** 2) - 0.10**2 * observed.sum()
        assert file.inflation_by_innovation == pytest.approx(max(surplus, 0) / (spread[observed] ** 2).sum(), rel=1e-6)
        assert (file.error_model, file.solver) == ("ensemble", "full")
        assert 0 < file.solver_residual < 1e-3
        assert 1 < file.solver_iterations < 100
        assert file.expected_error_analysis_observed < file.expected_error_background_observed


def test_inflation_by_the_innovation_multiplies_the_variance(
    example_case: Path, ensemble: Path, tmp_path: Path
) -> None:
    # With observation errors of 0.10 the innovation would leave no room for any of the background.
    after = "[errors]\nobservation = 0.02\n" + with_restarts(ensemble)

    def of(inflation: object, name: str) -> Path:
        method = f'method = {{kind = "ensemble", inflation = {inflation}}}'
        return run(tmp_path, demo(example_case, before=method, after=after), name) / "diagnostics.nc"

    by_innovation = of('"innovation"', "by_innovation")
    with netCDF4.Dataset(by_innovation) as file:
        factor = float(file.inflation_by_innovation)
        assert "inflation_by_innovation [1]: factor of the members' variance" in file.facts
    assert factor > 0
    one, two, three = (
        read(file, "background_variance_mean") for file in (by_innovation, of(repr(factor), "given"), of(1.0, "plain"))
    )
    np.testing.assert_allclose(one, two, rtol=1e-9)
    np.testing.assert_allclose(one, factor * three, rtol=1e-9)


def test_images_and_restarts_of_the_same_members_agree(example_case: Path, ensemble: Path, tmp_path: Path) -> None:
    # A member's image is the background of an analysis of its restart.
    read_back = []
    for member in range(3):
        text = demo(example_case, before='method = "none"').replace(
            str(example_case.parent / "model" / "demo"), str(ensemble / f"m{member}")
        )
        read_back.append(read(run(tmp_path, text, f"m{member}") / "diagnostics.nc", "background"))
    file = tmp_path / "images.nc"
    with netCDF4.Dataset(tmp_path / "m0" / "diagnostics.nc") as source, netCDF4.Dataset(file, "w") as target:
        target.createDimension("member", 3)
        copy_grid(source, target)
        moisture = target.createVariable("soil_moisture", "f8", ("member", "lat", "lon"), fill_value=np.nan)
        moisture.units = "m3 m-3"
        moisture[:] = np.array(read_back)
    from_images = f'[ensemble]\nkind = "images"\nfile = "{file}"\nvariable = "soil_moisture"\n'
    one = run(tmp_path, chosen(example_case, "ensemble", "full", from_images), "from_images")
    two = run(tmp_path, chosen(example_case, "ensemble", "full", with_restarts(ensemble, 3)), "from_restarts")
    np.testing.assert_allclose(images(one)["analysis"], images(two)["analysis"], rtol=0, atol=1e-9)


def test_full_corrects_land_that_was_not_observed(example_case: Path, tmp_path: Path) -> None:
    output = run(tmp_path, chosen(example_case, "innovation", "full"))
    seen = images(output)
    unseen = np.isfinite(seen["background"]) & ~np.isfinite(seen["innovation"])
    assert unseen.any()
    assert np.abs(seen["increment"][unseen]).max() > 0
    diagonal = images(run(tmp_path, chosen(example_case, "innovation", "diagonal"), "diagonal"))
    assert not np.nan_to_num(diagonal["increment"][unseen]).any()


def test_the_embedded_case_is_better_with_variances_of_its_own(example_case: Path, tmp_path: Path) -> None:
    truth = read(example_case.parent / "truth.nc", "soil_moisture")
    errors = {}
    for model, solver in (("paper", "diagonal"), ("innovation", "full")):
        analysis = images(run(tmp_path, chosen(example_case, model, solver), model))["analysis"]
        errors[model] = np.nanstd(analysis - truth)
    assert errors["innovation"] < errors["paper"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('method = "ensemble"', "method 'ensemble' needs an [ensemble] section"),
        ('method = {kind = "paper", scales = [1, 9]}', "scales = [1, 9]: this transform has the scales 1 to 4"),
        ('method = {kind = "paper", scales = []}', "scales"),
        ('method = "pointwise/full"', "unknown key 'solver'"),
        ('method = "innovation/exact"', 'method = "innovation/exact": expected "diagonal" or "full"'),
    ],
)
def test_settings_that_do_not_go_together_are_refused(text: str, said: str, example_case: Path, tmp_path: Path) -> None:
    done = imgda("check", settings_file(tmp_path, demo(example_case, before=text), "bad"))
    assert done.returncode == 2
    assert said in done.stderr


def test_a_member_of_another_case_or_without_files_is_refused(
    example_case: Path, ensemble: Path, tmp_path: Path
) -> None:
    text = chosen(example_case, "ensemble", "full", with_restarts(ensemble)).replace("m3", "m9")
    done = imgda("analyse", settings_file(tmp_path, text, "missing"), ranks=2)
    assert done.returncode == 2
    assert "m9" in done.stderr
    assert not (tmp_path / "missing").exists()


def test_members_that_are_all_alike_are_refused(example_case: Path, ensemble: Path, tmp_path: Path) -> None:
    text = chosen(example_case, "ensemble", "full", with_restarts(ensemble, 2)).replace("/m1", "/m0")
    done = imgda("analyse", settings_file(tmp_path, text, "alike"), ranks=2)
    assert done.returncode == 2
    assert "2 members that are all alike" in done.stderr


def test_images_without_members_are_refused(example: Path, example_case: Path, tmp_path: Path) -> None:
    truth = f'[ensemble]\nkind = "images"\nfile = "{example / "truth.nc"}"\nvariable = "soil_moisture"\n'
    done = imgda("analyse", settings_file(tmp_path, chosen(example_case, "ensemble", "full", truth), "bad"))
    assert done.returncode == 2
    assert "expected one named member, ensemble, realization" in done.stderr


def test_a_contradicting_observation_error_is_said(example_case: Path, tmp_path: Path) -> None:
    after = "[errors]\nobservation = 0.5\nestimate_observation = true\n"
    path = settings_file(tmp_path, chosen(example_case, "innovation", "full", after), "loud")
    done = imgda("analyse", path)
    assert done.returncode == 0, done.stderr
    assert "[errors] observation says 0.500: the estimate is used" in done.stderr
    with netCDF4.Dataset(tmp_path / "loud" / "diagnostics.nc") as file:
        assert 0.01 < file.estimated_observation_error < 0.1
