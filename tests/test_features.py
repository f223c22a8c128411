"""Features of cells: hat functions and classes, from restarts of both models and from files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import METHOD, demo, settings_file, unpacked
from colm2014_files import TIME, SmallCase
from column_cases import edit
from example_blocks import Blocks
from image_files import write_grid
from launch import imgda, read
from mpi4py import MPI

from imgda_mpi.faults import InputError
from imgda_mpi.grid import global_grid
from imgda_mpi.model.features import cell_features
from imgda_mpi.model.restart import Restart, open_restart, read_soil
from imgda_mpi.numerics.features import cell_means, class_members, embed_cells, hat_functions

SELF = MPI.COMM_SELF
_EDGES = 0.025 * (np.exp(0.5 * (np.arange(1, 7) - 0.5)) - 1.0)
_EDGES = np.minimum(np.concatenate([[0.0], (_EDGES[1:] + _EDGES[:-1]) / 2]), 0.1)
TOP_10_CM = np.diff(_EDGES)[:4] / 0.1
"""Share of the soil layers 1 to 4 in 0-10 cm, whose edges are half-way between their nodes."""

SUMMER = datetime(2022, 6, 4, tzinfo=UTC)
DEMO = datetime(2022, 6, 2, 6, tzinfo=UTC)


def test_hat_functions_make_what_is_linear_between_quantiles(rng: np.random.Generator) -> None:
    values = rng.gamma(2.0, size=200)
    values[::7] = np.nan
    hats = hat_functions(values, 5).toarray()
    known = np.isfinite(values)
    np.testing.assert_allclose(hats.sum(axis=1), known, atol=1e-12)
    assert (np.count_nonzero(hats, axis=1) <= 2).all()
    knots = np.nanquantile(values, [0.0, 0.25, 0.5, 0.75, 1.0])
    at_knots = rng.standard_normal(5)
    np.testing.assert_allclose(hats[known] @ at_knots, np.interp(values[known], knots, at_knots), atol=1e-12)
    assert hat_functions(np.full(4, 0.3), 5).toarray().tolist() == [[1.0]] * 4
    assert hat_functions(np.full(4, np.nan), 5).shape == (4, 0)
    assert hat_functions(np.array([1.0, 1.0, 1.0, 2.0, 3.0]), 5).shape == (5, 3)


def test_cells_have_means_by_area_and_keep_them_in_a_larger_image(rng: np.random.Generator) -> None:
    n, shape = 60, (3, 4)
    values, cell, area = rng.standard_normal(n), rng.integers(0, 11, n), rng.random(n)
    values[:20] = np.nan
    hats, classes = hat_functions(values, 5), class_members(rng.integers(3, 6, n))
    for features, counts in ((hats, np.isfinite(values)), (classes, np.ones(n, bool))):
        expected = np.zeros((12, features.shape[1]))
        for one in range(12):
            inside = np.flatnonzero((cell == one) & counts)
            for element in inside:
                expected[one] += area[element] / area[inside].sum() * features.toarray()[element]
        means = cell_means(features, cell, area, 12)
        np.testing.assert_allclose(means.toarray(), expected, atol=1e-13)
        larger = embed_cells(means, shape, (5, 9)).toarray().reshape(5, 9, -1)
        np.testing.assert_array_equal(larger[:3, :4].reshape(12, -1), means.toarray())
        assert not larger[3:].any()
        assert not larger[:, 4:].any()


def hats_of(values: np.ndarray) -> np.ndarray:
    """Hat functions at five quantiles, one by one."""
    knots = np.unique(np.quantile(values, np.linspace(0.0, 1.0, 5)))
    return np.stack([np.interp(values, knots, one) for one in np.eye(knots.size)], axis=1)


def means_of(of_patches: np.ndarray, cell: np.ndarray, area: np.ndarray, n_cells: int) -> np.ndarray:
    """Means of rows (n_patches, k) in cells, row by row."""
    total = np.zeros((n_cells, of_patches.shape[1]))
    np.add.at(total, cell, area[:, None] * of_patches)
    sums = np.bincount(cell, area, n_cells)
    return total / np.where(sums > 0, sums, 1.0)[:, None]


def compare(found: Mapping[str, object], expected: Mapping[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, group in found.items():
        np.testing.assert_allclose(group.toarray(), expected[name], atol=1e-10, err_msg=name)


def open_demo(example: Path, comm: MPI.Intracomm = SELF) -> Restart:
    where = {"directory": example / "model/demo", "case": "demo", "land_cover_year": 2005}
    return open_restart("colm202x", comm, time=DEMO, **where)


@pytest.mark.restart_io
def test_features_of_colm202x_are_those_of_its_soil_patches(example: Path, blocks: Blocks) -> None:
    restart, _, _ = read_soil(open_demo(example), SELF)
    soil, const = blocks.is_soil, blocks.const
    porosity, conductivity = (const[name][soil, :4] for name in ("porsl", "hksati"))
    classes = const["patchclass"][soil]
    parts = {
        "soil": np.hstack([hats_of(porosity @ TOP_10_CM), hats_of(np.log(conductivity) @ TOP_10_CM)]),
        "cover": (classes[:, None] == np.unique(classes)).astype(float),
        "height": hats_of(const["elvmean"][soil]),
    }
    where = blocks.cell[soil], blocks.fraction[soil], 128 * 256
    features = cell_features(restart, SELF)
    compare(features, {name: means_of(part, *where) for name, part in parts.items()})
    assert [group.shape[1] for group in features.values()] == [10, np.unique(classes).size, 5]


@pytest.mark.restart_io
def test_constants_are_read_once_and_shared_by_copies(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_demo(example)
    restart, _, _ = read_soil(first, SELF)
    features = cell_features(restart, SELF)
    later = first.as_written(example / "model/demo", SUMMER, {})
    monkeypatch.setattr("imgda_mpi.colm.colm202x.read_rows", None)
    monkeypatch.setattr("imgda_mpi.colm.colm202x.opened", None)
    compare(cell_features(later, SELF), {name: group.toarray() for name, group in features.items()})


@pytest.fixture
def copied(example: Path, tmp_path: Path) -> Path:
    """A copy of the embedded model case that a test may damage."""
    shutil.copytree(example / "model/demo", tmp_path / "model/demo")
    return tmp_path


def const(folder: Path, block: str = "e000_n00") -> Path:
    return folder / f"model/demo/restart/const/demo_restart_const_lc2005_{block}.nc"


@pytest.mark.restart_io
def test_a_conductivity_that_is_none_is_refused_and_a_height_that_is_none_has_no_feature(copied: Path) -> None:
    path = const(copied)
    soil = np.flatnonzero(read(path, "patchtype") == 0)

    def put(value: float) -> None:
        edit(path, hksati=lambda old: np.where(np.indices(old.shape)[0] == soil[3], value, old))

    put(-1e36)
    message = rf"{path.name}: hksati: found -1e\+36 in soil layer 1 of patch {soil[3]} \(1 of \d+ soil patches"
    with pytest.raises(InputError, match=message):
        cell_features(open_demo(copied), SELF)
    put(1e-3)
    edit(path, elvmean=lambda old: np.full_like(old, -1e36))
    restart = open_demo(copied)
    height = cell_features(restart, SELF)["height"]
    block = restart.patches.cell[next(file for file in restart.consts if file.path == path).start :]
    assert not height[block[soil]].sum()
    assert height.sum() > 1000


@pytest.mark.restart_io
def test_soil_has_features_of_its_porosity_alone_where_files_have_no_more(copied: Path) -> None:
    for path in const(copied).parent.glob("*_lc2005_*.nc"):
        with netCDF4.Dataset(path, "a") as file:
            for name in ("hksati", "elvmean"):
                file.renameVariable(name, f"other_{name}")
    features = cell_features(open_demo(copied), SELF)
    assert {name: group.shape[1] for name, group in features.items()} | {"cover": 0} == {"soil": 5, "cover": 0}
    # All soil alike, and of one class.
    for path in const(copied).parent.glob("*_lc2005_*.nc"):
        edit(path, porsl=lambda old: np.full_like(old, 0.45))
    assert cell_features(open_demo(copied), SELF).keys() == {"cover"}


def small_case(seed: int = 1) -> SmallCase:
    case = SmallCase(6, 9, seed)
    rng = np.random.default_rng(5)
    case.classes = np.where(case.types == 0, rng.choice([2, 7, 10], case.n), case.classes)
    case.hydraulics = 8.0, 8.0, rng.uniform(1e-4, 1e-2, case.n * 10)
    return case


def test_features_of_colm2014_are_those_of_its_soil_patches(tmp_path: Path) -> None:
    case = small_case()
    case.state["t_soisno"][np.flatnonzero(case.types == 0)[2], 7] = 1000.0  # left out
    state, const_file = case.write(tmp_path)
    opened = open_restart("colm2014", SELF, restart_file=state, const_file=const_file, time=TIME)
    restart, soil, _ = read_soil(opened, SELF, "leave_out")
    counts = case.types == 0
    counts[np.flatnonzero(counts)[2]] = False
    np.testing.assert_array_equal(soil.is_soil, counts)
    conductivity = np.log(case.hydraulics[2].reshape(-1, 10))
    parts = {
        "soil": np.hstack([hats_of(values[counts, :4] @ TOP_10_CM) for values in (case.porosity, conductivity)]),
        "cover": (case.classes[counts, None] == [2, 7, 10]).astype(float),
    }
    where = case.cell[counts], case.weight[counts], 54
    compare(cell_features(restart, SELF), {name: means_of(part, *where) for name, part in parts.items()})
    # One class of land cover tells no places apart.
    case.classes[case.types == 0] = 7
    one = open_restart("colm2014", SELF, restart_file=state, const_file=case.write_const(const_file), time=TIME)
    assert cell_features(one, SELF).keys() == {"soil"}


@pytest.mark.mpi
@pytest.mark.restart_io
def test_features_of_a_restart_are_the_same_on_any_number_of_ranks(mpi_tmp_path: Path) -> None:
    comm = MPI.COMM_WORLD
    if comm.rank == 0:
        from imgda_mpi.example.case import write_example

        write_example(mpi_tmp_path / "case")
    comm.Barrier()
    alone, together = (cell_features(open_demo(mpi_tmp_path / "case", one), one) for one in (SELF, comm))
    same = alone.keys() == together.keys() == {"soil", "cover", "height"} and all(
        np.array_equal(getattr(alone[name], part), getattr(together[name], part))
        for name in alone
        for part in ("data", "indices", "indptr")
    )
    assert comm.allreduce(same, op=MPI.LAND)


@pytest.mark.restart_io
def test_real_restarts_have_features(shared: Path, tmp_path: Path) -> None:
    where = {"directory": shared / "colm/colm202x/GL14", "case": "GL14", "land_cover_year": 2005}
    restart = open_restart("colm202x", SELF, time=SUMMER, **where)
    assert {name: group.shape[1] for name, group in cell_features(restart, SELF).items()} == {
        "soil": 10,
        "cover": 9,
        "height": 5,
    }
    names = {"restart_file": "rstTimeVar-2022-155-00000", "const_file": "rstTimeConst"}
    files = {key: unpacked(shared / f"colm/colm2014/global/CTL-{name}.xz", tmp_path) for key, name in names.items()}
    older, _, _ = read_soil(open_restart("colm2014", SELF, time=SUMMER, **files), SELF)
    features = cell_features(older, SELF)
    assert {name: group.shape[1] for name, group in features.items()} == {"soil": 10, "cover": 9}
    # Coarse soil conducts more and has less room: the two halves of the group go against each other.
    soil = features["soil"].toarray()
    land = soil.any(axis=1)
    porosity, conductivity = (soil[land][:, half] @ np.arange(5) for half in (slice(5), slice(5, 10)))
    assert np.corrcoef(porosity, conductivity)[0, 1] < -0.7


def test_an_analysis_takes_features_of_files_in_the_place_of_its_restarts(
    example_case: Path, example: Path, tmp_path: Path
) -> None:
    grid = global_grid((45, 90))
    with netCDF4.Dataset(tmp_path / "belts.nc", "w") as file:
        write_grid(file, grid)
        belts = np.abs(grid.latitude // 15)[:, None] * np.ones(90)
        belts[:, :20] = netCDF4.default_fillvals["i2"]
        file.createVariable("belt", "i2", ("lat", "lon"))[:] = belts
    kind = 'kind = "classes"\nvariable = "belt"'
    sections = "".join(f'[features.{name}]\n{kind}\nfile = "{tmp_path}/belts.nc"\n' for name in ("soil", "belt"))
    sections += "[errors]\nobservation = 0.02\n"
    before = METHOD.replace("coherent_share", "features = true, coherent_share")
    path = settings_file(tmp_path, demo(example_case, before=before, after=sections), "analysis")
    checked = imgda("check", path)
    assert checked.returncode == 0, checked.stderr
    done = imgda("analyse", path)
    assert done.returncode == 0, done.stderr
    for said in (checked.stderr, done.stderr):
        assert "moisture, soil (6 of belts.nc), cover (" in said.replace("\n", " ")
        assert "features of files in the place of the restart's: soil" in said
        without = re.search(r"\[features.belt\]: (\d+) of 7611 land cells have none", said.replace("\n", " "))
        assert without
        assert 0 < int(without[1]) < 2000
    with netCDF4.Dataset(tmp_path / "analysis/diagnostics.nc") as file:
        facts = {name: file.getncattr(name) for name in file.ncattrs()}
        parts = {name.removeprefix("increment_by_") for name in file.variables if name.startswith("increment_by_")}
    groups = {name.removeprefix("feature_variance_") for name in facts if name.startswith("feature_variance_")}
    assert groups == parts == {"moisture", "soil", "cover", "height", "belt"}
    assert facts["feature_count_soil"] == facts["feature_count_belt"] == 6
    manifest = json.loads((tmp_path / "analysis/manifest.json").read_text())
    assert f"{tmp_path}/belts.nc" in [entry["file"] for entry in manifest["inputs"]]
    (tmp_path / "belts.nc").unlink()
    lost = imgda("check", settings_file(tmp_path, demo(example_case, before=before, after=sections), "lost"))
    assert lost.returncode == 2
    assert "belts.nc: found no such file" in lost.stderr
    assert "(see [features.soil])" in lost.stderr
