"""Reading and writing CoLM202X restarts: the embedded case, and restarts that the real model wrote."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from launch import differing, read
from mpi4py import MPI

from imgda_mpi.colm import colm202x
from imgda_mpi.colm.block_files import share_of_blocks
from imgda_mpi.colm.colm202x import Colm202xRestart, open_restart
from imgda_mpi.colm.soil_layers import overlap_weights, volumetric_water
from imgda_mpi.faults import InputError
from imgda_mpi.parallel.ownership import share

pytestmark = pytest.mark.restart_io

SURFACE = overlap_weights(0.0, 0.1)
SUMMER = datetime(2022, 6, 4, tzinfo=UTC)
WINTER = datetime(2022, 1, 16, tzinfo=UTC)
DEMO = datetime(2022, 6, 2, 6, tzinfo=UTC)


def open_demo(example_case: Path, comm: MPI.Intracomm = MPI.COMM_SELF) -> Colm202xRestart:
    return open_restart(example_case.parent / "model" / "demo", "demo", DEMO, 2005, comm)


def independent_image(restart: Colm202xRestart) -> np.ndarray:
    """Mean 0-10 cm moisture of each cell, added up patch by patch from what netCDF4 reads."""
    ny, nx = restart.patches.grid.shape
    total, area = np.zeros((ny, nx)), np.zeros((ny, nx))
    depth = np.array([0.0175128, 0.0275790, 0.0454700, 0.0094382]) * 10  # of 0-10 cm in layers 1 to 4
    thick = np.array([0.0175128, 0.0275790, 0.0454700, 0.0749674])
    for state, const in zip(restart.states, restart.consts, strict=True):
        liquid, ice = read(state.path, "wliq_soisno"), read(state.path, "wice_soisno")
        kind = read(const.path, "patchtype")
        for local, patch in enumerate(range(state.start, state.stop)):
            if kind[local] == 0:
                water = liquid[local, 5:9] / (1000 * thick) + ice[local, 5:9] / (917 * thick)
                row, column = divmod(int(restart.patches.cell[patch]), nx)
                total[row, column] += restart.patches.weight[patch] * (depth @ water)
                area[row, column] += restart.patches.weight[patch]
    return np.divide(total, area, out=np.full((ny, nx), np.nan), where=area > 0)


@pytest.fixture
def demo_copy(example_case: Path, tmp_path: Path) -> Path:
    """A copy of the embedded model case that a test may damage."""
    return Path(shutil.copytree(example_case.parent / "model" / "demo", tmp_path / "demo"))


def reopen(directory: Path, case: str = "demo", time: datetime = DEMO) -> Colm202xRestart:
    return open_restart(directory, case, time, 2005, MPI.COMM_SELF)


def state_file(directory: Path, block: str = "e000_n00") -> Path:
    return directory / "restart" / "2022-153-21600" / f"demo_restart_2022-153-21600_lc2005_{block}.nc"


def test_the_image_of_the_embedded_case_is_the_weighted_patch_mean(example_case: Path) -> None:
    restart = open_demo(example_case)
    soil, _ = restart.read_soil()
    image = restart.patches.to_image(soil.surface_moisture(SURFACE))
    np.testing.assert_allclose(image, independent_image(restart), rtol=2e-6)
    assert restart.patches.grid.is_global


@pytest.mark.parametrize("time", [SUMMER, WINTER])
def test_a_regional_run_is_cropped_to_its_cells(shared: Path, time: datetime) -> None:
    restart = open_restart(shared / "colm" / "colm202x" / "EA14", "EA14", time, 2005, MPI.COMM_SELF)
    grid = restart.patches.grid
    assert grid.shape == (15, 15)
    assert not grid.is_periodic
    assert restart.patches.n_patch == 368
    soil, _ = restart.read_soil()
    image = restart.patches.to_image(soil.surface_moisture(SURFACE))
    np.testing.assert_allclose(image, independent_image(restart), rtol=2e-6)
    # The model's own history has the same cells at the same places.
    with netCDF4.Dataset(shared / "colm" / "colm202x" / "EA14" / "history" / "EA14_hist_2022-06-03.nc") as history:
        np.testing.assert_allclose(history["lat"][:], grid.latitude, atol=1e-4)
        np.testing.assert_allclose(history["lon"][:], grid.longitude, atol=1e-4)


def test_the_state_follows_the_models_own_history(shared: Path) -> None:
    # The last hourly mean before the restart: an hour of drying apart, so close but not equal.
    directory = shared / "colm" / "colm202x" / "EA14"
    restart = open_restart(directory, "EA14", SUMMER, 2005, MPI.COMM_SELF)
    soil, _ = restart.read_soil()
    image = restart.patches.to_image(volumetric_water(soil.liquid, soil.ice)[:, 3])
    with netCDF4.Dataset(directory / "history" / "EA14_hist_2022-06-03.nc") as history:
        last = history["f_h2osoi"][-1, 3].filled(np.nan)
    # The history counts wetlands in, the image of the analysis does not.
    wetland = np.zeros(image.size, bool)
    wetland[restart.patches.cell[restart.patches.patch_type == 2]] = True
    both = np.isfinite(image) & (np.abs(last) < 1) & ~wetland.reshape(image.shape)
    assert both.sum() > 200
    assert np.abs(image - last)[both].max() < 5e-3
    assert np.corrcoef(image[both], last[both])[0, 1] > 0.999


def test_an_unchanged_restart_is_written_byte_for_byte(example_case: Path, tmp_path: Path) -> None:
    restart = open_demo(example_case)
    soil, _ = restart.read_soil()
    written = restart.write(tmp_path, soil.liquid, None)
    originals = sorted(restart.files.states.iterdir())
    assert [path.name for path in written] == [path.name for path in originals]
    for path, original in zip(written, originals, strict=True):
        assert path.read_bytes() == original.read_bytes()


@pytest.mark.parametrize("real", [False, True])
def test_only_soil_liquid_changes_and_a_block_without_change_keeps_every_byte(
    example_case: Path, tmp_path: Path, real: bool, request: pytest.FixtureRequest
) -> None:
    if real:
        directory = request.getfixturevalue("shared") / "colm" / "colm202x" / "EA14"
        restart = open_restart(directory, "EA14", WINTER, 2005, MPI.COMM_SELF)
    else:
        restart = open_demo(example_case)
    soil, aquifer = restart.read_soil()
    liquid = soil.liquid.copy()
    changed = restart.states[1]
    liquid[changed.start : changed.stop, 2] += 0.25
    written = {path.name: path for path in restart.write(tmp_path, liquid, None)}
    for state in restart.states:
        copy = written[state.path.name]
        if state is not changed:
            assert copy.read_bytes() == state.path.read_bytes()
            continue
        assert differing(state.path, copy) == {"wliq_soisno"}
        before, after = read(state.path, "wliq_soisno"), read(copy, "wliq_soisno")
        expected = before.copy()
        expected[:, 5 + 2] += 0.25
        np.testing.assert_array_equal(after, expected)
    assert aquifer.shape == (restart.patches.n_patch,)


def test_the_aquifer_is_written_when_asked_for(example_case: Path, tmp_path: Path) -> None:
    restart = open_demo(example_case)
    soil, aquifer = restart.read_soil()
    first = restart.states[0]
    written = {path.name: path for path in restart.write(tmp_path, soil.liquid + 1.0, aquifer - 10.0)}
    assert differing(first.path, written[first.path.name]) == {"wliq_soisno", "wa"}
    np.testing.assert_array_equal(read(written[first.path.name], "wa"), read(first.path, "wa") - 10.0)


def test_a_plant_community_build_reads_and_keeps_its_other_sets(shared: Path, tmp_path: Path) -> None:
    sample = shared / "colm" / "colm202x" / "pc_sample"
    mesh = shared / "colm" / "colm202x" / "EA14" / "landdata" / "mesh"
    case, block, stamp = tmp_path / "RPC", "lc2005_e100_n30", "2022-153-00000"
    for folder, names in (
        (f"restart/{stamp}", [f"RPC_restart_{stamp}_{block}.nc", f"RPC_restart_pft_{stamp}_{block}.nc"]),
        ("restart/const", [f"RPC_restart_const_{block}.nc", f"RPC_restart_pft_const_{block}.nc"]),
        ("landdata/landpatch/2005", ["landpatch_e100_n30.nc", "patchfrac_elm_e100_n30.nc"]),
    ):
        (case / folder).mkdir(parents=True)
        for name in names:
            shutil.copyfile(sample / name, case / folder / name)
    (case / "landdata" / "mesh" / "2005").mkdir(parents=True)
    shutil.copyfile(mesh / "2005" / "mesh.nc", case / "landdata" / "mesh" / "2005" / "mesh.nc")
    restart = open_restart(case, "RPC", datetime(2022, 6, 2, tzinfo=UTC), 2005, MPI.COMM_SELF)
    soil, _ = restart.read_soil()
    image = restart.patches.to_image(soil.surface_moisture(SURFACE))
    np.testing.assert_allclose(image, independent_image(restart), rtol=2e-6)
    (tmp_path / "out").mkdir()
    written = restart.write(tmp_path / "out", soil.liquid + 0.5 * soil.is_soil[:, None], None)
    assert len(written) == 2
    state, pft = sorted(written)
    assert differing(restart.states[0].path, state) == {"wliq_soisno"}
    assert pft.read_bytes() == (sample / pft.name).read_bytes()


@pytest.mark.mpi
@pytest.mark.parametrize("split", [share_of_blocks, lambda sizes, n_ranks: share(sum(sizes), n_ranks)])
def test_any_number_of_ranks_reads_and_writes_the_same(
    mpi_tmp_path: Path, split: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Split at the edges of blocks, and evenly, where ranks share files.
    monkeypatch.setattr(colm202x, "share_of_blocks", split)
    comm = MPI.COMM_WORLD
    if comm.rank == 0:
        from imgda_mpi.example.case import write_example

        write_example(mpi_tmp_path / "case")
        for name in ("together", "alone"):
            (mpi_tmp_path / name).mkdir()
    comm.Barrier()
    together = open_demo(mpi_tmp_path / "case" / "case.toml", comm)
    alone = open_demo(mpi_tmp_path / "case" / "case.toml")
    whole, aquifer = alone.read_soil()
    part, own_aquifer = together.read_soil()
    own = slice(*together.offsets[comm.rank : comm.rank + 2])
    same = all(
        np.array_equal(getattr(part, name), getattr(whole, name)[own])
        for name in ("liquid", "ice", "temperature", "porosity", "residual", "is_soil")
    ) and np.array_equal(own_aquifer, aquifer[own])
    assert comm.allreduce(same, op=MPI.LAND)

    shift = np.arange(alone.patches.n_patch)[:, None] * 1e-3 * (np.arange(alone.patches.n_patch) < 6000)[:, None]
    written = together.write(mpi_tmp_path / "together", part.liquid + shift[own], own_aquifer - 1.0)
    comm.Barrier()
    differences: set[str] = set()
    if comm.rank == 0:
        for path in alone.write(mpi_tmp_path / "alone", whole.liquid + shift, aquifer - 1.0):
            differences |= differing(path, next(other for other in written if other.name == path.name))
    assert comm.bcast(differences) == set()


def test_a_restart_of_another_date_names_those_that_are_there(demo_copy: Path) -> None:
    with pytest.raises(InputError, match=r"2022-155-00000: found no such folder \(there are: 2022-153-21600\)"):
        reopen(demo_copy, time=SUMMER)


def far_off(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))


def one_up(directory: Path) -> None:
    directory.rename(directory.with_name("inner"))
    directory.mkdir()
    directory.with_name("inner").rename(directory / "demo")


def other_year(directory: Path) -> None:
    directory.joinpath("landdata/landpatch/2005").rename(directory / "landdata/landpatch/2010")


def other_constants(directory: Path) -> None:
    for path in (directory / "restart/const").iterdir():
        path.rename(path.with_name(path.name.replace("demo", "other")))


@pytest.mark.parametrize(
    ("change", "case", "year", "said"),
    [
        (None, "demos", 2005, "found states of case demo with land cover of 2005, .* correct case: demo$"),
        (None, "demo", 2010, "found states of case demo with land cover of 2005, .* correct land_cover_year: 2005$"),
        (far_off, "demo", 2005, r"demo: found no such folder \(there are: elsewhere\), .*DEF_dir_output/DEF_CASE_NAME"),
        (one_up, "demo", 2005, r"found no folder restart in it \(there are: demo\), .*DEF_dir_output/DEF_CASE_NAME"),
        (other_year, "demo", 2005, r"found no landpatch_<block>.nc \(of other years there are: 2010\)"),
        (
            other_constants,
            "demo",
            2005,
            "0 are there; correct case or .*: in this folder are other_restart_const",
        ),
    ],
)
def test_what_is_there_is_named_in_the_place_of_what_is_not(
    demo_copy: Path, change: Callable[[Path], None] | None, case: str, year: int, said: str
) -> None:
    if change is not None:
        change(demo_copy)
    with pytest.raises(InputError, match=said):
        open_restart(demo_copy, case, DEMO, year, MPI.COMM_SELF)


def test_a_missing_block_is_named(demo_copy: Path) -> None:
    state_file(demo_copy).unlink()
    with pytest.raises(InputError, match=r"e000_n00.nc: found no such file, expected one for each of the"):
        reopen(demo_copy)


def test_a_block_without_landdata_is_named(demo_copy: Path) -> None:
    shutil.copyfile(state_file(demo_copy), state_file(demo_copy, "e010_n10"))
    with pytest.raises(InputError, match=r"e010_n10.nc: found a block that has no landpatch file"):
        reopen(demo_copy)


@pytest.mark.parametrize("length", [0, 100, 200_000])
def test_a_truncated_block_is_named(demo_copy: Path, length: int) -> None:
    path = state_file(demo_copy)
    path.write_bytes(path.read_bytes()[:length])
    found = "a file that cannot be opened" if length else "an empty file"
    with pytest.raises(InputError, match=rf"{path.name}: found {found}"):
        reopen(demo_copy).read_soil()


def test_const_files_of_another_case_are_refused(demo_copy: Path, shared: Path) -> None:
    const = demo_copy / "restart" / "const" / "demo_restart_const_lc2005_e000_n00.nc"
    other = shared / "colm" / "colm202x" / "GL14" / "restart" / "const" / "GL14_restart_const_lc2005_e000_n00.nc"
    shutil.copyfile(other, const)
    with pytest.raises(InputError, match=rf"{const.name}: patchtype: found shape \(4203,\), expected"):
        reopen(demo_copy)


def test_const_files_with_other_classes_or_places_are_refused(demo_copy: Path) -> None:
    const = demo_copy / "restart" / "const" / "demo_restart_const_lc2005_e000_n00.nc"
    with netCDF4.Dataset(const, "r+") as file:
        file["patchlatr"][3] = -file["patchlatr"][3]
    with pytest.raises(InputError, match="patchlonr, patchlatr: found 1 patches outside their cell"):
        reopen(demo_copy)
    with netCDF4.Dataset(const, "r+") as file:
        file["patchclass"][3] = 99
    with pytest.raises(InputError, match="patchclass: found other land cover classes"):
        reopen(demo_copy)


@pytest.mark.parametrize("variable", ["wliq_soisno", "wice_soisno", "t_soisno"])
@pytest.mark.parametrize("bad", [np.nan, -1.0e36, np.inf])
def test_missing_soil_water_is_refused(demo_copy: Path, variable: str, bad: float) -> None:
    restart = reopen(demo_copy)
    block = restart.states[1]
    patch = int(np.flatnonzero(restart.patches.is_soil[block.start : block.stop])[7])
    with netCDF4.Dataset(block.path, "r+") as file:
        file[variable][patch, 6] = bad
    with pytest.raises(
        InputError,
        match=re.escape(f"{block.path}: {variable}: found {bad:g} in soil layer 2 of patch {patch} (1 of"),
    ):
        reopen(demo_copy).read_soil()


@pytest.mark.parametrize(
    ("variable", "bad"),
    [("theta_r", -1.0e36), ("theta_r", np.nan), ("theta_r", 0.9), ("porsl", 45.0), ("porsl", np.nan)],
)
def test_impossible_soil_properties_are_refused(demo_copy: Path, variable: str, bad: float) -> None:
    restart = reopen(demo_copy)
    patch = int(np.flatnonzero(restart.patches.is_soil[: restart.states[0].stop])[3])
    with netCDF4.Dataset(restart.consts[0].path, "r+") as file:
        file[variable][patch, 0] = bad
    message = f"{restart.consts[0].path}: {variable}: found {bad:g} in soil layer 1 of patch {patch} (1 of"
    with pytest.raises(InputError, match=re.escape(message)):
        reopen(demo_copy).read_soil()


def test_missing_values_under_lakes_are_kept(demo_copy: Path, tmp_path: Path) -> None:
    block = reopen(demo_copy).states[0]
    lake = int(np.flatnonzero(reopen(demo_copy).patches.patch_type[: block.stop] == 4)[0])
    with netCDF4.Dataset(block.path, "r+") as file:
        file["wliq_soisno"][lake, 7] = np.nan
    restart = reopen(demo_copy)
    soil, _ = restart.read_soil()
    (tmp_path / "same").mkdir()
    for path in restart.write(tmp_path / "same", soil.liquid, None):
        assert path.read_bytes() == (restart.files.states / path.name).read_bytes()
    (tmp_path / "other").mkdir()
    written = {path.name: path for path in restart.write(tmp_path / "other", soil.liquid + 1.0, None)}
    assert np.isnan(read(written[block.path.name], "wliq_soisno")[lake, 7])


def edit_mesh(directory: Path, latitude: np.ndarray, longitude: np.ndarray, element: np.ndarray) -> None:
    """Another grid, and all patches of the first block spread over the given elements; the other blocks are gone."""
    for path in directory.rglob("*_[ew][0-9][0-9][0-9]_[ns][0-9][0-9].nc"):
        if "e000_n00" not in path.name:
            path.unlink()
    with netCDF4.Dataset(directory / "landdata" / "mesh" / "2005" / "mesh.nc", "w") as file:
        for name, values in (("latitude", latitude), ("longitude", longitude)):
            file.createDimension(name, values.size)
            file.createVariable(name, "f8", (name,))[:] = values
    landpatch = directory / "landdata" / "landpatch" / "2005" / "landpatch_e000_n00.nc"
    const = directory / "restart" / "const" / "demo_restart_const_lc2005_e000_n00.nc"
    with netCDF4.Dataset(landpatch, "r+") as places, netCDF4.Dataset(const, "r+") as file:
        ids = np.sort(np.resize(element, places["eindex"].size))
        places["eindex"][:] = ids
        _, number, count = np.unique(ids, return_inverse=True, return_counts=True)
        with netCDF4.Dataset(landpatch.with_name("patchfrac_elm_e000_n00.nc"), "r+") as areas:
            areas["patchfrac_elm"][:] = 1.0 / count[number]
        row, column = np.divmod(ids - 1, longitude.size)
        file["patchlatr"][:] = np.radians(latitude[row])
        file["patchlonr"][:] = np.radians((longitude[column] + 180.0) % 360.0 - 180.0)


GLOBE = -177.5 + 5.0 * np.arange(72)
ROWS = 50.0 - 5.0 * np.arange(8)


@pytest.mark.parametrize(
    ("longitude", "columns", "expected"),
    [
        (GLOBE, [70, 71, 0, 1], [172.5, 177.5, 182.5, 187.5]),  # across the date line
        (GLOBE, [5], [-152.5, -147.5]),
        (GLOBE, [71], [177.5, 182.5]),
        (70.0 + 1.5 * np.arange(48), [2, 3, 40], 70.0 + 1.5 * np.arange(2, 41)),  # a regional mesh with a sea
        (70.0 + 1.5 * np.arange(48), [47], [139.0, 140.5]),
        (GLOBE, list(range(0, 72, 3)), GLOBE),
    ],
)
def test_the_image_has_the_columns_of_its_cells_in_their_order(
    demo_copy: Path, longitude: np.ndarray, columns: list[int], expected: list[float]
) -> None:
    element = 1 + 3 * longitude.size + np.array(columns)
    edit_mesh(demo_copy, ROWS, longitude, element)
    restart = reopen(demo_copy)
    np.testing.assert_allclose(restart.patches.grid.longitude, expected)
    column = restart.patches.cell % restart.patches.grid.shape[1]
    placed = restart.patches.grid.longitude[column]
    ids = read(demo_copy / "landdata" / "landpatch" / "2005" / "landpatch_e000_n00.nc", "eindex")
    np.testing.assert_allclose((placed - longitude[(ids - 1) % longitude.size]) % 360.0, 0.0)


def test_a_single_point_is_refused(demo_copy: Path) -> None:
    edit_mesh(demo_copy, ROWS[:1], GLOBE[:1], np.array([1]))
    with pytest.raises(InputError, match=r"mesh.nc: found latitude must be a vector of at least 2"):
        reopen(demo_copy)


def test_a_missing_variable_is_named(demo_copy: Path) -> None:
    with h5py.File(state_file(demo_copy), "r+") as file:
        del file["wice_soisno"]
    with pytest.raises(InputError, match=r"e000_n00.nc: wice_soisno: found no such variable"):
        reopen(demo_copy).read_soil()


def test_a_case_without_landdata_is_refused(demo_copy: Path) -> None:
    shutil.rmtree(demo_copy / "landdata")
    with pytest.raises(InputError, match=r"landpatch/2005: found no landpatch_<block>\.nc"):
        reopen(demo_copy)
