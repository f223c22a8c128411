"""Runs of cycles that are interrupted: by kills, signals and full disks, at any moment, they come to the same files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cycles import MODEL_ENVIRONMENT, Setup, imgda, kept, setup2014, started
from kills import ANALYSIS, MARK, MODEL, Trial, faults_of, fill_up, part_of, small_disk
from launch import ENVIRONMENT
from processes import processes

from imgda_mpi.results.run_folder import LOG
from imgda_mpi.results.run_writing import KEPT

pytestmark = pytest.mark.program

N = 2
SLOW = {"COLM_FAULT": "slow_restart 50"}


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return setup2014(tmp_path_factory.mktemp("site"), N)


@pytest.fixture(scope="module")
def alone(setup: Setup) -> Path:
    """The run that is not disturbed."""
    done = imgda("cycle", setup.settings("alone", n=N))
    assert done.returncode == 0, done.stderr
    return setup.folder / "alone"


@pytest.fixture(scope="module")
def undisturbed(alone: Path) -> dict[str, object]:
    return kept(alone)


def a_copy(setup: Setup, alone: Path, name: str) -> tuple[Path, Path]:
    """Settings and folder of a run that is as if it had been made there."""
    folder = Path(shutil.copytree(alone, setup.folder / name, symlinks=True))
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".toml", ".stdin", ".json"):
            path.write_text(path.read_text().replace(str(alone), str(folder)))
    return setup.settings(name, n=N), folder


def test_kills_at_random_moments_lose_nothing(setup: Setup, undisturbed: dict[str, object]) -> None:
    trial = Trial(setup, setup.settings("random", n=N), np.random.default_rng(6), 1.0, 0.5, SLOW)
    trial.until_done(5)
    assert len(trial.kills) == 5
    assert not trial.faults
    assert not faults_of(trial.run, undisturbed)


DIES = """
import importlib, os, signal, sys
module, name, number = importlib.import_module(sys.argv[1]), sys.argv[2], int(sys.argv[3])
does = getattr(module, name)
def dies(*arguments, **more):
    global number
    number -= 1
    if not number:
        os.kill(os.getpid(), signal.SIGKILL)
    return does(*arguments, **more)
setattr(module, name, dies)
from imgda_mpi.cli import main
sys.exit(main(sys.argv[4:]))
"""


def test_a_driver_that_dies_at_any_of_its_steps_goes_on(setup: Setup, undisturbed: dict[str, object]) -> None:
    settings, run = setup.settings("steps", n=N), setup.folder / "steps"
    writing, loop = "imgda_mpi.results.run_writing", "imgda_mpi.cycling.loop"
    for module, name, number, complete in (
        (writing, "_give_name", 1, None),  # the run's own folder
        (loop, "link", 1, 0),  # begun, without a background
        (loop, "attempt", 2, 0),  # analysed
        (writing, "_take_over", 1, 0),
        (writing, "remove", 1, 0),
        (writing, "_give_name", 1, 0),  # with cycle.json
        (writing, "sync", 20, 1),  # under its name, not yet known to be there
        (loop, "thin", 1, 1),
    ):
        words = [sys.executable, "-c", DIES, module, name, str(number), "cycle", str(settings)]
        done = subprocess.run(words, env=ENVIRONMENT | MODEL_ENVIRONMENT, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, (name, done.stderr)
        whole = None if not run.exists() else sum("." not in path.name for path in (run / "cycles").iterdir())
        assert whole == complete, name
    assert imgda("cycle", settings).returncode == 0
    assert not faults_of(run, undisturbed)


def test_ranks_that_are_killed_are_run_again_in_place(setup: Setup, undisturbed: dict[str, object]) -> None:
    settings, run = setup.settings("ranks", n=N), setup.folder / "ranks"
    with started("cycle", settings, **SLOW, **{MARK: "ranks"}) as driver:
        for part in (ANALYSIS, MODEL):
            os.kill(one_of(part, driver, "ranks"), signal.SIGKILL)
        said, _ = driver.communicate(timeout=100)
    assert driver.returncode == 0
    assert said.count("ended by SIGKILL") == said.count("running it again") == 2
    assert not faults_of(run, undisturbed)
    first = min((run / "cycles").iterdir())
    lines = (first / LOG / "failures.txt").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["analysis:", "model:"]


def test_a_rank_that_is_killed_too_often_ends_the_run_as_lost(setup: Setup, undisturbed: dict[str, object]) -> None:
    settings, run = setup.settings("lost", n=N, cycle="retries = 0\n"), setup.folder / "lost"
    once = {"COLM_FAULT": "killed", "COLM_FAULT_TIMES": "1", "COLM_FAULT_FILE": str(setup.folder / "count")}
    done = imgda("cycle", settings, **once)
    assert (done.returncode, done.stderr.count("error: ")) == (4, 1)
    assert "was ended by SIGKILL; what" in done.stderr
    found = json.loads(imgda("status", settings, "--json").stdout)
    assert (found["state"], found["cycles"]["done"], len(found["failed"])) == ("failed", 0, 1)
    assert imgda("cycle", settings, **once).returncode == 0
    assert not faults_of(run, undisturbed)


def one_of(part: str, driver: subprocess.Popen[str], mark: str) -> int:
    """The number of a process of a part, as soon as there is one."""

    def found() -> list[int]:
        return [number for number in processes(f"{MARK}={mark}") if part_of(number, driver.pid) == part]

    wait_until(lambda: bool(found()) or driver.poll() is not None)
    return found()[0]


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    given_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < given_up
        time.sleep(0.01)


def test_signals_end_a_driver_at_once_and_leave_only_what_is_whole(
    setup: Setup, undisturbed: dict[str, object]
) -> None:
    settings, run = setup.settings("signals", n=N), setup.folder / "signals"
    hangs = {"COLM_FAULT": "hang 60", MARK: "signals"}
    for number, status in ((signal.SIGUSR1, 3), (signal.SIGTERM, 3), (signal.SIGINT, 130)):
        with started("cycle", settings, **hangs) as driver:
            one_of(MODEL, driver, "signals")
            wait_until(lambda: next(run.glob("cycles/*.partial/history"), None) is not None)
            driver.send_signal(number)
            said, _ = driver.communicate(timeout=5)
        assert driver.returncode == status, said
        assert f"ended by {number.name}: run this again to go on" in said
        assert not processes(f"{MARK}=signals")
        (left,) = (run / "cycles").iterdir()
        assert {path.name for path in left.iterdir()} <= {*KEPT}
        assert (left / "analysis/manifest.json").exists()
    assert imgda("cycle", settings).returncode == 0
    assert not faults_of(run, undisturbed)


def test_a_second_driver_is_refused_also_by_one_that_stands_still_and_a_dead_one_is_none(
    setup: Setup, alone: Path, undisturbed: dict[str, object]
) -> None:
    settings, run = a_copy(setup, alone, "locked")
    shutil.rmtree(max((run / "cycles").iterdir()))
    with started("cycle", settings, **{"COLM_FAULT": "hang 60", MARK: "locked"}) as driver:
        one_of(MODEL, driver, "locked")
        driver.send_signal(signal.SIGSTOP)
        second = imgda("cycle", settings)
        said = f"process {driver.pid} on {socket.gethostname()} since 2"
        assert (second.returncode, second.stderr.count("error: ")) == (2, 1)
        assert f"found a run at work: {said}" in second.stderr
        status = json.loads(imgda("status", settings, "--json").stdout)
        assert (status["state"], said in status["driver"]) == ("running", True)
        driver.kill()
    assert json.loads(imgda("status", settings, "--json").stdout)["state"] == "idle"
    assert imgda("cycle", settings).returncode == 0
    wait_until(lambda: not processes(f"{MARK}=locked"))
    assert not faults_of(run, undisturbed)


def test_settings_that_decide_may_not_change_between_two_jobs(setup: Setup, alone: Path) -> None:
    settings = setup.settings("alone", n=N, keep="12 h", cycle='launch = "nice"\nretries = 7\n')
    assert imgda("cycle", settings).returncode == 0
    settings.write_text(settings.read_text().replace("observation = 0.04", "observation = 0.05"))
    done = imgda("cycle", settings)
    assert (done.returncode, done.stderr.count("error: ")) == (2, 1)
    assert "found another run: [errors] observation 0.04 there and 0.05 here, expected" in done.stderr


def test_what_was_changed_by_hand_is_refused_and_named(setup: Setup, alone: Path) -> None:
    def refused(settings: Path) -> str:
        done = imgda("cycle", settings)
        assert (done.returncode, done.stderr.count("error: ")) == (2, 1), done.stderr
        return done.stderr

    settings, run = a_copy(setup, alone, "changed")
    first, second = sorted((run / "cycles").iterdir())
    restart = next(path for path in (second / "restart").iterdir() if not path.is_symlink())
    content = restart.read_bytes()
    restart.write_bytes(content[:-1] + b"x")
    assert f"{restart}: found another content, expected what the cycle wrote; remove" in refused(settings)
    restart.write_bytes(b"")
    assert f"{restart}: found another content" in refused(settings)
    restart.write_bytes(content)
    first.rename(run / "first")
    assert f"{second}/cycle.json: its time: found" in refused(settings)
    assert "put back what was before it" in refused(settings)
    (run / "first").rename(first)
    (second / "cycle.json").write_text("")
    assert f"{second}/cycle.json: found what cannot be understood" in refused(settings)
    (run / "run.json").write_text("{")
    assert f"{run}/run.json: found what cannot be understood" in refused(settings)


def test_a_disk_that_is_full_stops_the_run_and_loses_nothing(
    setup: Setup, alone: Path, undisturbed: dict[str, object]
) -> None:
    with small_disk(setup.folder / "small", 20_000_000) as is_mounted:
        if not is_mounted:
            pytest.skip("needs the right to mount a small file system")
        settings = setup.settings("small", n=N)
        settings.write_text(settings.read_text().replace('"small"', '"small/run"'))
        run, other = setup.folder / "small/run", setup.folder / "small/other"
        for ending in ("*.partial/restart", "*.partial/.imgda_mpi.partial-*"):
            with started("cycle", settings, **SLOW) as driver:
                wait_until(lambda ending=ending: next(run.glob(f"cycles/{ending}"), None) is not None)
                while driver.poll() is None:
                    fill_up(other)
                    time.sleep(0.001)
                said = driver.communicate()[0]
            assert driver.returncode == 2, said
            assert re.search("error: .*no space left on", said, re.IGNORECASE)
            other.unlink()
        assert imgda("cycle", settings).returncode == 0
        assert not faults_of(run, undisturbed)
