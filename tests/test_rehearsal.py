"""Rehearsals of runs of cycles: what a model does that cannot stop and go on to the bit."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from colm_runs import Case, colm202x_case, colm2014_case, put, window
from cycles import SIX, Setup, imgda

from imgda_mpi.colm.differences import history_difference, netcdf_difference, record_difference, values_difference
from imgda_mpi.cycling.rehearsal import read_rehearsal

EDIT = """\
import sys
from pathlib import Path
folder = Path(sys.argv[1])
{body}
"""


@pytest.fixture
def site(tmp_path: Path) -> Setup:
    return Setup(colm2014_case(tmp_path / "model"), tmp_path, "colm2014")


@pytest.fixture
def case(tmp_path: Path, example_case: Path) -> Setup:
    return Setup(colm202x_case(tmp_path / "model", example_case), tmp_path, "colm202x")


def rehearsed(settings: Path, **environment: str) -> tuple[int, str]:
    """Status of a rehearsal, and what it says."""
    done = imgda("cycle", settings, "--rehearse", **environment)
    return done.returncode, done.stdout + done.stderr


def then(setup: Setup, body: str) -> str:
    """The command of a case, after which ``body`` is done to the folder of its window, a pathlib.Path."""
    script, wrapper = setup.folder / "edit.py", setup.folder / "wrapper.sh"
    script.write_text(EDIT.format(body=body))
    edit = f"{sys.executable} {script}"
    if setup.kind == "colm202x":
        return f"{setup.case.command} && {edit} $(dirname {{namelist}})"
    # Its namelist is its input, and says where the window is.
    restarts = "sed -n \"s|.*dir_restart_hist *= *'\\(.*\\)/restart/'.*|\\1|p\" nml"
    wrapper.write_text(f'cat > nml\n{setup.case.command} < nml && {edit} "$({restarts})"\n')
    return f"bash {wrapper}"


@pytest.mark.parametrize("kind", ["site", "case"])
def test_a_model_that_stops_and_goes_on_to_the_bit_passes(kind: str, request: pytest.FixtureRequest) -> None:
    setup: Setup = request.getfixturevalue(kind)
    # Whatever is assimilated later; when files were made does not count: every run of CoLM202X has another date.
    command = f"SOURCE_DATE_EPOCH=$RANDOM {setup.case.command}"
    settings = setup.settings(method="innovation/full", command=command)
    status, said = rehearsed(settings)
    assert status == 0, said
    assert "two windows of 6 h give the restart and the history of one of 12 h, bit for bit" in said
    folder = setup.folder / "run.rehearsal"
    assert [path.name for path in folder.iterdir()] == ["rehearsal.json"]
    found = read_rehearsal(setup.folder / "run")
    assert found is not None
    assert found.seconds > 0.0
    assert found.history_bytes > 0.0
    assert found.history_files == pytest.approx({"site": 1 / 3, "case": 1 / 6}[kind])
    assert not (setup.folder / "run").exists()
    if kind == "site":
        assert rehearsed(settings)[0] == 0  # again, in its place


def test_a_stamp_of_another_day_is_found(site: Setup) -> None:
    start = site.case.start
    stamp = f"{start + SIX:%Y-%j}-{(start + SIX).hour * 3600:05d}"
    status, said = rehearsed(site.settings(), COLM_FAULT="other_date", COLM_FAULT_AT=stamp)
    assert status == 2
    assert "expected the restart of the window's end" in said
    assert f"it cannot go on from its restart of {start + SIX:%Y-%m-%dT%H:%M:%SZ}" in said
    assert (site.folder / "run.rehearsal/whole").is_dir()
    assert (site.folder / "run.rehearsal/stops").is_dir()


def test_local_time_is_refused_before_anything_runs(case: Setup) -> None:
    put(case.case.namelist, greenwich=".false.")
    status, said = rehearsed(case.settings())
    assert status == 2
    assert "greenwich: found .false., expected .true." in said
    assert not (case.folder / "run.rehearsal").exists()


def test_an_executable_that_writes_restarts_less_often_cannot_stop_there(site: Setup) -> None:
    status, said = rehearsed(site.settings(), COLM_RESTART_HOURS="12")
    assert status == 2
    assert "S-rstTimeVar-2022-155-21600: found no such file" in said
    assert "past 2022-06-04T06:00:00Z it ran in one go: it cannot stop there, or was not built to" in said


def test_an_executable_that_writes_nothing_and_exits_0_fails_in_one_go(site: Setup) -> None:
    put(site.case.namelist, dir_forcing="'/no/weather/'")
    status, said = rehearsed(site.settings())
    assert status == 2
    assert "it did not say 'Execution Completed'" in said
    assert "in one go it ran" not in said


def test_a_command_that_is_not_found_is_said_before_anything_is_made(site: Setup) -> None:
    status, said = rehearsed(site.settings(command="./clm.x"))
    assert status == 2
    assert "./clm.x: found no such command" in said
    assert not (site.folder / "run.rehearsal").exists()


def test_a_variable_that_is_lost_in_a_restart_is_found_by_its_name(case: Setup) -> None:
    body = """\
import netCDF4
for path in folder.glob("restart/2022-153-43200/*.nc"):
    with netCDF4.Dataset(path, "r+") as file:
        file["wa"][:] = file["wa"][:] - 1.5
"""
    status, said = rehearsed(case.settings(command=then(case, body)))
    assert status == 2, said
    lines = said.splitlines()
    assert "two windows, with a stop at 2022-06-02T12:00:00Z, do not give what one gives:" in lines[0]
    assert "history at 2022-06-02 12:30: f_" in lines[1]
    assert "stops/20220602T12/restart/2022-153-64800/demo_restart_2022-153-64800_lc2005_w090_n00.nc: " in lines[2]
    assert re.search(r": \w+: \d+ of \d+ values differ by \S+ at most from those in ", lines[2])
    assert re.search(r"\bwa\b", lines[2].split("; so do ")[1])
    assert "a variable or a set of files is not in its restart" in lines[3]


def test_a_model_that_does_not_repeat_itself_is_told_from_one_that_cannot_stop(case: Setup) -> None:
    body = """\
import netCDF4
for path in folder.glob("history/*.nc"):
    with netCDF4.Dataset(path, "r+") as file:
        file["f_rnof"][0] += 1e-9 * ("stops" in str(folder))
"""
    status, said = rehearsed(case.settings(command=then(case, body)))
    assert status == 2, said
    assert "history at 2022-06-02 06:30: f_rnof: " in said
    assert "they differ before anything has stopped: the model does not repeat itself" in said


def test_a_set_that_is_lost_is_found(case: Setup) -> None:
    first = case.case.directory / "restart/2022-153-21600"
    name = "demo_restart_pft_2022-153-21600_lc2005_w090_n00.nc"
    (first / name).write_bytes(next(first.iterdir()).read_bytes())
    body = 'next(folder.glob("restart/2022-153-43200/*_pft_*")).unlink(missing_ok=True)\n'
    body = f'if list(folder.glob("restart/2022-153-43200/*_pft_*")): {body}'
    status, said = rehearsed(case.settings(command=then(case, body)))
    assert status == 2, said
    assert "demo_restart_pft_2022-153-43200_lc2005_w090_n00.nc: found no such file" in said
    assert "past 2022-06-02T12:00:00Z it ran in one go" in said


def test_another_bit_of_colm2014_is_found_by_its_variable(site: Setup) -> None:
    body = """\
path = folder / "restart/S-rstTimeVar-2022-155-21600"
if path.exists():
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
"""
    status, said = rehearsed(site.settings(command=then(site, body)))
    assert status == 2, said
    assert "S-rstTimeVar-2022-155-43200: fq: 1 of 40 values differ by " in said
    assert "the model goes on otherwise after a stop" in said


def test_what_is_not_of_a_rehearsal_stays(site: Setup) -> None:
    folder = site.folder / "run.rehearsal"
    folder.mkdir()
    (folder / "thesis.tex").touch()
    status, said = rehearsed(site.settings())
    assert status == 2
    assert "found thesis.tex in it, expected a rehearsal or nothing" in said
    assert (folder / "thesis.tex").exists()


def test_soil_columns_need_no_rehearsal_and_have_no_steps(tmp_path: Path) -> None:
    settings = tmp_path / "columns.toml"
    settings.write_text(
        'method = "none"\n[cycle]\nstart = 2022-06-02T06:00:00Z\nfirst_analysis = 2022-06-02T06:00:00Z\n'
        "last_analysis = 2022-06-02T06:00:00Z\nend = 2022-06-02T12:00:00Z\n"
        '[model]\nkind = "columns"\ndirectory = "case"\ncase = "demo"\n[weather]\nkind = "generated"\n'
        '[output]\ndirectory = "run"\n'
    )
    status, said = rehearsed(settings)
    assert status == 2
    assert "nothing is to be rehearsed" in said
    done = imgda("cycle", settings, "--only", "analysis", "--at", "2022-06-02T06:00Z")
    assert (done.returncode, "--only: soil columns have no steps of their own" in done.stderr) == (2, True)


def test_a_record_that_is_not_whole_counts_as_none(tmp_path: Path) -> None:
    folder = tmp_path / "run.rehearsal"
    folder.mkdir()
    assert read_rehearsal(tmp_path / "run") is None
    for content in ("", "[1]", '{"seconds": 1}', '{"seconds": "x", "history_files": 1, "history_bytes": 2}'):
        (folder / "rehearsal.json").write_text(content)
        assert read_rehearsal(tmp_path / "run") is None
    whole = {"seconds": 1.0, "history_files": 2.0, "history_bytes": 3.0}
    (folder / "rehearsal.json").write_text(json.dumps(whole))
    assert read_rehearsal(tmp_path / "run") is not None


def write(path: Path, edit: Callable[[netCDF4.Dataset], object] = lambda _: None) -> Path:
    """A small file of a model, changed by ``edit``."""
    with netCDF4.Dataset(path, "w") as file:
        file.create_time = path.name  # the one thing that may differ
        file.title = "restart"
        file.createDimension("patch", 4)
        for name, values in (("wa", np.array([1.0, np.nan, -1e36, 4.0])), ("n", np.arange(4, dtype="i4"))):
            variable = file.createVariable(name, values.dtype, ("patch",))
            variable[:] = values
            variable.units = "mm"
        edit(file)
    return path


def set_last(file: netCDF4.Dataset) -> None:
    file["wa"][3] = 4.25


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda _: None, None),
        (set_last, "wa: 1 of 4 values differ by 0.25 at most from those"),
        (lambda file: file["wa"].setncattr("units", "m"), "wa: attribute units is 'm', not 'mm' as"),
        (lambda file: file.setncattr("title", "history"), "attribute title is 'history', not 'restart' as"),
        (lambda file: file.renameVariable("n", "m"), "m: is a variable, other than in"),
        (lambda file: file.renameDimension("patch", "p"), "wa: float64 ('p',) (4,), not float64 ('patch',) (4,) as"),
    ],
)
def test_differences_of_files_are_named(
    tmp_path: Path, edit: Callable[[netCDF4.Dataset], object], expected: str | None
) -> None:
    found = netcdf_difference(write(tmp_path / "one.nc", edit), write(tmp_path / "other.nc"))
    assert (found is None) if expected is None else (found is not None and expected in found)


def test_bits_decide_not_values() -> None:
    zeros = np.array([0.0, 1.0])
    assert values_difference(zeros, zeros.copy()) is None
    assert values_difference(zeros, np.array([-0.0, 1.0])) == "1 of 2 values differ by 0 at most from those"
    assert values_difference(np.array(np.nan), np.array(1.0)) == "1 of 1 values differ as NaN and numbers do from those"


def test_differences_of_fluxes_and_sizes_are_named(tmp_path: Path) -> None:
    case = colm2014_case(tmp_path / "model")
    assert case.run().returncode == 0
    one = next((tmp_path / "model/output").glob("S_2D_Fluxes_*"))
    other = Path(shutil.copy(one, tmp_path / "other"))
    assert record_difference(one, other, is_state=False) is None
    content = bytearray(one.read_bytes())
    content[4 + 7] ^= 1
    other.write_bytes(content)
    found = record_difference(other, one, is_state=False)
    assert found is not None
    assert "record 1: 1 of 6 values differ by" in found
    other.write_bytes(one.read_bytes()[: 6 * 8 + 8])
    found = record_difference(other, one, is_state=False)
    assert found is not None
    assert "records of 48 bytes, not of 48, 32, 96, ... as in" in found


def test_times_of_histories_are_compared(tmp_path: Path, example_case: Path) -> None:
    case: Case = colm202x_case(tmp_path / "model", example_case)
    assert case.run(SOURCE_DATE_EPOCH="0").returncode == 0
    path = case.directory / "history/demo_hist_2022-06-02.nc"
    assert history_difference([path], [path]) is None
    whole = Path(shutil.copy(path, tmp_path / path.name))
    assert case.run(window(case, case.start, case.start + SIX / 2)).returncode == 0
    found = history_difference([path], [whole])
    assert found is not None
    assert "other times than in" in found[1]
    assert f"{found[0]:%H:%M}" == "09:30"
    assert shlex.quote(str(whole)) in found[1]
