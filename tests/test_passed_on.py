"""What a restart passes on is read once: damage does not go on into the result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from cases import FEW, demo, settings_file
from colm2014_files import STATE, TIME, SmallCase
from launch import imgda
from mpi4py import MPI

from imgda_mpi.colm.hdf5 import opened
from imgda_mpi.faults import InputError
from imgda_mpi.model.restart import open_restart

FOLDER = "restart/2022-153-21600"
DEMO_TIME = datetime(2022, 6, 2, 6, tzinfo=UTC)
STEM = "demo_restart_2022-153-21600_lc2005_e000_n00.nc"
OTHER = "demo_restart_urban_2022-153-21600_lc2005_e000_n00.nc"


@pytest.fixture
def case(example: Path, tmp_path: Path) -> Path:
    """A copy of the embedded model case, with a set of another kind, that a test may damage."""
    case = Path(shutil.copytree(example / "model" / "demo", tmp_path / "demo"))
    with netCDF4.Dataset(case / FOLDER / OTHER, "w") as file:
        file.createDimension("urban", 40)
        file.createDimension("unused", 3)
        for name in ("t_roof", "t_wall"):
            file.createVariable(name, "f8", ("urban",), zlib=True)[:] = 290.0 + np.arange(40.0)
        file.createVariable("kind", "i4", ("urban",))[:] = -9999
        file.createVariable("note", str, ())[0] = "as the model wrote it"
    return case


def without_header(path: Path) -> None:
    """The object header of a variable in zeros."""
    whole = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        start = h5py.h5o.get_info(file["tref" if path.name == STEM else "t_wall"].id).addr
    whole[start : start + 64] = bytes(64)
    path.write_bytes(whole)


def without_chunk(path: Path) -> None:
    name = "alb" if path.name == STEM else "t_wall"
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)


def not_a_number(path: Path) -> None:
    with netCDF4.Dataset(path, "r+") as file:
        file["tref" if path.name == STEM else "t_wall"][7:9] = np.nan, np.inf


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@pytest.mark.parametrize(
    ("damage", "said", "verb"),
    [
        (without_header, "t_wall: found what cannot be read", "check"),
        (without_chunk, "t_wall: found what cannot be read", "analyse"),
        (
            not_a_number,
            "t_wall: found 2 of 40 numbers that are not finite, or too large, expected finite numbers",
            "check",
        ),
        (cut, "found a file that cannot be opened", "check"),
    ],
)
def test_damage_in_what_is_copied_is_found(
    damage: Callable[[Path], None], said: str, verb: str, case: Path, example_case: Path, tmp_path: Path
) -> None:
    damage(case / FOLDER / OTHER)
    text = demo(example_case, before=FEW).replace(str(example_case.parent / "model" / "demo"), str(case))
    done = imgda(verb, settings_file(tmp_path, text, "damaged"), ranks=2 if verb == "analyse" else 0)
    assert done.returncode == 2, done.stderr
    assert f"error: {case / FOLDER / OTHER}: {said}" in done.stderr
    assert "(see [model])" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "damaged").exists()


@pytest.mark.parametrize(
    ("damage", "variable"), [(without_header, "tref"), (without_chunk, "alb"), (not_a_number, "tref")]
)
def test_damage_in_a_variable_of_the_state_that_is_not_read_is_found(
    damage: Callable[[Path], None], variable: str, case: Path
) -> None:
    path = case / FOLDER / STEM
    with opened(path) as file:
        file.check_values()
    damage(path)
    with opened(path) as file, pytest.raises(InputError, match=f"{STEM}: {variable}: found "):
        file.check_values()


def stored_anew(change: Callable[[h5py.h5p.PropDCID], None], kind: h5py.h5t.TypeID) -> Callable[[h5py.File], None]:
    """Stores soil water in chunks as ``change`` makes them."""

    def store(file: h5py.File) -> None:
        values = file["wliq_soisno"][...]
        del file["wliq_soisno"]
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk(values.shape)
        change(made)
        h5py.h5d.create(file.id, b"wliq_soisno", kind, h5py.h5s.create_simple(values.shape), made)
        file["wliq_soisno"][...] = values

    return store


def of_few_bits() -> h5py.h5t.TypeID:
    """Eight bytes whose mantissa has 23 bits of 52: numpy takes it for float64."""
    kind = h5py.h5t.IEEE_F64LE.copy()
    kind.set_fields(63, 52, 11, 29, 23)
    return kind


def elsewhere(file: h5py.File) -> None:
    with h5py.File(f"{file.filename}.other", "w") as other:
        other["wliq_soisno"] = file["wliq_soisno"][...]
    del file["wliq_soisno"]
    file["wliq_soisno"] = h5py.ExternalLink(f"{file.filename}.other", "wliq_soisno")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            stored_anew(lambda made: made.set_scaleoffset(h5py.h5z.SO_FLOAT_DSCALE, 3), h5py.h5t.IEEE_F64LE),
            "filter 6 .*scaleoffset.*, which rounds what is written",
        ),
        (stored_anew(lambda made: made.set_deflate(1), of_few_bits()), "its type, which rounds what is written"),
        (elsewhere, "values that are in another file"),
    ],
)
def test_soil_water_that_would_not_keep_what_is_written_is_refused(
    change: Callable[[h5py.File], None], said: str, case: Path
) -> None:
    with h5py.File(case / FOLDER / STEM, "r+") as file:
        change(file)
    restart = open_restart("colm202x", MPI.COMM_SELF, directory=case, case="demo", time=DEMO_TIME, land_cover_year=2005)
    with pytest.raises(InputError, match=f"{STEM}: wliq_soisno: found {said}"):
        restart.check_copied()


def test_filters_that_lose_nothing_are_no_fault(case: Path) -> None:
    with h5py.File(case / FOLDER / STEM, "r+") as file:
        stored_anew(lambda made: made.set_filter(h5py.h5z.FILTER_NBIT), h5py.h5t.IEEE_F64LE)(file)
    with opened(case / FOLDER / STEM) as file:
        file.check_values(edited={"wliq_soisno"})


def test_what_was_left_out_may_hold_any_number(case: Path) -> None:
    with netCDF4.Dataset(case / FOLDER / STEM, "r+") as file:
        file["t_soisno"][0, 6] = np.nan
    with opened(case / FOLDER / STEM) as file:
        file.check_values(unless={"t_soisno"})
        with pytest.raises(InputError, match=r"t_soisno: found 1 of \d+ numbers that are not finite"):
            file.check_values()


@pytest.mark.parametrize("variable", ["fq", "z_sno", "wa", "t_lake", "wliq_soisno"])
def test_the_record_of_colm2014_is_finite(variable: str, tmp_path: Path) -> None:
    case = SmallCase(4, 6)
    state, const = case.write(tmp_path)
    open_restart("colm2014", MPI.COMM_SELF, restart_file=state, const_file=const, time=TIME).check_copied()
    case.state[variable][3, -1] = np.nan
    case.write_state(state)
    restart = open_restart("colm2014", MPI.COMM_SELF, restart_file=state, const_file=const, time=TIME)
    message = f"{state.name}: {variable}: found 1 of {case.n * STATE[variable]} numbers that are not finite"
    with pytest.raises(InputError, match=message):
        restart.check_copied()
    if variable == "wliq_soisno":
        restart.check_copied("leave_out")


def lose(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]


def cut_rows(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        values = file[name][...]
        del file[name]
        file[name] = values[:-5]


def never_write(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, "f8", chunks=shape, compression="gzip")


def single(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        values = file[name][...]
        del file[name]
        file[name] = values.astype("f4")


def huge(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        file[name][3] = 1e200


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose, r"lai: found no such variable, expected one, as in demo_restart"),
        (cut_rows, r"lai: found float64 \(\d+,\), expected float64 \(\d+,\), as in demo_restart"),
        (never_write, "lai: found no values, expected what the model wrote"),
        (single, "lai: found float32"),
        (huge, r"lai: found 1 of \d+ numbers that are not finite, or too large"),
    ],
)
def test_a_block_that_is_not_as_the_others_is_refused(damage: Callable[..., None], said: str, case: Path) -> None:
    damage(case / FOLDER / STEM.replace("e000_n00", "w090_n00"), "lai")
    restart = open_restart("colm202x", MPI.COMM_SELF, directory=case, case="demo", time=DEMO_TIME, land_cover_year=2005)
    with pytest.raises(InputError, match=f"w090_n00.nc: {said}"):
        restart.check_copied()


def test_the_constants_of_the_urban_set_have_a_shorter_name(case: Path) -> None:
    const = case / "restart" / "const" / "demo_restart_urb_const_lc2005_e000_n00.nc"
    const.write_bytes(b"")
    restart = open_restart("colm202x", MPI.COMM_SELF, directory=case, case="demo", time=DEMO_TIME, land_cover_year=2005)
    assert any(path.name == OTHER for path in restart.inputs)


def test_a_set_with_constants_needs_its_state(case: Path) -> None:
    const = case / "restart" / "const" / "demo_restart_pft_const_lc2005_e000_n00.nc"
    const.write_bytes(b"")
    with pytest.raises(InputError, match=r"demo_restart_pft_2022-153-21600_lc2005_e000_n00.nc: found no such file"):
        open_restart("colm202x", MPI.COMM_SELF, directory=case, case="demo", time=DEMO_TIME, land_cover_year=2005)
