"""What goes wrong ends all ranks with one message and status 2, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from cases import GLDAS, METHOD
from launch import ENVIRONMENT, imgda, mpirun, on_ranks, read, restart_files

from imgda_mpi.colm.hdf5 import has_parallel_hdf5

STATE = "model/demo/restart/2022-153-21600/demo_restart_2022-153-21600_lc2005_e000_n00.nc"
CONST = "model/demo/restart/const/demo_restart_const_lc2005_e000_n00.nc"


@pytest.fixture
def case(example_case: Path, tmp_path: Path) -> Path:
    """The settings file of a copy of the embedded case that a test may damage."""
    return copy_of(example_case, tmp_path)


def copy_of(example_case: Path, folder: Path) -> Path:
    """The settings file of a copy of the embedded case in a folder."""
    settings = Path(shutil.copytree(example_case.parent, folder / "case")) / "case.toml"
    few = settings.read_text().replace(METHOD, 'method = {kind = "paper", n_members = 3}')
    settings.write_text(f"{few}seed = 0\n")  # [errors] is the last section
    return settings


def edit(settings: Path, old: str, new: str) -> None:
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new, 1))


def leftovers(case: Path) -> list[str]:
    """What is beside the inputs of the case."""
    inputs = {"model", "observation", "truth.nc", "case.toml", "compare.toml"}
    return sorted({path.name for path in case.parent.iterdir()} - inputs)


def misspell(case: Path) -> None:
    edit(case, "n_members", "n_member")


def too_many_scales(case: Path) -> None:
    edit(case, "[errors]", "[curvelet]\nn_scales = 12\n[errors]")


def lose_a_block(case: Path) -> None:
    (case.parent / STATE).unlink()


def truncate_a_block(case: Path) -> None:
    path = case.parent / STATE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_a_chunk(case: Path) -> None:
    with h5py.File(case.parent / STATE) as file:
        chunk = file["wliq_soisno"].id.get_chunk_info(0)
    with (case.parent / STATE).open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)


def ask_for_another_date(case: Path) -> None:
    edit(case, "time = 2022-06-02T06:00:00Z", "time = 2022-06-03T06:00:00Z")


def mix_in_another_const(case: Path) -> None:
    shutil.copyfile(case.parent / CONST.replace("e000_n00", "e090_n00"), case.parent / CONST)


def dry_out(case: Path) -> None:
    with netCDF4.Dataset(case.parent / STATE, "r+") as file:
        file["wliq_soisno"][:, 6] = np.nan


def observe_in_percent(case: Path) -> None:
    with netCDF4.Dataset(case.parent / GLDAS, "r+") as file:
        file["SoilMoi0_10cm_inst"].units = "m3 m-3"


def lose_the_observation(case: Path) -> None:
    (case.parent / GLDAS).unlink()


def observe_at_another_time(case: Path) -> None:
    edit(case, "A%Y%m%d.%H%M", "A20220602.0600")
    with netCDF4.Dataset(case.parent / GLDAS, "r+") as file:
        file["time"][:] = file["time"][:] + 7 * 60


def observe_the_sea_alone(case: Path) -> None:
    with netCDF4.Dataset(case.parent / GLDAS, "r+") as file:
        moisture = file["SoilMoi0_10cm_inst"]
        values = np.full(moisture.shape, -9999.0, np.float32)
        values[0, 300:310, 100:110] = 30.0  # the middle of the Pacific
        moisture[:] = values


def use_the_output_folder(case: Path) -> None:
    (case.parent / "analysis").mkdir()
    (case.parent / "analysis" / "notes.txt").write_text("mine")


def write_where_nobody_may(case: Path) -> None:
    edit(case, 'directory = "analysis"', 'directory = "/proc/analysis"')


EXPECTED: dict[Callable[[Path], None], str] = {
    misspell: "case.toml:\n  [method] unknown key 'n_member'; did you mean 'n_members'?",
    too_many_scales: "n_scales=12: wedges hold no frequency; take at most 9 (image of 128 x 256) (see [curvelet])\n",
    lose_a_block: f"{STATE}: found no such file, expected one for each of the",
    truncate_a_block: f"{STATE}: found a file that cannot be opened",
    damage_a_chunk: f"{STATE}: ",
    ask_for_another_date: "2022-154-21600: found no such folder (there are: 2022-153-21600)",
    mix_in_another_const: f"{CONST}: patch",
    dry_out: f"{STATE}: wliq_soisno: found nan in soil layer 2",
    observe_in_percent: "looks like percent or kg m-2",
    lose_the_observation: f"{GLDAS}: found no such file",
    observe_at_another_time: "2022-06-02 13:00",
    observe_the_sea_alone: "no valid pixel over land",
    use_the_output_folder: "analysis: found a folder that is not empty, without manifest.json, expected",
    write_where_nobody_may: "/proc: found ",
}
OF_OBSERVATIONS = (observe_in_percent, lose_the_observation, observe_at_another_time, observe_the_sea_alone)

# What is said of a case goes into a file beside its folder, and so does the status of each rank.
ONE_AFTER_ANOTHER = """
import os, sys
from pathlib import Path
from mpi4py import MPI
from imgda_mpi.cli import main

MPI.Finalize = lambda: None  # with which the command ends
for path in map(Path, sys.argv[1:]):
    folder = path.parents[1]
    os.dup2(os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    status = main(["analyse", str(path)])
    with (folder / "status").open("a") as file:
        file.write(f"{status}\\n")
    MPI.COMM_WORLD.Barrier()
"""


@pytest.fixture(scope="module")
def ended(example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[str]]]:
    """Damaged cases that two ranks, started once, have tried to analyse, with what was beside their inputs before."""
    found = {}
    for damage in EXPECTED:
        case = copy_of(example_case, tmp_path_factory.mktemp(damage.__name__))
        damage(case)
        found[damage.__name__] = case, leftovers(case)
    done = on_ranks(2, "-m", "mpi4py", "-c", ONE_AFTER_ANOTHER, *(str(case) for case, _ in found.values()))
    assert done.returncode == 0, done.stderr
    return found


@pytest.mark.parametrize("damage", EXPECTED)
def test_bad_input_ends_all_ranks_with_one_message_and_its_status(
    ended: dict[str, tuple[Path, list[str]]], damage: Callable[[Path], None]
) -> None:
    case, before = ended[damage.__name__]
    said = (case.parents[1] / "said").read_text()
    status = "5" if damage in OF_OBSERVATIONS else "2"
    assert (case.parents[1] / "status").read_text().split() == [status, status], said
    assert EXPECTED[damage] in said
    assert said.count("error: ") == 1, said
    assert "Traceback" not in said
    assert leftovers(case) == before


@pytest.mark.parametrize(("damage", "status"), [(damage_a_chunk, 2), (lose_the_observation, 5)])
def test_the_command_ends_in_order_with_the_status(case: Path, damage: Callable[[Path], None], status: int) -> None:
    """Also where the ranks have a file open together."""
    damage(case)
    done = imgda("analyse", case, ranks=2)
    assert done.returncode == status, done.stderr
    assert EXPECTED[damage] in done.stderr
    assert done.stderr.count("error: ") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert leftovers(case) == []


def lose_the_aquifer(case: Path) -> None:
    edit(case, "[errors]", '[soil]\ncompensate = "aquifer"\n[errors]')
    with netCDF4.Dataset(case.parent / STATE, "r+") as file:
        file["wa"][:] = -1.0e36


def damage_a_header(case: Path) -> None:
    path = case.parent / STATE
    whole = bytearray(path.read_bytes())
    whole[600:2600] = bytes(2000)
    path.write_bytes(whole)


def spoil_the_fractions(case: Path) -> None:
    path = case.parent / "model/demo/landdata/landpatch/2005/patchfrac_elm_e000_n00.nc"
    with netCDF4.Dataset(path, "r+") as file:
        file["patchfrac_elm"][0] = np.nan


def write_below_a_file(case: Path) -> None:
    edit(case, 'directory = "analysis"', 'directory = "truth.nc/analysis"')


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lose_the_aquifer, "wa: found no value on"),
        (damage_a_header, f"{STATE}"),
        (spoil_the_fractions, "patchfrac_elm: found "),
        (write_below_a_file, "truth.nc: found a file, expected a folder"),
    ],
)
def test_check_finds_what_analyse_would_stop_at(case: Path, damage: Callable[[Path], None], expected: str) -> None:
    damage(case)
    done = imgda("check", case)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1


def test_an_empty_observation_may_pass_the_background_through(case: Path) -> None:
    observe_the_sea_alone(case)
    edit(case, "[errors]", "[curvelet]\n[errors]")
    edit(case, 'kind = "gldas"', 'kind = "gldas"\nallow_empty = true')
    done = imgda("analyse", case, ranks=2)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: ") == 1
    assert "no valid pixel over land; the background is written unchanged" in done.stderr
    # Nothing is compared with it, and nothing estimated.
    assert "Warning" not in done.stderr
    assert "against the assimilated image" not in done.stderr
    for name, path in restart_files(case.parent / "analysis").items():
        assert path.read_bytes() == (case.parent / "model" / "demo" / name).read_bytes()


def test_a_regional_observation_corrects_its_region_alone(case: Path) -> None:
    whole = case.parent / GLDAS
    with xarray.open_dataset(whole, decode_cf=False) as file:
        part = file.isel(lat=slice(300, 500), lon=slice(700, 1000)).load()
    whole.unlink()
    part.to_netcdf(whole)
    done = imgda("analyse", case, ranks=2)
    assert done.returncode == 0, done.stderr
    diagnostics = case.parent / "analysis" / "diagnostics.nc"
    increment = read(diagnostics, "increment")
    lat, lon = read(diagnostics, "lat"), read(diagnostics, "lon")
    inside = ((lat > 14) & (lat < 66))[:, None] & ((lon > -6) & (lon < 71))[None, :]
    assert np.nanmax(np.abs(increment[inside])) > 0.05
    assert np.nanmax(np.abs(increment[~inside])) == 0


# MPI has files of its own: the limit comes after its start. Python then gets an error like that of a full disk.
LIMITED = """
import resource, sys
from mpi4py import MPI
from imgda_mpi.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sys.exit(main(["analyse", sys.argv[1]]))
"""


@pytest.mark.restart_io
def test_a_disk_that_fills_up_leaves_nothing(case: Path) -> None:
    done = on_ranks(2, "-c", LIMITED, str(case))
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert done.stderr.count("error: ") == 1, done.stderr
    assert leftovers(case) == []


# One rank fails where the others read the same file together with it, or write others.
FAILS_ALONE = """
import sys
from mpi4py import MPI
from imgda_mpi.cli import main
from imgda_mpi.colm import colm202x, hdf5
from imgda_mpi.parallel.ownership import share

where = {"r": "_selection", "r+": "store_at_level_0"}[sys.argv[2]]
whole = getattr(hdf5, where)

def failing(*given):
    if MPI.COMM_WORLD.rank == 1:
        raise OSError("the cable was pulled")
    return whole(*given)

setattr(hdf5, where, failing)
# An even split, with which the two ranks share a file.
colm202x.share_of_blocks = lambda sizes, n_ranks: share(sum(sizes), n_ranks)
sys.exit(main(["analyse", sys.argv[1]]))
"""


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_a_rank_that_fails_alone_in_a_file_ends_the_others(case: Path, mode: str) -> None:
    if not has_parallel_hdf5():
        pytest.skip("needs an h5py with MPI, with which ranks work on one file together")
    done = on_ranks(2, "-c", FAILS_ALONE, str(case), mode)
    assert done.returncode == 2, done.stderr
    assert "the cable was pulled" in done.stderr
    assert done.stderr.count("error: ") == 1, done.stderr
    assert not (case.parent / "analysis").exists()


def test_too_little_room_is_found_before_anything_is_computed(case: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        edit(case, 'directory = "analysis"', f'directory = "{small}/analysis"')
        done = imgda("analyse", case, ranks=2)
        assert done.returncode == 2, done.stderr
        assert "4.2 MB free" in done.stderr
        assert "observation" not in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_killed_rank_ends_the_job_and_leaves_no_result(case: Path) -> None:
    edit(case, "n_members = 3", "n_members = 100000")
    command = mpirun(3, sys.executable, "-m", "mpi4py", "-m", "imgda_mpi", "analyse", str(case))
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as job:
        assert job.stderr is not None
        for line in job.stderr:
            if line.startswith("observation"):
                break  # from here on it transforms members, for minutes
        ranks = running(case)
        assert len(ranks) == 3
        os.kill(ranks[1], signal.SIGKILL)
        killed = time.monotonic()
        assert job.wait(timeout=60) != 0
        assert time.monotonic() - killed < 30
        job.stderr.read()
    assert running(case) == []
    assert leftovers(case) == []


def wait_for_ranks(case: Path, n: int) -> list[int]:
    for _ in range(600):
        if len(running(case)) == n:
            return running(case)
        time.sleep(0.1)
    raise AssertionError(f"{len(running(case))} of {n} ranks have started")


def running(case: Path) -> list[int]:
    """Processes that run the analysis of this case, without the launchers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(case) in words and Path(words[0]).name.startswith("python"):
            found.append(int(process.name))
    return sorted(found)
