"""Commands of a run: groups of processes that end with the driver, and are ended whatever they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imgda_mpi.cycling import commands
from imgda_mpi.cycling.commands import failure, run
from imgda_mpi.faults import LostError


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def is_there(number: int) -> bool:
    """Whether a process is there that is more than the entry of a dead one."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(number: int) -> None:
    given_up = time.monotonic() + 10
    while is_there(number):
        assert time.monotonic() < given_up
        time.sleep(0.01)


def test_what_a_command_leaves_behind_ends_with_it(log: Path) -> None:
    assert run("sleep 60 & echo $!; exit 7", log=log, directory=log.parent) == 7
    wait_until_gone(int(log.read_text()))


def test_a_process_that_takes_no_notice_is_ended_all_the_same(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PATIENCE", 0.3)
    script = "(trap '' TERM; echo $BASHPID; while true; do sleep 0.1; done) & sleep 0.2"
    assert run(script, log=log, directory=log.parent) == 0
    wait_until_gone(int(log.read_text()))


def test_one_that_cannot_be_ended_does_not_hold_the_run(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(commands, "PATIENCE", 0.1)
    with log.open("wb") as said:
        command = commands.Command("exec sleep 60", directory=log.parent, stdin=subprocess.DEVNULL, log=said)
    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", lambda *_: None)
        command.end()
    assert f"process {command.process.pid} cannot be ended" in caplog.text
    assert command.process.wait(10) == -signal.SIGTERM  # by its guard, which is told in the end


def test_a_command_ends_with_a_driver_that_is_killed(log: Path) -> None:
    code = "import sys; from pathlib import Path; from imgda_mpi.cycling.commands import run; log = Path(sys.argv[1])\n"
    code += "run('sleep 60 & echo $!; wait', log=log, directory=log.parent)"
    with subprocess.Popen([sys.executable, "-c", code, str(log)]) as driver:
        while not (log.exists() and log.read_text().strip()):
            time.sleep(0.01)
        driver.kill()
    wait_until_gone(int(log.read_text()))


@pytest.mark.parametrize("script", ["kill -KILL $$", "(kill -KILL $BASHPID)", "exit 137"])
def test_a_command_that_a_signal_has_ended_is_lost(log: Path, script: str) -> None:
    error = failure("the model", run(script, log=log, directory=log.parent), log)
    assert isinstance(error, LostError)
    assert str(error).startswith(f"the model was ended by {signal.SIGKILL.name}; what {log} ends with:")
