"""The case of a nature: what is another in it, and what is the model's."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from mpi4py import MPI
from one_file import in_one_file, values_of

from imgda_mpi.colm.case_files import CaseFiles
from imgda_mpi.colm.case_listing import list_files
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.soil_layers import thickness
from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.model import ColumnModel, places_of
from imgda_mpi.columns.restart import read_columns
from imgda_mpi.example.case import write_case
from imgda_mpi.faults import InputError
from imgda_mpi.twin.nature_case import HYDRAULICS, OtherStart, write_nature_case
from imgda_mpi.twin.pedotransfer import RESIDUAL, hypres
from imgda_mpi.twin.places import CLASSES, choose_places

TIME = datetime(2022, 6, 2, tzinfo=UTC)
START = OtherStart(deviation=0.2, length=1000.0, seed=1)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseFiles, CaseFiles]:
    """The embedded case at 5.6 degrees, and its nature."""
    folder = tmp_path_factory.mktemp("cases")
    case = CaseFiles(write_case(folder, 32, TIME), "demo", TIME, 2005)
    write_nature_case(case, folder / "nature", START)
    return case, CaseFiles(folder / "nature", "demo", TIME, 2005)


def values(path: Path) -> dict[str, np.ndarray]:
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return {name: variable[:] for name, variable in file.variables.items()}


def test_hydraulic_constants_of_soil_are_the_pedotransfers_and_all_else_is_the_models(
    cases: tuple[CaseFiles, CaseFiles],
) -> None:
    for block in list_files(cases[0])[0]:
        before, after = (values(case.const(block)) for case in cases)
        changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
        assert changed <= set(HYDRAULICS)
        soil = before["patchtype"] == 0
        assert soil.any() == bool(changed)
        for name in HYDRAULICS:
            np.testing.assert_array_equal(before[name][~soil], after[name][~soil])
        clay, sand, organic, density = (before[name][soil] for name in ("wf_clay", "wf_sand", "wf_om", "BD_all"))
        topsoil = np.arange(10) < 5  # the node of the fifth layer is at 0.21 m, the next at 0.37 m
        expected = hypres(100 * clay, 100 * (1 - clay - sand), 100 * organic, density / 1000, topsoil)
        np.testing.assert_allclose(after["porsl"][soil], expected.porosity)
        np.testing.assert_allclose(after["hksati"][soil], expected.conductivity)
        assert (after["theta_r"][soil] == RESIDUAL).all()


def test_the_start_is_another_in_thawed_soil_alone_and_holds_water_that_soil_can(
    cases: tuple[CaseFiles, CaseFiles],
) -> None:
    departures = []
    for block in list_files(cases[0])[0]:
        before, after = (values(case.state(block)) for case in cases)
        const, new = (values(case.const(block)) for case in cases)
        changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
        assert changed <= {"wliq_soisno"}
        ice, temperature = before["wice_soisno"][:, 5:], before["t_soisno"][:, 5:]
        thawed = (const["patchtype"] == 0) & (ice == 0.0).all(axis=1) & (temperature >= 273.16).all(axis=1)
        water, other = (state["wliq_soisno"] for state in (before, after))
        np.testing.assert_array_equal(water[~thawed], other[~thawed])
        np.testing.assert_array_equal(water[:, :5], other[:, :5])

        def saturation(water: np.ndarray, const: dict[str, np.ndarray], rows: np.ndarray = thawed) -> np.ndarray:
            pores, least = const["porsl"][rows], const["theta_r"][rows]
            return (water[rows, 5:] / (1000.0 * thickness) - least) / (pores - least)

        found = saturation(other, new)
        assert ((found >= 0.03 - 1e-12) & (found <= 0.97 + 1e-12)).all()
        inner = (found > 0.031) & (found < 0.969)
        departures.append(np.where(inner, found - saturation(water, const), np.nan))
    every = np.concatenate(departures)
    assert np.nanstd(every) == pytest.approx(0.2, rel=0.35)  # of one draw, and clipped
    # The deep soil has a field of its own.
    both = np.isfinite(every[:, [0, 9]]).all(axis=1)
    assert abs(np.corrcoef(every[both, 0], every[both, 9])[0, 1]) < 0.7


def test_its_columns_are_those_of_the_case(cases: tuple[CaseFiles, CaseFiles]) -> None:
    model, nature = (read_columns(open_restart(case.directory, "demo", TIME, 2005, MPI.COMM_SELF)) for case in cases)
    np.testing.assert_array_equal(model.columns.moves, nature.columns.moves)
    np.testing.assert_array_equal(model.patches.cell, nature.patches.cell)
    assert (model.columns.layers != nature.columns.layers).any()


def test_values_at_cells_are_those_of_the_images(cases: tuple[CaseFiles, CaseFiles]) -> None:
    own = read_columns(open_restart(cases[0].directory, "demo", TIME, 2005, MPI.COMM_WORLD))
    values = np.random.default_rng(own.restart.offsets[MPI.COMM_WORLD.rank]).random((own.columns.moves.size, 3))
    images = own.images(values)
    cells = None if images is None else np.flatnonzero(np.isfinite(images[0]))[::7].tolist()
    found = own.at_cells(values, MPI.COMM_WORLD.bcast(cells))
    assert (found is None) == (images is None)
    if images is not None:
        np.testing.assert_array_equal(found, images.reshape(3, -1)[:, cells].T)


def test_places_are_cells_of_their_vegetation_and_follow_the_seed(cases: tuple[CaseFiles, CaseFiles]) -> None:
    own = read_columns(open_restart(cases[0].directory, "demo", TIME, 2005, MPI.COMM_SELF))
    places = choose_places(own, 3, 1, MPI.COMM_SELF)
    assert {place.vegetation for place in places} <= set(CLASSES)
    assert all(sum(place.vegetation == name for place in places) <= 3 for name in CLASSES)
    assert len({(place.latitude, place.longitude) for place in places}) == len(places) > 6
    grid = own.patches.grid
    for place in places:
        row, column = (
            np.abs(axis - at).argmin()
            for axis, at in ((grid.latitude, place.latitude), (grid.longitude, place.longitude))
        )
        here = own.columns.moves & (own.patches.cell == row * grid.shape[1] + column)
        of_class = here & np.isin(own.vegetation, CLASSES[place.vegetation])
        assert own.patches.weight[of_class].sum() > 0.5 * own.patches.weight[here].sum()
    assert places == choose_places(own, 3, 1, MPI.COMM_SELF)
    assert places != choose_places(own, 3, 2, MPI.COMM_SELF)
    assert choose_places(own, 0, 1, MPI.COMM_SELF) == []


def test_a_case_without_texture_is_refused(cases: tuple[CaseFiles, CaseFiles], tmp_path: Path) -> None:
    case = CaseFiles(write_case(tmp_path, 32, TIME), "demo", TIME, 2005)
    block = list_files(case)[0][0]
    with netCDF4.Dataset(case.const(block), "r+") as file:
        file.renameVariable("wf_om", "organic")
    with pytest.raises(InputError, match="no wf_om") as error:
        write_nature_case(case, tmp_path / "nature", START)
    assert str(case.const(block)) in str(error.value)


def test_a_case_of_the_model_itself_has_a_nature(shared: Path, tmp_path: Path) -> None:
    """Its columns move for an hour."""
    time = datetime(2022, 6, 4, tzinfo=UTC)
    case = CaseFiles(shared / "colm/colm202x/GL14", "GL14", time, 2005)
    write_nature_case(case, tmp_path / "nature", START)
    folders = case.directory, tmp_path / "nature"
    model, nature = (read_columns(open_restart(folder, "GL14", time, 2005, MPI.COMM_SELF)) for folder in folders)
    np.testing.assert_array_equal(model.columns.moves, nature.columns.moves)
    moving = ColumnModel(nature, GeneratedWeather(*places_of(nature), 1), time)
    moving.hour()
    assert moving.worst < 1e-9


def test_a_case_in_one_file_has_the_nature_of_its_blocks(cases: tuple[CaseFiles, CaseFiles], tmp_path: Path) -> None:
    directory = shutil.copytree(cases[0].directory, tmp_path / "one")
    in_one_file(directory)
    write_nature_case(CaseFiles(directory, "demo", TIME, 2005), tmp_path / "nature", START)
    one = CaseFiles(tmp_path / "nature", "demo", TIME, 2005, in_one_file=True)
    for of_set in (CaseFiles.state, CaseFiles.const):
        of_blocks = [values_of(of_set(cases[1], block)) for block in list_files(cases[0])[0]]
        of_all = values_of(of_set(one, ""))
        for key, values in (item for block in of_blocks for item in block.items()):
            assert of_all[key] == values


@pytest.mark.parametrize(("name", "value"), [("wf_sand", np.nan), ("wf_clay", 25.0), ("BD_all", 1.3), ("wf_om", -1e36)])
def test_a_texture_that_cannot_be_is_refused(
    cases: tuple[CaseFiles, CaseFiles], tmp_path: Path, name: str, value: float
) -> None:
    folder = shutil.copytree(cases[0].directory, tmp_path / "demo")
    case = CaseFiles(folder, "demo", TIME, 2005)
    block = next(block for block in list_files(case)[0] if (values(case.const(block))["patchtype"] == 0).any())
    with netCDF4.Dataset(case.const(block), "r+") as file:
        row = int(np.flatnonzero(file["patchtype"][:] == 0)[0])
        file[name][row, 3] = value
    with pytest.raises(InputError, match=re.escape(f"{name}: found {value:g} in 1 of")) as error:
        write_nature_case(case, tmp_path / "nature", START)
    assert str(case.const(block)) in str(error.value)
    assert not (tmp_path / "nature").exists()
