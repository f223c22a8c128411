"""What is known of features after an analysis: in wedges, in its increment, and on the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analyses_made import material_of, write_made_analysis, write_made_run
from mpi4py import MPI
from pictures import on_grid, read_numbers, touching
from problems import COMMS, SELF, TIME, agree, problem_of

from imgda_mpi.covariances import features as featured
from imgda_mpi.covariances import system
from imgda_mpi.covariances.features import FeaturedCovariance
from imgda_mpi.covariances.innovation import InnovationErrors, groups_of
from imgda_mpi.covariances.wedge import WedgeCovariance
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed import image_rows
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.methods.full import FullUpdate
from imgda_mpi.numerics.conjugate_gradients import conjugate_gradients
from imgda_mpi.numerics.features import class_members, hat_functions
from imgda_mpi.numerics.problem import Problem
from imgda_mpi.planning.case import Case as PlannedCase
from imgda_mpi.planning.case import FeatureCounts
from imgda_mpi.planning.full import FullCost
from imgda_mpi.report import followed_features
from imgda_mpi.report.followed_features import features_section
from imgda_mpi.report.picture import Section, write_picture
from imgda_mpi.results.account_file import read_account
from imgda_mpi.results.analysis_file import read_analysis, read_parts

SHAPE = (36, 48)
SHARE = 0.2
VARIANCES = np.array([0.002, 0.001])
WITH_FEATURES = {"kind": "innovation", "solver": "full", "features": True}


def groups(land: np.ndarray) -> dict[str, object]:
    """Hat functions of a smooth value, and classes in patches."""
    row, column = np.indices(land.shape)
    height = np.where(land, np.sin(row / 5) * np.cos(column / 7), np.nan)
    return {"height": hat_functions(height.ravel(), 6), "soil": class_members((row // 3 * 7 + column // 4).ravel() % 9)}


def land_of(shape: tuple[int, int]) -> np.ndarray:
    """Land with two straits."""
    return np.indices(shape)[1] % 15 > 2


def covariance_on(land: np.ndarray) -> tuple[FeaturedCovariance, CellFeatures, WedgePowers]:
    """One of which wedges and features have something."""
    rows, powers = ImageRows(SELF, SHAPE), WedgePowers(CurveletTransform(SHAPE, 3), SELF)
    features = CellFeatures(rows, groups(land), land)
    wedges = WedgeCovariance(rows, powers, np.full(powers.norms.size, 1e-4), SHARE, 1e-3)
    return FeaturedCovariance(wedges, features, VARIANCES, SHARE), features, powers


def all_features(features: CellFeatures, powers: WedgePowers) -> np.ndarray:
    """What all features have in each wedge, one after the other, as variances of coefficients on land."""
    weights, n = np.sqrt(VARIANCES[features.group]), features.group.size
    found = sum(powers.of(features.spread(weights * np.eye(1, n, one)[0])) for one in range(n))
    return np.asarray(found / (powers.norms * features.n_land))


def test_wedges_have_what_all_features_have_in_them() -> None:
    covariance, features, powers = covariance_on(land_of(SHAPE))
    expected = all_features(features, powers)
    plain = np.array([[1 - SHARE], [SHARE]]) * np.where(powers.scale == 1, 1e-4 + 1e-3 / powers.norms, 1e-4)
    found = np.array([covariance.coefficient_variances(powers, seed=seed, time=TIME) for seed in range(8)]) - plain
    np.testing.assert_allclose(found[:, 0] * SHARE, found[:, 1] * (1 - SHARE), rtol=1e-9)
    ratios = found.sum(axis=1) / expected
    assert np.sqrt(np.mean((ratios - 1) ** 2)) < 0.15
    assert np.abs(np.average(ratios.mean(axis=0), weights=expected * powers.norms) - 1) < 0.02


def test_with_an_image_for_each_feature_nothing_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    land = land_of(SHAPE)
    covariance, features, powers = covariance_on(land)
    monkeypatch.setattr(featured, "N_IMAGES", features.group.size)
    found = covariance.coefficient_variances(powers, seed=0, time=TIME)
    plain = np.where(powers.scale == 1, 1e-4 + 1e-3 / powers.norms, 1e-4)
    np.testing.assert_allclose(found.sum(axis=0) - plain, all_features(features, powers), rtol=1e-9)
    # Over all wedges it is the variance of a land cell.
    of_cell = (covariance.variance + covariance.coherent_variance)[land].mean()
    assert np.sum(found * powers.norms) == pytest.approx(of_cell, rel=1e-9)


def test_facts_of_groups_are_those_of_a_land_cell() -> None:
    land = land_of(SHAPE)
    covariance, features, _ = covariance_on(land)
    for number, name in enumerate(features.names):
        of_group = np.where(features.group == number, VARIANCES[number], 0.0)
        assert covariance.facts[f"feature_count_{name}"].value == np.count_nonzero(of_group)
        sd = np.sqrt(features.squares(of_group)[land].mean())
        assert covariance.facts[f"feature_sd_{name}"].value == pytest.approx(sd, rel=1e-9)
    of_wedges = np.sqrt(
        np.mean(covariance.variance[land] / (1 - SHARE) - features.squares(VARIANCES[features.group])[land])
    )
    assert covariance.facts["feature_sd_distance"].value == pytest.approx(of_wedges, rel=1e-9)


def problem(shape: tuple[int, int] = SHAPE) -> Problem:
    """A background with soil of its own, and an innovation that follows soil and distance; some is not observed."""
    row, column = np.indices(shape)
    land = land_of(shape)
    soil = (row // 3 * 7 + column // 4) % 9
    innovation = 0.05 * np.sin(row / 4 + column / 6) + 0.02 * (soil - 4)
    rng = np.random.default_rng(4)
    observed = land & (rng.random(shape) < 0.8)
    made = problem_of(innovation, observed, 0.04, land=land)
    background = np.where(land, 0.2 + 0.1 * np.cos(row / 3) * np.sin(column / 5), 0.0)
    seen = replace(made.observations, values=np.where(observed, innovation + background, 0.0))
    return replace(made, background=background, observations=seen, features=groups(land))


@pytest.mark.parametrize("scales", [None, [1, 2]])
def test_parts_are_projections_on_the_increment(scales: list[int] | None) -> None:
    given, errors = problem(), InnovationErrors(features=True)
    increment = FullUpdate(errors, CurveletTransform(SHAPE, 3), scales).increment(given, SELF)
    assert list(increment.parts) == ["moisture", "height", "soil"]
    image, facts = increment.image[given.land], increment.facts
    rest = increment.image - sum(increment.parts.values())
    for name, part in {**increment.parts, "distance": rest}.items():
        on_land = part[given.land]
        assert facts[f"increment_rms_{name}"].value == pytest.approx(np.sqrt(np.mean(on_land**2)), rel=1e-9)
        expected = np.sum(on_land * image) / np.sum(image**2)
        assert facts[f"increment_part_{name}"].value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    every = [fact.value for name, fact in facts.items() if name.startswith("increment_part_")]
    assert sum(every) == pytest.approx(1, rel=1e-9)


def test_plan_counts_what_features_take(monkeypatch: pytest.MonkeyPatch) -> None:
    given, transform, counts = problem(), CurveletTransform(SHAPE, 3), {"filter": 0, "whole": 0, "iterations": 0}

    def counted(name: str) -> None:
        function = getattr(ImageRows, name)

        def count(*arguments: object) -> object:
            counts[name] += 1
            return function(*arguments)

        monkeypatch.setattr(ImageRows, name, count)

    def solved(*arguments: object, **keys: object) -> object:
        found = conjugate_gradients(*arguments, **keys)
        counts["iterations"] += found.iterations
        return found

    counted("filter")
    counted("whole")
    monkeypatch.setattr(system, "conjugate_gradients", solved)
    FullUpdate(InnovationErrors(features=True), transform).increment(given, SELF)
    groups_used = groups_of(given)
    features = FeatureCounts(sum(one.shape[1] for one in groups_used.values()), len(groups_used))
    cost = FullCost(PlannedCase(transform.layout, 8, 0, given.land.size, 1000, 0, features), 1)
    assert counts["filter"] - 2 * counts["iterations"] == cost.n_filters + cost.n_inverted - 2 * cost.iterations
    assert counts["whole"] == cost.n_whole
    more = replace(cost.case, features=replace(features, n_entries=5000, n_observed=700))
    expected = 12 * 5000 * 3 + 4 * features.n_features * 700
    assert FullCost(more, 1).features_memory == [expected]
    assert not cost.features_memory.any()


def test_without_features_nothing_is_said_of_them() -> None:
    increment = FullUpdate(InnovationErrors(features=False), CurveletTransform(SHAPE, 3)).increment(problem(), SELF)
    assert not increment.parts
    assert not any(name.startswith(("feature_", "increment_part_")) for name in increment.facts)


@pytest.mark.parametrize("comm", COMMS)
def test_bits_do_not_depend_on_the_ranks(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", 150)
    method = FullUpdate(InnovationErrors(features=True), CurveletTransform(SHAPE, 3))
    alone, shared = (method.increment(problem(), of) for of in (SELF, comm))
    assert agree(comm, alone.facts == shared.facts)
    assert agree(comm, comm.rank > 0 or list(shared.parts) == list(alone.parts))
    assert agree(comm, all(np.array_equal(part, alone.parts[name]) for name, part in shared.parts.items()))
    own, theirs = (increment.wedges.values if increment.wedges else {} for increment in (alone, shared))
    assert agree(comm, all(np.array_equal(values, own[name]) for name, values in theirs.items()))


def test_the_page_shows_what_the_file_says(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", method=WITH_FEATURES)
    saved, parts = read_analysis(folder / "diagnostics.nc"), read_parts(folder / "diagnostics.nc")
    assert list(parts) == ["moisture", "distance"]
    section = features_section(material_of(folder))
    assert isinstance(section, Section)
    facts = read_account(folder / "diagnostics.nc").facts
    head, *rows = section.tables[0].rows
    assert head == ["follows", "part", "RMS of the part", "SD of the signal", "features"]
    increment = sum(parts.values())
    total = np.nansum(increment**2)
    for name, row in zip(parts, rows, strict=True):
        assert row[1] == f"{100 * np.nansum(parts[name] * increment) / total:.0f} %".replace("-", "\N{MINUS SIGN}")
        assert row[2] == f"{np.sqrt(np.nanmean(parts[name] ** 2)):.4f}"
        assert row[3] == f"{facts[f'feature_sd_{name}'].value:.4f}"
    assert [rows[0][4], rows[1][4]] == ["8", ""]
    (picture,) = section.pictures
    assert not touching(picture.figure)
    write_picture(picture, tmp_path, tmp_path / "features.png")
    numbers = read_numbers(tmp_path / "features.csv")
    for name, image in parts.items():
        np.testing.assert_allclose(on_grid(numbers, f"by_{name}_m3_m-3", saved.grid), image, rtol=1e-5, atol=1e-8)


def test_no_group_is_left_out_of_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_made_analysis(tmp_path / "one", method=WITH_FEATURES)
    names = [f"group_of_a_name_of_forty_letters_in_all{n:02d}" for n in range(14)]
    image = read_parts(folder / "diagnostics.nc")["moisture"]
    monkeypatch.setattr(followed_features, "read_parts", lambda _: dict.fromkeys([*names, "distance"], image))
    section = features_section(material_of(folder))
    assert isinstance(section, Section)
    (picture,) = section.pictures
    assert picture.alt.startswith("15 maps")
    assert not touching(picture.figure)
    assert sum(name.startswith("by_") for name in picture.numbers.columns) == 15


def test_a_run_has_means_over_its_analyses(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", n=2, method=WITH_FEATURES)
    section = features_section(material_of(run))
    assert isinstance(section, Section)
    head, moisture, _ = section.tables[0].rows
    assert head[2] == "mean part of 2 analyses"
    files = sorted((tmp_path / "run").rglob("diagnostics.nc"))
    values = [read_account(file).facts["increment_part_moisture"].value for file in files]
    assert moisture[2] == f"{100 * np.mean(values):.0f} %".replace("-", "\N{MINUS SIGN}")


@pytest.mark.parametrize("method", ["paper", {**WITH_FEATURES, "features": False}])
def test_a_page_without_features_says_why(method: str | dict[str, object], tmp_path: Path) -> None:
    said = features_section(material_of(write_made_analysis(tmp_path / "one", method=method)))
    assert isinstance(said, str)
    assert said.endswith("have no part on features of the cells")
    assert not read_parts(tmp_path / "one" / "diagnostics.nc")
