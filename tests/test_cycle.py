"""Runs of cycles around the stand-ins of CoLM: what they hold, and that it does not matter how they came about."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from colm_runs import put
from cycles import HOUR, MODEL_ENVIRONMENT, SIX, Setup, command, cycles, imgda, kept, setup202x, setup2014
from launch import ENVIRONMENT, ROOT, contents, finished, mpirun

from imgda_mpi.disk import checksum
from imgda_mpi.faults import ConfigError
from imgda_mpi.results.history_file import open_history
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.cycle import cycle_step

pytestmark = pytest.mark.program

# Where it does not matter which model it is: that of CoLM2014 starts sooner.
MODEL_2014 = pytest.mark.parametrize("setup", ["colm2014"], indirect=True)


@pytest.fixture(scope="module", params=["colm202x", "colm2014"])
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, example_case: Path) -> Setup:
    folder = tmp_path_factory.mktemp(request.param)
    return setup202x(folder, example_case) if request.param == "colm202x" else setup2014(folder)


@pytest.fixture(scope="module")
def run(setup: Setup) -> Path:
    """The run of three windows in one go."""
    done = imgda("cycle", setup.settings())
    assert done.returncode == 0, done.stderr
    assert "all 3 cycles are complete" in done.stdout
    return setup.folder / "run"


def test_a_run_chains_from_background_to_analysis_to_background(run: Path, setup: Setup) -> None:
    whole = open_run(run)
    whole.check_chain()
    first, second, third = whole.cycles()
    for cycle in (first, second, third):
        assert cycle.verify() == ["background", "analysis", "restart"]
        manifest = json.loads((cycle.directory / "analysis/manifest.json").read_text())
        inputs = {Path(entry["file"]).name: entry["sha256"] for entry in manifest["inputs"]}
        for name, of_file in cycle.record.background.files.items():
            assert inputs.get(name, of_file) == of_file
        assert cycle.record.analysis != cycle.record.background
    assert second.record.background == first.record.restart
    assert second.record.origin == first.record.as_origin
    assert sorted((run / "cycles").iterdir()) == [cycle.directory for cycle in (first, second, third)]


def test_a_cycle_is_a_case_that_can_be_run_again_by_hand(run: Path, setup: Setup, tmp_path: Path) -> None:
    again = Path(shutil.copytree(run, tmp_path / "again", symlinks=True))
    here, there = cycles(again)[1], cycles(run)[1]
    namelist = here.directory / setup.case.namelist.name
    namelist.write_text(namelist.read_text().replace(str(there.directory), str(here.directory)))
    for path in here.files("restart"):
        path.unlink()
    done = setup.case.run(namelist, **MODEL_ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    made = here.directory / "restart"
    for path in there.files("restart"):
        assert (made / path.relative_to(there.directory / "restart")).read_bytes() == path.read_bytes()


def test_an_analysis_can_be_made_again_by_hand(run: Path, tmp_path: Path) -> None:
    second = cycles(run)[1]
    text = (second.directory / "analysis.toml").read_text()
    assert tomllib.loads(text)["output"]["directory"] == "analysis"
    again = tmp_path / "analysis.toml"
    again.write_text(text)
    assert imgda("analyse", again).returncode == 0
    made = {path.name: checksum(path) for path in (tmp_path / "analysis/restart").rglob("*") if path.is_file()}
    assert second.record.analysis is not None
    assert made == second.record.analysis.files


def test_nothing_holds_the_name_that_a_folder_had_before(run: Path) -> None:
    for cycle in cycles(run):
        for path in cycle.directory.rglob("*"):
            if path.is_symlink():
                assert path.exists(), path
            elif path.suffix in (".json", ".toml", ".nml", ".stdin") and path.name != "manifest.json":
                assert ".partial" not in path.read_text(), path


@pytest.mark.parametrize("setup", ["colm202x"], indirect=True)
def test_one_cycle_a_job_gives_the_same_files(run: Path, setup: Setup) -> None:
    settings = setup.settings("jobs")
    seconds = "1"  # which are over after the first cycle
    for number in range(1, 4):
        done = imgda("cycle", settings, "--until-walltime", seconds)
        made = len(cycles(setup.folder / "jobs"))
        assert (done.returncode, made) == ((0, 3) if number == 3 else (3, number)), done.stderr
        pace = json.loads(imgda("status", settings, "--json").stdout)["seconds"]
        seconds = f"{1.1 * (pace['analysis'] + 6 * pace['model_per_hour'] + pace['own']) + 1.0}"
    assert kept(setup.folder / "jobs") == kept(run)
    done = imgda("cycle", settings)
    assert (done.returncode, "all 3 cycles" in done.stdout) == (0, True)


@MODEL_2014
def test_steps_of_cycles_give_the_same_files_and_can_be_asked_for_again(run: Path, setup: Setup) -> None:
    settings = setup.settings("steps")
    for number in range(3):
        time = setup.case.start + number * SIX
        for step in ("analysis", "model") if number else ("analysis", "analysis", "model", "model", "analysis"):
            done = imgda("cycle", settings, "--only", step, "--at", f"{time:%Y%m%dT%H%MZ}")
            assert done.returncode == 0, done.stderr
    assert kept(setup.folder / "steps") == kept(run)


def test_steps_out_of_order_are_refused(setup: Setup) -> None:
    file, time = setup.settings("disorder"), setup.case.start
    settings = read_settings(file, CycleRun)
    for at, expected in (
        (time, "is not made yet"),
        (time + SIX, f"the cycle of {time:%Y-%m-%dT%H:%M:%SZ} is to be made first"),
        (time + HOUR, "no cycle starts then; the next one is"),
    ):
        with pytest.raises(ConfigError, match=expected):
            cycle_step(settings, "model", at)
    done = imgda("cycle", file, "--only", "model")
    assert (done.returncode, done.stderr) == (2, "error: --only and --at go together\n")
    done = imgda("cycle", file, "--rehearse", "--until-walltime", "60")
    assert done.returncode == 2
    assert "--until-walltime: is for a whole run" in done.stderr


def test_any_number_of_ranks_gives_the_same_files_also_where_they_stay(run: Path, setup: Setup) -> None:
    ranks, resident = (2, "false") if setup.kind == "colm202x" else (3, "true")
    settings = setup.settings("ranks", cycle=f'launch = "{ROOT}/bin/run_ranks {ranks}"\nresident = {resident}\n')
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
    assert kept(setup.folder / "ranks") == kept(run)


def test_a_control_run_goes_without_stops_and_ends_where_windows_end(setup: Setup) -> None:
    settings = setup.settings("control", n=2, method="none")
    assert imgda("cycle", settings).returncode == 0
    (whole,) = cycles(setup.folder / "control")
    assert whole.record.end - whole.record.time == 2 * SIX
    settings = setup.settings("stops", n=2, method="none", cycle='stop_every = "6 h"\n')
    assert imgda("cycle", settings).returncode == 0
    stops = cycles(setup.folder / "stops")
    assert len(stops) == 2
    for one, other in zip(whole.files("restart"), stops[-1].files("restart"), strict=True):
        same = contents(one) == contents(other) if one.suffix == ".nc" else one.read_bytes() == other.read_bytes()
        assert same, one


def test_status_tells_what_is_done_and_left(run: Path, setup: Setup) -> None:
    done = imgda("status", setup.settings(), "--json")
    found = json.loads(done.stdout)
    assert (found["state"], found["cycles"], found["analyses"]) == ("complete", {"done": 3, "left": 0}, 3)
    assert found["seconds"]["model_per_hour"] > 0
    assert json.loads(imgda("status", setup.settings("none-yet"), "--json").stdout)["state"] == "not begun"
    assert "complete: 3 of 3 cycles" in imgda("status", setup.settings()).stdout
    # Windows of other settings are not those that are left of this run.
    other = imgda("status", put(setup.settings("other", cycle='window = "3 h"\n'), directory='"run"'))
    assert (other.returncode, other.stderr.count("error: ")) == (2, 1)
    assert 'found another run: [cycle] window "6 h" there and "3 h" here' in other.stderr


@MODEL_2014
def test_a_run_folder_can_be_moved_and_goes_on(run: Path, setup: Setup) -> None:
    settings = setup.settings("moved")
    assert imgda("cycle", settings, "--until-walltime", "1").returncode == 3
    other = setup.folder / "elsewhere"
    (setup.folder / "moved").rename(other)
    text = settings.read_text().replace('directory = "moved"', 'directory = "elsewhere"')
    settings.write_text(text)
    done = imgda("cycle", settings)
    assert done.returncode == 0, done.stderr
    assert kept(other, setup.folder / "moved") == kept(run)


def test_the_model_has_the_environment_of_the_user(setup: Setup) -> None:
    """Not the program's own, which has one thread for each rank and other commands first on its path."""
    modules = setup.folder / "modules.sh"
    modules.write_text("export SET_BY=modules\n")
    by_file, is_active = f'environment = "{modules}"\n', {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin"}
    cases: dict[str, list[tuple[str, str, dict[str, str]]]] = {
        "colm2014": [("OMP_NUM_THREADS=", "", {}), ("SET_BY=modules", by_file, {})],
        "colm202x": [("OMP_NUM_THREADS=7", "", is_active | {"OMP_NUM_THREADS": "7", "VIRTUAL_ENV": sys.prefix})],
    }
    for number, (wanted, model, given) in enumerate(cases[setup.kind]):
        settings = setup.settings(f"environment{number}", n=1, model=model)
        own = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "IMGDA_OUTSIDE")
        user = {key: text for key, text in ENVIRONMENT.items() if key not in own} | {"PATH": "/usr/bin:/bin"}
        user |= {"COLM_WANTS_ENV": wanted} | MODEL_ENVIRONMENT | given
        words = [str(ROOT / "bin/imgda_mpi"), "cycle", str(settings)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=user, check=False)
        assert done.returncode == 0, done.stderr


def test_columns_cycle_the_same_on_any_number_of_ranks_and_in_any_number_of_jobs(
    example_case: Path, tmp_path: Path
) -> None:
    setup = setup202x(tmp_path, example_case)
    runs = {}
    for name, ranks in (("one", 0), ("three", 3)):
        settings = of_columns(setup, name, [40.0, -80.0])
        assert imgda_on(ranks, "cycle", settings, "--until-walltime", "0.1") == 3
        assert imgda_on(ranks, "cycle", settings) == 0
        runs[name] = kept(tmp_path / name)
        open_run(tmp_path / name).check_chain()
    assert runs["one"] == runs["three"]
    assert sum(name.endswith("history.nc") for name in runs["one"]) == 3
    for cycle in cycles(tmp_path / "three"):
        with open_history(cycle.history) as history:
            assert history.points.tolist() == [[40.0, -80.0]]
            assert np.isfinite(history.profiles(-1)).all()


def test_a_run_of_columns_says_little_and_keeps_the_rest_in_files(example_case: Path, tmp_path: Path) -> None:
    done = imgda("cycle", of_columns(setup202x(tmp_path, example_case), "run", [40.0, -80.0]))
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert all(line.startswith("warning: ") for line in lines)
    counts = [line for line in lines if " of 3 analyses: " in line]
    assert len(lines) <= 2 * len(counts) + 3
    for cycle in cycles(tmp_path / "run"):
        text = (cycle.directory / "log/analysis.txt").read_text()
        assert all(f"{stage:12} " in text for stage in ("restart", "observation", "increment", "soil", "write"))
        assert "against the assimilated image: " in text


def test_a_point_without_columns_is_refused(example_case: Path, tmp_path: Path) -> None:
    settings = of_columns(setup202x(tmp_path, example_case), "run", [40.0, -20.0])
    for verb in ("check", "cycle"):
        done = imgda(verb, settings)
        assert done.returncode == 2
        assert "[model] points: [40, -20] lies in a cell without a soil column that moves" in done.stderr
    assert not (tmp_path / "run").exists()


def of_columns(setup: Setup, name: str, point: list[float]) -> Path:
    """Settings of cycles of soil columns with profiles at a point."""
    model = f'kind = "columns"\ndirectory = "{setup.case.directory}"\ncase = "demo"\npoints = [{point}]\n'
    settings = setup.settings(name)
    text = settings.read_text()
    head, tail = text.index('kind = "colm202x"'), text.index("[observation]")
    settings.write_text(f'{text[:head]}{model}[weather]\nkind = "generated"\n{text[tail:]}')
    return settings


def imgda_on(ranks: int, *arguments: object) -> int:
    """The status of the command, alone or on ranks."""
    words = command(*arguments)
    done = finished(mpirun(ranks, *words) if ranks else words, {})
    assert done.returncode in (0, 3), done.stderr
    return done.returncode
