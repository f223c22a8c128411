"""What `check` finds in the files of runs of cycles, of comparisons and of soil columns before anything is computed."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
from colm_runs import put
from column_cases import part_of_demo, settings_of
from cycles import SIX, Setup, imgda, setup202x, setup2014
from launch import imgda as on_ranks
from mpi4py import MPI

from imgda_mpi.cycling.command_checks import check_command, check_environment, check_launcher
from imgda_mpi.faults import ConfigError, ImgdaError, InputError
from imgda_mpi.settings.columns import ColumnsRun
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.file import read_settings, read_table, verb_of
from imgda_mpi.workflow.check_cycle import check_cycle
from imgda_mpi.workflow.columns import check_columns
from imgda_mpi.workflow.compare import check_comparison

SELF = MPI.COMM_SELF


@pytest.fixture
def site(tmp_path: Path) -> Setup:
    """A site of CoLM2014 with three images, whose command is there."""
    return setup2014(tmp_path)


def check(settings: Path) -> None:
    check_cycle(read_settings(settings, CycleRun), SELF)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="imgda_mpi")
    return caplog


@pytest.mark.parametrize("kind", ["colm202x", "colm2014"])
def test_nothing_stands_in_the_way_of_a_good_run_and_nothing_is_written(
    kind: str, tmp_path: Path, example_case: Path, said: pytest.LogCaptureFixture
) -> None:
    setup = setup202x(tmp_path, example_case) if kind == "colm202x" else setup2014(tmp_path)
    settings = setup.settings()
    before = sorted(tmp_path.rglob("*"))
    check(settings)
    assert sorted(tmp_path.rglob("*")) == before
    assert "files        of 3 of 3 analyses are there" in said.text
    assert said.messages[-1] == "nothing stands in the way of the run"
    cycle = next(re.fullmatch(r"disk +a cycle +(\d+) +(\S+)", line) for line in said.messages if "a cycle" in line)
    assert cycle is not None
    assert 20 < int(cycle[1]) < 40
    assert float(cycle[2]) > 0.1


def test_all_that_is_wrong_is_said_at_once(site: Setup, said: pytest.LogCaptureFixture) -> None:
    settings = site.settings(command="./colm.x", cycle='launch = "no_such_launcher 2"\n')
    put(settings, start="2022-06-03T00:00:00Z")
    (site.folder / "images").rename(site.folder / "elsewhere")
    (site.folder / "run").mkdir()
    (site.folder / "run/x").touch()
    with pytest.raises(ConfigError) as err:
        check(settings)
    lines = str(err.value).splitlines()
    assert lines[0] == "4 things stand in the way of the run:"
    for part in (
        r"\./colm\.x: found no such command.*\(see \[model\] command, environment\)",
        r"no_such_launcher: found no such command.*\(see \[cycle\] launch\)",
        r"S-rstTimeVar-2022-154-00000: found no such file \(there are: S-rstTimeVar-2022-155-00000\)",
        r"found no file for 3 of 3 analyses: 2022-06-04T00:00:00Z .*2022060400\.nc, .*\(see \[observation\] file\)",
    ):
        assert sum(bool(re.search(part, line)) for line in lines) == 1, (part, lines)
    assert any(
        re.search(r"run: found a folder that is not empty.*\(see \[output\] directory\)", m) for m in said.messages
    )


def test_the_command_says_the_same_on_ranks_and_ends_with_2(site: Setup) -> None:
    settings = site.settings(command="./colm.x")
    alone, together = imgda("check", settings), on_ranks("check", settings, ranks=2)
    assert alone.returncode == together.returncode == 2
    wrong = "error: ./colm.x: found no such command"
    assert alone.stderr.count(wrong) == together.stderr.count(wrong) == 1
    assert on_ranks("check", site.settings(), ranks=2).returncode == 0


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("greenwich", ".false.", r"clmexp, greenwich: found \.false\., expected \.true\."),
        ("deltim", "2400.", r"clmexp, deltim: found 2400 s"),
        ("numpatch", "41", r"numpatch: found 41, expected 40 as in .*rstTimeConst"),
        ("lat_points", "5", r"lat_points: found 5, expected 4 as in .*rstTimeConst"),
        ("site", "'T'", r"T-rstTime"),
        ("dir_forcing", "7", r"dir_forcing: found 7, expected text"),
    ],
)
def test_a_namelist_that_cannot_be_used_is_found(site: Setup, key: str, value: str, expected: str) -> None:
    put(site.case.namelist, **{key: value})
    with pytest.raises(ConfigError, match=expected):
        check(site.settings())


def test_a_namelist_without_a_key_is_found(site: Setup) -> None:
    text = site.case.namelist.read_text()
    site.case.namelist.write_text(re.sub(r"(?m)^solarin_all_band.*\n", "", text))
    with pytest.raises(ConfigError, match="solarin_all_band: found no such key"):
        check(site.settings())


def test_a_window_that_the_executable_cannot_stop_at_is_found(site: Setup) -> None:
    with pytest.raises(ConfigError, match="restarts every 12 h of the day for a window that ends at 2022-06-04 06:00"):
        check(put(site.settings(), restart_every='"12 h"'))


def test_consts_of_another_case_are_found(tmp_path: Path, example_case: Path) -> None:
    setup = setup202x(tmp_path, example_case)
    mesh = setup.case.directory / "landdata/mesh/2005/mesh.nc"
    with netCDF4.Dataset(mesh, "r+") as file:
        file["longitude"][:] = np.asarray(file["longitude"][:]) + 20.0
    with pytest.raises(ConfigError, match=r"patchlonr, patchlatr: found .* patches outside their cell"):
        check(setup.settings())


def test_environments_are_tried(site: Setup) -> None:
    script = site.folder / "modules.sh"
    settings = site.settings(command="colm_from_modules", model='environment = "modules.sh"\n')
    for content, expected in (
        (None, "modules.sh: found no such file"),
        ("no_such_module load x\n", "found a file at which bash stops .*no_such_module: command not found"),
        ("true\n", r"colm_from_modules: found no such command, .*modules\.sh"),
    ):
        if content is not None:
            script.write_text(content)
        with pytest.raises(ConfigError, match=expected) as err:
            check(settings)
        assert "things stand" not in str(err.value)
    script.write_text("colm_from_modules() { :; }\n")
    check(settings)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("bash -c 'true", "found no program"),
        ("X=1", "found no program"),
        ("bash ./there ./not_there", "./not_there: found no such file"),
        ("true && bash /no/such/colm.x {namelist} > /no/such/log", "/no/such/colm.x: found no such file"),
        ("no-such-mpirun -n 3 ./there", "no-such-mpirun: found no such command"),
    ],
)
def test_commands_that_start_nothing_are_refused(tmp_path: Path, command: str, expected: str) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(ConfigError, match=re.escape(expected)):
        check_command(command, None, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "OMP_NUM_THREADS=1 bash ./there {namelist} > ./log 2>&1",
        "cd / && ./anything",
        "(cd /; ./anything)",
        "$LAUNCH ./there",
        "X=$Y bash ./there",
        "bash ./there '' ''",
        "bash $HOME/x ./log*",
        "bash ~/x",
    ],
)
def test_commands_that_only_the_shell_can_judge_are_left_to_it(tmp_path: Path, command: str) -> None:
    (tmp_path / "there").touch()
    check_command(command, None, tmp_path)


def test_launchers_are_those_of_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    check_launcher("")
    check_launcher("env X=1")
    monkeypatch.setenv("IMGDA_OUTSIDE", "PATH=/nowhere")
    check_launcher("env X=1")
    with pytest.raises(ConfigError, match="env: found no such command"):
        check_command("env", None, Path("/"))


def test_a_shell_file_that_is_relative_is_that_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules.sh").write_text("true\n")
    monkeypatch.chdir(tmp_path)
    check_environment(Path("modules.sh"), Path("/"))
    with pytest.raises(InputError):
        check_environment(Path("others.sh"), Path("/"))


def test_missing_images_are_listed_and_passed_over_or_refused(site: Setup, said: pytest.LogCaptureFixture) -> None:
    site.image(site.case.start + SIX).unlink()
    site.image(site.case.start + 2 * SIX).write_bytes(b"")
    check(site.settings())
    warning = next(record for record in said.records if record.levelno == logging.WARNING)
    text = warning.getMessage()
    assert text.startswith("2 of 3 analyses have no image and will be passed over: 2022-06-04T06:00:00Z ")
    assert text.endswith("2022060412.nc (empty)")
    with pytest.raises(ConfigError, match="found no file for 2 of 3 analyses: 2022-06-04T06:00:00Z"):
        check(site.settings(cycle='without_observation = "stop"\n'))


def test_the_first_image_that_is_there_is_read_on_the_grid(site: Setup) -> None:
    first, second = (site.image(site.case.start + number * SIX) for number in range(2))
    first.unlink()
    second.write_bytes(b"no NetCDF")
    with pytest.raises(ConfigError, match=f"{second.name}: found a text, 'no NetCDF'"):
        check(site.settings())


def test_an_image_after_the_start_is_read_with_the_soil_of_the_start(
    site: Setup, said: pytest.LogCaptureFixture
) -> None:
    site.image(site.case.start).unlink()
    settings = put(site.settings(), first_analysis="2022-06-04T06:00:00Z")
    check(settings)
    assert "sm at 2022-06-04 06:00 UTC" in said.text
    with pytest.raises(ConfigError, match="sn: found no such variable"):
        check(put(settings, variable='"sn"'))


def test_the_method_of_the_analyses_is_tried(site: Setup) -> None:
    settings = site.settings(method="innovation/full")
    text = settings.read_text().replace("allow_few = true\n", "")
    settings.write_text(text)
    with pytest.raises(ConfigError, match=r"11 observed soil cells.*\(see \[method\], \[errors\] allow_few\)"):
        check(settings)


def test_members_are_looked_for_at_every_analysis(site: Setup) -> None:
    settings = site.settings(method="letkf")
    with pytest.raises(ConfigError, match=r"'letkf' needs an \[ensemble\] section"):
        check(settings)
    more = '[ensemble]\nkind = "images"\nfile = "members/%Y%m%d%H.nc"\nvariable = "sm"\n'
    settings.write_text(settings.read_text() + more)
    with pytest.raises(ConfigError, match=r"found no file for 3 of 3 analyses: .*\(see \[ensemble\] file\)"):
        check(settings)


def test_a_control_needs_no_image(site: Setup, said: pytest.LogCaptureFixture) -> None:
    (site.folder / "images").rename(site.folder / "elsewhere")
    settings = site.settings(method="none", cycle='launch = "no_such_launcher"\n')
    check(settings)
    assert "cycles       1, of which 0 begin with an analysis" in said.messages


def test_too_little_room_is_found(site: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(
        ConfigError, match=r"found 1\.0 MB free, expected .* MB.*\(see \[output\], \[cycle\] keep_every"
    ):
        check(site.settings())


def test_too_few_files_that_may_be_made_are_found(site: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    system = SimpleNamespace(f_files=1000, f_favail=10, f_bavail=10**9, f_bfree=10**9, f_blocks=10**9, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _: system)
    with pytest.raises(ConfigError, match="found room for 10 files, expected for"):
        check(site.settings())


def test_a_run_that_has_begun_is_checked_for_what_is_left(site: Setup, said: pytest.LogCaptureFixture) -> None:
    settings = site.settings(n=2, analyses=1, cycle='stop_every = "6 h"\n')
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
    check(settings)
    assert any("all cycles are complete in" in line for line in said.messages)
    check(put(settings, allow_few="false"))  # what lets an analysis pass may change on the way
    # A folder that is taken is no fault of what is checked.
    said.clear()
    check(site.settings(n=2, analyses=1, method="none", cycle='stop_every = "6 h"\n'))
    assert any(
        "found another run: " in line and 'kind "pointwise" there and "none" here' in line for line in said.messages
    )
    settings = site.settings(n=2, analyses=1, cycle='stop_every = "6 h"\n')
    restart = next((site.folder / "run/cycles/20220604T06/restart").glob("S-rstTimeVar-2022-155-43200"))
    restart.write_bytes(restart.read_bytes()[:-8] + bytes(8))
    with pytest.raises(ConfigError, match="found another content"):
        check(settings)


def test_the_driver_stops_before_the_first_analysis_where_a_command_is_not_found(site: Setup) -> None:
    done = imgda("cycle", site.settings(command="./colm.x"))
    assert done.returncode == 2
    assert "./colm.x: found no such command" in done.stderr
    assert not (site.folder / "run").exists()


def columns_settings(folder: Path, example_case: Path, weather: str) -> Path:
    """A run of cycles of soil columns without analyses."""
    case = part_of_demo(example_case, folder / "case")
    path = folder / "columns.toml"
    path.write_text(
        'method = "none"\n[cycle]\nstart = 2022-06-02T06:00:00Z\nfirst_analysis = 2022-06-02T06:00:00Z\n'
        "last_analysis = 2022-06-02T06:00:00Z\nend = 2022-06-02T12:00:00Z\n"
        f'[model]\nkind = "columns"\ndirectory = "{case}"\ncase = "demo"\n[weather]\n{weather}'
        '[output]\ndirectory = "run"\n'
    )
    return path


def test_cycles_of_soil_columns_are_checked_with_their_weather(
    tmp_path: Path, example_case: Path, said: pytest.LogCaptureFixture
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    check(columns_settings(tmp_path / "a", example_case, 'kind = "generated"\n'))
    assert "weather      made up from seed 0" in said.messages
    files = columns_settings(tmp_path / "b", example_case, 'kind = "files"\nfiles = ["rain.nc"]\n')
    with pytest.raises(ConfigError, match=r"rain\.nc.*\(see \[weather\]\)"):
        check(files)


def test_check_knows_whose_file_it_is(site: Setup, example: Path, tmp_path: Path) -> None:
    assert verb_of(read_table(site.settings())) == "cycle"
    assert verb_of(read_table(example / "case.toml")) == "analyse"
    assert verb_of(read_table(example / "compare.toml")) == "compare"
    assert verb_of(read_table(settings_of(tmp_path, tmp_path / "out"))) == "columns"


def test_check_of_a_comparison_stops_where_the_comparison_would(
    example: Path, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    text = (example / "compare.toml").read_text()
    text = text.replace('"analysis/diagnostics.nc"', '"truth.nc"').replace('"background"', '"soil_moisture"')
    text = text.replace('file = "truth.nc"', f'max_time_offset = inf\nfile = "{example}/truth.nc"', 1)
    text = text.replace('file = "truth.nc"', f'file = "{example}/truth.nc"')
    good = tmp_path / "compare.toml"
    good.write_text(re.sub(r'directory = ".*"', 'directory = "out"', text))
    check_comparison(read_settings(good, Comparison), SELF)
    assert said.messages[-1] == "nothing stands in the way of the comparison"
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").touch()
    done = imgda("check", good)
    assert done.returncode == 0
    assert re.search(r"warning: .*out: found a folder that is not empty.*\(see \[output\] directory\)", done.stderr)
    bad = tmp_path / "bad.toml"
    bad.write_text(re.sub(r'directory = ".*"', 'directory = "new"', text.replace("/truth.nc", "/no_truth.nc")))
    with pytest.raises(InputError, match=r"no_truth\.nc: found no such file"):
        check_comparison(read_settings(bad, Comparison), SELF)


def test_check_of_columns_stops_where_the_run_would(
    tmp_path: Path, example_case: Path, said: pytest.LogCaptureFixture
) -> None:
    case = part_of_demo(example_case, tmp_path / "case")
    weather = '[weather]\nkind = "generated"\n'
    check_columns(read_settings(settings_of(case, tmp_path / "run", more=weather), ColumnsRun), SELF)
    assert said.messages[-1] == "nothing stands in the way of the run"
    assert not (tmp_path / "run").exists()
    off = settings_of(case, tmp_path / "run", more=f"points = [[-80.0, 0.0]]\n{weather}")
    with pytest.raises(ImgdaError, match=r"\[run\] points"):
        check_columns(read_settings(off, ColumnsRun), SELF)
