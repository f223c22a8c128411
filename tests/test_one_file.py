"""Cases of CoLM202X in one file for all blocks are what they are in files of blocks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from one_file import in_one_file, values_of
from problems import agree
from test_block_files import TIME, write_case

from imgda_mpi.colm.colm202x import Colm202xRestart, open_restart
from imgda_mpi.colm.run202x import Colm202xCase
from imgda_mpi.faults import InputError

pytestmark = pytest.mark.restart_io

STATE = "restart/2022-153-21600/many_restart_2022-153-21600_lc2005.nc"
CONST = "restart/const/many_restart_const_lc2005.nc"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case in one file."""
    directory = tmp_path_factory.mktemp("one_file") / "one"
    write_case(directory)
    in_one_file(directory)
    return directory


@pytest.fixture
def one(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "one"))


def reopen(directory: Path, comm: MPI.Intracomm = MPI.COMM_SELF) -> Colm202xRestart:
    return open_restart(directory, "many", TIME, 2005, comm)


def rewritten(restart: Colm202xRestart, folder: Path) -> dict[tuple[str, str], bytes]:
    """Of all files of a restart with other water; of the patches of some blocks it is the same."""
    soil, aquifer = restart.read_soil()
    number = np.arange(restart.offsets[restart.comm.rank], restart.offsets[restart.comm.rank + 1])
    written = restart.write(folder, soil.liquid + 1e-3 * (number % 100 < 70)[:, None], aquifer - 1e-3 * number)
    return {key: values for path in written for key, values in values_of(path).items()}


@pytest.mark.mpi
def test_any_number_of_ranks_reads_and_writes_what_files_of_blocks_hold(mpi_tmp_path: Path) -> None:
    comm = MPI.COMM_WORLD
    if comm.rank == 0:
        write_case(mpi_tmp_path / "blocks")
        shutil.copytree(mpi_tmp_path / "blocks", mpi_tmp_path / "one")
        in_one_file(mpi_tmp_path / "one")
        for name in ("out_blocks", "out_one"):
            (mpi_tmp_path / name).mkdir()
    comm.Barrier()
    blocks, one = (reopen(mpi_tmp_path / name, comm) for name in ("blocks", "one"))
    (expected, wet), (found, store) = blocks.read_soil(), one.read_soil()
    same = all(
        getattr(expected, name).tobytes() == getattr(found, name).tobytes()
        for name in ("liquid", "ice", "temperature", "porosity", "residual", "is_soil")
    )
    assert agree(comm, same and wet.tobytes() == store.tobytes())
    assert agree(comm, np.array_equal(blocks.patches.cell, one.patches.cell))
    one.check_copied()
    wanted, written = rewritten(blocks, mpi_tmp_path / "out_blocks"), rewritten(one, mpi_tmp_path / "out_one")
    assert agree(comm, wanted == written)
    assert agree(comm, written != values_of(mpi_tmp_path / "one" / STATE))
    assert agree(
        comm, [path.name for path in (mpi_tmp_path / "out_one/2022-153-21600").iterdir()] == [Path(STATE).name]
    )


def remove_vectors(directory: Path) -> None:
    with h5py.File(directory / "landdata/landpatch/2005/landpatch.nc", "r+") as file:
        del file["eindex"]


def remove_a_vector(directory: Path) -> None:
    with h5py.File(directory / STATE, "r+") as file:
        del file["t_soisno/patch_e004_n02"]


def shorten_a_vector(directory: Path) -> None:
    with h5py.File(directory / STATE, "r+") as file:
        values = file["wa/patch_e004_n02"][:-1]
        del file["wa/patch_e004_n02"]
        file["wa/patch_e004_n02"] = values


def spoil_a_value(directory: Path) -> None:
    with h5py.File(directory / STATE, "r+") as file, h5py.File(directory / CONST) as const:
        patch = int(np.flatnonzero(const["patchtype/patch_e004_n02"][:] == 0)[0])
        file["wliq_soisno/patch_e004_n02"][patch, 6] = 1e20


def pack_by_a_rare_filter(directory: Path) -> None:
    with h5py.File(directory / STATE, "r+") as file:
        group, shape = file["wa"], file["wa/patch_e004_n02"].shape
        del group["patch_e004_n02"]
        packed, space = h5py.h5p.create(h5py.h5p.DATASET_CREATE), h5py.h5s.create_simple(shape)
        packed.set_chunk(shape)
        packed.set_filter(40000, h5py.h5z.FLAG_OPTIONAL, (1,))
        made = h5py.h5d.create(group.id, b"patch_e004_n02", h5py.h5t.IEEE_F64LE, space, packed)
        made.write_direct_chunk((0,), b"packed")


def add_a_file_of_a_block(directory: Path) -> None:
    state = directory / STATE
    shutil.copyfile(state, state.with_name(f"{state.stem}_e004_n02.nc"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            remove_vectors,
            "landpatch.nc: eindex: found no group with a vector for each block, expected .*VectorInOneFileS",
        ),
        (remove_a_vector, r"lc2005.nc \(block e004_n02\): t_soisno: found no such variable"),
        (shorten_a_vector, r"lc2005.nc \(block e004_n02\): wa: found shape"),
        (spoil_a_value, r"lc2005.nc \(block e004_n02\): wliq_soisno: found 1e\+20 in soil layer 2 of patch"),
        (
            pack_by_a_rare_filter,
            r"\(block e004_n02\): wa: found values compressed with a filter .*40000.* HDF5_PLUGIN_PATH",
        ),
        (add_a_file_of_a_block, r"_e004_n02.nc: found states in files of blocks, expected one file for all"),
        (lambda directory: (directory / CONST).unlink(), "const_lc2005.nc: found no such file, .* one for all"),
    ],
)
def test_what_is_wrong_is_named_with_its_block(one: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(one)
    with pytest.raises(InputError, match=said):
        reopen(one).read_soil()


def test_files_that_are_passed_on_are_compared_block_by_block(one: Path) -> None:
    remove_a_vector(one)
    restart = reopen(one)
    with pytest.raises(InputError, match=r"\(block e004_n02\): t_soisno: found no such variable, expected one, as in"):
        restart.check_copied()


def test_a_run_of_the_model_from_one_file_to_another(one: Path, tmp_path: Path) -> None:
    namelist = tmp_path / "case.nml"
    namelist.write_text(f"&nl_colm\n DEF_CASE_NAME = 'many'\n DEF_dir_output = '{tmp_path}'\n/\n")
    one.rename(tmp_path / "many")
    case = Colm202xCase(namelist)
    began_with = case.first_set(TIME)
    end = TIME.replace(hour=12)
    written = tmp_path / "run" / re.sub("21600", "43200", STATE)
    written.parent.mkdir(parents=True)
    shutil.copyfile(began_with[0], written)
    assert case.restart(tmp_path / "run", end, began_with) == [written]
    with h5py.File(written, "r+") as file:
        file["wliq_soisno/patch_e004_n02"][0, 6] = np.nan
    with pytest.raises(InputError, match=r"\(block e004_n02\): wliq_soisno: found NaN"):
        case.restart(tmp_path / "run", end, began_with)
