"""The stand-ins for the executables of CoLM keep to what is known of them."""

from __future__ import annotations

import resource
import signal
import time
from datetime import timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from colm2014_files import read_state
from colm_runs import ENVIRONMENT, NORTH_AMERICA, Case, colm202x_case, colm2014_case, put, window
from launch import contents, load

pytestmark = pytest.mark.program

HOUR = timedelta(hours=1)
MISSING = -1.0e36


@pytest.fixture
def case(example_case: Path, tmp_path: Path) -> Case:
    return colm202x_case(tmp_path, example_case)


@pytest.fixture
def site(tmp_path: Path) -> Case:
    return colm2014_case(tmp_path / "site")


def state(case: Case, stamp: str) -> Path:
    return case.directory / f"restart/{stamp}/demo_restart_{stamp}_lc2005_{NORTH_AMERICA}.nc"


def stamps(case: Case) -> set[str]:
    return {path.name for path in (case.directory / "restart").iterdir()} - {"const"}


def done(case: Case, namelist: Path | None = None, **environment: str) -> str:
    """What a run said that has to succeed."""
    finished = case.run(namelist, **environment)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Execution Completed" in finished.stdout
    return finished.stdout


# --- CoLM202X -----------------------------------------------------------------------------------------------------


def test_a_run_in_pieces_is_one_run_to_the_bit(case: Case, example_case: Path, tmp_path: Path) -> None:
    done(case)
    pieces = colm202x_case(tmp_path / "pieces", example_case, n_ranks=4)
    middle = case.start + 2 * HOUR
    done(pieces, window(pieces, case.start, middle))
    done(pieces, window(pieces, middle, case.end))
    one, other = load(state(case, "2022-153-43200")), load(state(pieces, "2022-153-43200"))
    before = load(state(case, "2022-153-21600"))
    assert one.keys() == before.keys()
    assert {name for name in one if one[name].tobytes() != other[name].tobytes()} == set()
    assert {name for name in one if one[name].tobytes() != before[name].tobytes()} >= {"wliq_soisno", "wa", "zwt"}
    one, other = (load(each.directory / "history/demo_hist_2022-06-02.nc") for each in (case, pieces))
    assert other["time"].tolist() == one["time"][2:].tolist()  # the second piece has made its file anew
    for name in (name for name in one if name.startswith("f_")):
        assert np.array_equal(other[name], one[name][2:])


def test_restarts_are_of_the_models_format_and_bring_all_sets(case: Case) -> None:
    other_set = state(case, "2022-153-21600").with_name(f"demo_restart_urban_2022-153-21600_lc2005_{NORTH_AMERICA}.nc")
    other_set.write_bytes(b"of the city")
    with netCDF4.Dataset(state(case, "2022-153-21600"), "r+") as file:
        file.of_an_analysis = "which the model does not pass on"
    at_this_time = {"SOURCE_DATE_EPOCH": "1654171200"}
    done(case, **at_this_time)
    new = state(case, "2022-153-43200")
    first = new.read_bytes()
    with netCDF4.Dataset(new) as file, netCDF4.Dataset(state(case, "2022-153-21600")) as old:
        assert file.ncattrs() == ["create_time"]
        assert file.create_time == "20220602-12:00:00 UTC+00:00"
        assert [*file.variables] == [*old.variables]
        assert {name: each.size for name, each in file.dimensions.items()} == {
            name: each.size for name, each in old.dimensions.items()
        }
        for name, variable in file.variables.items():
            assert variable.ncattrs() == []
            assert variable.dimensions == old[name].dimensions
            assert variable.chunking() == list(variable.shape)
            assert variable.filters()["complevel"] == 1
            assert not variable.filters()["shuffle"]
    assert new.with_name(other_set.name.replace("21600", "43200")).read_bytes() == b"of the city"
    done(case, **at_this_time)
    assert new.read_bytes() == first
    done(case)
    assert contents(new)["/"]["create_time"] != "20220602-12:00:00 UTC+00:00"


def test_histories_are_means_of_hours_over_the_patches_of_a_cell(case: Case) -> None:
    done(case, window(case, case.start, case.start + HOUR))
    history = load(case.directory / "history/demo_hist_2022-06-02.nc")
    since_1900 = (
        case.start.replace(tzinfo=None) - case.start.replace(year=1900, month=1, day=1, hour=0, tzinfo=None)
    ).days
    assert history["time"].tolist() == [since_1900 * 1440 + 6 * 60 + 30]
    assert history["time"].dtype == np.int32
    assert history["lat"].dtype == np.float32
    assert (np.diff(history["lat"]) < 0).all()
    landdata = case.directory / "landdata"
    mesh = load(landdata / "mesh/2005/mesh.nc")
    element = load(landdata / f"landpatch/2005/landpatch_{NORTH_AMERICA}.nc")["eindex"] - 1
    fraction = load(landdata / f"landpatch/2005/patchfrac_elm_{NORTH_AMERICA}.nc")["patchfrac_elm"]
    is_wet = load(case.directory / f"restart/const/demo_restart_const_lc2005_{NORTH_AMERICA}.nc")["patchtype"] <= 2
    assert not is_wet.all()
    top = 0.0175128
    water = [load(state(case, stamp))["wliq_soisno"][:, 5] for stamp in ("2022-153-21600", "2022-153-25200")]
    seen = 0
    for row, latitude in enumerate(history["lat"]):
        for column, longitude in enumerate(history["lon"]):
            j = int(np.abs(mesh["latitude"] - latitude).argmin())
            i = int(np.abs(mesh["longitude"] - longitude).argmin())
            here = (element == j * mesh["longitude"].size + i) & is_wet
            value = history["f_h2osoi"][0, 0, row, column]
            if here.any():
                expected = np.average(np.mean(water, axis=0)[here], weights=fraction[here]) / (1000.0 * top)
                assert value == pytest.approx(expected, rel=1e-5)
                seen += 1
            else:
                assert value == MISSING
    assert seen > 50


def test_midnight_is_the_next_days_in_restarts_and_the_old_days_in_histories(case: Case) -> None:
    done(case, window(case, case.start, case.start + 20 * HOUR))
    assert stamps(case) == {"2022-153-21600", "2022-154-00000", "2022-154-07200"}
    folder = case.directory / "history"
    assert {path.name for path in folder.iterdir()} == {"demo_hist_2022-06-02.nc", "demo_hist_2022-06-03.nc"}
    assert [load(path)["time"].size for path in sorted(folder.iterdir())] == [18, 2]


def test_local_time_makes_another_stamp(case: Case) -> None:
    put(case.namelist, greenwich=".false.", DEF_WRST_FREQ="'none'")
    done(case)
    assert stamps(case) == {"2022-153-21600", "2022-153-14400"}


REFUSED = {
    "a misspelt key": ({}, "DEF_HIST_FREQ", "DEF_HIST_FREK"),
    "a misspelt part of a derived type": ({}, "%end_sec ", "%end_secs"),
    "a type": ({"start_year": "2022.5"}, "", ""),
    "another group": ({}, "&nl_colm", "&nl_colms"),
    "a group without an end": ({}, "\n/\n", "\n"),
    "no forcing": ({"DEF_forcing_namelist": "'nowhere.nml'"}, "", ""),
    "a start without restart": ({"start_sec": "25200"}, "", ""),
    "no case": ({}, "DEF_CASE_NAME = 'demo'", ""),
    "no folder": ({}, "DEF_dir_output", "!"),
    "no start": ({}, "DEF_simulation_time%start", "!"),
    "a long step": ({"timestep": "7200."}, "", ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_colm202x_refuses(what: str, case: Case) -> None:
    values, old, new = REFUSED[what]
    text = put(case.namelist, **values).read_text()
    assert old in text
    case.namelist.write_text(text.replace(old, new) if old else text)
    finished = case.run()
    assert finished.returncode != 0
    assert "ERROR" in finished.stdout
    assert "Execution Completed" not in finished.stdout
    assert stamps(case) == {"2022-153-21600"}


def test_colm202x_needs_three_ranks(example_case: Path, tmp_path: Path) -> None:
    case = colm202x_case(tmp_path, example_case, n_ranks=2)
    finished = case.run()
    assert finished.returncode != 0
    assert "needs a master" in finished.stdout


FAULTS = {
    "fails": (False, set()),
    "killed": (False, set()),
    "half_restart 1": (False, {"2022-153-43200"}),
    "no_restart": (True, set()),
    "other_date": (True, {"2022-154-43200"}),
    "nan": (True, {"2022-153-43200"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_colm202x_fails_on_request(fault: str, case: Case) -> None:
    ends_well, left = FAULTS[fault]
    finished = case.run(COLM_FAULT_AT="2022-153-21600", COLM_FAULT=fault)
    assert (finished.returncode == 0) == ends_well
    assert ("Execution Completed" in finished.stdout) == ends_well
    assert stamps(case) - {"2022-153-21600"} == left
    if fault == "nan":
        water = load(state(case, "2022-153-43200"))["wliq_soisno"]
        assert np.isnan(water).sum() == 1
    if fault.startswith("half"):
        with pytest.raises((OSError, KeyError, AssertionError)):
            assert load(state(case, "2022-153-43200")).keys() == load(state(case, "2022-153-21600")).keys()


def test_a_fault_that_strikes_once_leaves_nothing_behind(case: Case, tmp_path: Path) -> None:
    once = {"COLM_FAULT": "half_restart 1", "COLM_FAULT_TIMES": "1", "COLM_FAULT_FILE": str(tmp_path / "count")}
    assert case.run(**once).returncode != 0
    done(case, **once)
    assert np.isfinite(load(state(case, "2022-153-43200"))["wliq_soisno"]).all()


def test_faults_of_another_window_do_not_strike(case: Case) -> None:
    done(case, COLM_FAULT="killed", COLM_FAULT_AT="2022-153-43200")


def test_colm202x_looks_at_its_environment(case: Case) -> None:
    assert case.run(COLM_WANTS_ENV="MY_MODULES=loaded", COLM_FAULT="fails").returncode != 0
    assert "MY_MODULES=" in case.run(COLM_WANTS_ENV="MY_MODULES=loaded").stdout
    done(case, window(case, case.start, case.start + HOUR), COLM_WANTS_ENV="MY_MODULES=loaded", MY_MODULES="loaded")


# --- CoLM2014 -----------------------------------------------------------------------------------------------------


def restarts(site: Case) -> set[str]:
    return {path.name.removeprefix("S-rstTimeVar-") for path in site.directory.glob("S-rstTimeVar-*")}


def fluxes(site: Case) -> set[str]:
    return {path.name.removeprefix("S_2D_Fluxes_") for path in (site.directory.parent / "output").iterdir()}


def test_a_run_of_colm2014_in_pieces_is_one_run_to_the_bit(site: Case, tmp_path: Path) -> None:
    end = site.start + 24 * HOUR
    done(site, window(site, site.start, end))
    pieces = colm2014_case(tmp_path / "pieces")
    for hour in range(0, 24, 6):
        begin = site.start + hour * HOUR
        done(pieces, window(pieces, begin, begin + 6 * HOUR))
    assert restarts(site) == restarts(pieces)
    for path in site.directory.glob("S-*"):
        assert path.read_bytes() == (pieces.directory / path.name).read_bytes()
    for path in (site.directory.parent / "output").iterdir():
        assert path.read_bytes() == (pieces.directory.parent / "output" / path.name).read_bytes()
    before, after = (read_state(site.directory / f"S-rstTimeVar-2022-{stamp}") for stamp in ("155-00000", "156-00000"))
    changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
    assert changed == {"wliq_soisno", "zwt", "wa"}


def test_restarts_and_fluxes_come_as_the_executable_was_built(site: Case) -> None:
    namelist = window(site, site.start, site.start + 27 * HOUR)
    done(site, namelist, COLM_RESTART_HOURS="12", COLM_FLUX_HOURS="24")
    assert restarts(site) == {"2022-155-00000", "2022-155-43200", "2022-156-00000"}
    assert fluxes(site) == {"2022-155-86400"}


def test_nothing_is_written_up_to_the_end_of_the_spin_up(site: Case) -> None:
    put(site.namelist, p_seconds="10800")
    done(site)
    assert restarts(site) == {"2022-155-00000", "2022-155-21600"}
    assert fluxes(site) == {"2022-155-21600"}


def test_fluxes_are_99_records_of_the_grid(site: Case) -> None:
    done(site, COLM_FLUX_HOURS="6")
    content = (site.directory.parent / "output/S_2D_Fluxes_2022-155-21600").read_bytes()
    records = []
    while content:
        size = int.from_bytes(content[:4], "little")
        assert content[4 + size : 8 + size] == content[:4]
        records.append(content[4 : 4 + size])
        content = content[8 + size :]
    assert len(records) == 99
    values = 8 * 24
    wide = {1: 8 * 6, 2: 8 * 4, 3: 4 * 24, 45: 4 * values, 56: 10 * values, 61: 10 * values, 62: 10 * values}
    wide |= dict.fromkeys((53, 54, 55), 15 * values)
    assert [len(record) for record in records] == [wide.get(number, values) for number in range(1, 100)]
    mask = np.frombuffer(records[2], "<i4")
    assert set(mask.tolist()) == {0, 1}
    temperature, water = (np.frombuffer(records[number - 1], "<f8").reshape(24, -1) for number in (53, 56))
    assert ((temperature[:, 5:] > 200.0) | (temperature[:, 5:] == MISSING)).all()
    assert (temperature[mask == 0] == MISSING).all()
    assert (temperature[water[:, 0] > 0.0, 5:] > 200.0).all()
    assert ((water > 0.0) & (water < 0.6) | (water == MISSING)).all()
    assert (water > 0.0).any()
    assert (np.frombuffer(records[5], "<f8") == MISSING).all()


@pytest.mark.parametrize("key", ["site", "deltim", "p_year", "greenwich", "numpatch"])
def test_colm2014_refuses_a_namelist_without(key: str, site: Case) -> None:
    lines = site.namelist.read_text().splitlines(keepends=True)
    site.namelist.write_text("".join(line for line in lines if not line.startswith(key)))
    assert len(lines) == 22
    refused(site, 2)


@pytest.mark.parametrize(("key", "value"), [("lon_points", "7"), ("s_seconds", "10800"), ("dir_output", "7")])
def test_colm2014_refuses(key: str, value: str, site: Case) -> None:
    put(site.namelist, **{key: value})
    refused(site, 2)


def test_colm2014_refuses_an_unknown_key(site: Case) -> None:
    site.namelist.write_text(site.namelist.read_text().replace("deltim", "deltime = 3600.\ndeltim"))
    assert "Cannot match namelist object name deltime" in refused(site, 2)


def test_folders_of_colm2014_need_their_slash(site: Case) -> None:
    put(site.namelist, dir_restart_hist=f"'{site.directory}'")
    refused(site, 2)


def test_colm2014_aborts_at_another_date(site: Case) -> None:
    wrong = site.directory / "S-rstTimeVar-2022-155-10800"
    wrong.write_bytes((site.directory / "S-rstTimeVar-2022-155-00000").read_bytes())
    put(site.namelist, s_seconds="10800")
    assert "NOT IDENTICAL" in refused(site, 128 + signal.SIGABRT)


def test_colm2014_ends_with_0_where_it_has_no_weather(site: Case) -> None:
    put(site.namelist, dir_forcing="'/nowhere/'")
    assert "out of range" in refused(site, 0)


def test_colm2014_needs_a_large_stack(site: Case) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft in (hard, resource.RLIM_INFINITY):
        pytest.skip("the stack cannot be made larger here")
    small = Case(site.directory, "S", site.namelist, f"{site.command} < {{namelist}}", site.start, site.end)
    refused(small, 128 + signal.SIGSEGV)


def refused(site: Case, status: int) -> str:
    """What a run said that left nothing behind."""
    before = restarts(site)
    finished = site.run()
    assert finished.returncode == status, finished.stderr
    assert "Execution Completed" not in finished.stdout
    assert restarts(site) == before
    assert fluxes(site) == set()
    return finished.stdout + finished.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_colm2014_fails_on_request(fault: str, site: Case, tmp_path: Path) -> None:
    ends_well, left = FAULTS[fault]
    once = {"COLM_FAULT": fault, "COLM_FAULT_TIMES": "1", "COLM_FAULT_FILE": str(tmp_path / "count")}
    once["COLM_RESTART_HOURS"] = "6"
    finished = site.run(**once)
    assert (finished.returncode == 0) == ends_well
    assert ("Execution Completed" in finished.stdout) == ends_well
    names = {stamp.replace("153", "155").replace("154", "156").replace("43200", "21600") for stamp in left}
    assert restarts(site) - {"2022-155-00000"} == names
    new, old = (site.directory / f"S-rstTimeVar-2022-155-{second}" for second in ("21600", "00000"))
    if fault.startswith("half"):
        assert new.stat().st_size == old.stat().st_size // 2
    if fault == "nan":
        assert np.isnan(read_state(new)["wliq_soisno"]).sum() == 1
    done(site, **once)
    assert new.stat().st_size == old.stat().st_size
    assert np.isfinite(read_state(new)["wliq_soisno"]).all()


def test_hanging_ends(site: Case) -> None:
    since = time.monotonic()
    done(site, COLM_FAULT="hang 2")
    assert time.monotonic() - since > 2.0


def test_the_environment_of_the_tests_asks_for_nothing() -> None:
    assert not {name for name in ENVIRONMENT if name.startswith("COLM_")}
