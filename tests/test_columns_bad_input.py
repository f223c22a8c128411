"""What stops a run of soil columns: one message, the same on any number of ranks, and nothing left behind."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from column_cases import (
    HOUR,
    SCALARS,
    STAMP,
    START,
    const,
    edit,
    landpatch,
    part_of_demo,
    settings_of,
    state,
    write_weather,
)
from launch import imgda, read
from mpi4py import MPI
from problems import agree

from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.faults import ImgdaError
from imgda_mpi.grid import Grid
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.columns import columns
from imgda_mpi.workflow.output import into_new

HOURS = 5


def thawed(case: Path) -> int:
    """A soil patch that moves."""
    is_soil = read(case / const(), "patchtype") == 0
    return int(np.flatnonzero(is_soil & (read(case / state(), "t_soisno")[:, 5:] > 280).all(axis=1))[7])


def put(name: str, value: float, *, in_const: bool = False, layer: int | None = None) -> Callable[[Path], str]:
    """Damage: a value in a variable of a soil patch."""

    def damage(case: Path) -> str:
        patch = thawed(case)

        def change(old: np.ndarray) -> np.ndarray:
            old[(patch,) if layer is None else (patch, layer)] = value
            return old

        edit(case / (const() if in_const else state()), **{name: change})
        return ""

    return damage


def rename(file: Callable[[], str], *names: str) -> Callable[[Path], str]:
    """Damage: variables have other names."""

    def damage(case: Path) -> str:
        with netCDF4.Dataset(case / file(), "r+") as opened:
            for name in names:
                opened.renameVariable(name, f"{name}_")
        return ""

    return damage


def pond_of(value: float) -> Callable[[Path], str]:
    """Damage: the most water that stands on the surface."""

    def damage(case: Path) -> str:
        edit(case / SCALARS, pondmx=lambda old: np.full_like(old, value))
        return ""

    return damage


def freeze(case: Path) -> str:
    edit(case / state(), t_soisno=lambda old: np.full_like(old, 260.0))
    return ""


def grow_what_nobody_knows(case: Path) -> str:
    patch = thawed(case)

    def change(old: np.ndarray) -> np.ndarray:
        old[patch] = 30
        return old

    edit(case / const(), patchclass=change)
    edit(case / landpatch(), settyp=change)
    return ""


def cover_with_ice(case: Path) -> str:
    edit(case / const(), patchclass=lambda old: np.full_like(old, 15), patchtype=lambda old: np.full_like(old, 3))
    edit(case / landpatch(), settyp=lambda old: np.full_like(old, 15))
    return ""


def lose_the_state(case: Path) -> str:
    (case / state()).unlink()
    return ""


def truncate_the_scalars(case: Path) -> str:
    (case / SCALARS).write_bytes((case / SCALARS).read_bytes()[:200])
    return ""


def point(latitude: float, longitude: float) -> Callable[[Path], str]:
    """A point in the settings."""
    return lambda case: f"points = [[{latitude}, {longitude}]]\n"


PLACE = r"case/restart/{}: {}: found {} of patch \d+ \(1 such of 1982 soil columns\), expected {}; "
STATE, CONST = (re.escape(name().removeprefix("restart/")) for name in (state, const))

IN_CASE = {
    "no water table": (put("zwt", np.nan), PLACE.format(STATE, "zwt", "nan", "0 to 10000 m")),
    "missing water table": (put("zwt", -1e36), PLACE.format(STATE, "zwt", r"-1e\+36", "0 to 10000 m")),
    "aquifer of the older scheme": (
        put("wa", 4800.0),
        PLACE.format(STATE, "wa", "4800", "a deficit in mm, 0 or less") + "run the case with the variably saturated",
    ),
    "missing aquifer": (put("wa", -1e36), PLACE.format(STATE, "wa", r"-1e\+36", "a deficit in mm, 0 or less")),
    "negative pond": (put("wdsrf", -1.0), PLACE.format(STATE, "wdsrf", "-1", "0 to 10000 mm")),
    "impossible water": (
        put("wliq_soisno", 1e4, layer=7),
        r"wliq_soisno: found 10000 in soil layer 3 of patch \d+ \(1 of 2277 soil patches hold .* wrote in full \(see",
    ),
    "no shape": (
        put("n_vgm", 1.0, in_const=True, layer=2),
        PLACE.format(CONST, "n_vgm", "1 in soil layer 3", "1.01 to 20"),
    ),
    "no alpha": (
        put("alpha_vgm", 0.0, in_const=True, layer=2),
        PLACE.format(CONST, "alpha_vgm", "0 in soil layer 3", "1e-06 to 10 mm-1"),
    ),
    "positive entry": (
        put("psi0", 10.0, in_const=True, layer=2),
        PLACE.format(CONST, "psi0", "10 in soil layer 3", "-10000 to below 0 mm"),
    ),
    "missing entry": (
        put("psi0", -1e36, in_const=True, layer=2),
        PLACE.format(CONST, "psi0", r"-1e\+36 in soil layer 3", "-10000 to below 0 mm"),
    ),
    "no conductivity": (
        put("hksati", 0.0, in_const=True, layer=2),
        PLACE.format(CONST, "hksati", "0 in soil layer 3", "1e-12 to 10 mm s-1"),
    ),
    "no curve": (
        rename(const, "n_vgm", "bsw"),
        rf"{CONST}: found no n_vgm, bsw, expected psi0, hksati, and alpha_vgm, n_vgm, L_vgm \(van Genuchten\) or bsw",
    ),
    "no conductivity at all": (rename(const, "hksati"), rf"{CONST}: found no hksati, expected psi0, hksati, and"),
    "no pond at all": (rename(state, "wdsrf"), rf"{STATE}: wdsrf: found no such variable"),
    "pond that is none": (pond_of(np.nan), "lc2005.nc: pondmx: found nan, expected 0 to 10000 mm; use the const files"),
    "pond below 0": (pond_of(-10.0), "lc2005.nc: pondmx: found -10, expected 0 to 10000 mm; use the const files"),
    "scalars that are cut": (truncate_the_scalars, "lc2005.nc: found a file that cannot be opened"),
    "all frozen": (freeze, f"{STAMP}: found 2277 soil columns, all with ice or frost, expected soil without ice"),
    "unknown vegetation": (
        grow_what_nobody_knows,
        rf"{CONST}: patchtype: found type 0 of class 30 in element \d+ \(1 such patches\), expected a class of IGBP; ",
    ),
    "no soil": (cover_with_ice, f"{STAMP}: found no soil patch, expected soil without ice or frost"),
    "no state": (lose_the_state, f"case/restart/{STAMP}: found an empty folder"),
    "point off the grid": (
        point(35.0, 104.0),
        r"^\[run\] points: \[35, 104\] is not on the grid of the case, latitude 0 to 84.*, longitude -90 to 0; ",
    ),
    "point in the sea": (point(30.0, -50.0), r"^\[run\] points: \[30, -50\] lies in a cell without a soil column that"),
    "point on ice": (point(75.0, -40.0), r"^\[run\] points: \[75, -40\] lies in a cell without a soil column that"),
}


def weather(**changes: object) -> Callable[[Path], str]:
    """Files of weather, written with some changes."""

    def damage(case: Path) -> str:
        arguments = {"hours": range(HOURS), "grid": None} | changes
        grid = arguments.pop("grid") or open_restart(case, "demo", START, 2005, MPI.COMM_SELF).patches.grid
        write_weather(case.parent / "weather.nc", grid, START, arguments.pop("hours"), **arguments)
        return '[weather]\nkind = "files"\nfiles = ["weather.nc"]\n'

    return damage


def late(value: float) -> np.ndarray:
    """A value in the last hour."""
    return np.where(np.arange(HOURS) == HOURS - 1, value, 0.0)[:, None, None]


def lose_the_weather(case: Path) -> str:
    return '[weather]\nkind = "files"\nfiles = ["weather%Y.nc"]\n'


def truncate_the_weather(case: Path) -> str:
    more = weather()(case)
    path = case.parent / "weather.nc"
    path.write_bytes(path.read_bytes()[:3000])
    return more


IN_WEATHER = {
    "a gap": (
        weather(hours=[0, 1, 2, 4]),
        r"weather.nc: rain: found no record of rain for the hour from 2022-06-02 09:00 UTC, expected every hour from",
    ),
    "an end that is early": (weather(hours=range(3)), "no record of rain for the hour from 2022-06-02 09:00 UTC"),
    "another grid": (
        weather(grid=Grid(10.0 - np.arange(6.0), 100.0 + np.arange(8.0))),
        "weather.nc: rain: found 6 x 8 cells, .*, expected the cells of the model, 60 x 64 cells, .*; remap it",
    ),
    "mm an hour": (
        weather(rain=0.5),
        "weather.nc: rain: found 0.5 kg m-2 s-1 in one of .* such soil cells at 2022-06-02 06:00 UTC, expected 0 to "
        "0.05 kg m-2 s-1; correct its units attribute: .* as where mm h-1 are called mm s-1",
    ),
    "mm an hour, late": (weather(rain=late(0.5)), "weather.nc: rain: found 0.5 kg m-2 s-1 in one of .* 10:00 UTC"),
    "nothing, late": (weather(humidity=late(np.nan) + 0.005), "weather.nc: humidity: found no value in .* 10:00 UTC"),
    "units that are none": (
        weather(units={"rain": "mm"}),
        "weather.nc: rain: found units 'mm', expected one of kg m-2 s-1, .*; correct the units attribute",
    ),
    "no file": (lose_the_weather, "weather2022.nc: found no such file"),
    "a file that is cut": (truncate_the_weather, "weather.nc: found "),
}


def stopped(settings: Path, comm: MPI.Intracomm) -> str:
    """What stops a run, without the folder of the case; '' where nothing does. Collective."""
    said = ""
    try:
        into_new(columns)(read_settings(settings, ColumnsRun), comm)
    except ImgdaError as err:
        said = str(err).replace(f"{settings.parent}/", "")
    gc.collect()  # files that ranks had open together are closed together
    return said


def assert_stops(example_case: Path, folder: Path, damage: Callable[[Path], str], expected: str, comm: MPI.Intracomm):
    folder = comm.bcast(folder)
    more, inputs, alone = "", [], ""
    if comm.rank == 0:
        more = damage(part_of_demo(example_case, folder / "case"))
        alone = stopped(settings_of(folder / "case", folder / "out", hours=HOURS, more=more), MPI.COMM_SELF)
        inputs = sorted(path.name for path in folder.iterdir())
    alone, inputs = comm.bcast((alone, inputs))
    together = stopped(folder / "out.toml", comm)
    assert agree(comm, re.search(expected, alone)), alone
    assert agree(comm, "\n" not in alone)
    assert agree(comm, together == alone), together
    left = sorted(path.name for path in folder.iterdir())
    assert agree(comm, left == inputs and {*inputs} <= {"case", "out.toml", "weather.nc"}), left


def shared(*kinds: str) -> list[object]:
    """Damages, one of each kind, that all ranks meet together."""
    return [pytest.param(what, MPI.COMM_WORLD, marks=pytest.mark.mpi) for what in kinds if MPI.COMM_WORLD.size > 1]


@pytest.mark.parametrize(
    ("what", "comm"),
    [
        *((what, MPI.COMM_SELF) for what in IN_CASE),
        *shared("no water table", "impossible water", "no curve", "scalars that are cut", "all frozen", "no state"),
    ],
)
def test_a_case_that_cannot_be_run(example_case: Path, tmp_path: Path, what: str, comm: MPI.Intracomm) -> None:
    damage, expected = IN_CASE[what]
    assert_stops(example_case, tmp_path, damage, expected, comm)


@pytest.mark.restart_io  # some of it is found when files are open
@pytest.mark.parametrize(
    ("what", "comm"),
    [*((what, MPI.COMM_SELF) for what in IN_WEATHER), *shared("a gap", "mm an hour, late", "no file")],
)
def test_weather_that_cannot_be(example_case: Path, tmp_path: Path, what: str, comm: MPI.Intracomm) -> None:
    damage, expected = IN_WEATHER[what]
    assert_stops(example_case, tmp_path, damage, expected + r".*\(see \[weather\]\)$", comm)


def test_ranks_end_with_one_message_and_status_2(example_case: Path, tmp_path: Path) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    more = weather(rain=late(0.5))(case)
    settings = settings_of(case, tmp_path / "out", hours=HOURS, more=f"restart_every = 1\n{more}")
    alone, together = (imgda("columns", settings, ranks=ranks) for ranks in (0, 2))
    said = [line for line in alone.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert alone.returncode == together.returncode == 2
    assert together.stderr.count("error: ") == 1
    assert said[0] in together.stderr
    assert "Traceback" not in together.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "out.toml", "weather.nc"]


def test_a_frozen_column_may_hold_what_no_other_may(example_case: Path, tmp_path: Path) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    patch = thawed(case)

    def put_there(value: float) -> Callable[[np.ndarray], np.ndarray]:
        def change(old: np.ndarray) -> np.ndarray:
            old[patch] = value
            return old

        return change

    edit(case / state(), t_soisno=put_there(270.0), zwt=put_there(-1e36), wa=put_there(4800.0))
    edit(case / const(), n_vgm=put_there(-1e36), psi0=put_there(-1e36), hksati=put_there(0.0))
    assert stopped(settings_of(case, tmp_path / "out", hours=1), MPI.COMM_SELF) == ""
    after = next((tmp_path / "out").rglob("demo_restart_2022-153-25200_*.nc"))
    assert read(after, "wa")[patch] == 4800.0


def test_a_restart_of_another_time_is_named_with_those_that_are_there(example_case: Path, tmp_path: Path) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    said = stopped(settings_of(case, tmp_path / "out", start=START + HOUR), MPI.COMM_SELF)
    assert f"case/restart/2022-153-25200: found no such folder (there are: {STAMP})" in said
    assert said.endswith("(see [model])")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("/proc/out", "/proc: found "),
        ("out.toml/out", "out.toml: found a file, expected a folder; give another folder"),
        ("case", "case: found a folder that is not empty, without manifest.json, expected a whole result"),
    ],
)
def test_an_output_that_cannot_be(example_case: Path, tmp_path: Path, output: str, expected: str) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    settings = settings_of(case, tmp_path / "out")
    settings.write_text(settings.read_text().replace('"out"', f'"{output}"'))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    said = stopped(settings, MPI.COMM_SELF)
    assert said.startswith(expected), said
    assert said.endswith("(see [output] directory)")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_room_is_needed_for_every_restart(example_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 20_000_000}))
    few, many = (
        settings_of(case, tmp_path / name, hours=240, more=f"restart_every = {every}\n")
        for name, every in (("few", 120), ("many", 1))
    )
    assert re.match(r".*: found 20.0 MB free, expected \d{3}\.\d MB; free space", stopped(many, MPI.COMM_SELF))
    assert stopped(few, MPI.COMM_SELF) == ""
