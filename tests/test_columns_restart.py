"""Soil columns out of restart sets and into later ones: what moves, what never does, and how a run goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from column_cases import (
    HOUR,
    NORTH_AMERICA,
    STAMP,
    START,
    const,
    edit,
    part_of_demo,
    run,
    same_bits,
    settings_of,
    state,
    write_weather,
)
from launch import load
from mpi4py import MPI

from imgda_mpi.colm.case_files import stamp
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.marks import ATTRIBUTE, Assimilated, Mark
from imgda_mpi.colm.soil_layers import overlap_weights, thickness
from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.hydraulics import FULL, RESIDUAL, WATER
from imgda_mpi.columns.model import ColumnModel, places_of
from imgda_mpi.columns.restart import read_columns
from imgda_mpi.columns.water import make_state
from imgda_mpi.results.history_file import open_history
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import images, instants
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.analyse import analyse
from imgda_mpi.workflow.window import lay_out

FREEZING = 273.16
MOVING = {"wliq_soisno", "wa", "zwt", "wdsrf"}
SUMMER = datetime(2022, 6, 4, tzinfo=UTC)
WINTER = datetime(2022, 1, 16, tzinfo=UTC)


def last_set(made: Run) -> Path:
    """The folder of the last restart of a run."""
    cycle = made.cycles()[-1]
    return cycle.directory / "restart" / stamp(cycle.record.end)


def attributes(path: Path) -> dict[str, str]:
    """Global attributes."""
    with netCDF4.Dataset(path) as file:
        return {name: str(file.getncattr(name)) for name in file.ncattrs()}


def assert_only_water_of_moving_columns_differs(before: Path, after: Path, const_file: Path, *, moved: bool) -> int:
    """Compare two states of a block; gives the number of columns that stay as they are for ice or frost."""
    old, new, constants = load(before), load(after), load(const_file)
    assert old.keys() == new.keys()
    frozen = ((old["t_soisno"][:, 5:] < FREEZING) | (old["wice_soisno"][:, 5:] > 0)).any(axis=1)
    is_soil = constants["patchtype"] == 0
    moves = is_soil & ~frozen
    for name, values in old.items():
        if name not in MOVING:
            assert same_bits(values, new[name]), name
        else:
            assert same_bits(values[~moves], new[name][~moves]), name
    assert same_bits(old["wliq_soisno"][:, :5], new["wliq_soisno"][:, :5])
    if moved:
        assert (old["wliq_soisno"] != new["wliq_soisno"])[moves, 5:].any(axis=1).all()
    kept = attributes(before)
    kept.pop(ATTRIBUTE, None)
    assert attributes(after) == kept
    assert "create_time" in kept or not kept
    return int((is_soil & frozen).sum())


@pytest.mark.restart_io
@pytest.mark.parametrize("time", [SUMMER, WINTER])
def test_of_a_real_set_nothing_but_the_water_of_thawed_soil_moves(shared: Path, tmp_path: Path, time: datetime) -> None:
    directory = shared / "colm/colm202x/EA14"
    made = run(settings_of(directory, tmp_path / "out", case="EA14", start=time, hours=5))
    before, after = directory / "restart" / stamp(time), last_set(made)
    names = {path.name: path for path in before.iterdir()}
    assert {path.name.replace(stamp(time + 5 * HOUR), stamp(time)) for path in after.iterdir()} == names.keys()
    n_frozen = 0
    for name, old in names.items():
        new = after / name.replace(stamp(time), stamp(time + 5 * HOUR))
        constants = directory / "restart/const" / name.replace(f"restart_{stamp(time)}", "restart_const")
        n_frozen += assert_only_water_of_moving_columns_differs(old, new, constants, moved=True)
    assert made.description.columns == {"in all": 361, "left alone for ice or frost": n_frozen}
    assert (n_frozen > 50) == (time is WINTER)


def test_of_a_real_global_set_nothing_but_the_water_of_thawed_soil_moves(shared: Path, tmp_path: Path) -> None:
    directory = shared / "colm/colm202x/GL14"
    made = run(settings_of(directory, tmp_path / "out", case="GL14", start=SUMMER, hours=1))
    for old in (directory / "restart" / stamp(SUMMER)).iterdir():
        new = last_set(made) / old.name.replace(stamp(SUMMER), stamp(SUMMER + HOUR))
        constants = directory / "restart/const" / old.name.replace(f"restart_{stamp(SUMMER)}", "restart_const")
        assert_only_water_of_moving_columns_differs(old, new, constants, moved=True)


def pc_sample(shared: Path, case: Path) -> Path:
    """A case of the plant-community build, of one block and without its file of scalars."""
    sample, block, of = shared / "colm/colm202x/pc_sample", "lc2005_e100_n30", "2022-153-00000"
    for folder, names in (
        (f"restart/{of}", [f"RPC_restart_{of}_{block}.nc", f"RPC_restart_pft_{of}_{block}.nc"]),
        ("restart/const", [f"RPC_restart_const_{block}.nc", f"RPC_restart_pft_const_{block}.nc"]),
        ("landdata/landpatch/2005", ["landpatch_e100_n30.nc", "patchfrac_elm_e100_n30.nc"]),
    ):
        (case / folder).mkdir(parents=True)
        for name in names:
            shutil.copyfile(sample / name, case / folder / name)
    (case / "landdata/mesh/2005").mkdir(parents=True)
    mesh = shared / "colm/colm202x/EA14/landdata/mesh/2005/mesh.nc"
    shutil.copyfile(mesh, case / "landdata/mesh/2005/mesh.nc")
    return case


def test_a_plant_community_case_runs_and_keeps_its_other_sets(
    shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case, start = pc_sample(shared, tmp_path / "RPC"), datetime(2022, 6, 2, tzinfo=UTC)
    with caplog.at_level("INFO"):
        made = run(settings_of(case, tmp_path / "out", case="RPC", start=start, hours=30))
    assert "pondmx is taken for 10 mm" in caplog.text
    before, after = case / "restart" / stamp(start), last_set(made)
    names = {path.name: after / path.name.replace(stamp(start), stamp(start + 30 * HOUR)) for path in before.iterdir()}
    assert set(names.values()) == set(after.iterdir())
    for name, new in names.items():
        if "_pft_" in name:
            assert new.read_bytes() == (before / name).read_bytes()
        else:
            constants = case / "restart/const" / name.replace(f"restart_{stamp(start)}", "restart_const")
            assert_only_water_of_moving_columns_differs(before / name, new, constants, moved=True)
    again = run(settings_of(made.cycles()[-1].directory, tmp_path / "on", case="RPC", start=start + 30 * HOUR, hours=3))
    assert (again.cycles()[0].directory / "restart" / stamp(start + 33 * HOUR)).is_dir()


@pytest.fixture
def demo(example_case: Path, tmp_path: Path) -> Path:
    """A block of the embedded case that a test may damage, with soil that is thawed, frozen, and none."""
    return part_of_demo(example_case, tmp_path / "demo")


def test_the_mark_of_an_analysis_and_other_files_of_a_set(demo: Path, tmp_path: Path) -> None:
    made_up = Assimilated("0" * 64, "file", "2022-06-02T06:00:00Z", 3, (0.1,))
    with netCDF4.Dataset(demo / state(), "r+") as file:
        file.setncatts({ATTRIBUTE: Mark("1" * 64, (made_up,)).text, "history": "mine"})
    other = demo / "restart" / STAMP / f"demo_restart_pft_{STAMP}_lc2005_{NORTH_AMERICA}.nc"
    with netCDF4.Dataset(other, "w") as file:
        file.createDimension("pft", 3)
        file.createVariable("tleaf_p", "f8", ("pft",))[:] = 280.0
    (other.parent / "notes.txt").write_text("mine")
    made = run(settings_of(demo, tmp_path / "out", hours=25))
    after = last_set(made)
    assert after.name == "2022-154-25200"
    new = after / f"demo_restart_{after.name}_lc2005_{NORTH_AMERICA}.nc"
    assert attributes(demo / state())[ATTRIBUTE]
    n_frozen = assert_only_water_of_moving_columns_differs(demo / state(), new, demo / const(), moved=False)
    assert n_frozen == made.description.columns["left alone for ice or frost"] > 200
    assert attributes(new)["history"] == "mine"
    assert (after / other.name.replace(STAMP, after.name)).read_bytes() == other.read_bytes()
    assert (after / "notes.txt").read_text() == "mine"


def test_a_case_that_is_named_like_an_instant_keeps_its_name(demo: Path, tmp_path: Path) -> None:
    for path in sorted(demo.rglob("demo_restart_*")):
        path.rename(path.with_name(path.name.replace("demo_", f"from_{STAMP}_", 1)))
    case = f"from_{STAMP}"
    made = run(settings_of(demo, tmp_path / "out", case=case, hours=1))
    names = made.cycles()[0].record.restart.files
    assert names
    assert all(name.startswith(f"{case}_restart_") for name in names)
    run(settings_of(made.cycles()[0].directory, tmp_path / "on", case=case, start=START + HOUR, hours=1))


def heavy_rain(case: Path, hours: int, path: Path) -> str:
    """Settings of weather in a file that floods the soil after its first hours and then dries it."""
    grid = open_restart(case, "demo", START, 2005, MPI.COMM_SELF).patches.grid
    rain = np.zeros((hours, 1, 1))
    rain[2:6] = 0.02
    write_weather(path, grid, START, range(hours), rain=rain)
    return f'[weather]\nkind = "files"\nfiles = ["{path}"]\n'


@pytest.mark.parametrize("flooded", [False, True])
@pytest.mark.parametrize("middle", [6, 7])
def test_one_run_equals_two_through_a_restart_bit_for_bit(
    demo: Path, tmp_path: Path, middle: int, flooded: bool
) -> None:
    if flooded:  # before the first hour too
        edit(demo / state(), wdsrf=lambda old: old + 3.0)
    weather = heavy_rain(demo, 14, tmp_path / "rain.nc") if flooded else ""
    points = "points = [[40.0, -80.0], [4.0, -60.0]]\n"
    whole = run(settings_of(demo, tmp_path / "whole", hours=14, more=points + weather))
    first = run(settings_of(demo, tmp_path / "first", hours=middle, more=points + weather))
    folder = first.cycles()[0].directory
    if flooded:
        ponds = load(next(iter((folder / "restart" / stamp(START + middle * HOUR)).iterdir())))["wdsrf"]
        assert (ponds > 3.0).sum() > 50
    second_start = START + middle * HOUR
    second = run(settings_of(folder, tmp_path / "second", start=second_start, hours=14 - middle, more=points + weather))
    alone, joined = ({path.name: load(path) for path in last_set(made).iterdir()} for made in (whole, second))
    assert alone.keys() == joined.keys()
    for name, variables in alone.items():
        assert all(same_bits(values, joined[name][of]) for of, values in variables.items())
    # What both histories have: the state at the same times, and the fluxes of the same intervals.
    with open_history(whole.cycles()[0].history) as one, open_history(second.cycles()[0].history) as two:
        shared_times = [time for time in one.times if time in two.times]
        assert shared_times[-1] == START + 14 * HOUR
        assert len(shared_times) == (4 if middle == 6 else 1)
        for time in shared_times:
            here, there = one.times.index(time), two.times.index(time)
            for layer in one.layers:
                assert same_bits(one.image(layer, here), two.image(layer, there))
            assert same_bits(one.profiles(here), two.profiles(there))
            if middle == 6 and there:
                for name in ("rain", "runoff", "evaporation"):
                    assert same_bits(one.image(name, here), two.image(name, there)), name


@pytest.mark.parametrize("is_campbell", [False, True])
def test_columns_keep_nothing_but_what_a_restart_has(demo: Path, is_campbell: bool, rng: np.random.Generator) -> None:
    if is_campbell:
        with netCDF4.Dataset(demo / const(), "r+") as file:
            file.renameVariable("n_vgm", "n")
    own = read_columns(open_restart(demo, "demo", START, 2005, MPI.COMM_SELF))
    assert own.columns.is_campbell == is_campbell
    # From residual water over pores that are full to the bit to more than they hold, under ponds and over any aquifer.
    full, residual = own.columns.layers[..., FULL], own.columns.layers[..., RESIDUAL]
    filled = rng.uniform(0.0, 1.0, full.shape) ** rng.choice([0.2, 1.0, 8.0], (len(full), 1))
    filled = np.where(rng.uniform(size=full.shape) < 0.2, rng.choice([0.0, 1.0, 1.2], full.shape), filled)
    water = np.where(filled == 1.0, full, residual + filled * (full - residual))
    n = len(full)
    pond, aquifer = rng.choice([0.0, 2.0, 10.0], n), rng.choice([0.0, -1e-3, -300.0, 5.0], n)
    own = replace(own, state=make_state(own.columns, water, pond, aquifer, rng.uniform(0.0, 10.0, n)))
    model = ColumnModel(own, GeneratedWeather(*places_of(own), seed=0), START)
    moves = own.columns.moves
    for _ in range(4):
        model.hour()
        state_now = own.state
        anew = make_state(own.columns, state_now.kept[:, WATER], state_now.pond, state_now.aquifer, state_now.table)
        assert same_bits(state_now.kept[moves], anew.kept[moves])


def test_restarts_on_the_way_change_nothing(demo: Path, tmp_path: Path) -> None:
    whole = run(settings_of(demo, tmp_path / "whole", hours=13))
    parts = run(settings_of(demo, tmp_path / "parts", hours=13, more="restart_every = 5\n"))
    assert [cycle.directory.name for cycle in parts.cycles()] == ["20220602T06", "20220602T11", "20220602T16"]
    parts.check_chain()
    for old in last_set(whole).iterdir():
        assert old.read_bytes() == (last_set(parts) / old.name).read_bytes()
    assert [(instant.time - START) // HOUR for instant in instants(parts)] == [0, 3, 5, 8, 10, 13]


@pytest.mark.restart_io
def test_the_folder_of_a_cycle_is_a_case_that_is_analysed_and_run_on(example_case: Path, tmp_path: Path) -> None:
    directory = example_case.parent / "model/demo"
    made = run(settings_of(directory, tmp_path / "first", hours=24, more="restart_every = 12\n"))
    folder, time = made.cycles()[-1].directory, START + 24 * HOUR
    settings = tmp_path / "analysis.toml"
    settings.write_text(
        f'method = "pointwise"\n[model]\nkind = "colm202x"\ndirectory = "{folder}"\ncase = "demo"\n'
        f'time = {time:%Y-%m-%dT%H:%M:%SZ}\n[observation]\nkind = "gldas"\ntime = {START:%Y-%m-%dT%H:%M:%SZ}\n'
        f'file = "{example_case.parent}/observation/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"\n'
        f'[output]\ndirectory = "analysis"\n'
    )
    done = analyse(read_settings(settings, Settings), MPI.COMM_SELF)
    # In its place, as the README says.
    case = Path(shutil.copytree(folder, tmp_path / "case", symlinks=True))
    written = sorted((done.directory / "restart" / stamp(time)).iterdir())
    for path in written:
        shutil.copyfile(path, case / "restart" / stamp(time) / path.name)
    assert ATTRIBUTE in attributes(written[0])
    on = run(settings_of(case, tmp_path / "on", start=time, hours=3))
    assert all(ATTRIBUTE not in attributes(path) for path in last_set(on).iterdir())
    (_, _, start), *_ = images(on, (0.0, 0.1))
    with netCDF4.Dataset(done.directory / "diagnostics.nc") as file:
        analysed = file["analysis"][:].filled(np.nan)
        increment = file["increment"][:].filled(np.nan)
    # But in cells of which some columns are frozen it is the image of the analysis.
    same = np.abs(start - analysed) < 1e-6
    assert same.sum() > 0.97 * np.isfinite(start).sum()
    assert np.nanmax(np.abs(increment[same])) > 0.05
    record = json.loads((on.cycles()[0].directory / "cycle.json").read_text())
    assert record["background"]["files"].keys() == {path.name for path in written}


def test_a_restart_that_was_written_is_known_without_its_files(demo: Path, tmp_path: Path) -> None:
    restart = open_restart(demo, "demo", START, 2005, MPI.COMM_SELF)
    own = read_columns(restart)
    restart.check_copied()
    ColumnModel(own, GeneratedWeather(*places_of(own), seed=0), START).hour()
    case, time = tmp_path / "case", START + HOUR
    case.mkdir()
    lay_out(case, demo)
    files = own.write(case / "restart", time)
    known, opened = own.as_written(case, time), open_restart(case, "demo", time, 2005, MPI.COMM_SELF)
    for part in fields(opened):
        if part.name in ("name", "time", "inputs", "files", "copied", "states", "consts", "mark"):
            assert getattr(known, part.name) == getattr(opened, part.name), part.name
    anew = read_columns(opened)
    for path in files:
        path.unlink()
    known.check_copied()
    on = read_columns(known, own)
    assert on.columns is own.columns
    assert all(same_bits(a, b) for a, b in zip(on.state, anew.state, strict=True))
    assert all(
        same_bits(a, b)
        for a, b in zip(known.read_soil()[0].__dict__.values(), opened.read_soil()[0].__dict__.values(), strict=True)
    )
    # What was known before stays what it was.
    assert same_bits(restart.read["wliq_soisno"], load(demo / state())["wliq_soisno"][:, 5:])


def test_columns_with_ice_or_frost_are_in_no_image(demo: Path, tmp_path: Path) -> None:
    # Of a cell with two soil patches one freezes: the image is the other's.
    restart = open_restart(demo, "demo", START, 2005, MPI.COMM_SELF)
    own = read_columns(restart)
    cells, counts = np.unique(own.patches.cell[own.columns.moves], return_counts=True)
    cell = cells[counts == 2][0]
    frozen, other = np.flatnonzero(own.columns.moves & (own.patches.cell == cell))

    def freeze(old: np.ndarray) -> np.ndarray:
        old[frozen, 9] = 272.0
        return old

    edit(demo / state(), t_soisno=freeze)
    made = run(settings_of(demo, tmp_path / "out", hours=3))
    after = load(next(iter(last_set(made).iterdir())))["wliq_soisno"][other, 5:]
    with open_history(made.cycles()[0].history) as history:
        assert history.n_left_alone == own.n_frozen + 1
        deep = history.image((0.4, 1.0), 1).ravel()[cell]
    overlap, of_layers = overlap_weights(0.4, 1.0), 1000 * thickness
    assert deep == pytest.approx((overlap * after / of_layers).sum(), rel=1e-6)
