"""Areas, cells and types that contradict each other are refused, with the element named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from colm2014_files import TIME, SmallCase
from launch import read
from mpi4py import MPI

from imgda_mpi.colm.land_cover import TYPES, check_types
from imgda_mpi.faults import InputError
from imgda_mpi.model.restart import Restart, open_restart

LANDPATCH = "landdata/landpatch/2005/landpatch_e000_n00.nc"
FRACTIONS = "landdata/landpatch/2005/patchfrac_elm_e000_n00.nc"
CONST = "restart/const/demo_restart_const_lc2005_e000_n00.nc"


@pytest.fixture
def case(example: Path, tmp_path: Path) -> Path:
    """A copy of the embedded model case that a test may damage."""
    return Path(shutil.copytree(example / "model" / "demo", tmp_path / "demo"))


def reopen(case: Path) -> Restart:
    time = datetime(2022, 6, 2, 6, tzinfo=UTC)
    return open_restart("colm202x", MPI.COMM_SELF, directory=case, case="demo", time=time, land_cover_year=2005)


def edit(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace a variable, type and all."""
    with h5py.File(path, "r+") as file:
        values = change(file[name][...])
        del file[name]
        file[name] = values


def put(patch: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[patch] = value
        return values

    return change


def shared_element(case: Path) -> tuple[int, int]:
    """A patch that has its element with the next one, and the element."""
    element = read(case / LANDPATCH, "eindex")
    patch = int(np.flatnonzero(np.diff(element) == 0)[5])
    return patch, int(element[patch])


def test_fractions_of_an_element_that_do_not_sum_to_1_are_refused(case: Path) -> None:
    patch, element = shared_element(case)
    before = float(read(case / FRACTIONS, "patchfrac_elm")[patch])
    edit(case / FRACTIONS, "patchfrac_elm", put(patch, before + 9e-4))
    reopen(case)
    for value in (np.nan, -0.5, -1e36):
        edit(case / FRACTIONS, "patchfrac_elm", put(patch, value))
        with pytest.raises(InputError, match=rf"patchfrac_elm: found \S+ of patch {patch} in element {element} "):
            reopen(case)
    for value in (before + 2e-3, before - 2e-3, np.inf):
        edit(case / FRACTIONS, "patchfrac_elm", put(patch, value))
        with pytest.raises(InputError) as caught:
            reopen(case)
        said = str(caught.value)
        assert said.startswith(f"{case / FRACTIONS}: patchfrac_elm: found fractions of element {element} that sum to ")
        assert "(1 such elements), expected a sum of 1; " in said


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8"])
def test_fractions_kept_as_whole_numbers_are_refused(case: Path, dtype: str) -> None:
    edit(case / FRACTIONS, "patchfrac_elm", lambda values: values.astype(dtype))
    with pytest.raises(InputError, match=r"patchfrac_elm: found fractions of element \d+ that sum to 0 "):
        reopen(case)


def test_fractions_in_single_precision_pass(case: Path) -> None:
    before = reopen(case).patches.weight
    edit(case / FRACTIONS, "patchfrac_elm", lambda values: values.astype("f4"))
    np.testing.assert_allclose(reopen(case).patches.weight, before, rtol=1e-6)


def test_elements_out_of_order_are_refused(case: Path) -> None:
    patch, element = shared_element(case)
    following = int(read(case / LANDPATCH, "eindex")[patch + 2])
    edit(case / LANDPATCH, "eindex", put(patch, following))
    message = (
        rf"landpatch_e000_n00.nc: eindex: found element {element} \(patch {patch + 1}\) after element {following},"
    )
    with pytest.raises(InputError, match=message):
        reopen(case)


def test_an_element_in_two_blocks_is_refused(case: Path) -> None:
    other = read(case / LANDPATCH.replace("e000", "e090"), "eindex")
    mine = read(case / LANDPATCH, "eindex")
    one = mine.max()
    taken = int(other[other > one].min())
    # The whole element, so that areas and order stay right.
    edit(case / LANDPATCH, "eindex", lambda values: np.where(values == one, taken, values))
    message = rf"landpatch_e\d+_n00.nc: eindex: found element {taken} in block e\d+_n00, which e\d+_n00 holds too"
    with pytest.raises(InputError, match=message):
        reopen(case)


@pytest.mark.parametrize(("of_class", "wrong"), [(17, 0), (10, 4), (15, 0), (13, 2), (10, 99), (10, -1), (10, 7)])
def test_a_type_that_is_not_that_of_the_class_is_refused(case: Path, of_class: int, wrong: int) -> None:
    classes = [read(case / CONST.replace("e000_n00", block), "patchclass") for block in ("e000_n00", "w090_n00")]
    block = "e000_n00" if (classes[0] == of_class).any() else "w090_n00"
    const = case / CONST.replace("e000_n00", block)
    patch = int(np.flatnonzero(read(const, "patchclass") == of_class)[-1])
    element = read(case / LANDPATCH.replace("e000_n00", block), "eindex")[patch]
    edit(const, "patchtype", put(patch, wrong))
    with pytest.raises(InputError) as caught:
        reopen(case)
    said = str(caught.value)
    assert said.startswith(f"{const}: patchtype: found type {wrong} of class {of_class} in element {element} (1 such")
    assert f"expected type {TYPES['IGBP'][of_class]} of that class (IGBP)" in said


def place(patch: int) -> tuple[Path, str]:
    return Path("const"), f"element {patch + 1}"


@pytest.mark.parametrize("name", ["IGBP", "USGS"])
def test_all_classes_of_a_classification_pass_and_those_of_two_do_not(name: str) -> None:
    classes = np.arange(TYPES[name].size)
    check_types(classes, TYPES[name], "patchtype", place)
    # Urban in the one is forest in the other.
    mixed = np.concatenate([classes, [1, 13, 13]]), np.concatenate([TYPES[name], [0, 0, 1]])
    with pytest.raises(InputError, match=f"const: patchtype: found type . of class .* in element .*{name}"):
        check_types(*mixed, "patchtype", place)


@pytest.mark.parametrize("unknown", [-1, 25, 99])
def test_an_unknown_class_is_refused(unknown: int) -> None:
    with pytest.raises(
        InputError, match=f"found type 0 of class {unknown} in element 2 .1 such patches., expected a class of"
    ):
        check_types(np.array([7, unknown]), np.array([0, 0]), "patchtype", place)


def reopen_2014(case: SmallCase, folder: Path) -> Restart:
    state, const = case.write(folder)
    return open_restart("colm2014", MPI.COMM_SELF, restart_file=state, const_file=const, time=TIME)


def test_types_of_colm2014_are_those_of_their_classes(tmp_path: Path) -> None:
    case = SmallCase(4, 6)
    reopen_2014(case, tmp_path)
    patch = int(np.flatnonzero(case.types != 0)[0])
    was = int(case.types[patch])
    case.types[patch] = 0
    where = f"row {case.row[patch] + 1}, column {case.column[patch] + 1}"
    message = rf"rstTimeConst: itypwat: found type 0 of class \d+ in {where} \(1 such patches\), expected type {was} "
    with pytest.raises(InputError, match=message):
        reopen_2014(case, tmp_path)


@pytest.mark.parametrize("total", [0.0, 1.01])
def test_areas_of_colm2014_are_a_part_of_their_cell(tmp_path: Path, total: float) -> None:
    case = SmallCase(4, 6)
    cell = case.cell[2]
    mine = case.cell == cell
    case.weight[mine] = 1.0 / mine.sum()
    reopen_2014(case, tmp_path)
    case.weight[mine] *= total
    where = f"row {cell // 6 + 1}, column {cell % 6 + 1}"
    message = (
        rf"wtxy_patch: found weights of {where} that sum to {total:g} \(1 such cells\), expected weights of 0 or more"
    )
    with pytest.raises(InputError, match=message):
        reopen_2014(case, tmp_path)
