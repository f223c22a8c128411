"""A run of soil columns as its folder has it: histories, fluxes, weather from files, on any number of ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import netCDF4
import numpy as np
import pytest
from column_cases import (
    HEIGHT,
    HOUR,
    STAMP,
    START,
    const,
    cut,
    edit,
    landpatch,
    part_of_demo,
    run,
    same_bits,
    settings_of,
    state,
    write_weather,
)
from launch import ENVIRONMENT, imgda, load, mpirun, on_ranks, read
from mpi4py import MPI
from test_bad_input import running, wait_for_ranks

from imgda_mpi.colm import colm202x
from imgda_mpi.colm.case_files import stamp
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_layers import LAYERS, overlap_weights, thickness
from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.restart import read_columns
from imgda_mpi.columns.richards import ERROR
from imgda_mpi.disk import tree
from imgda_mpi.parallel.ownership import share
from imgda_mpi.results.history_file import FLUXES
from imgda_mpi.results.run_folder import Run, open_run
from imgda_mpi.results.run_images import fluxes, images, instants
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.file import read_settings

EPSILON = float(np.finfo(np.float32).eps)

HOURS = 17
EVERY = 7
"""Hours between the restarts of the run that most tests look at."""


@pytest.fixture(scope="module")
def demo(example_case: Path) -> Path:
    """The embedded case, which no test may change."""
    return example_case.parent / "model/demo"


@pytest.fixture(scope="module")
def made(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the embedded case with restarts on the way."""
    points = "points = [[40.0, -80.0], [4.0, -60.0]]\n"
    folder = tmp_path_factory.mktemp("made")
    return run(settings_of(demo, folder / "out", hours=HOURS, more=f"restart_every = {EVERY}\n{points}"))


def moving(demo: Path) -> PatchMap:
    """The patches of the case with those that move as soil."""
    patches = read_columns(open_restart(demo, "demo", START, 2005, MPI.COMM_SELF)).all_patches
    assert patches is not None
    return patches


def set_at(made: Run, begin: int, end: int) -> dict[str, np.ndarray]:
    """The restart of the cycle that begins after so many hours, block after block."""
    folder = made.cycle_folder(START + begin * HOUR) / "restart" / stamp(START + end * HOUR)
    return joined(folder)


def joined(folder: Path) -> dict[str, np.ndarray]:
    """Variables that move, of all blocks."""
    blocks = [load(path) for path in sorted(folder.iterdir())]
    return {name: np.concatenate([block[name] for block in blocks]) for name in ("wliq_soisno", "wa", "wdsrf", "zwt")}


def test_the_folder_is_a_run_that_chains(made: Run) -> None:
    cycles = made.cycles()
    assert [cycle.directory.name for cycle in cycles] == ["20220602T06", "20220602T13", "20220602T20"]
    made.check_chain()
    for cycle in cycles:
        assert cycle.verify() == ["restart"]
    assert made.description.columns == {"in all": 19379, "left alone for ice or frost": 508}
    assert {path.name for path in made.directory.iterdir()} == {"run.json", "settings.toml", "cycles", "manifest.json"}


def test_images_and_fluxes_are_those_of_the_histories(made: Run) -> None:
    times = [START + hour * HOUR for hour in (0, 3, 6, 7, 10, 13, 14, 17)]
    assert [(instant.time, instant.side) for instant in instants(made)] == [(time, "") for time in times]
    direct: dict[str, list[np.ndarray]] = {"soil_moisture": [], **{name: [] for name in FLUXES}}
    for number, cycle in enumerate(made.cycles()):
        for name, found in direct.items():
            values = read(cycle.history, name)
            found.extend(values[1 if number or name in FLUXES else 0 :])
            if name in FLUXES:
                assert np.isnan(values[0]).all()
    for number, layer in enumerate(LAYERS):
        found = list(images(made, layer))
        assert [time for time, _, _ in found] == times
        for (_, _, image), values in zip(found, direct["soil_moisture"], strict=True):
            np.testing.assert_array_equal(image, values[number])
    for name in FLUXES:
        for (*_, image), values in zip(fluxes(made, name), direct[name], strict=True):
            np.testing.assert_array_equal(image, values)


def test_soil_moisture_is_that_of_the_restart_at_the_same_time(made: Run, demo: Path) -> None:
    patches = moving(demo)
    for begin, end in ((0, 7), (7, 14), (14, 17)):
        folder = made.cycle_folder(START + begin * HOUR)
        restart = open_restart(folder, "demo", START + end * HOUR, 2005, MPI.COMM_SELF)
        soil, _ = restart.read_soil()
        with netCDF4.Dataset(folder / "history/history.nc") as file:
            last = file["soil_moisture"][-1].filled(np.nan)
        for image, (top, bottom) in zip(last, LAYERS, strict=True):
            expected = patches.to_image(soil.surface_moisture(overlap_weights(top, bottom)))
            np.testing.assert_allclose(image, expected, rtol=EPSILON)


def test_rain_is_the_mean_of_the_generators(made: Run, demo: Path) -> None:
    patches = moving(demo)
    row, column = np.divmod(patches.cell, patches.grid.shape[1])
    height = read_columns(open_restart(demo, "demo", START, 2005, MPI.COMM_SELF)).elevation
    weather = GeneratedWeather(patches.grid.latitude[row], patches.grid.longitude[column], height, seed=0)
    end = START
    for since, until, image in fluxes(made, "rain"):
        assert since == end
        hours = [weather.hour(since + hour * HOUR).rain for hour in range((until - since) // HOUR)]
        np.testing.assert_allclose(image, patches.to_image(np.mean(hours, axis=0)), rtol=2 * EPSILON, atol=1e-30)
        assert np.nanmax(image) > 1e-4
        end = until


def test_the_files_alone_close_the_water_of_every_cell(made: Run, demo: Path) -> None:
    patches = moving(demo)

    def storage(variables: dict[str, np.ndarray]) -> np.ndarray:
        return patches.to_image(variables["wliq_soisno"][:, 5:].sum(axis=1) + variables["wa"] + variables["wdsrf"])

    gained = storage(set_at(made, 14, 17)) - storage(joined(demo / "restart" / STAMP))
    sums, size = np.zeros(gained.shape), np.zeros(gained.shape)
    for name, sign in (("rain", 1), ("runoff", -1), ("evaporation", -1)):
        for since, until, image in fluxes(made, name):
            sums += sign * image * (until - since).total_seconds()
            size += np.abs(image) * (until - since).total_seconds()
    there = np.isfinite(gained)
    assert (size[there] > 0.1).mean() > 0.9
    assert np.array_equal(there, np.isfinite(sums))
    assert (np.abs(gained - sums)[there] <= EPSILON * size[there] + 1e-9).all()


def test_profiles_are_those_of_the_cells_of_the_points(made: Run, demo: Path) -> None:
    patches, cycle = moving(demo), made.cycles()[0]
    water = set_at(made, 0, 7)["wliq_soisno"][:, 5:]
    restart = open_restart(demo, "demo", START, 2005, MPI.COMM_SELF)
    thick = read_columns(restart).columns.thickness
    content = read(cycle.history, "water_content")[-1]
    for point, (latitude, longitude) in enumerate(((40.0, -80.0), (4.0, -60.0))):
        row = np.abs(patches.grid.latitude - latitude).argmin()
        column = np.abs(patches.grid.longitude - longitude).argmin()
        for layer in range(10):
            expected = patches.to_image(water[:, layer] / thick[layer])[row, column]
            assert content[point, layer] == pytest.approx(expected, rel=EPSILON)


def test_the_settings_of_a_run_give_it_again(made: Run, tmp_path: Path) -> None:
    text = (made.directory / "settings.toml").read_text()
    again = tmp_path / "again.toml"
    again.write_text(text.replace(f'"{made.directory}"', '"again"'))
    second = run(again)
    for one, two in zip(made.cycles(), second.cycles(), strict=True):
        assert one.history.read_bytes() == two.history.read_bytes()
        assert one.record.restart == two.record.restart
        assert one.record.background == two.record.background
    in_force = (second.directory / "settings.toml").read_text()
    assert in_force == text.replace(str(made.directory), str(second.directory))


def test_settings_of_a_run_name_files_of_weather_wherever_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgda_mpi.settings.document import in_force

    folder = tmp_path / "100%d"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = settings_of(
        Path("case"), Path("out"), more='[weather]\nkind = "files"\nfiles = ["%Y.nc"]\nvariables = {rain = "tp"}\n'
    )
    Path("again.toml").write_text(in_force(read_settings(path, ColumnsRun)))
    monkeypatch.chdir(tmp_path)
    again = read_settings(Path("100%d/again.toml"), ColumnsRun)
    assert again.model.directory == folder / "case"
    assert again.weather.kind == "files"
    assert f"{START:{again.weather.files[0]}}" == str(folder / "2022.nc")
    assert again.weather.variables == {"rain": "tp"}


def test_the_settings_tell_seeds_apart(demo: Path, tmp_path: Path, made: Run) -> None:
    other = run(settings_of(demo, tmp_path / "out", hours=3, more='[weather]\nkind = "generated"\nseed = 1\n'))
    first, second = (next(iter(fluxes(of, "rain")))[2] for of in (made, other))
    assert np.nanmax(np.abs(first - second)) > 1e-4
    assert other.description.seed == 1


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_weather_in_files_moves_columns_as_the_generator_does(example_case: Path, tmp_path: Path, dtype: str) -> None:
    case = part_of_demo(example_case, tmp_path / "demo")
    edit(case / const(), elvmean=lambda old: np.full_like(old, HEIGHT))
    grid = open_restart(case, "demo", START, 2005, MPI.COMM_SELF).patches.grid
    path = write_weather(tmp_path / "weather.nc", grid, START, range(-1, 10), dtype=dtype)
    generated = run(settings_of(case, tmp_path / "generated", hours=9))
    files = run(
        settings_of(case, tmp_path / "files", hours=9, more=f'[weather]\nkind = "files"\nfiles = ["{path.name}"]\n')
    )
    assert files.description.seed is None
    one, two = (joined(of.cycles()[0].directory / "restart" / stamp(START + 9 * HOUR)) for of in (generated, files))
    if dtype == "f8":
        assert all(same_bits(two[name], values) for name, values in one.items())
        return
    # Rounding, and in few columns steps whose length hangs on it: they are in error by `ERROR` at most.
    apart = np.abs(two["wliq_soisno"] - one["wliq_soisno"])[:, 5:] / (1000 * thickness)
    assert 0 < apart.max() < ERROR
    assert np.median(apart[apart > 0]) < 1e-7


def assert_same(one: Run, two: Run) -> None:
    """The same folder but for the seconds, and for checksums of what has them."""
    names = [sorted(str(path.relative_to(of.directory)) for path in of.directory.rglob("*")) for of in (one, two)]
    assert names[0] == names[1]
    for name in names[0]:
        first, second = one.directory / name, two.directory / name
        if name.endswith("cycle.json"):
            records = [json.loads(path.read_text()) for path in (first, second)]
            assert all(record.pop("seconds").keys() == {"model"} for record in records)
            assert records[0] == records[1]
        elif name == "manifest.json":
            kept = {str(path.relative_to(one.directory)) for path in tree(one.directory) if path.is_file()} - {name}
            for path in (first, second):
                assert {entry["file"] for entry in json.loads(path.read_text())["outputs"]} == kept
        elif name == "settings.toml":
            assert first.read_text() == second.read_text().replace(str(two.directory), str(one.directory))
        elif first.is_file():
            assert first.read_bytes() == second.read_bytes(), name


@pytest.mark.restart_io
@pytest.mark.mpi
@pytest.mark.parametrize("evenly", [False, True])
def test_any_number_of_ranks_writes_the_same_folder(
    mpi_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evenly: bool
) -> None:
    comm = MPI.COMM_WORLD
    if evenly:  # in patches, not in work
        monkeypatch.setattr(colm202x, "share_of_work", lambda work, n_ranks: share(work.size, n_ranks))
    if comm.rank == 0:
        from imgda_mpi.example.case import write_example

        case = write_example(mpi_tmp_path / "case").parent / "model/demo"
        for name in ("alone", "together"):
            more = "restart_every = 4\npoints = [[40.0, -80.0]]\n"
            settings_of(case, mpi_tmp_path / name, hours=7, more=more)
    comm.Barrier()
    together = run(mpi_tmp_path / "together.toml", comm)
    failure = ""
    if comm.rank == 0:
        try:
            assert_same(run(mpi_tmp_path / "alone.toml"), together)
        except AssertionError as err:
            failure = str(err)
    assert comm.bcast(failure) == ""


@pytest.fixture
def few(example_case: Path, tmp_path: Path) -> Path:
    """A case of three cells in a row."""
    case = part_of_demo(example_case, tmp_path / "few")
    element = read(case / landpatch(), "eindex")
    thawed = (read(case / const(), "patchtype") == 0) & (read(case / state(), "t_soisno")[:, 5:] > 280).all(axis=1)
    for start in np.flatnonzero(np.diff(element, prepend=0)):
        stop = int(np.searchsorted(element, element[start] + 3))
        if len(set(element[start:stop])) == 3 and thawed[start:stop].all() and stop - start <= 6:
            return cut(case, slice(int(start), stop))
    raise AssertionError("no such cells")


@pytest.mark.restart_io
def test_more_ranks_than_patches_write_the_same_folder(few: Path, tmp_path: Path) -> None:
    edit(few / state(), t_soisno=lambda old: np.where(np.arange(len(old))[:, None] == 1, 270.0, old))
    n_patch = read(few / landpatch(), "eindex").size
    alone = run(settings_of(few, tmp_path / "alone", hours=5))
    assert alone.description.columns == {"in all": n_patch, "left alone for ice or frost": 1}
    done = imgda("columns", settings_of(few, tmp_path / "together", hours=5), ranks=n_patch + 1)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert_same(alone, open_run(tmp_path / "together"))
    assert [len(read(alone.cycles()[0].history, name)) for name in ("lat", "lon")] == [2, 3]


@pytest.mark.restart_io
def test_a_killed_rank_leaves_no_run_and_another_one_can_be_made(few: Path, tmp_path: Path) -> None:
    settings = settings_of(few, tmp_path / "out", hours=24 * 365 * 40, more="restart_every = 12000\n")
    command = mpirun(2, sys.executable, "-m", "mpi4py", "-m", "imgda_mpi", "columns", str(settings))
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as job:
        ranks = wait_for_ranks(settings, 2)
        deadline = monotonic() + 60
        while not list(tmp_path.glob(".imgda_mpi.partial-*/cycles/*T*/history/history.nc")):
            assert monotonic() < deadline
            sleep(0.1)
        os.kill(ranks[1], signal.SIGKILL)
        assert job.wait(timeout=60) != 0
        assert job.stderr is not None
        job.stderr.read()
    assert running(settings) == []
    assert not (tmp_path / "out").exists()
    made = run(settings_of(few, tmp_path / "out", hours=2))
    made.check_chain()


RANK_1_FAILS = """
import sys
from mpi4py import MPI
from imgda_mpi.cli import main
from imgda_mpi.columns.model import ColumnModel

hour = ColumnModel.hour

def failing(self):
    if MPI.COMM_WORLD.rank == 1 and self.time.hour == 8:
        raise ArithmeticError("no solution")
    hour(self)

ColumnModel.hour = failing
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.restart_io
def test_a_rank_that_fails_alone_ends_the_run_for_all(few: Path, tmp_path: Path) -> None:
    done = on_ranks(3, "-c", RANK_1_FAILS, "columns", str(settings_of(few, tmp_path / "out", hours=6)))
    assert done.returncode not in (0, 2)
    assert "ArithmeticError: no solution" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_that_stops_leaves_what_was_there(few: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = write_weather(
        tmp_path / "weather.nc",
        open_restart(few, "demo", START, 2005, MPI.COMM_SELF).patches.grid,
        START,
        range(6),
        rain=np.where(np.arange(6) == 5, -1.0, 0.0)[:, None, None],
    )
    more = f'restart_every = 2\n[weather]\nkind = "files"\nfiles = ["{path}"]\n'
    done = imgda("columns", settings_of(few, tmp_path / "out", hours=6, more=more))
    assert done.returncode == 2
    assert f"{path}: rain: found -1 kg m-2 s-1 in one of" in done.stderr
    assert done.stderr.rstrip().endswith("(see [weather])")
    assert list((tmp_path / "out").iterdir()) == []
    assert not list(tmp_path.glob(".imgda_mpi.partial-*"))
