from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import f90nml
import netCDF4
import numpy as np
import pytest

from imgda_mpi.colm.history202x import open_histories
from imgda_mpi.colm.run202x import Colm202xCase
from imgda_mpi.faults import ImgdaError, InputError, OutputError

START = datetime(2022, 6, 2, 18, tzinfo=UTC)  # day 153
END = datetime(2022, 6, 3, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)
NAMELIST = """&nl_colm
! Ōkubo's case
   DEF_CASE_NAME = 'C1'
   DEF_dir_output  = 'out' ! of all cases
   DEF_simulation_time%greenwich  = .TRUE.
   DEF_simulation_time%start_year = 2001
   DEF_simulation_time%end_sec    = 86400
   DEF_simulation_time%timestep   = 1800.
   DEF_simulation_time%spinup_repeat = 3
   DEF_HIST_FREQ = 'MONTHLY'
   DEF_LC_YEAR = 2010
   DEF_forcing_namelist = 'forcing/ERA5.nml'
   DEF_REST_CompressLevel = 1
/
&nl_colm_lake depth = 3 /
"""
SETS, BLOCKS = ("", "pft_"), ("e100_n30", "w180_s90")
N_PATCH = 7


def state(path: Path, *, pft: bool = False, n_patch: int = N_PATCH, **spoiled: tuple[int, int, float]) -> Path:
    """A state file of one block; ``spoiled``: patch, column and value of a variable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("patch", n_patch)
        file.createDimension("soilsnow", 15)
        for name in ("lai_p",) if pft else ("wliq_soisno", "wice_soisno"):
            variable = file.createVariable(name, "f8", ("patch", "soilsnow"))
            variable[:] = 20.0
            if name in spoiled:
                patch, column, value = spoiled[name]
                variable[patch, column] = value
    return path


def write_set(folder: Path, stamp: str, **spoiled: tuple[int, int, float]) -> list[Path]:
    names = [(kind, folder / f"C1_restart_{kind}{stamp}_lc2010_{block}.nc") for kind in SETS for block in BLOCKS]
    return sorted(state(path, pft=bool(kind), **({} if kind else spoiled)) for kind, path in names)


FOLDER = Path("/run/cycles/20220604T00.0123abcd.partial")
"""Where a cycle could be made."""


@pytest.fixture
def case(tmp_path: Path) -> Colm202xCase:
    """A case of two blocks, with plant types; its output lies beside the namelist."""
    output = tmp_path / "user/out/C1"
    write_set(output / "restart/2022-153-64800", "2022-153-64800")
    for name in ("lc2010", *(f"lc2010_{block}" for block in BLOCKS)):
        state(output / f"restart/const/C1_restart_const_{name}.nc")
        if name != "lc2010":
            state(output / f"restart/const/C1_restart_pft_const_{name}.nc")
    for block in BLOCKS:
        state(output / f"landdata/landpatch/2010/landpatch_{block}.nc")
    state(output / "landdata/mesh/2010/mesh.nc")
    namelist = tmp_path / "user/c1.nml"
    namelist.write_text(NAMELIST)
    return Colm202xCase(namelist)


def edit(case: Colm202xCase, old: str, new: str) -> Colm202xCase:
    text = case.namelist.read_text()
    assert old in text
    case.namelist.write_text(text.replace(old, new))
    return Colm202xCase(case.namelist)


def as_model(namelist: Path, **spoiled: tuple[int, int, float]) -> Path:
    """What the model does in a window, from the namelist alone: folders by a shell, history, a restart at its end."""
    settings = f90nml.read(namelist)["nl_colm"]
    at, output = settings["def_simulation_time"], Path(settings["def_dir_output"]) / settings["def_case_name"]
    for name in ("landdata", "restart", "history"):
        subprocess.run(f"mkdir -p {output}/{name}", shell=True, check=True)
    stamps = [
        f"{datetime(at[f'{of}_year'], at[f'{of}_month'], at[f'{of}_day']):%Y-%j}-{at[f'{of}_sec']:05d}"
        for of in ("start", "end", "spinup")
    ]
    assert stamps[2] == stamps[0]
    assert at["spinup_repeat"] == 0
    for block in BLOCKS:
        assert (output / f"restart/const/C1_restart_const_lc2010_{block}.nc").is_file()
        assert (output / f"restart/{stamps[0]}/C1_restart_{stamps[0]}_lc2010_{block}.nc").is_file()
        assert (output / f"landdata/landpatch/2010/landpatch_{block}.nc").is_file()
    subprocess.run(f"mkdir -p {output}/restart/{stamps[1]}", shell=True, check=True)
    write_set(output / "restart" / stamps[1], stamps[1], **spoiled)
    (output / "history/C1_hist_2022-06-02.nc").touch()
    return output


def test_check_passes_a_whole_case_and_reads_no_values(case: Colm202xCase):
    case.check([(START, END), (END, END + SIX_HOURS)], FOLDER)
    assert case.name == "CoLM202X case C1"
    assert [path.parent.name for path in case.first_set(START)] == ["2022-153-64800"] * 4


def test_the_namelist_of_a_window_has_its_times_and_folder_and_all_else_of_the_user(case: Colm202xCase, tmp_path: Path):
    folder = tmp_path / "run/cycles/20220602T18.partial"
    before = case.namelist.read_bytes()
    edited = f90nml.read(case.prepare(folder, case.first_set(START), START, END))
    assert case.namelist.read_bytes() == before
    assert edited["nl_colm_lake"] == {"depth": 3}
    assert edited["nl_colm"]["def_dir_output"] == str(folder)
    assert edited["nl_colm"]["def_forcing_namelist"] == "forcing/ERA5.nml"
    assert [edited["nl_colm"][f"def_{key}"] for key in ("wrst_freq", "hist_freq", "hist_groupby")] == [
        "YEARLY",
        "HOURLY",
        "DAY",
    ]
    at = edited["nl_colm"]["def_simulation_time"]
    assert at["timestep"] == 1800.0
    assert [at[f"end_{key}"] for key in ("year", "month", "day", "sec")] == [2022, 6, 3, 0]
    assert [at[f"start_{key}"] for key in ("year", "month", "day", "sec")] == [2022, 6, 2, 64800]


def test_a_window_goes_on_from_the_one_before_after_folders_and_the_run_have_changed_their_names(
    case: Colm202xCase, tmp_path: Path
):
    run, began_with = tmp_path / "run", case.first_set(START)
    first = run / "cycles/20220602T18.partial"
    as_model(case.prepare(first, began_with, START, END))
    set_of_end = case.restart(first, END, began_with)
    assert [path.parent.name for path in set_of_end] == ["2022-154-00000"] * 4
    assert [path.name for path in case.history(first)] == ["C1_hist_2022-06-02.nc"]
    case.settle(first, first.stem)
    done = first.rename(first.with_suffix(""))
    assert f90nml.read(done / "c1.nml")["nl_colm"]["def_dir_output"] == str(done)

    began_with = [done / path.relative_to(first) for path in set_of_end]
    second = run / "cycles/20220603T00.partial"
    analysed = second / "analysis/restart"
    analysed.mkdir(parents=True)
    began_with = [Path(shutil.copy(path, analysed)) for path in began_with]
    as_model(case.prepare(second, began_with, END, END + SIX_HOURS))
    assert len(case.restart(second, END + SIX_HOURS, began_with)) == 4
    last = second.rename(second.with_suffix(""))
    run.rename(tmp_path / "moved")
    for cycle, stamp in ((done, "2022-153-64800"), (last, "2022-154-00000")):
        inside = tmp_path / "moved" / cycle.relative_to(run) / "C1"
        assert (inside / "restart" / stamp / f"C1_restart_{stamp}_lc2010_e100_n30.nc").is_file()
        assert (inside / "restart/const/C1_restart_const_lc2010.nc").is_file()
        assert (inside / "history").is_dir()


def test_the_section_of_an_analysis_names_a_folder_that_is_a_case(case: Colm202xCase, tmp_path: Path):
    began_with = case.first_set(START)
    assert case.section(began_with, START)["directory"] == str(tmp_path / "user/out/C1")
    folder = tmp_path / "cycles/20220602T18.partial"
    as_model(case.prepare(folder, began_with, START, END))
    section = case.section(case.restart(folder, END, began_with), END)
    assert section == {
        "kind": "colm202x",
        "directory": str(folder / "C1"),
        "case": "C1",
        "time": END,
        "land_cover_year": 2010,
    }
    assert (folder / "C1/landdata/mesh/2010/mesh.nc").is_file()


def test_restarts_on_the_way_are_removed_and_links_stay(case: Colm202xCase, tmp_path: Path):
    folder, began_with = tmp_path / "cycles/20220602T18.partial", case.first_set(START)
    output = as_model(case.prepare(folder, began_with, START, END))
    write_set(output / "restart/2022-153-75600", "2022-153-75600")
    (output / "restart/2022-154-00000/cama.bin").touch()
    assert len(case.restart(folder, END, [*began_with, began_with[0].with_name("notes.txt")])) == 5
    names = sorted(path.name for path in (folder / "restart").iterdir())
    assert names == ["2022-153-64800", "2022-154-00000", "const"]
    assert all(path.is_file() for path in began_with)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("DEF_CASE_NAME = 'C1'", "", "nl_colm, DEF_CASE_NAME: found no such key, expected text"),
        ("DEF_dir_output  = 'out'", "", "nl_colm, DEF_dir_output: found no such key"),
        ("'C1'", "'restart'", "nl_colm, DEF_CASE_NAME: found restart, expected the name of a folder, none of analysis"),
        ("'C1'", "'a/C1'", "nl_colm, DEF_CASE_NAME: found a/C1"),
        ("'C1'", "'C2'", "found no such folder"),
        (".TRUE.", ".false.", "nl_colm, DEF_simulation_time%greenwich: found .false., expected .true."),
        ("1800.", "'half an hour'", "DEF_simulation_time%timestep: found 'half an hour', expected a number"),
        ("1800.", "7200", "DEF_simulation_time%timestep: found 7200 s, expected whole seconds that divide an hour"),
        ("1800.", "0", "DEF_simulation_time%timestep: found 0 s"),
        ("2010", "2005", "found states of case C1 with land cover of 2010"),
        ("&nl_colm_lake depth = 3 /", "&nl_colm_lake depth = 3", "found what is no Fortran namelist"),
        ("&nl_colm_lake depth = 3 /", "&nl_colm a = 3 /", "&nl_colm: found more than one, expected one group"),
        ("&nl_colm\n", "&clmexp\n", "&nl_colm: found groups clmexp, nl_colm_lake"),
    ],
)
def test_check_refuses_a_namelist(case: Colm202xCase, old: str, new: str, said: str):
    edited = edit(case, old, new)
    with pytest.raises(InputError) as err:
        if said.startswith("found"):
            edited.first_set(START)
        edited.check([(START, END)], FOLDER)
    assert said in str(err.value)
    assert str(case.namelist) in str(err.value)


def test_times_without_their_names_are_refused(case: Colm202xCase):
    lines = case.namelist.read_text().splitlines()
    lines = [line for line in lines if "simulation_time" not in line]
    case.namelist.write_text("\n".join([*lines[:2], "DEF_simulation_time = .true., 2001, 1", *lines[2:]]))
    with pytest.raises(InputError, match="found values of def_simulation_time without their names"):
        Colm202xCase(case.namelist).check([(START, END)], FOLDER)


def test_check_refuses_windows_that_the_model_cannot_stop_at(case: Colm202xCase):
    with pytest.raises(
        InputError, match=r"timestep: found a time step of 1800 s for the window from 2022-06-03 00:00:00"
    ):
        case.check([(START, END), (END, END + timedelta(minutes=45))], FOLDER)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("restart/2022-153-64800", "found no such folder (there are: none), expected the restart of this time"),
        ("restart/2022-153-64800/C1_restart_2022-153-64800_lc2010_w180_s90.nc", "found no such file"),
        ("restart/2022-153-64800/C1_restart_pft_2022-153-64800_lc2010_w180_s90.nc", "found no such file"),
        ("restart/const/C1_restart_const_lc2010.nc", "found no such file"),
        ("restart/const/C1_restart_const_lc2010_e100_n30.nc", "found no such file"),
        ("landdata/landpatch", "found no landpatch_<block>.nc"),
        ("landdata/mesh", "found no such file, expected what the model reads"),
    ],
)
def test_check_refuses_a_case_that_is_not_whole(case: Colm202xCase, tmp_path: Path, lost: str, said: str):
    path = tmp_path / "user/out/C1" / lost
    path.rename(tmp_path / "gone")
    with pytest.raises(InputError) as err:
        case.check([(START, END)], FOLDER)
        case.first_set(START)
    assert said in str(err.value)
    assert str(path.parent if path.suffix else path) in str(err.value)


def test_a_missing_namelist_is_a_fault(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.nml: found what cannot be read .* expected the namelist of the model"):
        Colm202xCase(tmp_path / "none.nml").check([(START, END)], FOLDER)


@pytest.mark.parametrize(
    ("name", "said"),
    [("r" * 200, "found a path of"), ("my run", "signs that mean something to a shell"), ("a;b", "to a shell")],
)
def test_folders_that_the_model_would_not_find_are_refused(case: Colm202xCase, tmp_path: Path, name: str, said: str):
    with pytest.raises(OutputError) as err:
        case.prepare(tmp_path / name / "20220602T18.partial", case.first_set(START), START, END)
    assert said in str(err.value)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("value", [np.nan, -1e36, np.inf])
@pytest.mark.parametrize("name", ["wliq_soisno", "wice_soisno"])
def test_soil_water_that_is_lost_on_the_way_is_a_failure(case: Colm202xCase, tmp_path: Path, name: str, value: float):
    folder, began_with = tmp_path / "cycles/20220602T18.partial", case.first_set(START)
    as_model(case.prepare(folder, began_with, START, END), **{name: (3, 5, value)})
    with pytest.raises(InputError) as err:
        case.restart(folder, END, began_with)
    assert (
        f"lc2010_e100_n30.nc: {name}: found NaN or missing values in soil layers of 1 of 7 patches, the first is 4"
        in (str(err.value))
    )


def test_patches_without_water_at_the_start_and_empty_snow_may_have_none_at_the_end(case: Colm202xCase, tmp_path: Path):
    start = tmp_path / "user/out/C1/restart/2022-153-64800"
    write_set(start, "2022-153-64800", wliq_soisno=(3, 5, -1e36))
    folder, began_with = tmp_path / "cycles/20220602T18.partial", case.first_set(START)
    as_model(case.prepare(folder, began_with, START, END), wliq_soisno=(3, 14, -1e36), wice_soisno=(2, 4, -1e36))
    assert len(case.restart(folder, END, began_with)) == 4


def failed(case: Colm202xCase, tmp_path: Path, spoil) -> str:
    folder, began_with = tmp_path / f"cycles/20220602T18.{os.urandom(4).hex()}.partial", case.first_set(START)
    output = as_model(case.prepare(folder, began_with, START, END))
    spoil(output / "restart/2022-154-00000")
    with pytest.raises(ImgdaError) as err:
        case.restart(folder, END, began_with)
    return str(err.value)


def test_a_set_that_is_not_the_one_of_the_end_is_a_failure(case: Colm202xCase, tmp_path: Path):
    names = "C1_restart_2022-154-00000_lc2010_e100_n30.nc", "C1_restart_pft_2022-154-00000_lc2010_e100_n30.nc"
    said = failed(case, tmp_path, lambda folder: folder.rename(folder.with_name("2022-153-86400")))
    assert "2022-154-00000: found no such folder (written: 2022-153-86400)" in said
    for name in names:
        assert f"{name}: found no such file" in failed(case, tmp_path, lambda folder, n=name: (folder / n).unlink())
    said = failed(case, tmp_path, lambda folder: state(folder / "C1_restart_2022-154-00000_lc2010_e000_n00.nc"))
    assert "e000_n00.nc: found a file of another name" in said
    said = failed(case, tmp_path, lambda folder: state(folder / names[0], pft=True))
    assert f"{names[0]}: wliq_soisno: found no such variable" in said
    said = failed(case, tmp_path, lambda folder: state(folder / names[0], n_patch=6))
    assert f"{names[0]}: wliq_soisno: found 6 patches, expected 7 as in" in said
    for name in names:
        said = failed(case, tmp_path, lambda folder, n=name: (folder / n).write_bytes((folder / n).read_bytes()[:-100]))
        assert f"{name}: found a file that cannot be opened" in said


@pytest.mark.parametrize("case_of", ["EA14", "GL14"])
def test_sets_of_the_real_model_pass_and_quickly(shared: Path, tmp_path: Path, case_of: str):
    user = tmp_path / "out" / case_of
    user.parent.mkdir()
    user.symlink_to(shared / "colm/colm202x" / case_of)
    namelist = tmp_path / "real.nml"
    namelist.write_text(f"&nl_colm\n DEF_CASE_NAME = '{case_of}'\n DEF_dir_output = '{user.parent}'\n/\n")
    case, start = Colm202xCase(namelist), datetime(2022, 6, 4, tzinfo=UTC)
    end = start + SIX_HOURS
    case.check([(start, end)], FOLDER)
    began_with = case.first_set(start)
    folder = tmp_path / "cycles/20220604T00.partial"
    case.prepare(folder, began_with, start, end)
    (folder / case_of / "restart/2022-155-21600").mkdir()
    for path in began_with:
        name = path.name.replace("2022-155-00000", "2022-155-21600")
        shutil.copyfile(path, folder / case_of / "restart/2022-155-21600" / name)
    first = time.perf_counter()
    assert len(case.restart(folder, end, began_with)) == len(began_with)
    assert time.perf_counter() - first < 0.3


def test_plant_communities_of_the_real_model_pass(shared: Path, tmp_path: Path):
    user, sample = tmp_path / "out/RPC", shared / "colm/colm202x/pc_sample"
    start = datetime(2022, 6, 2, tzinfo=UTC)
    for pattern, folder in (
        ("RPC_restart_*const*", "restart/const"),
        ("RPC_restart_*2022*", "restart/2022-153-00000"),
        ("landpatch*", "landdata/landpatch/2005"),
    ):
        (user / folder).mkdir(parents=True)
        for path in sample.glob(pattern):
            (user / folder / path.name).symlink_to(path)
    namelist = tmp_path / "real.nml"
    namelist.write_text("&nl_colm\n DEF_CASE_NAME = 'RPC'\n DEF_dir_output = 'out'\n/\n")
    case, folder, end = Colm202xCase(namelist), tmp_path / "cycles/20220602T00", start + SIX_HOURS
    began_with = case.first_set(start)
    case.prepare(folder, began_with, start, end)
    new = folder / "RPC/restart/2022-153-21600"
    new.mkdir()
    for path in began_with:
        shutil.copyfile(path, new / path.name.replace("153-00000", "153-21600"))
    assert [path.name for path in case.restart(folder, end, began_with)] == [
        "RPC_restart_2022-153-21600_lc2005_e100_n30.nc",
        "RPC_restart_pft_2022-153-21600_lc2005_e100_n30.nc",
    ]


def test_neither_runs_nor_histories_need_mpi():
    modules = ", ".join(f"imgda_mpi.colm.{name}" for name in ("run202x", "run2014", "history202x"))
    code = f"import sys, {modules}; sys.exit('mpi4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def history(path: Path, hours: list[float], **more: float) -> Path:
    """A history file with records in the middle of hours of 2 June 2022."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", None), ("lat", 2), ("lon", 3)):
            file.createDimension(name, size)
        times = file.createVariable("time", "i4", ("time",))
        times.units = "minutes since 1900-1-1 0:0:0"
        times[:] = [round((datetime(2022, 6, 2) - datetime(1900, 1, 1)) / timedelta(minutes=1) + 60 * h) for h in hours]
        file.createVariable("lat", "f4", ("lat",))[:] = [10, 0]
        for name, value in ({"f_wa": 1.0} | more).items():
            variable = file.createVariable(name, "f8", ("time", "lat", "lon"))
            variable.missing_value = -1e36
            variable[:] = value + np.array(hours)[:, None, None] + np.zeros((2, 3))
            variable[:, 0, 0] = -1e36
    return path


def quarters(tmp_path: Path, *starts: float, n: int = 6) -> list[Path]:
    return [history(tmp_path / f"{s}/C1_hist_2022-06-02.nc", [s + i + 0.5 for i in range(n)]) for s in starts]


def test_histories_of_one_day_are_joined_in_the_order_of_time(tmp_path: Path):
    joined = open_histories(quarters(tmp_path, 12, 0, 6))
    assert joined.times[0] == datetime(2022, 6, 2, 0, 30, tzinfo=UTC)
    assert joined.times[-1] == datetime(2022, 6, 2, 17, 30, tzinfo=UTC)
    assert len(joined.times) == 18
    assert joined.names == ["f_wa"]
    for index in (0, 5, 6, 17):
        values = joined.read("f_wa", index)
        assert values.shape == (2, 3)
        assert values[1, 2] == index + 1.5
        assert values[0, 0] == -1e36


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        ((0, 12), "12/C1_hist_2022-06-02.nc: time: found a gap: 2022-06-02 12:30 after 2022-06-02 05:30"),
        ((0, 3), "3/C1_hist_2022-06-02.nc: time: found an overlap: 2022-06-02 03:30 after 2022-06-02 05:30"),
        ((0, 0), "0/C1_hist_2022-06-02.nc: time: found an overlap"),
        ((), "history: found no files"),
    ],
)
def test_gaps_and_overlaps_of_histories_are_refused(tmp_path: Path, starts: tuple[float, ...], said: str):
    with pytest.raises(InputError) as err:
        open_histories(quarters(tmp_path, *starts))
    assert said in str(err.value)


def test_histories_of_other_variables_or_units_are_refused(tmp_path: Path):
    first = quarters(tmp_path, 0)[0]
    other = history(tmp_path / "6/C1_hist_2022-06-02.nc", [6.5, 7.5], f_zwt=2.0)
    with pytest.raises(InputError, match=r"f_zwt: found shape \(2, 3\), expected None as in"):
        open_histories([first, other])
    with netCDF4.Dataset(first, "a") as file:
        file["time"].units = "days since 2000-1-1"
    with pytest.raises(InputError, match=r"time: found 6 times in 'days since 2000-1-1'"):
        open_histories([first])
    with pytest.raises(InputError, match="no such variable"):
        open_histories([other]).read("f_wb", 0)


def test_history_of_the_real_model_is_read(shared: Path):
    path = shared / "colm/colm202x/EA14/history/EA14_hist_2022-06-03.nc"
    joined = open_histories([path])
    assert joined.times[0] == datetime(2022, 6, 3, 0, 30, tzinfo=UTC)
    assert len(joined.times) == 24
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        np.testing.assert_array_equal(joined.read("f_h2osoi", 23), file["f_h2osoi"][23])
