from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import f90nml
import numpy as np
import pytest
from cases import unpacked
from colm2014_files import TIME, SmallCase

from imgda_mpi.colm.run2014 import Colm2014Case
from imgda_mpi.faults import ConfigError, ImgdaError, InputError, OutputError

SIX_HOURS, DAY = timedelta(hours=6), timedelta(days=1)
LAST = TIME - DAY, TIME  # a window that ends at midnight
NAMELIST = """&clmexp
site = 'S'
dir_model_landdata = '/data/srf/'   ! it's shared
dir_forcing        = '/data/atm/'
dir_output         = 'output/'
dir_restart_hist   = 'restart/'
lon_points         = 6
lat_points         = 4
deltim             = 1800.
solarin_all_band   = .true.
e_year             = 2003
e_julian           = 1
e_seconds          = 0
p_year             = 2001
p_julian           = 1
p_seconds          = 0
numpatch           = {n}
greenwich          = .true.
s_year             = 2001
s_julian           = 1
s_seconds          = 0
/
"""

FOLDER = Path("/run/cycles/20220604T00.0123abcd.partial")
"""Where a cycle could be made."""


@pytest.fixture
def small() -> SmallCase:
    return SmallCase(4, 6)


@pytest.fixture
def case(small: SmallCase, tmp_path: Path) -> Colm2014Case:
    """A case whose executable writes restarts every 6 hours; its restart folder lies beside the namelist."""
    (tmp_path / "user/restart").mkdir(parents=True)
    small.write(tmp_path / "user/restart")
    namelist = tmp_path / "user/clm.stdin"
    namelist.write_text(NAMELIST.format(n=small.n))
    return Colm2014Case(namelist, SIX_HOURS)


def edit(case: Colm2014Case, old: str, new: str) -> Colm2014Case:
    text = case.namelist.read_text()
    assert old in text
    case.namelist.write_text(text.replace(old, new))
    return Colm2014Case(case.namelist, case.restart_every)


def date(time: datetime) -> tuple[int, int, int]:
    midnight = time.replace(hour=0, minute=0, second=0)
    return time.year, time.timetuple().tm_yday, int((time - midnight).total_seconds())


def as_model(namelist: Path, small: SmallCase, every: timedelta = SIX_HOURS) -> None:
    """What the model does in a window, from the namelist alone: restarts on the way and at its end, history."""
    at = f90nml.read(namelist)["clmexp"]
    start, end, silent = (
        datetime(at[f"{of}_year"], 1, 1) + timedelta(days=at[f"{of}_julian"] - 1, seconds=at[f"{of}_seconds"])
        for of in "sep"
    )
    assert silent == start
    year, day, second = date(start)
    with open(f"{at['dir_restart_hist']}{at['site']}-rstTimeVar-{year}-{day:03d}-{second:05d}", "rb") as file:  # noqa: PTH123
        assert tuple(np.frombuffer(file.read(16)[4:], "<i4")) == (year, day, second)
    assert Path(f"{at['dir_restart_hist']}{at['site']}-rstTimeConst").is_file()
    while start < end:
        start += every
        year, day, second = date(start)
        stamp = f"{year}-{day:03d}-{second:05d}"
        small.write_state(Path(f"{at['dir_restart_hist']}{at['site']}-rstTimeVar-{stamp}"), (year, day, second))
        Path(f"{at['dir_output']}{at['site']}_2D_Fluxes_{stamp}").touch()


def test_check_passes_a_whole_case(case: Colm2014Case):
    case.check([(TIME, TIME + SIX_HOURS), (TIME + SIX_HOURS, TIME + DAY)], FOLDER)
    assert case.name == "CoLM2014 case S"
    assert case.namelist_is_input
    assert [path.name for path in case.first_set(TIME)] == ["S-rstTimeVar-2022-155-00000"]


def test_the_namelist_of_a_window_has_its_dates_and_folders_and_all_else_of_the_user(case, tmp_path):
    folder, before = tmp_path / "run/cycles/20220604T18.partial", case.namelist.read_bytes()
    began_with = case.first_set(TIME)
    edited = f90nml.read(case.prepare(folder, began_with, TIME + 3 * SIX_HOURS, TIME + DAY))["clmexp"]
    assert case.namelist.read_bytes() == before
    assert edited["dir_restart_hist"] == f"{folder}/restart/"
    assert edited["dir_output"] == f"{folder}/history/"
    assert edited["dir_forcing"] == "/data/atm/"
    assert edited["deltim"] == 1800.0
    dates = {of: tuple(edited[f"{of}_{name}"] for name in ("year", "julian", "seconds")) for of in "spe"}
    assert dates == {"s": (2022, 155, 64800), "p": (2022, 155, 64800), "e": (2022, 156, 0)}
    assert len(edited) == 20


def test_a_window_goes_on_from_the_one_before_after_folders_and_the_run_have_changed_their_names(
    case: Colm2014Case, small: SmallCase, tmp_path: Path
):
    run, began_with = tmp_path / "run", case.first_set(TIME)
    first, middle = run / "cycles/20220604T00.partial", TIME + SIX_HOURS
    as_model(case.prepare(first, began_with, TIME, middle), small)
    (set_of_end,) = case.restart(first, middle, began_with)
    assert set_of_end.name == "S-rstTimeVar-2022-155-21600"
    assert [path.name for path in case.history(first)] == ["S_2D_Fluxes_2022-155-21600"]
    case.settle(first, first.stem)
    done = first.rename(first.with_suffix(""))
    named = f90nml.read(done / "clm.stdin")["clmexp"]
    assert [named["dir_restart_hist"], named["dir_output"]] == [f"{done}/restart/", f"{done}/history/"]

    second = run / "cycles/20220604T06.partial"
    analysed = second / "analysis/restart"
    analysed.mkdir(parents=True)
    began_with = [Path(shutil.copy(done / set_of_end.relative_to(first), analysed))]
    began_with.append(analysed / f"{set_of_end.name}.imgda.json")
    began_with[1].write_text("{}")
    as_model(case.prepare(second, began_with, middle, middle + SIX_HOURS), small)
    assert len(case.restart(second, middle + SIX_HOURS, began_with)) == 1
    last = second.rename(second.with_suffix(""))
    run.rename(tmp_path / "moved")
    for cycle, name in ((done, "S-rstTimeVar-2022-155-00000"), (last, "S-rstTimeVar-2022-155-21600")):
        restart = tmp_path / "moved" / cycle.relative_to(run) / "restart"
        assert (restart / name).is_symlink()
        assert (restart / name).is_file()
        assert (restart / "S-rstTimeConst").is_file()
    assert (restart / "S-rstTimeVar-2022-155-21600.imgda.json").is_file()


def test_restarts_on_the_way_are_removed_and_links_stay(case: Colm2014Case, small: SmallCase, tmp_path: Path):
    folder, began_with = tmp_path / "cycles/20220604T00.partial", case.first_set(TIME)
    as_model(case.prepare(folder, began_with, TIME, TIME + DAY), small)
    case.restart(folder, TIME + DAY, began_with)
    assert sorted(path.name for path in (folder / "restart").iterdir()) == [
        "S-rstTimeConst",
        "S-rstTimeVar-2022-155-00000",
        "S-rstTimeVar-2022-156-00000",
    ]
    assert began_with[0].is_file()


def test_the_mark_beside_the_first_set_belongs_to_it(case: Colm2014Case):
    (file,) = case.first_set(TIME)
    mark = file.with_name(f"{file.name}.imgda.json")
    mark.write_text("{}")
    assert case.first_set(TIME) == [file, mark]


def test_the_section_of_an_analysis_names_both_files(case: Colm2014Case, tmp_path: Path):
    files = case.first_set(TIME)
    assert case.section([files[0].with_name(f"{files[0].name}.imgda.json"), *files], TIME) == {
        "kind": "colm2014",
        "restart_file": str(files[0]),
        "const_file": str(tmp_path / "user/restart/S-rstTimeConst"),
        "time": TIME,
    }


def test_the_end_of_the_output_says_whether_all_is_well(case: Colm2014Case):
    assert case.complaint("TIMELOOP = 12\n CLM Execution Completed\n") is None
    assert case.complaint("TIMELOOP = 12\n") == "it did not say 'Execution Completed'"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("site = 'S'", "", "clmexp, site: found no such key, expected text"),
        ("numpatch  ", "numpatsch ", "clmexp, numpatch: found no such key, expected a whole number"),
        ("dir_forcing", "dir_weather", "clmexp, dir_forcing: found no such key"),
        ("solarin_all_band   = .true.", "", "clmexp, solarin_all_band: found no such key, expected .true. or .false."),
        ("greenwich          = .true.", "", "clmexp, greenwich: found no such key"),
        ("greenwich          = .true.", "greenwich = .false.", "clmexp, greenwich: found .false., expected .true."),
        ("deltim             = 1800.", "", "clmexp, deltim: found no such key, expected a number"),
        ("1800.", "1000.", "clmexp, deltim: found 1000 s, expected whole seconds that divide an hour"),
        ("lon_points         = 6", "lon_points = 7", "clmexp, lon_points: found 7, expected 6 as in"),
        ("numpatch           = ", "numpatch = 1", "clmexp, numpatch: found 1"),
        ("'restart/'", "'restart'", "restartS-rstTimeConst: found no such file"),
        ("site = 'S'", "site = 'T'", "restart/T-rstTimeConst: found no such file"),
        ("\n/\n", "\n", "found what is no Fortran namelist"),
    ],
)
def test_check_refuses_a_namelist(case: Colm2014Case, old: str, new: str, said: str):
    with pytest.raises(InputError) as err:
        edit(case, old, new).check([(TIME, TIME + SIX_HOURS)], FOLDER)
    assert said in str(err.value)
    assert str(case.namelist) in str(err.value)


@pytest.mark.parametrize(
    ("every", "start", "end", "said"),
    [
        (24, 0, 6, "restart_every: found restarts every 24 h of the day for a window that ends at 2022-06-04 06:00:00"),
        (6, 0, 9, "restart_every: found restarts every 6 h of the day for a window that ends at 2022-06-04 09:00:00"),
        (5, 0, 5, "restart_every: found 5 h, expected a time that divides a day"),
        (48, 0, 48, "restart_every: found 48 h"),
        (0, 0, 6, "restart_every: found 0 h"),
    ],
)
def test_check_refuses_windows_without_a_restart_at_their_end(case, every, start, end, said):
    hour = timedelta(hours=1)
    with pytest.raises(ConfigError) as err:
        Colm2014Case(case.namelist, every * hour).check([(TIME + start * hour, TIME + end * hour)], FOLDER)
    assert said in str(err.value)


def test_a_start_without_a_restart_names_those_that_are_there(case: Colm2014Case):
    with pytest.raises(InputError, match=r"found no such file \(there are: S-rstTimeVar-2022-155-00000\)"):
        case.first_set(TIME - SIX_HOURS)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda small, path: small.write_state(path, (2022, 154, 86400)),
            "found 2022, 154, 86400, expected 2022, 155, 0",
        ),
        (lambda small, path: small.write_state(path, (2022, 154, 0)), "found 2022, 154, 0, expected 2022, 155, 0"),
        (lambda small, path: SmallCase(4, 6, seed=2).write_state(path), "patches, expected the const file's"),
        (lambda small, path: os.truncate(path, 5000), "found a length of"),
    ],
)
def test_a_first_set_is_refused_that_the_model_would_stop_at(case, small, spoil, said):
    (file,) = case.first_set(TIME)
    spoil(small, file)
    with pytest.raises(InputError) as err:
        case.first_set(TIME)
    assert said in str(err.value)
    assert str(file) in str(err.value)


def run_and_spoil(case: Colm2014Case, small: SmallCase, tmp_path: Path, spoil) -> list[Path] | str:
    folder, began_with = tmp_path / f"cycles/20220603T18.{os.urandom(4).hex()}.partial", case.first_set(TIME)
    as_model(case.prepare(folder, began_with, TIME, TIME + SIX_HOURS), small)
    spoil(folder / "restart/S-rstTimeVar-2022-155-21600")
    try:
        return case.restart(folder, TIME + SIX_HOURS, began_with)
    except ImgdaError as err:
        return str(err)


def test_a_restart_that_is_not_the_one_of_the_end_is_a_failure(case: Colm2014Case, small: SmallCase, tmp_path: Path):
    said = run_and_spoil(case, small, tmp_path, lambda path: path.unlink())
    assert "S-rstTimeVar-2022-155-21600: found no such file (written: none)" in said
    said = run_and_spoil(case, small, tmp_path, lambda path: small.write_state(path, (2022, 155, 0)))
    assert "year, day, second: found 2022, 155, 0, expected 2022, 155, 21600" in said
    said = run_and_spoil(case, small, tmp_path, lambda path: os.truncate(path, 3000))
    assert "in a file of 3000 bytes" in said


@pytest.mark.parametrize("value", [np.nan, -1e36])
def test_soil_water_that_is_lost_on_the_way_is_a_failure(case, small, tmp_path, value):
    def spoil(path: Path) -> None:
        after = SmallCase(4, 6)
        after.state["wliq_soisno"][4, 5] = value
        after.write_state(path, (2022, 155, 21600))

    said = run_and_spoil(case, small, tmp_path, spoil)
    assert f"wliq_soisno: found NaN or missing values in soil layers of 1 of {small.n} patches, the first is 5" in said


def test_patches_without_water_at_the_start_and_empty_snow_may_have_none_at_the_end(case, small, tmp_path):
    small.state["wliq_soisno"][4] = -1e36
    small.state["wice_soisno"][:, 0] = -1e36
    small.write_state(tmp_path / "user/restart/S-rstTimeVar-2022-155-00000")
    assert len(run_and_spoil(case, small, tmp_path, lambda path: None)) == 1


def test_a_folder_of_too_long_a_path_is_refused(case: Colm2014Case, tmp_path: Path):
    with pytest.raises(OutputError, match=r"found a path of \d+ characters, expected 256 at most"):
        case.prepare(tmp_path / ("r" * 200) / "20220604T00.partial", case.first_set(TIME), TIME, TIME + DAY)
    assert not (tmp_path / ("r" * 200)).exists()


@pytest.mark.parametrize("name", ["it's my run", "Läufe"])
def test_a_folder_of_any_name_is_written_as_it_is(case: Colm2014Case, small: SmallCase, tmp_path: Path, name: str):
    folder = tmp_path / name / "20220604T00.partial"
    edited = case.prepare(folder, case.first_set(TIME), TIME, TIME + SIX_HOURS)
    assert f"{folder}/restart/".encode() in edited.read_bytes()
    case.settle(folder, folder.stem)
    done = folder.rename(folder.with_suffix(""))
    assert f"{done}/restart/".encode() in (done / "clm.stdin").read_bytes()


@pytest.mark.parametrize(
    ("folder", "site", "n", "size"), [("EAS", "EAS", 1476, (48, 32)), ("global", "CTL", 16094, (256, 128))]
)
def test_sets_of_the_real_model_pass(
    shared: Path, tmp_path: Path, folder: str, site: str, n: int, size: tuple[int, int]
):
    for name in ("rstTimeConst", "rstTimeVar-2022-155-00000"):
        unpacked(shared / f"colm/colm2014/{folder}/{site}-{name}.xz", tmp_path / "restart")
    namelist = tmp_path / "clm.stdin"
    text = NAMELIST.format(n=n).replace("'S'", f"'{site}'").replace("lat_points         = 4", f"lat_points = {size[1]}")
    namelist.write_text(text.replace("lon_points         = 6", f"lon_points = {size[0]}"))
    case, start = Colm2014Case(namelist, SIX_HOURS), datetime(2022, 6, 4, tzinfo=UTC)
    case.check([(start, start + SIX_HOURS)], FOLDER)
    cycle, began_with = tmp_path / "cycles/20220604T00.partial", case.first_set(start)
    case.prepare(cycle, began_with, start, start + SIX_HOURS)
    new = cycle / f"restart/{site}-rstTimeVar-2022-155-21600"
    content = bytearray(began_with[0].read_bytes())
    content[4:16] = np.array((2022, 155, 21600), "<i4").tobytes()
    new.write_bytes(content)
    assert case.restart(cycle, start + SIX_HOURS, began_with) == [new]
